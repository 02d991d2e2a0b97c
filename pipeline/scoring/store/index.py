"""An SQLite index of the store, so that a million cells are searched in a second; ``rebuild`` makes it from the disk.

It also remembers the hash of every file it was asked about, by inode, modification time and size, so that weights are
read once and not every night.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from benchcast.reports.text.strict_json import without_nan
from filelock import FileLock

from ...core.digest import file_digest
from ...core.errors import BenchcastError, plain
from . import later
from .disk import Store

FORMAT = 1  # of the tables, as SQLite's user_version
ROOM = 1 << 18  # bytes that opening the index may need
MISSING, SCORED, FAILED = range(3)
Answer = TypeVar("Answer")
BAD = (sqlite3.DatabaseError, ValueError, KeyError, TypeError)  # what reading a broken index ends in
TABLES = """
CREATE TABLE IF NOT EXISTS checkpoint (id INTEGER PRIMARY KEY, digest TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS question (id INTEGER PRIMARY KEY, requests TEXT UNIQUE NOT NULL, task TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS setup (id INTEGER PRIMARY KEY, digest TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS cell (
    setup INTEGER NOT NULL, checkpoint INTEGER NOT NULL, question INTEGER NOT NULL, failed INTEGER NOT NULL,
    cell TEXT NOT NULL, PRIMARY KEY (setup, checkpoint, question)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS content (cell TEXT PRIMARY KEY, about TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS file (
    path TEXT PRIMARY KEY, inode INTEGER, modified INTEGER, size INTEGER, sha256 TEXT, changed INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS later (cell TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;
"""
COLUMNS_OF_FILE = ("path", "inode", "modified", "changed", "size", "sha256")
# What SQLite says when the file is no longer what it wrote; everything else (locked, full) has another reason.
RUINED = ("malformed", "not a database", "no such table", "no such column", "has no column", "corrupt")


@dataclass(frozen=True, kw_only=True)
class IndexEntry:
    """A cell as the index holds it; ``content`` is its identity and provenance, with ``rows`` or a ``reason``."""

    cell: str
    checkpoint: str
    requests: str
    task: str
    setup: str
    failed: bool
    content: dict[str, Any]

    @classmethod
    def from_disk(cls, cell: str, about: dict[str, Any], *, failed: bool) -> IndexEntry:
        """From what the disk says about a cell."""
        return cls(
            cell=cell,
            checkpoint=about["checkpoint"],
            requests=about["requests"],
            task=about["task"],
            setup=about["setup_digest"],
            failed=failed,
            content=about,
        )


class Index:
    """The index of a store, in write-ahead mode: several processes may read and write it at once.

    One that is broken is made again from the disk, and ``say`` is told; by default it goes to stderr.
    """

    def __init__(self, store: Store, *, fresh: bool = False, say: Callable[[str], None] | None = None) -> None:
        self._store = store
        self._fresh = fresh
        self._say = say or _to_stderr
        self._path = store.folder / "index.sqlite"
        self._hashes: dict[str, list[Any]] = {}
        with contextlib.suppress(FileNotFoundError):
            if not self._path.is_file():
                self._path.stat()
                raise BenchcastError(f"{self._path}: is not a file; remove it, it is made again from the cells")
        try:
            self._open()
        except BAD as error:
            if not _ruined(error):
                self._give_up(error)
            self._mend(error)

    def _open(self) -> None:
        self._db = sqlite3.connect(self._path, timeout=60, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, FORMAT):
            raise BenchcastError(f"{self._path}: was made by another version; run benchcast store rebuild")
        self._db.executescript(TABLES)
        if "changed" not in {row[1] for row in self._db.execute("PRAGMA table_info(file)")}:
            self._db.execute("ALTER TABLE file ADD COLUMN changed INTEGER")
        self._db.execute(f"PRAGMA user_version={FORMAT}")
        self._inode = self._path.stat().st_ino
        known = [] if self._fresh else self._db.execute(f"SELECT {', '.join(COLUMNS_OF_FILE)} FROM file")
        self._hashes = {path: rest for path, *rest in known}

    def _give_up(self, error: Exception) -> None:
        if shutil.disk_usage(self._store.folder).free < ROOM:  # SQLite says only "disk I/O error"
            raise BenchcastError(f"{self._path}: cannot be written (No space left on device)") from error
        raise BenchcastError(
            f"{self._path}: cannot be used ({error}); run benchcast store rebuild {self._store.folder}"
        ) from error

    def _mend(self, error: Exception) -> None:
        """Make a broken index again from the disk, unless another process just did."""
        with FileLock(self._store.folder / "locks" / "index.lock"):
            with contextlib.suppress(sqlite3.Error, AttributeError):
                self._db.close()
            if self._replaced():
                self._open()
                return
            count = self._again()
        self._say(f"{self._path}: was broken ({error}); it was made again from the {count} cells on disk")

    def _sure(self, ask: Callable[[], Answer]) -> Answer:
        """An answer of the database; where it turns out to be broken, after making it again."""
        try:
            return ask()
        except BAD as error:
            if not _ruined(error) and not self._replaced():
                raise
            self._mend(error)
        return ask()

    def _replaced(self) -> bool:
        """Whether another process made the index again since it was opened here."""
        try:
            return hasattr(self, "_inode") and self._path.stat().st_ino != self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def file_hash(self, path: Path) -> str:
        """SHA-256 of a file, read again only when inode, times or size have changed.

        The time of the last change of any kind counts too: copying tools set that of the last modification back.
        """
        key, now = os.fsencode(path.resolve()).decode("utf-8", "backslashreplace"), _look(path)
        known = self._hashes.get(key)
        if known is not None and known[:4] == now:
            return str(known[4])
        sha256 = file_digest(path)
        if _look(path) != now:  # somebody writes it: nothing to remember
            return sha256
        self._hashes[key] = [*now, sha256]
        insert = f"INSERT OR REPLACE INTO file ({', '.join(COLUMNS_OF_FILE)}) VALUES (?, ?, ?, ?, ?, ?)"
        self._sure(lambda: self._db.execute(insert, (key, *now, sha256)))
        return sha256

    def add(self, entries: Iterable[IndexEntry]) -> None:
        """Enter cells, replacing what is known about them."""
        listed = list(entries)
        self._sure(lambda: self._add(listed))

    def _add(self, entries: Iterable[IndexEntry]) -> None:
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
            if isinstance(error, sqlite3.OperationalError) and not _ruined(error) and not self._replaced():
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
        return self._sure(lambda: self._states(checkpoints, requests, setup))

    def _states(self, checkpoints: Sequence[str], requests: Sequence[str], setup: str) -> dict[str, bytearray]:
        self._want(checkpoints, requests)
        columns_of: dict[str, list[int]] = {}  # tasks of several names may ask the same
        for i, request in enumerate(requests):
            columns_of.setdefault(request, []).append(i)
        states = {checkpoint: bytearray(len(requests)) for checkpoint in checkpoints}
        wanted = self._db.execute("SELECT id, digest FROM checkpoint WHERE id IN (SELECT id FROM wanted_checkpoint)")
        rows = {number: states[digest] for number, digest in wanted}
        questions = self._db.execute("SELECT id, requests FROM question WHERE id IN (SELECT id FROM wanted_question)")
        columns = {number: columns_of[request] for number, request in questions}
        # The primary key begins with the setup: one walk over its cells, which is faster than a look-up for each.
        walk = "SELECT checkpoint, question, failed FROM cell WHERE setup = (SELECT id FROM setup WHERE digest = ?)"
        for checkpoint, question, failed in self._db.execute(walk, (setup,)):
            if checkpoint in rows and question in columns:
                for column in columns[question]:
                    rows[checkpoint][column] = FAILED if failed else SCORED
        return states

    def contents(
        self, checkpoints: Sequence[str] | None, requests: Sequence[str], setup: str | None, *, failed: bool
    ) -> list[dict[str, Any]]:
        """Identity, provenance and rows (or reason) of cells; None for every checkpoint, or every setup."""
        found = self._sure(lambda: self._contents(checkpoints, requests, setup, failed))
        return found if failed else self._completed(found)

    def _contents(
        self, checkpoints: Sequence[str] | None, requests: Sequence[str], setup: str | None, failed: bool
    ) -> list[dict[str, Any]]:
        self._want(checkpoints or (), requests)
        rows = self._db.execute(
            "SELECT cell.cell, content.about FROM cell LEFT JOIN content USING (cell) "
            "WHERE failed = ? "
            + ("" if checkpoints is None else "AND checkpoint IN (SELECT id FROM temp.wanted_checkpoint) ")
            + "AND question IN (SELECT id FROM temp.wanted_question) "
            + ("" if setup is None else "AND setup = (SELECT id FROM setup WHERE digest = ?)"),
            (failed, *(() if setup is None else (setup,))),
        )
        return list(map(_content, rows))

    def everything(self) -> list[dict[str, Any]]:
        """Every scored cell."""
        walk = "SELECT cell.cell, content.about FROM cell LEFT JOIN content USING (cell) WHERE failed = 0"
        return self._completed(self._sure(lambda: list(map(_content, self._db.execute(walk)))))

    def _completed(self, contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Cells with the rows of metrics that came later than they, which are computed once and remembered here."""
        lacking = {c["cell"]: c for c in contents if later.lacks(c)}
        if not lacking:
            return contents
        query = "SELECT cell, row FROM later WHERE cell IN (SELECT value FROM json_each(?))"
        found = self._sure(lambda: dict(self._db.execute(query, (json.dumps(list(lacking)),))))
        rows = {cell: json.loads(row) for cell, row in found.items()}
        new = {c: row for c, content in lacking.items() if c not in rows and (row := later.row(self._store, content))}
        with contextlib.suppress(sqlite3.OperationalError):  # locked or full: computed again the next time
            insert = "INSERT OR REPLACE INTO later VALUES (?, ?)"
            self._db.executemany(insert, [(cell, json.dumps(row)) for cell, row in new.items()])
        rows |= new
        if bad := len(lacking.keys() - rows.keys()):
            self._say(f"warning: {self._store.folder}: {bad} cells have no {later.METRIC}: no documents to compute it")
        return [{**c, "rows": [*c["rows"], rows[c["cell"]]]} if c["cell"] in rows else c for c in contents]

    def of_checkpoint(self, checkpoint: str) -> list[dict[str, Any]]:
        """Every scored cell of a checkpoint, whatever it was asked."""
        walk = (
            "SELECT cell.cell, content.about FROM cell LEFT JOIN content USING (cell) WHERE failed = 0 "
            "AND checkpoint = (SELECT id FROM checkpoint WHERE digest = ?)"
        )
        return self._sure(lambda: list(map(_content, self._db.execute(walk, (checkpoint,)))))

    def forget(self, cells: Iterable[str], why: str = "its results.json is gone or empty") -> None:
        """Take cells out that are no longer on disk; each is told, with the reason."""
        gone = list(cells)
        for cell in gone:
            self._say(f"warning: {self._store.path(cell)}: {why}; the cell counts as missing and is scored again")
        for table in ("cell", "content", "later") if gone else ():
            drop = f"DELETE FROM {table} WHERE cell IN (SELECT value FROM json_each(?))"
            self._sure(partial(self._db.execute, drop, (json.dumps(gone),)))

    def rebuild(self) -> int:
        """Make the index again from the disk; returns the number of cells. What is broken there is told and left out.

        Whoever has the old one open goes on with it; what is entered there is found again on disk.
        """
        with FileLock(self._store.folder / "locks" / "index.lock"):
            return self._again()

    def _again(self) -> int:
        with contextlib.suppress(AttributeError):
            self.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        self._open()
        cells = self._store.cells(self._say)
        scored = [IndexEntry.from_disk(cell, content["benchcast"], failed=False) for cell, content in cells]
        known = {entry.cell for entry in scored}
        failures = self._store.failures(self._say)
        failed = [IndexEntry.from_disk(cell, about, failed=True) for cell, about in failures if cell not in known]
        self._add([*scored, *failed])
        return len(scored)

    def cells(self) -> set[str]:
        """Ids of all scored cells."""
        walk = "SELECT cell FROM cell WHERE failed = 0"
        return self._sure(lambda: {cell for (cell,) in self._db.execute(walk)})

    def differing(self) -> list[str]:
        """Ids of the scored cells of which the index does not say what the disk says; those gone or broken apart."""
        walk = (
            "SELECT cell.cell, checkpoint.digest, question.requests, setup.digest, content.about FROM cell "
            "LEFT JOIN checkpoint ON checkpoint.id = cell.checkpoint LEFT JOIN question ON question.id = cell.question "
            "LEFT JOIN setup ON setup.id = cell.setup LEFT JOIN content ON content.cell = cell.cell WHERE failed = 0"
        )
        differing = []
        for cell, *identity, about in self._sure(lambda: self._db.execute(walk).fetchall()):
            try:
                disk = self._store.about(cell)
            except BenchcastError:
                continue
            indexed = without_nan(json.loads(about)) if about else {}
            on_disk = without_nan({k: v for k, v in disk.items() if k in indexed})
            lacks = not {"rows", "place", "setup", "source", "task"} <= set(indexed)
            if lacks or indexed != on_disk or identity != [disk["checkpoint"], disk["requests"], disk["setup_digest"]]:
                differing.append(str(cell))
        return sorted(differing)

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
        made = self._db.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", (value, *map(_encodable, more.values()))
        )
        return int(made.lastrowid or 0)


def _content(row: tuple[str, str | None]) -> dict[str, Any]:
    """A cell's content; an index that lacks it, or has that of another cell there, is broken."""
    cell, about = row
    content: Any = {} if about is None else json.loads(about)
    if content.get("cell") != cell:
        raise sqlite3.DatabaseError(f"it has no content of the cell {cell}")
    return dict(content)


def _look(path: Path) -> list[Any]:
    """What changes when somebody writes a file, in the order of ``COLUMNS_OF_FILE``."""
    status = path.stat()
    return [status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size]


def _ruined(error: Exception) -> bool:
    """Whether the index itself is broken, and not only locked, full or read-only."""
    if isinstance(error, BenchcastError | UnicodeEncodeError):
        return False
    if not isinstance(error, sqlite3.OperationalError):
        return True
    return any(word in str(error) for word in RUINED)


def _encodable(text: str) -> str:
    """Text that SQLite can hold: half a character is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _to_stderr(text: str) -> None:
    print(plain(text), file=sys.stderr, flush=True)
