"""The index of a folder of reports: results with their headlines, nights as one entry, and nothing that is neither."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchcast.core.errors import InputError
from benchcast.nightly import overview
from benchcast.reports.documents.typesetting import json_bytes
from benchcast.reports.sections.headline import headline
from worlds import nightly as world
from worlds.commands import benchcast
from worlds.hosts.browser import Elements
from worlds.reports import as_record, make_graded, make_result


@pytest.fixture
def study(tmp_path: Path, first_night: Path) -> Path:
    """Two results, one of them with a page; the nights of a run; and files that are no results."""
    for name, made in (("a b", make_graded()), ("deep/er", make_result(tasks=("mmlu",)))):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "result.json").write_bytes(
            json_bytes(as_record(made).model_dump(mode="json", by_alias=True))
        )
    (tmp_path / "a b" / "report.html").write_text("a page")
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "result.json").write_text('{"schema": "benchcast.plan/1"}')
    world.copy(first_night, tmp_path / "night")
    return tmp_path


def test_a_folder_lists_its_results_and_its_nights(study: Path) -> None:
    done = benchcast("history", study, "--html")
    assert (done.returncode, done.stdout) == (0, f"index: {study / 'index.html'}\n"), done.stderr
    page = Elements((study / "index.html").read_text())
    words = " ".join("".join(data for tag, data in page.texts if tag not in ("script", "style")).split())
    for made in (make_graded(), make_result(tasks=("mmlu",))):
        assert " ".join(headline(as_record(made)).split()) in words
    report = world.history(study / "night" / "nightly.yaml")[0]["report"]
    links = [path for path in page.addresses if path.endswith(".html")]
    assert links == ["night/nightly/index.html", f"night/nightly/reports/{report}/report.html", "a%20b/report.html"]
    assert "plan" not in words.split()


def test_a_folder_without_any_is_one_line(tmp_path: Path) -> None:
    for options in (("--html",), ()):
        done = benchcast("history", tmp_path, *options)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert str(tmp_path) in done.stderr
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"no result\.json of a run"):
        overview.folder(tmp_path)
