"""An SQLite index of the store, so that a million cells are searched in a second; ``rebuild`` makes it from the disk.

It also remembers the hash of every file it was asked about, by inode, modification time and size, so that weights are
read once and not every night.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import schema
from pipeline.cellstore.disk import DOCUMENTS, Store
from pipeline.digest import file_digest
from pipeline.errors import BenchcastError

FORMAT = 1
TABLES = """
CREATE TABLE IF NOT EXISTS checkpoint (id INTEGER PRIMARY KEY, digest TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS question (id INTEGER PRIMARY KEY, requests TEXT UNIQUE NOT NULL, task TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS setup (id INTEGER PRIMARY KEY, digest TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS cell (
    setup INTEGER NOT NULL, checkpoint INTEGER NOT NULL, question INTEGER NOT NULL, failed INTEGER NOT NULL,
    cell TEXT NOT NULL, PRIMARY KEY (setup, checkpoint, question)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS content (cell TEXT PRIMARY KEY, about TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS file (
    path TEXT PRIMARY KEY, inode INTEGER, modified INTEGER, size INTEGER, sha256 TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Entry:
    """A cell as the index holds it; ``content`` is its identity and provenance, with ``rows`` or a ``reason``."""

    cell: str
    checkpoint: str
    requests: str
    task: str
    setup: str
    failed: bool
    content: dict[str, Any]

    @classmethod
    def of(cls, cell: str, about: dict[str, Any], *, failed: bool) -> Entry:
        """From what the disk says about a cell."""
        return cls(cell, about["checkpoint"], about["requests"], about["task"], about["setup_digest"], failed, about)


class Index:
    """The index of a store, in write-ahead mode: several processes may read and write it at once."""

    def __init__(self, store: Store, *, fresh: bool = False) -> None:
        self._store = store
        self._fresh = fresh
        self._path = store.folder / "index.sqlite"
        self._open()

    def _open(self) -> None:
        try:
            self._db = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            self._db.executescript(TABLES)
            self._db.execute(f"PRAGMA user_version={FORMAT}")
        except sqlite3.DatabaseError as error:
            raise BenchcastError(
                f"{self._path}: cannot be used ({error}); run benchcast store rebuild {self._store.folder}"
            ) from error
        if version not in (0, FORMAT):
            raise BenchcastError(f"{self._path}: was made by another version; run benchcast store rebuild")
        known = [] if self._fresh else self._db.execute("SELECT * FROM file")
        self._hashes = {path: rest for path, *rest in known}

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def file_hash(self, path: Path) -> str:
        """SHA-256 of a file, read again only when inode, modification time or size have changed."""
        about = path.stat()
        key, now = str(path.resolve()), [about.st_ino, about.st_mtime_ns, about.st_size]
        known = self._hashes.get(key)
        if known is not None and known[:3] == now:
            return str(known[3])
        found = file_digest(path)
        self._hashes[key] = [*now, found]
        self._db.execute("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)", (key, *now, found))
        return found

    def add(self, entries: Iterable[Entry]) -> None:
        """Enter cells, replacing what is known about them."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for entry in entries:
                setup = self._id("setup", "digest", entry.setup)
                checkpoint = self._id("checkpoint", "digest", entry.checkpoint)
                question = self._id("question", "requests", entry.requests, task=entry.task)
                self._db.execute(
                    "INSERT OR REPLACE INTO cell VALUES (?, ?, ?, ?, ?)",
                    (setup, checkpoint, question, entry.failed, entry.cell),
                )
                self._db.execute(
                    "INSERT OR REPLACE INTO content VALUES (?, ?)", (entry.cell, json.dumps(entry.content))
                )
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def missing(
        self, checkpoints: Sequence[str], requests: Sequence[str], setup: str, *, failed_too: bool
    ) -> dict[str, list[str]]:
        """Which requests each checkpoint still lacks; with ``failed_too`` failures count as lacking.

        Checkpoints that lack nothing are left out.
        """
        done = self._states(checkpoints, requests, setup)
        lacking = {}
        for checkpoint in checkpoints:
            known = done.get(checkpoint, {})
            if len(known) == len(requests) and not (failed_too and any(known.values())):
                continue
            lacking[checkpoint] = [r for r in requests if r not in known or (failed_too and known[r])]
        return lacking

    def states(self, checkpoints: Sequence[str], requests: Sequence[str], setup: str) -> dict[str, dict[str, bool]]:
        """Checkpoint to requests to whether it failed, for all cells that are scored or failed."""
        return self._states(checkpoints, requests, setup)

    def contents(
        self, checkpoints: Sequence[str], requests: Sequence[str], setup: str | None, *, failed: bool
    ) -> list[dict[str, Any]]:
        """Identity, provenance and rows (or reason) of cells; ``setup`` None for every setup."""
        self._want(checkpoints, requests)
        rows = self._db.execute(
            "SELECT content.about FROM cell JOIN content USING (cell) "
            "WHERE failed = ? AND checkpoint IN (SELECT id FROM temp.wanted_checkpoint) "
            "AND question IN (SELECT id FROM temp.wanted_question) "
            + ("" if setup is None else "AND setup = (SELECT id FROM setup WHERE digest = ?)"),
            (failed, *(() if setup is None else (setup,))),
        )
        return [json.loads(about) for (about,) in rows]

    def everything(self) -> list[dict[str, Any]]:
        """Every scored cell."""
        rows = self._db.execute("SELECT content.about FROM cell JOIN content USING (cell) WHERE failed = 0")
        return [json.loads(about) for (about,) in rows]

    def rebuild(self) -> int:
        """Make the index again from the disk; returns the number of cells."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        self._open()
        scored = [Entry.of(cell, content["benchcast"], failed=False) for cell, content in self._store.cells()]
        known = {entry.cell for entry in scored}
        failed = [Entry.of(cell, about, failed=True) for cell, about in self._store.failures() if cell not in known]
        self.add([*scored, *failed])
        return len(scored)

    def cells(self) -> set[str]:
        """Ids of all scored cells."""
        return {cell for (cell,) in self._db.execute("SELECT cell FROM cell WHERE failed = 0")}

    def _states(self, checkpoints: Sequence[str], requests: Sequence[str], setup: str) -> dict[str, dict[str, bool]]:
        self._want(checkpoints, requests)
        names = dict(self._db.execute("SELECT id, requests FROM question WHERE id IN (SELECT id FROM wanted_question)"))
        wanted = "SELECT id, digest FROM checkpoint WHERE id IN (SELECT id FROM wanted_checkpoint)"
        digests = dict(self._db.execute(wanted))
        row = self._db.execute("SELECT id FROM setup WHERE digest = ?", (setup,)).fetchone()
        if row is None:
            return {}
        found: dict[str, dict[str, bool]] = defaultdict(dict)
        # The primary key begins with the setup: one walk over its cells.
        for checkpoint, question, failed in self._db.execute(
            "SELECT checkpoint, question, failed FROM cell WHERE setup = ?", row
        ):
            if checkpoint in digests and question in names:
                found[digests[checkpoint]][names[question]] = bool(failed)
        return found

    def _want(self, checkpoints: Sequence[str], requests: Sequence[str]) -> None:
        for table, source, column, values in (
            ("wanted_checkpoint", "checkpoint", "digest", checkpoints),
            ("wanted_question", "question", "requests", requests),
        ):
            self._db.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY)")
            self._db.execute(f"DELETE FROM {table}")
            self._db.executemany(
                f"INSERT OR IGNORE INTO {table} SELECT id FROM {source} WHERE {column} = ?", ((v,) for v in values)
            )

    def _id(self, table: str, column: str, value: str, **more: str) -> int:
        row = self._db.execute(f"SELECT id FROM {table} WHERE {column} = ?", (value,)).fetchone()
        if row is not None:
            return int(row[0])
        names = ", ".join([column, *more])
        marks = ", ".join("?" * (1 + len(more)))
        made = self._db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", (value, *more.values()))
        return int(made.lastrowid or 0)


def table(contents: Iterable[dict[str, Any]], places: dict[str, list[dict[str, Any]]] | None = None) -> pd.DataFrame:
    """The ladder table of some cells; ``places`` maps checkpoint digests to where such checkpoints stand and lie now.

    Without ``places`` a checkpoint stands where it stood when it was scored.

    Raises
    ------
    FaultsError
        When the cells together are no valid ladder table.
    """
    rows = []
    for content in contents:
        then = [{**content["place"], "source": content["source"]}]
        what = {"prompt": "", "digest": content["checkpoint"], "lm_eval": content["setup"]["lm_eval"],
                "task_version": f"{content['version']}:{content['requests'][:12]}"}  # fmt: skip
        for place in (places or {}).get(content["checkpoint"], then):
            rows += [{**place, **row, **what} for row in content["rows"]]
    if not rows:
        return pd.DataFrame(columns=list(schema.COLUMNS))
    frame = pd.DataFrame(rows).sort_values(["run", "step", "task", "metric"], kind="stable", ignore_index=True)
    return schema.validate(frame, "scores")


def documents_of(store: Store, contents: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """The values of every document of some cells, with the checkpoint and task they belong to."""
    frames = [
        pd.read_parquet(store.path(content["cell"]) / DOCUMENTS).assign(
            source=content["source"], checkpoint=content["checkpoint"], task=content["task"], cell=content["cell"]
        )
        for content in contents
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
