"""A checkpoint is scored as what it was hashed, or not at all; one bad folder or cell costs itself and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from worlds import tiny_models
from worlds.commands import benchcast

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from worlds.scoring import QUIET, Heard, run, value

pytestmark = QUIET
CHANGED = "changed while it was scored: tried again next time"
RUNS = ("r0", "r1", "r2")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints and a task, scored once."""
    folder = tmp_path_factory.mktemp("whole")
    for seed, name in enumerate(RUNS):
        tiny_models.write_checkpoint(folder / "runs" / name, name, seed=seed)
    tiny_models.write_task(folder / "tasks", "plain", tiny_models.QUESTIONS)
    _, failures = run(folder)
    assert failures == {}
    return folder


@pytest.fixture
def world(whole: Path, tmp_path: Path) -> Path:
    """A copy to break, nothing scored; task files name their data by absolute path, so the task is the first one's."""
    shutil.copytree(whole / "runs", tmp_path / "runs")
    shutil.copytree(whole / "tasks", tmp_path / "tasks")
    return tmp_path


@pytest.fixture
def scored(whole: Path, world: Path) -> Path:
    """A copy with its scores."""
    shutil.copytree(whole / "scores", world / "scores")
    return world


@pytest.fixture(scope="module")
def true(whole: Path) -> pd.DataFrame:
    return pd.read_csv(whole / "scores.csv")


def settings_file(world: Path, *tasks: str) -> Path:
    path = world / "score.yaml"
    path.write_text(
        "score:\n  checkpoints: ['runs/*']\n  include_path: tasks\n  batch_size: 7\n  device: cpu\n"
        f"  quiet_seconds: 0\n  tasks: {json.dumps(list(tasks or ('plain',)))}\n",
        encoding="utf-8",
    )
    return path


class Swaps(Heard):
    """Changes something once, when the driver says that it has come to a point."""

    def __init__(self, change: Callable[[], None], *, current: str = "", done: str = "") -> None:
        super().__init__()
        self._change, self._current, self._done = change, current, done
        self.changed = 0

    def current(self, source: str) -> None:
        if source == self._current:
            self.now()

    def done(self, source: str, cells: int, seconds: float) -> None:
        if source == self._done:
            self.now()

    def now(self) -> None:
        if not self.changed:
            self._change()
        self.changed += 1


def replaced(path: Path, change: Callable[[Path], None], *, keep_time: bool = False) -> Callable[[], None]:
    """Write the file again beside its place and move it there, as trainers do."""

    def do() -> None:
        new, old = path.with_name(".new"), path.stat()
        shutil.copy2(path, new)
        change(new)
        if keep_time:
            os.utime(new, ns=(old.st_atime_ns, old.st_mtime_ns))
        new.replace(path)

    return do


def other_weights(path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save_file({k: v * 1.7 for k, v in load_file(path).items()}, path, metadata={"format": "pt"})


def other_config(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rope_theta": 77.0}))


def other_words(path: Path) -> None:
    words = json.loads(path.read_text())
    vocabulary = words["model"]["vocab"]
    names = sorted(vocabulary, key=vocabulary.get)
    words["model"]["vocab"] = {name: i for i, name in enumerate([names[0], *names[10:], *names[1:10]])}
    path.write_text(json.dumps(words))


def nlls(table: pd.DataFrame) -> dict[str, float]:
    return {name: value(table, name, "plain", "nll") for name in sorted(set(table["run"]))}


@pytest.mark.parametrize("when", [{"done": "runs/r0"}, {"current": "runs/r2"}])
@pytest.mark.parametrize(
    ("name", "change"),
    [("model.safetensors", other_weights), ("config.json", other_config), ("tokenizer.json", other_words)],
)
def test_a_checkpoint_written_after_it_was_hashed_is_not_scored(
    world: Path, true: pd.DataFrame, when: dict[str, str], name: str, change: Any
) -> None:
    path = world / "runs" / "r2" / name
    before = path.read_bytes()
    heard = Swaps(replaced(path, change), **when)
    table, failures = run(world, heard)
    assert heard.changed
    assert failures == {("runs/r2", "*"): CHANGED}
    assert f"error: runs/r2: {CHANGED}" in heard.lines
    assert nlls(table) == pytest.approx({r: value(true, r, "plain", "nll") for r in RUNS[:2]}, rel=1e-6)
    path.write_bytes(before)  # the very content that was hashed: what was stored for it must be its own
    table, failures = run(world)
    assert failures == {}
    assert nlls(table) == pytest.approx({r: value(true, r, "plain", "nll") for r in RUNS}, rel=1e-6)


def test_times_that_were_set_back_hide_nothing(world: Path) -> None:
    path = world / "runs" / "r2" / "model.safetensors"
    heard = Swaps(replaced(path, other_weights, keep_time=True), done="runs/r0")
    _, failures = run(world, heard)
    assert failures == {("runs/r2", "*"): CHANGED}


def test_the_same_content_written_again_is_scored(world: Path) -> None:
    path = world / "runs" / "r2" / "model.safetensors"
    _, failures = run(world, Swaps(replaced(path, lambda _: None), done="runs/r0"))
    assert failures == {}


def test_a_checkpoint_that_vanishes_costs_itself(world: Path) -> None:
    heard = Swaps(lambda: shutil.rmtree(world / "runs" / "r2"), done="runs/r0")
    table, failures = run(world, heard)
    assert failures == {("runs/r2", "*"): CHANGED}
    assert set(table["run"]) == {"r0", "r1"}


def test_a_name_that_is_not_utf_8_costs_itself(world: Path, true: pd.DataFrame) -> None:
    shutil.copytree(world / "runs" / "r0", world / "runs" / os.fsdecode(b"bad\xff"))
    done = benchcast("score", settings_file(world), scoring=True)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    told = [line for line in done.stderr.split("\n") if "bad\\xff" in line]
    assert told
    assert "not UTF-8" in done.stderr
    assert nlls(pd.read_csv(world / "scores.csv")) == pytest.approx(nlls(true), rel=1e-6)
    assert len(list(world.glob("scores/cells/*/*/results.json"))) == 3
    status = benchcast("status", settings_file(world))
    assert status.returncode == 0
    assert "bad\\xff" in status.stdout


def test_the_last_lines_say_what_became_of_every_folder(world: Path) -> None:
    (world / "runs" / "r2" / "config.json").write_text("{")
    about = json.loads((world / "runs" / "r1" / "benchcast.json").read_text())
    (world / "runs" / "r1" / "benchcast.json").write_text(json.dumps(about | {"step": 0, "tokens": 0, "flops": 0}))
    done = benchcast("score", settings_file(world), scoring=True)
    assert done.returncode == 1
    assert "read 3 checkpoint folders" in done.stderr
    assert "runs/r1" in done.stderr
    assert "runs/r2" in done.stderr
    assert set(pd.read_csv(world / "scores.csv")["run"]) == {"r0"}


def cells(world: Path) -> list[Path]:
    return sorted(world.glob("scores/cells/*/*/results.json"))


@pytest.mark.parametrize("key", ["cell", "checkpoint", "requests", "setup_digest", "task", "rows", "place", "setup"])
def test_a_cell_without_a_key_is_named_and_scored_again(scored: Path, true: pd.DataFrame, key: str) -> None:
    path = cells(scored)[0]
    content = json.loads(path.read_text())
    del content["benchcast"][key]
    path.write_text(json.dumps(content))
    checked = benchcast("store", "check", scored / "scores")
    assert checked.returncode == 1
    assert any(path.parent.name in line for line in checked.stderr.split("\n"))
    rebuilt = benchcast("store", "rebuild", scored / "scores")
    assert "Traceback" not in rebuilt.stderr
    assert path.parent.name in rebuilt.stderr
    assert "2 cells" in rebuilt.stdout
    table, failures = run(scored)
    assert failures == {}
    assert nlls(table) == pytest.approx(nlls(true), rel=1e-6)
    assert benchcast("store", "check", scored / "scores").returncode == 0


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"[" * 200_000, b'{"benchcast": 5}', b"null"])
def test_a_cell_that_is_no_cell_is_scored_again(scored: Path, true: pd.DataFrame, content: bytes) -> None:
    cells(scored)[0].write_bytes(content)
    (scored / "scores" / "index.sqlite").unlink()
    table, failures = run(scored)
    assert failures == {}
    assert nlls(table) == pytest.approx(nlls(true), rel=1e-6)
    assert json.loads(cells(scored)[0].read_text())["benchcast"]["rows"]


@pytest.mark.parametrize("gone", [True, False])
def test_a_cell_that_the_index_still_has_is_scored_again(scored: Path, true: pd.DataFrame, gone: bool) -> None:
    path = cells(scored)[0]
    if gone:
        shutil.rmtree(path.parent)
    else:
        path.write_bytes(b"")
    heard = Heard()
    table, failures = run(scored, heard)
    assert failures == {}
    assert any(path.parent.name in line and "scored again" in line for line in heard.lines)
    assert nlls(table) == pytest.approx(nlls(true), rel=1e-6)
    assert json.loads(path.read_text())["benchcast"]["rows"]
    again = Heard()
    run(scored, again)
    assert again.lines == []


@pytest.mark.parametrize("content", ["{}", "", "[1]", '{"cell": 3, "checkpoint": null}'])
def test_a_broken_record_of_a_failure_stops_nothing(scored: Path, content: str) -> None:
    path = scored / "scores" / "failures" / "ab" / "abcdef.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    rebuilt = benchcast("store", "rebuild", scored / "scores")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert "3 cells" in rebuilt.stdout
    assert "abcdef" in rebuilt.stderr
    checked = benchcast("store", "check", scored / "scores")
    assert "abcdef" in checked.stderr
    _, failures = run(scored)
    assert failures == {}


@pytest.mark.parametrize(("start", "size"), [(0, 100), (4000, 40_000), (20_000, 40_000), (0, 10**9)])
def test_a_broken_index_is_made_again(scored: Path, true: pd.DataFrame, start: int, size: int) -> None:
    path = scored / "scores" / "index.sqlite"
    data = bytearray(path.read_bytes())
    size = min(size, len(data) - start)
    data[start : start + size] = b"U" * size
    path.write_bytes(data)
    table, failures = run(scored)
    assert failures == {}
    assert nlls(table) == pytest.approx(nlls(true), rel=1e-9)
    assert benchcast("store", "check", scored / "scores").returncode == 0


def place(world: Path, name: str, **changes: object) -> None:
    path = world / "runs" / name / "benchcast.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def discovered(world: Path) -> Any:
    from benchcast.core.digest import file_digest
    from benchcast.scoring.checkpoints.discover import find
    from worlds.scoring import settings

    return find(settings(), world, file_digest)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "benchcast.json", "SHA256SUMS"])
@pytest.mark.parametrize("kind", ["a FIFO", "a device", "No such file"])
def test_what_is_no_file_in_a_checkpoint_is_named(world: Path, name: str, kind: str) -> None:
    path = world / "runs" / "r1" / name
    path.unlink(missing_ok=True)
    if kind == "a FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "a device" else "nowhere")
    found = discovered(world)
    assert [c.source for c in found.checkpoints] == ["runs/r0", "runs/r2"]
    ((source, _), reason), *more = found.broken.items()
    assert (source, more) == ("runs/r1", [])
    assert name in reason
    assert kind in reason


def test_two_spellings_of_one_run_are_not_two_places(world: Path) -> None:
    place(world, "r0", run="007")
    place(world, "r1", run="7")
    found = discovered(world)
    said = {source: reason for (source, _), reason in found.broken.items()}
    assert set(said) == {"runs/r0", "runs/r1"}
    assert "runs/r1 ('007', '7', 10)" in said["runs/r0"]
    assert "runs/r0" in said["runs/r1"]
    place(
        world,
        "r1",
        run="7",
        step=20,
        tokens=2000,
        flops=2 * json.loads((world / "runs/r1/benchcast.json").read_text())["flops"],
    )
    found = discovered(world)
    assert found.broken == {}
    assert any("'007' (runs/r0) and '7' (runs/r1)" in line for line in found.account.record().notes)


def test_equal_files_at_one_run_and_step_with_other_tokens_contradict_each_other(world: Path) -> None:
    shutil.copytree(world / "runs" / "r1", world / "runs" / "again")
    found = discovered(world)
    assert found.broken == {}
    assert len(found.checkpoints) == 3  # scored once, and told
    assert any("runs/r1 (as runs/again)" in line for line in found.account.record().lines())
    about = json.loads((world / "runs/again/benchcast.json").read_text())
    place(world, "again", tokens=3000, flops=3 * about["flops"])
    assert {source for source, _ in discovered(world).broken} == {"runs/again", "runs/r1"}
