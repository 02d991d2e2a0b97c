"""An index that lost or mixed up what cells hold is made again, and every such cell is named by ``store check``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from benchcast.cli.score import store_app
from benchcast.scoring.store import Store
from benchcast.scoring.store.index import Index, IndexEntry
from benchcast.scoring.store.tables import table
from typer.testing import CliRunner
from worlds.cells import SETUP, record

Change = Callable[[sqlite3.Connection], object]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "scores")
    records = [record("c1", value=0.25), record("c2", value=0.75)]
    with made.run():
        made.add(records)
    with closing(Index(made)) as index:
        index.add(IndexEntry.from_disk(r.id, {**r.about, "rows": r.rows}, failed=False) for r in records)
    return made


def lost(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM content WHERE cell IN (SELECT cell FROM content LIMIT 1)")


def mixed_up(db: sqlite3.Connection) -> None:
    (a, x), (b, y) = db.execute("SELECT cell, about FROM content").fetchall()
    db.executemany("UPDATE content SET about = ? WHERE cell = ?", [(y, a), (x, b)])


def no_json(db: sqlite3.Connection) -> None:
    db.execute("UPDATE content SET about = substr(about, 1, 20)")


def edited(db: sqlite3.Connection) -> None:
    cell, about = db.execute("SELECT cell, about FROM content LIMIT 1").fetchone()
    content = json.loads(about)
    content["rows"][0]["value"] = 0.99
    db.execute("UPDATE content SET about = ? WHERE cell = ?", (json.dumps(content), cell))


def broken(store: Store, change: Change) -> None:
    with closing(sqlite3.connect(store.folder / "index.sqlite")) as db:
        change(db)
        db.commit()


@pytest.mark.parametrize("change", [lost, mixed_up, no_json])
def test_an_index_that_lacks_what_a_cell_holds_is_made_again(store: Store, change: Change) -> None:
    with closing(Index(store)) as index:
        before = table(index.everything())
    broken(store, change)
    said: list[str] = []
    with closing(Index(store, say=said.append)) as index:
        pd.testing.assert_frame_equal(table(index.everything()), before)
        assert len(index.contents(["c1", "c2"], ["r1"], SETUP.digest, failed=False)) == 2
    assert len(said) == 1
    assert "was broken" in said[0]
    assert CliRunner().invoke(store_app, ["check", str(store.folder)]).exit_code == 0


@pytest.mark.parametrize(("change", "cells"), [(lost, 1), (mixed_up, 2), (edited, 1)])
def test_check_names_every_cell_of_which_the_index_says_something_else(
    store: Store, change: Change, cells: int
) -> None:
    broken(store, change)
    checked = CliRunner().invoke(store_app, ["check", str(store.folder)])
    assert checked.exit_code == 1
    assert checked.stderr.count("the index says something else") == cells
    assert CliRunner().invoke(store_app, ["rebuild", str(store.folder)]).exit_code == 0
    assert CliRunner().invoke(store_app, ["check", str(store.folder)]).exit_code == 0
