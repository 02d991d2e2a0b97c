"""Runs that are killed, and runs beside each other: real processes, real SIGKILL."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from worlds import tiny_models
from worlds.harness import layouts, written
from worlds.hosts.lines import LineHost
from worlds.tiny_models import QUESTIONS

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from worlds.scoring import QUIET

pytestmark = QUIET
CHECKPOINTS, PIECES = 4, 4
CELLS = CHECKPOINTS * (6 + PIECES)  # six cells each, and one in pieces
TASKS = ("plain", "more", "third", "mc2_like", "wikitext_like", "drawn_like")
KILLS = int(os.environ.get("BENCHCAST_KILLS", "8"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills")
    for number in range(CHECKPOINTS):
        tiny_models.write_checkpoint(folder / "runs" / f"r{number}", f"r{number}", seed=number)
    for task, documents in (("plain", QUESTIONS), ("more", QUESTIONS[::-1]), ("third", QUESTIONS[5:25])):
        tiny_models.write_task(folder / "tasks", task, documents)
    written.write_tasks(folder / "tasks")
    layouts.write(folder / "tasks" / "layouts", ("mc2_like", "wikitext_like"))
    (folder / "words.txt").write_text(" ".join(tiny_models.WORDS * 30), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def scorer() -> Iterator[LineHost]:
    made = LineHost("scoring.py")
    yield made
    made.close()


def scored(scorer: LineHost, world: Path, store: str, *words: Any) -> tuple[list[list[int]], list[tuple[str, str]]]:
    """Exit statuses, and the cells that were computed (again and again, perhaps)."""
    log = world / f"{store}.log"
    statuses = scorer.ask(str(world), store, str(log), *words)
    computed = [tuple(json.loads(line)[1:]) for line in log.read_text().splitlines()] if log.exists() else []
    return statuses, computed  # type: ignore[return-value]


def contents(world: Path, store: str) -> dict[str, bytes]:
    """Every file of every cell."""
    folder = world / store / "cells"
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def whole(scorer: LineHost, world: Path) -> dict[str, bytes]:
    """The cells of an uninterrupted run."""
    statuses, computed = scored(scorer, world, "whole", "whole", {"tasks": TASKS})
    assert statuses == [[0]]
    assert len(computed) == len(set(computed)) == CELLS
    return contents(world, "whole")


def test_killed_again_and_again_and_resumed_it_ends_as_if_never_killed(
    scorer: LineHost, world: Path, whole: dict[str, bytes]
) -> None:
    rng = random.Random(7)
    # While it starts, while it computes, while it stores: a moment after the first or second cell it has computed.
    moments = [
        f"{rng.choice((0, 1, 1, 2))}+{rng.choice((rng.uniform(0, 0.03), rng.random())):.4f}" for _ in range(KILLS)
    ]
    statuses, computed = scored(scorer, world, "killed", *moments, "whole", "whole", {"tasks": TASKS})
    killed = sum(status == [9] for status in statuses)
    assert killed > KILLS // 2  # the others were through before they were killed
    assert statuses[-1] == [0]
    assert contents(world, "killed") == whole
    assert not list((world / "killed" / "incoming").iterdir())
    assert not list((world / "killed" / "partial").iterdir())
    again = Counter(computed)
    tasks = [*TASKS[:-1], "words", *(f"drawn_like {piece}" for piece in range(PIECES))]
    assert set(again) == {(f"runs/r{i}", task) for i in range(CHECKPOINTS) for task in tasks}
    assert sum(again.values()) - CELLS <= killed  # a group is lost at most: here one cell, or one piece


def test_some_documents_are_chosen_once_however_often_a_run_is_killed(scorer: LineHost, world: Path) -> None:
    some: Any = {"documents": 10, "checkpoints": ["runs/r0", "runs/r1"]}
    assert scored(scorer, world, "some", "whole", some)[0] == [[0]]
    statuses, computed = scored(scorer, world, "some-killed", "0+0.3", "1+0", "2+0", "whole", some)
    assert [9] in statuses
    assert statuses[-1] == [0]
    assert contents(world, "some-killed") == contents(world, "some")
    choices, again = (
        {p.name: p.read_bytes() for p in (world / store / "subsets").iterdir()} for store in ("some", "some-killed")
    )
    assert len(choices) == 3  # a file for every task, none for the text
    assert choices == again
    assert len(computed) - 8 <= statuses.count([9])


def test_cells_on_their_way_in_are_recovered(scorer: LineHost, world: Path, whole: dict[str, bytes]) -> None:
    # Cells on their way in when the run died: one batch marked whole and half moved, one not.
    from benchcast.scoring.store import Store
    from benchcast.scoring.store.index import Index

    shutil.copytree(world / "whole", world / "halfway")
    cells = sorted((world / "halfway" / "cells").glob("??/*"))
    dead = world / "halfway" / "incoming" / "1-dead"
    (dead / "a.whole").mkdir(parents=True)
    (dead / "b").mkdir()
    cells[0].rename(dead / "a.whole" / cells[0].name)
    shutil.copytree(cells[1], dead / "a.whole" / cells[1].name)
    cells[2].rename(dead / "b" / cells[2].name)
    Index(Store(world / "halfway")).rebuild()
    statuses, computed = scored(scorer, world, "halfway", "whole", {"tasks": TASKS})
    assert statuses == [[0]]
    assert len(computed) in (1, PIECES)  # the one that was not whole
    assert contents(world, "halfway") == whole


def test_two_runs_at_once_share_the_work(scorer: LineHost, world: Path, whole: dict[str, bytes]) -> None:
    statuses, computed = scored(scorer, world, "shared", "pair", {"tasks": TASKS})
    assert statuses == [[0, 0]]
    assert len(computed) == len(set(computed)) == CELLS
    assert contents(world, "shared") == whole
