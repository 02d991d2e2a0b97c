"""An SQLite index of the store, so that a million cells are searched in a second; ``rebuild`` makes it from the disk.

It also remembers the hash of every file it was asked about, by inode, modification time and size, so that weights are
read once and not every night.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cellstore.disk import Store
from pipeline.digest import file_digest
from pipeline.errors import BenchcastError

FORMAT = 1
ROOM = 1 << 18  # bytes that opening the index may need
MISSING, SCORED, FAILED = range(3)
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
            if version in (0, FORMAT):
                self._db.executescript(TABLES)
                self._db.execute(f"PRAGMA user_version={FORMAT}")
        except sqlite3.DatabaseError as error:
            if shutil.disk_usage(self._store.folder).free < ROOM:  # SQLite says only "disk I/O error"
                raise BenchcastError(f"{self._path}: cannot be written (No space left on device)") from error
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
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise BenchcastError(f"{self._path}: cannot be written ({error})") from error
            raise
        self._db.execute("COMMIT")

    def missing(
        self, checkpoints: Sequence[str], requests: Sequence[str], setup: str, *, failed_too: bool
    ) -> dict[str, list[str]]:
        """Which requests each checkpoint still lacks; with ``failed_too`` failures count as lacking.

        Checkpoints that lack nothing are left out.
        """
        open_states = {MISSING, FAILED} if failed_too else {MISSING}
        lacking = {}
        for checkpoint, row in self.states(checkpoints, requests, setup).items():
            left = [request for request, state in zip(requests, row, strict=True) if state in open_states]
            if left:
                lacking[checkpoint] = left
        return lacking

    def states(self, checkpoints: Sequence[str], requests: Sequence[str], setup: str) -> dict[str, bytearray]:
        """Checkpoint to the state of each request, in their order: ``MISSING``, ``SCORED`` or ``FAILED``."""
        self._want(checkpoints, requests)
        columns_of: dict[str, list[int]] = {}  # tasks of several names may ask the same
        for i, request in enumerate(requests):
            columns_of.setdefault(request, []).append(i)
        found = {checkpoint: bytearray(len(requests)) for checkpoint in checkpoints}
        wanted = self._db.execute("SELECT id, digest FROM checkpoint WHERE id IN (SELECT id FROM wanted_checkpoint)")
        rows = {number: found[digest] for number, digest in wanted}
        asked = self._db.execute("SELECT id, requests FROM question WHERE id IN (SELECT id FROM wanted_question)")
        columns = {number: columns_of[request] for number, request in asked}
        # The primary key begins with the setup: one walk over its cells, which is faster than a look-up for each.
        walk = "SELECT checkpoint, question, failed FROM cell WHERE setup = (SELECT id FROM setup WHERE digest = ?)"
        for checkpoint, question, failed in self._db.execute(walk, (setup,)):
            if checkpoint in rows and question in columns:
                for column in columns[question]:
                    rows[checkpoint][column] = FAILED if failed else SCORED
        return found

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
