"""Checkpoints, tokenizers and texts that somebody writes while a ladder is scored, and secrets in what failed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from worlds import tiny_models

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from benchcast.scoring import record
from benchcast.scoring.checkpoints import files as checkpoints
from worlds.scoring import QUIET, Heard, run, settings, value

pytestmark = QUIET
CHANGED = "changed while it was scored: tried again next time"


class Meddler(Heard):
    """Changes the world once, when everything is hashed and nothing scored."""

    def __init__(self, change: Callable[[], object]) -> None:
        super().__init__()
        self._change = change

    def start(self, missing: int, wanted: int) -> None:
        self._change()


def scaled(folder: Path) -> None:
    """Other weights, of the same size, with the old time."""
    path = folder / "model.safetensors"
    before = path.stat()
    tiny_models.edit(folder, lambda t: t["model.norm.weight"].mul_(1.7))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def shuffled(folder: Path) -> None:
    path = folder / "tokenizer.json"
    words = json.loads(path.read_text())
    names = sorted(words["model"]["vocab"], key=words["model"]["vocab"].get)
    words["model"]["vocab"] = {name: i for i, name in enumerate([names[0], *names[10:], *names[1:10]])}
    path.write_text(json.dumps(words))


def widened(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rope_theta": 77.0}))


def gone(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def cut(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 9000)


@pytest.mark.parametrize("change", [scaled, shuffled, widened, gone, cut])
def test_a_checkpoint_replaced_before_its_turn_is_scored_next_time(world: Path, change: Any) -> None:
    shutil.copytree(world / "runs" / "b", world / "b")
    heard = Meddler(lambda: change(world / "runs" / "b"))
    table, failures = run(world, heard)
    assert failures == {("runs/b", "*"): CHANGED}
    assert f"error: runs/b: {CHANGED}" in heard.lines
    assert set(table["run"]) == {"a"}
    shutil.rmtree(world / "runs" / "b")
    shutil.copytree(world / "b", world / "runs" / "b")
    again, failures = run(world)
    fresh, _ = run(world, store="other", out="other.csv")
    assert failures == {}
    for name in "ab":
        assert value(again, name, "plain", "nll") == value(fresh, name, "plain", "nll")


def test_what_is_only_touched_or_linked_is_scored(world: Path) -> None:
    def touch() -> None:
        os.utime(world / "runs/b/model.safetensors")
        os.link(world / "runs/a/model.safetensors", world / "kept")

    table, failures = run(world, Meddler(touch))
    assert failures == {}
    assert set(table["run"]) == {"a", "b"}


def test_a_checkpoint_replaced_after_its_last_answer_is_not_stored(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchcast.scoring.inference.worker import Worker

    answer = Worker._answer

    def late(self: Any, job: Any) -> Any:
        found = answer(self, job)
        if job.files.folder.name == "b":
            scaled(job.files.folder)
        return found

    monkeypatch.setattr(Worker, "_answer", late)
    _, failures = run(world)
    assert failures == {("runs/b", "*"): CHANGED}


def test_a_worker_elsewhere_scores_only_the_files_of_its_digest(world: Path) -> None:
    from benchcast.core.digest import file_digest
    from benchcast.scoring.inference.worker import Worker, WorkerJob, WorkerSettings

    files = checkpoints.files_of(world / "runs" / "a")
    digest = checkpoints.digest(files, file_digest)
    from benchcast.scoring.requests.encoded import pack

    asked = pack([([1, 2], [3], 0), ([1, 2], [4], 0)])
    other: Any = (("another machine", 1, 2, 3, 4),)
    worker = Worker(WorkerSettings(device="cpu", dtype="float32", batch_size=4))
    assert not worker.answer(
        WorkerJob(files=files, digest=digest, signature=other, limit=96, key="k", requests=asked)
    ).changed
    assert (
        Worker(WorkerSettings(device="cpu", dtype="float32", batch_size=4))
        .answer(WorkerJob(files=files, digest="0" * 64, signature=other, limit=96, key="k", requests=asked))
        .changed
    )


def test_two_workers_notice_it_too(world: Path) -> None:
    heard = Meddler(lambda: scaled(world / "runs" / "b"))
    table, failures = run(world, heard, workers=2)
    assert failures == {("runs/b", "*"): CHANGED}
    assert set(table["run"]) == {"a"}


def test_a_text_written_while_it_is_read_is_not_remembered_under_the_old_hash(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchcast.scoring.requests.cache import RequestCache
    from benchcast.scoring.requests.kinds import texts

    path = world / "words.txt"
    path.write_text(tiny_models.TEXT * 30)
    read, calls = texts.read_texts, []

    def slow(*given: Any) -> Any:
        found = read(*given)
        if not calls:
            path.write_text(tiny_models.TEXT[::-1] * 30)
        calls.append(1)
        return found

    monkeypatch.setattr(texts, "read_texts", slow)
    first, _ = run(world, checkpoints=("runs/a",), validation_text=("words.txt",))
    assert len(calls) == 2  # built again from what stands there now
    monkeypatch.setattr(texts, "read_texts", read)
    monkeypatch.setattr(RequestCache, "recall", lambda self: None)
    fresh, _ = run(world, checkpoints=("runs/a",), validation_text=("words.txt",), store="other")
    assert value(first, "a", "words", "val_loss") == value(fresh, "a", "words", "val_loss")


def test_a_fifo_among_the_task_files_or_texts_does_not_hang(world: Path) -> None:
    from benchcast.core.errors import FaultsError

    os.mkfifo(world / "tasks" / "more.yaml")
    with pytest.raises(FaultsError, match=r"more\.yaml: cannot be read: is a FIFO"):
        run(world)
    (world / "tasks" / "more.yaml").unlink()
    os.mkfifo(world / "words.txt")
    with pytest.raises(FaultsError, match=r"words\.txt: cannot be read: is a FIFO"):
        run(world, validation_text=("words.txt",))


def test_a_broken_cell_that_the_index_lacks_is_scored_again(world: Path) -> None:
    first, _ = run(world)
    for path in (world / "scores").glob("cells/??/*/results.json"):
        path.write_text("{}")
    (world / "scores" / "index.sqlite").write_bytes(b"U" * 5000)
    heard = Heard()
    second, failures = run(world, heard)
    assert failures == {}
    assert any("was broken" in line for line in heard.lines)
    assert any("it is scored again" in line for line in heard.lines)
    assert value(second, "a", "plain", "nll") == value(first, "a", "plain", "nll")


def test_the_account_says_what_became_of_every_folder(world: Path) -> None:
    from benchcast.scoring.run import score

    shutil.copytree(world / "runs" / "a", world / "runs" / "zero")
    about = json.loads((world / "runs/zero/benchcast.json").read_text())
    (world / "runs/zero/benchcast.json").write_text(json.dumps(about | {"step": 0}))
    shutil.copytree(world / "runs" / "a", world / "runs" / "twin")
    (world / "runs" / "empty").mkdir()
    lines = score(settings(), world, Meddler(lambda: scaled(world / "runs" / "b"))).account.lines()
    assert lines == (
        "left out 1: checkpoints before the first step (zero tokens): runs/zero",
        "left out 1: folders with the same files, run and step as another, which is scored: runs/twin (as runs/a)",
        "left out 1: checkpoints that changed while they were scored: tried again next time: runs/b",
        "left out 1: checkpoints that are broken or contradict themselves or others: runs/empty",
        "read 5 checkpoint folders; took 1 checkpoints placed, 6 rows",
    )


def test_secrets_are_neither_told_nor_recorded(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter2-hunter2"
    monkeypatch.setenv("MY_TOKEN", secret)

    def broken(*_: Any) -> Any:
        raise RuntimeError(f"the proxy said no to {secret} and hf_abcdefghijklmnop")

    monkeypatch.setattr(record.measure, "of", broken)
    heard = Heard()
    _, failures = run(world, heard)
    assert len(failures) == 2
    kept = "".join(p.read_text() for p in (world / "scores").rglob("*.json"))
    told = "\n".join([*heard.lines, *failures.values(), kept])
    assert secret not in told
    assert "hf_abc" not in told
    assert "***" in told
