"""The nightly pass over real checkpoints: what it scores, in which order, and what it does when the world is broken."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from worlds import nightly as world

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from lm_eval.tasks import TaskManager
from worlds.ladders import ROOT
from worlds.scoring import QUIET

pytestmark = [*QUIET, pytest.mark.usefixtures("blank_pages")]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ladder after its first night."""
    config = world.make_scoring(tmp_path_factory.mktemp("first"))
    assert world.dry(config)[-1] == "12 cells of 6 checkpoints would be scored"
    assert not (config.parent / "scores").exists()
    result = world.here(config)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    return config


@pytest.fixture
def config(first: Path, tmp_path: Path) -> Path:
    return world.copy(first, tmp_path)


def test_a_pass_with_nothing_new_is_fast_and_loads_no_torch(config: Path) -> None:
    world.here(config)  # the copied checkpoints are hashed once
    before = world.contents(config)
    began = world.spent()
    result = world.night(config, PYTHONPROFILEIMPORTTIME="1")
    took = world.spent() - began
    assert (result.returncode, result.stdout) == (0, "")
    assert not {"torch", "lm_eval", "transformers", "typst"} & world.imported(result)
    assert took < 3
    assert world.contents(config) == before


def test_good_checkpoints_are_scored_and_broken_ones_told_once(config: Path) -> None:
    world.big(config, 0.1, seed=11)
    broken = world.big(config, 0.2, seed=12)
    whole = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    half = world.big(config, 0.3, seed=13)
    (half / "model.safetensors").rename(half / "model.safetensors.part")
    world.edit(config, score={"quiet_seconds": 3600})  # what just changed may still be written
    for folder in (*config.parent.glob("runs/*"), config.parent / "big" / "at-0.1", broken):
        world.age(folder)
    assert world.dry(config)[-1] == "2 cells of 1 checkpoints would be scored"
    result = world.here(config)
    assert result.returncode == 1
    assert result.stdout == ""
    [line] = world.messages(result.stderr)
    assert line.startswith("error: failure: big/at-0.2: ")
    assert "bytes where its header tells of" in line
    assert json.loads((config.parent / "nightly" / "status.json").read_text())["waiting"] == ["big/at-0.3"]
    again = world.here(config)
    assert (again.returncode, again.stderr) == (1, "")
    (half / "model.safetensors.part").rename(half / "model.safetensors")
    (broken / "model.safetensors").write_bytes(whole)
    for folder in (half, broken):
        world.age(folder)
    mended = world.here(config)
    assert mended.returncode == 0
    assert world.messages(mended.stderr) == [line.replace("error:", "cleared:")]
    assert sorted({p["tokens"] for e in world.history(config) for p in e["points"]}) == [2e9, 4e9, 6e9]


def test_a_budget_takes_the_newest_first_and_leaves_the_rest_to_the_next_pass(config: Path) -> None:
    for number, share in enumerate((0.3, 0.1, 0.2)):
        folder = world.big(config, share, seed=20 + number)
        os.utime(folder / "model.safetensors", (1e9 + number, 1e9 + number))
    world.edit(config, reevaluate={"max_checkpoints": 1})
    assert world.dry(config) == ["big/at-0.2: plain, more", "2 cells of 1 checkpoints would be scored"]
    order = []
    for _ in range(4):
        assert world.here(config).returncode in (0, 3)
        order.append(world.tokens_scored(config))
    assert order == [[4e9], [2e9, 4e9], [2e9, 4e9, 6e9], [2e9, 4e9, 6e9]]


def test_a_band_of_half_a_ladder_is_registered_again_when_it_is_whole(tmp_path: Path) -> None:
    config = world.make_scoring(tmp_path, max_checkpoints=4)
    world.big(config, 0.1, seed=25)
    for number, folder in enumerate(sorted(tmp_path.glob("runs/*"))):
        os.utime(folder / "model.safetensors", (1e9 + number, 1e9 + number))
    for _ in range(3):
        world.here(config)
    entries = [e["registered"] for e in world.history(config) if e.get("registered")]
    assert [(e["complete"], e["late"]) for e in entries] == [(False, ["planned"]), (True, ["planned"])]
    assert world.tokens_scored(config) == [2e9]


def test_a_first_night_without_a_complete_checkpoint(tmp_path: Path) -> None:
    config = world.make_scoring(tmp_path, runs=1)
    world.edit(config, score={"quiet_seconds": 3600})
    result = world.here(config)
    assert result.returncode == 75
    assert "no checkpoint is complete" in result.stderr


def test_no_time_no_scores(config: Path) -> None:
    world.big(config, 0.1, seed=30)
    world.edit(config, reevaluate={"max_hours": 1e-9})
    assert world.here(config).returncode == 0
    assert world.tokens_scored(config) == []
    assert json.loads((config.parent / "nightly" / "status.json").read_text())["left"] == 2


def test_a_pass_asks_new_checkpoints_some_documents_and_the_last_one_all(config: Path) -> None:
    """The ladder was asked everything on its first night, and chooses; no version of a task changes by that."""
    world.edit(config, score={"documents": 12})
    world.big(config, 0.5, seed=61)
    assert world.here(config).returncode in (0, 3)
    choices = [json.loads(p.read_text()) for p in (config.parent / "scores" / "subsets").glob("*.json")]
    assert {c["task"]: len(c["chosen_by"]) for c in choices} == {"plain": 6, "more": 0}  # which has no more than 12
    world.big(config, 1.0, seed=62)
    world.edit(config, score={"documents": 12, "whole": ["big/at-1.0"]})
    result = world.here(config)
    assert result.returncode in (0, 3)
    assert "version" not in result.stderr
    points = [p for e in world.history(config) for p in e["points"] if p["task"] == "plain"]
    assert [(p["tokens"], p["n"]) for p in points] == [(1e10, 12.0), (2e10, 30.0)]
    assert len({p["version"] for p in points}) == 1


def test_the_scorers_own_documents_make_the_paired_test(config: Path) -> None:
    """Against a plain count over the stored answers."""
    import pandas as pd
    from benchcast.nightly.tracking.points import Documents, Point

    for share, seed in ((0.1, 41), (0.2, 42)):
        world.big(config, share, seed=seed)
    world.here(config)
    points = [Point(**p) for e in world.history(config) for p in e["points"] if p["task"] == "plain"]
    assert [p.tokens for p in points] == [2e9, 4e9]
    right = []
    for point in points:
        frame = pd.read_parquet(next(config.parent.glob(f"scores/cells/??/{point.cell}/documents.parquet")))
        documents = [own.iloc[own["loglik"].argmax()] for _, own in frame.groupby("doc_id")]
        right.append([bool(best["choice"] == best["gold"]) for best in documents])
    pair = Documents(config.parent / "scores").pair(*points)
    assert pair is not None
    counts = Counter(zip(*right, strict=True))
    assert (pair.documents, pair.lost, pair.won) == (30, counts[True, False], counts[False, True])
    assert [sum(r) / 30 for r in right] == pytest.approx([p.value for p in points])


def test_a_task_that_was_removed_from_disk(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # lm-eval's own 14,000 tasks have none of this name either, and take seconds to read.
    monkeypatch.setattr("lm_eval.tasks.TaskManager", partial(TaskManager, include_defaults=False))
    before = world.contents(config)
    (config.parent / "tasks" / "more.yaml").unlink()
    result = world.here(config)
    assert result.returncode in (1, 3)
    assert any("failure: more: " in line for line in result.stderr.splitlines())
    assert world.kept(before, world.contents(config))


def test_an_edited_task_is_scored_again_and_its_band_no_longer_holds(config: Path) -> None:
    world.big(config, 0.1, seed=50)
    world.here(config)
    task = config.parent / "tasks" / "more.yaml"
    task.write_text(task.read_text().replace("{{query}}", "Q: {{query}}"))
    result = world.here(config)
    assert result.returncode == 3
    assert [line for line in result.stderr.splitlines() if line.startswith("alert: benchmark: planned, more: ")]
    assert len({p["version"] for e in world.history(config) for p in e["points"] if p["task"] == "more"}) == 2


def test_the_example_config(first: Path, tmp_path: Path) -> None:
    """As it is shipped, but for the tasks: the test has no network."""
    shutil.copytree(first.parent / "tasks", tmp_path / "tasks")
    config = Path(shutil.copy(ROOT / "configs" / "nightly.yaml", tmp_path))
    for task in (tmp_path / "tasks").glob("*.yaml"):
        task.write_text(task.read_text().replace(str(first.parent), str(tmp_path)))
    place = {"family": "my-mix", "tokens_per_step": 1e6}  # what the tiny checkpoints say of themselves
    world.edit(config, score={"tasks": ["plain", "more"], "include_path": "tasks", "place": place})
    for number in range(6):
        folder = tmp_path / "ladder" / f"r{number}" / f"step-{20 * 2**number}"
        world.checkpoint(folder, f"r{number}", 1e6 * 2**number, 2e7 * 2**number, number)
        world.age(folder)
    done = world.here(config)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    world.checkpoint(tmp_path / "big" / "step-140000", "big", 7e9, 1.4e11, 99)
    assert world.here(config).returncode == 0
    assert world.tokens_scored(config) == []  # it is not yet quiet for five minutes
    world.age(tmp_path / "big" / "step-140000")
    world.here(config)
    assert world.tokens_scored(config) == [1.4e11]
    assert (tmp_path / "nightly" / "reports" / "latest" / "report.pdf").is_file()


def test_the_doctor_builds_the_tasks_without_a_network(config: Path) -> None:
    (config.parent / "tasks" / "more.jsonl").unlink()
    result = world.here(config, command="doctor")
    assert result.returncode == 1
    found = " ".join(result.stdout.split())
    assert found.count("FAIL") == 1
    assert "FAIL tasks offline: more cannot be loaded: " in found
    assert "ok score.checkpoints: nothing matches big/* yet" in found


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True)
    if mount.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mount.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("what", ["score", "reevaluate"])
def test_a_full_disk(first: Path, tmp_path: Path, small_disk: Path, what: str) -> None:
    """The store, or the folder of the pass, is on a disk with no room left."""
    config = world.copy(first, tmp_path / "world")
    name = {"score": "scores", "reevaluate": "nightly"}[what]
    shutil.copytree(config.parent / name, small_disk / name, symlinks=True)
    shutil.rmtree(config.parent / name)
    (config.parent / name).symlink_to(small_disk / name)
    world.big(config, 0.1, seed=60)
    before, cells = world.contents(config), world.cells(config)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 512)
    result = world.here(config)
    assert result.returncode == 1
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert "No space left on device" in line
    assert world.contents(config) == before
    assert world.kept(cells, world.cells(config))
    filler.unlink()
    after = world.here(config)
    assert after.returncode in (0, 3)
    assert world.kept(before, world.contents(config))
    assert world.tokens_scored(config) == [2e9]


@pytest.mark.parametrize("what", ["scores", "nightly"])
def test_a_read_only_folder(config: Path, what: str) -> None:
    world.big(config, 0.1, seed=70)
    before = world.contents(config)
    folder = str(config.parent / what)
    if subprocess.run(["mount", "--bind", folder, folder], capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        result = world.here(config)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert folder in line
    assert "Read-only file system" in line or "cannot be written" in line
    assert world.contents(config) == before
    assert world.here(config).returncode in (0, 3)
    assert world.tokens_scored(config) == [2e9]
