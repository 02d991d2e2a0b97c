"""A run with nothing to score loads no torch; whatever could have changed what is asked is built again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from worlds import tiny_models
from worlds.tiny_models import QUESTIONS

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

import benchcast.scoring
from benchcast.scoring.requests import cache
from worlds.scoring import QUIET, make, run, settings

pytestmark = QUIET

CODE = """
import sys, json
from pathlib import Path
sys.path.insert(0, {tests!r})
from worlds.scoring import settings
from benchcast.scoring.run import score
summary = score(settings(**json.loads(sys.argv[2])), Path(sys.argv[1]))
print(json.dumps([summary.scored, len(summary.table), "torch" in sys.modules, "lm_eval" in sys.modules]))
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make(tmp_path_factory.mktemp("memo"))
    settle()
    return folder


def settle() -> None:
    """Wait until files just written are older than the clocks may differ: newer ones are not trusted, and not kept."""
    time.sleep(3 * cache.CLOCK_LAG)


def again(folder: Path, **changes: object) -> list[object]:
    """Cells scored, rows, and whether torch and lm-eval were loaded, by a process of its own."""
    code = CODE.format(tests=str(Path(__file__).parents[2]))
    command = [sys.executable, "-W", "ignore", "-c", code, str(folder), json.dumps(changes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_run_with_nothing_to_score_loads_neither_torch_nor_lm_eval(whole: Path) -> None:
    first, _ = run(whole)
    assert again(whole) == [0, len(first), False, False]
    table, failures = run(whole)
    assert failures == {}
    assert table.equals(first)


def edit_data(folder: Path) -> None:
    data = folder / "tasks" / "plain.jsonl"
    data.write_text(data.read_text().replace('"mat', '"cat', 1))  # of the same size


def edit_task(folder: Path) -> None:
    task = folder / "tasks" / "plain.yaml"
    task.write_text(task.read_text().replace('"{{query}}"', '"{{query}}!"'))


def edit_included(folder: Path) -> None:
    """The prompt of a task whose YAML includes another one, outside the folder of tasks."""
    (folder / "common.yaml").write_text((folder / "common.yaml").read_text().replace("{{query}}", "Q: {{query}}"))


def edit_code(folder: Path) -> None:
    (folder / "tasks" / "words.py").write_text("def prompt(doc):\n    return 'Q: ' + doc['query']\n")


def prepare(folder: Path, kind: Callable[[Path], None]) -> None:
    tiny_models.write_task(folder / "tasks", "plain", QUESTIONS)
    task = folder / "tasks" / "plain.yaml"
    if kind is edit_included:
        (folder / "common.yaml").write_text(task.read_text().replace("task: plain\n", ""))
        task.write_text("task: plain\ninclude: ../common.yaml\n")
    if kind is edit_code:
        (folder / "tasks" / "words.py").write_text("def prompt(doc):\n    return doc['query']\n")
        task.write_text(task.read_text().replace('"{{query}}"', "!function words.prompt"))
    settle()


@pytest.mark.parametrize("kind", [edit_data, edit_task, edit_included, edit_code])
def test_whatever_decides_the_requests_is_noticed(whole: Path, tmp_path: Path, kind: Callable[[Path], None]) -> None:
    prepare(tmp_path, kind)
    checkpoints = (str(whole / "runs" / "a"),)
    before, _ = run(tmp_path, checkpoints=checkpoints)
    kept = json.loads((tmp_path / "scores" / "requests.json").read_text())
    assert len(kept) == 1
    kind(tmp_path)
    if kind is edit_code:  # Python keeps a module it has loaded
        assert again(tmp_path, checkpoints=checkpoints)[0] == 1
        return
    after, failures = run(tmp_path, checkpoints=checkpoints)
    assert failures == {}
    assert set(after["task_version"]) != set(before["task_version"])
    assert len(list((tmp_path / "scores" / "cells").glob("??/*"))) == 2


def test_an_edit_of_any_file_of_the_scorer_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by the list that the cache makes of them, but by walking the package's folders."""
    package = Path(str(benchcast.scoring.__file__)).parent
    source = [Path(folder, name) for folder, _, names in os.walk(package) for name in names if name.endswith(".py")]
    assert len({path.parent for path in source}) > 4
    edited: Path | None = None
    true_digest = cache.file_digest
    monkeypatch.setattr(cache, "file_digest", lambda path: "edited" if path == edited else true_digest(path))
    requests = cache.RequestCache(tmp_path, settings(), tmp_path, lambda path: "unused")
    before = requests._key()
    assert requests._key() == before
    for edited in [*source, package.parent / "data" / "document_metrics.py"]:
        assert requests._key() != before, edited


def test_settings_and_unreadable_files_are_doubts(whole: Path, tmp_path: Path) -> None:
    from benchcast.scoring.requests.cache import RequestCache

    tiny_models.write_task(tmp_path / "tasks", "plain", QUESTIONS)
    settle()
    run(tmp_path, checkpoints=(str(whole / "runs" / "a"),))

    def recall(**changes: object) -> object:
        wanted = settings(checkpoints=("runs/a",), **changes)
        return RequestCache(tmp_path / "scores", wanted, tmp_path.resolve(), lambda path: "unused").recall()

    assert recall() is not None
    assert recall(device="cuda") is not None  # decides nothing about what is asked
    for changes in ({"limit": 5}, {"seed": 1}, {"num_fewshot": 2}, {"tasks": ("plain", "other")}):
        assert recall(**changes) is None
    (tmp_path / "tasks" / "new.yaml").write_text("task: new\n")
    assert recall() is None
    (tmp_path / "tasks" / "new.yaml").unlink()
    assert recall() is not None
    (tmp_path / "scores" / "requests.json").write_text("{")
    assert recall() is None


def test_limits_leave_the_older_checkpoints_for_the_next_run(whole: Path, tmp_path: Path) -> None:
    from benchcast.scoring.limits import Limits
    from benchcast.scoring.run import score

    tiny_models.write_task(tmp_path / "tasks", "plain", QUESTIONS[:5])
    asked = settings(checkpoints=(str(whole / "runs" / "*"),))
    now = time.time()
    os.utime(whole / "runs" / "a" / "model.safetensors", (now, now))
    os.utime(whole / "runs" / "b" / "model.safetensors", (now - 500, now - 500))
    none = score(asked, tmp_path, limits=Limits(until=time.monotonic()))
    assert (none.scored, none.left) == (0, 2)
    first = score(asked, tmp_path, limits=Limits(checkpoints=1, newest_first=True))
    assert (first.scored, first.left) == (1, 1)
    assert set(first.table["run"]) == {"a"}
    last = score(asked, tmp_path, limits=Limits(checkpoints=1, newest_first=True))
    assert (last.scored, last.left) == (1, 0)
    assert set(last.table["run"]) == {"a", "b"}
