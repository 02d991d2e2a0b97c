"""``benchcast documents`` on documents that are known: the easy, the hard, and those that are learnt on the way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchcast.reports.records.documents import DocumentsResult
from worlds.commands import benchcast, printed
from worlds.results import gemstones as world


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.write(tmp_path_factory.mktemp("documents"))


@pytest.fixture(scope="module")
def found(folder: Path) -> DocumentsResult:
    return DocumentsResult.model_validate_json(printed("documents", str(folder / "config.yaml"), "--json", "-"))


def test_documents_go_where_they_must(found: DocumentsResult) -> None:
    (task,) = found.tasks
    assert (task.task, task.target) == ("quiz", "planned")  # the largest target
    assert task.run == "800M"  # the largest fitted run
    assert len(task.documents) == len(world.KINDS)
    moves = {int(d.document): d.move for d in task.documents}
    now, then = (
        world.probabilities(world.nlls(n, m * n)) for n, m in ((world.SIZES[-1], world.MULTIPLIERS[-1]), (6.4e9, 40))
    )
    for i, kind in enumerate(world.KINDS):
        if kind != world.LEARNT:
            assert moves[i] in ("open", "stays right" if kind == world.EASY else "stays wrong")
    learnt = np.flatnonzero(world.KINDS == world.LEARNT)
    assert (now[learnt] < 0.5).all()
    assert (then[learnt] > 0.5).all()
    assert np.mean([moves[i] == "gained" for i in learnt]) > 0.9
    assert task.forecast == pytest.approx(np.mean([d.target for d in task.documents]), abs=0.02)
    assert np.diff([abs(d.target - d.now) for d in task.documents]).max() < 1e-5  # the largest changes come first


def test_a_task_and_a_target_are_chosen_by_patterns(folder: Path, found: DocumentsResult) -> None:
    text = printed("documents", str(folder / "config.yaml"), "--task", "q*", "--target", "1600M")
    assert "Documents expected to flip" in text
    assert "P(right) there" in text  # one task: its documents
    for words, line in (
        (("--task", "nothing"), "--task 'nothing': matches no task with documents (there are quiz)"),
        (("--target", "nothing"), "--target 'nothing': matches no target (there are 1600M, planned)"),
        (("--figure", "out.gif"), "--figure: out.gif: the name must end in .svg, .png or .pdf"),
    ):
        done = benchcast("documents", folder / "config.yaml", *words)
        assert done.returncode == 2
        assert f"error: {line}" in done.stderr


@pytest.mark.parametrize(("name", "begin"), [("f.png", b"\x89PNG"), ("f.pdf", b"%PDF"), ("f.svg", b"<?xml")])
def test_the_figure_is_the_same_each_time(folder: Path, tmp_path: Path, name: str, begin: bytes) -> None:
    contents = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        printed("documents", str(folder / "config.yaml"), "--figure", str(tmp_path / place / name))
        contents.append((tmp_path / place / name).read_bytes())
    assert contents[0] == contents[1]
    assert contents[0].startswith(begin)


def test_scores_without_documents_say_so(folder: Path, tmp_path: Path) -> None:
    config = (folder / "config.yaml").read_text().replace("path: .", f"path: {folder}")
    (tmp_path / "off.yaml").write_text(config + "documents: false\n")
    table = config.replace("source: gemstones", "source: table").replace(str(folder), "table.csv")
    printed("ingest", "gemstones", "--from", str(folder), "--out", str(tmp_path / "table.csv"))
    (tmp_path / "none.yaml").write_text(table)
    (tmp_path / "wanted.yaml").write_text(table + "documents: true\n")
    for name, command, line in (
        ("off", "documents", "documents: false uses none"),
        ("none", "documents", "documents: these scores have none"),
        ("wanted", "forecast", "documents: true needs documents, and these scores have none"),
    ):
        done = benchcast(command, tmp_path / f"{name}.yaml")
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {line}")
        assert done.stderr.count("\n") == 1


def test_a_task_whose_documents_are_too_few_is_left_out_with_a_line(folder: Path, tmp_path: Path) -> None:
    world.write(tmp_path / "few")
    config = (tmp_path / "few" / "config.yaml").read_text() + 'runs: {fit: ["100M"]}\n'
    (tmp_path / "few" / "config.yaml").write_text(config)
    done = benchcast("documents", tmp_path / "few" / "config.yaml")
    assert done.returncode == 2
    assert "no task has documents to forecast from: quiz: the documents cannot be used" in done.stderr


def test_the_result_is_json_that_reads_back(found: DocumentsResult) -> None:
    text = found.model_dump_json(by_alias=True)
    assert DocumentsResult.model_validate_json(text) == found
    assert json.loads(text)["schema"] == "benchcast.documents/1"
