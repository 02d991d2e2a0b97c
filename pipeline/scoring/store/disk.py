"""The cells on disk, one folder each; what is here was scored, whatever the index says.

::

    <store>/cells/<ab>/<cell id>/documents.parquet   the values of every document
                                 results.json        lm-eval's results and the cell's identity; written last
    <store>/partial/<ab>/<cell id>/…                 answers to some of a cell's questions (``partial``)
    <store>/failures/<ab>/<cell id>.json             a cell that could not be scored, and why
    <store>/incoming/<run>/<batch>/<cell id>/…       cells on their way in
    <store>/plan.json                                what the last run wanted, for ``benchcast status``
    <store>/index.sqlite                             an index of all this

Cells that were computed together come in together: they are written under ``incoming``, their folder is renamed to
mark it whole, and then each is moved to its place. A run that is killed before the rename leaves nothing behind, one
killed after it leaves work that the next run finishes; so a resumed run computes exactly the batches that an
uninterrupted one would have.
"""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchcast.reports.text.strict_json import dumps, without_nan
from filelock import FileLock, Timeout

from ...core import files, reading
from ...core.digest import file_digest
from ...core.errors import BenchcastError, BrokenError, InputError
from . import cell as cells_of
from .cell import CONTENT, DERIVED, DOCUMENTS, RESULTS
from .partial import Partials

if TYPE_CHECKING:  # the index and the status do without it
    import pandas as pd

__all__ = ["DOCUMENTS", "RESULTS", "CellRecord", "Store", "dump"]
WHOLE = ".whole"  # suffix of an incoming batch that is complete


@dataclass(frozen=True, kw_only=True)
class CellRecord:
    """A cell ready to be stored: ``about`` is its identity and provenance, ``rows`` are those of the ladder table."""

    id: str
    about: dict[str, Any]
    rows: list[dict[str, Any]]
    results: dict[str, Any]
    documents: pd.DataFrame


class Store:
    """The folders of a store. Several runs may use it at once; ``lock`` keeps them off each other's checkpoints.

    Raises
    ------
    InputError
        When the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            for name in ("cells", "failures", "incoming", "locks"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            probe = folder / "incoming" / f".{uuid.uuid4().hex}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError(f"{folder}: the store cannot be written ({error.strerror or error})") from error
        self.partials = Partials(folder)
        self._run = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"

    @contextmanager
    def run(self) -> Iterator[None]:
        """Mark this process as a run, so that others leave its unfinished work alone, and clear up after dead ones."""
        lock = FileLock(self.folder / "locks" / f"run-{self._run}.lock")
        with lock:
            self._clear_up()
            (self.folder / "incoming" / self._run).mkdir()
            try:
                yield
            finally:
                shutil.rmtree(self.folder / "incoming" / self._run, ignore_errors=True)
        Path(lock.lock_file).unlink(missing_ok=True)

    @contextmanager
    def lock(self, checkpoint: str, *, wait: bool) -> Iterator[bool]:
        """Hold a checkpoint's lock; yields False when another run has it and ``wait`` is off."""
        lock = FileLock(self.folder / "locks" / f"{checkpoint[:40]}.lock")
        try:
            lock.acquire(timeout=-1 if wait else 0, poll_interval=0.2)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def add(self, records: Sequence[CellRecord]) -> None:
        """Store cells that were computed together, all or none of them.

        Raises
        ------
        BenchcastError
            When the disk is full or cannot be written; nothing of them is stored then.
        """
        if not records:
            return
        batch = self.folder / "incoming" / self._run / uuid.uuid4().hex
        try:
            for record in records:
                folder = batch / record.id
                folder.mkdir(parents=True)
                record.documents.to_parquet(folder / DOCUMENTS, index=False, compression="zstd")
                _sync(folder / DOCUMENTS)
                about = record.about | {"documents_sha256": file_digest(folder / DOCUMENTS), "rows": record.rows}
                about |= {DERIVED: cells_of.derived(record.rows, record.documents)}
                content = without_nan(record.results | {"benchcast": about})
                content["benchcast"][CONTENT] = cells_of.content_digest(content)
                # Half a surrogate pair, as a file name or a task may hold, is escaped as JSON escapes it.
                (folder / RESULTS).write_bytes(dump(content).encode("utf-8", "backslashreplace"))
                _sync(folder / RESULTS)
                _sync(folder)
            _sync(batch)
            whole = batch.with_suffix(WHOLE)
            batch.rename(whole)
            _sync(whole.parent)
            self._move_in(whole)
        except OSError as error:
            shutil.rmtree(batch, ignore_errors=True)
            raise BenchcastError(f"{self.folder}: cannot be written ({error.strerror or error})") from error

    def set_aside(self, cell: str) -> None:
        """Move a cell that no longer is what its checkpoint gives out of the way, under ``<store>/outdated``."""
        place = self.folder / "outdated"
        place.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            self.path(cell).rename(place / f"{cell}-{uuid.uuid4().hex[:8]}")

    def fail(self, cell: str, about: dict[str, Any]) -> None:
        """Record why a cell could not be scored."""
        files.write_text(dump(about) + "\n", self._failure(cell))

    def forget_failure(self, cell: str) -> None:
        """Remove the record of a failure, before the cell is tried again."""
        self._failure(cell).unlink(missing_ok=True)

    def path(self, cell: str) -> Path:
        """The folder of a cell, whether it exists or not."""
        return self.folder / "cells" / cell[:2] / cell

    def has(self, cell: str) -> bool:
        """Whether there is something of a cell, whole or not."""
        return os.path.lexists(self.path(cell) / RESULTS)

    def holds(self, cell: str) -> bool:
        """Whether a cell's ``results.json`` is a file with something in it."""
        try:
            status = (self.path(cell) / RESULTS).stat()
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size > 0

    def about(self, cell: str) -> dict[str, Any]:
        """Identity, provenance and rows of a stored cell.

        Raises
        ------
        BrokenError
            When it is not what ``add`` writes.
        """
        content: dict[str, Any] = cells_of.read(self.path(cell))["benchcast"]
        return content

    def cells(self, say: Callable[[str], None] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every scored cell on disk with its ``results.json``; folders without one do not count.

        Broken ones are left out; ``say`` is told of each.
        """
        for path in sorted(self.folder.glob(f"cells/??/*/{RESULTS}")):
            try:
                content = cells_of.read(path.parent)
            except BrokenError as error:
                if say:
                    say(f"{error}; the cell counts as missing and is scored again")
                continue
            yield path.parent.name, content

    def failures(self, say: Callable[[str], None] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every recorded failure on disk; a broken record is left out, and ``say`` told of it."""
        for path in sorted(self.folder.glob("failures/??/*.json")):
            try:
                yield path.stem, cells_of.failure(path)
            except BrokenError as error:  # cut short by a crash, or edited
                if say:
                    say(f"{error}; the cell counts as never tried")

    def faults(self) -> Iterator[str]:
        """What is wrong with the cells on disk, one line each (``benchcast store check``).

        Lines that begin with ``unchecked`` name cells of versions that wrote no digest of their results.
        """
        for folder in sorted(self.folder.glob("cells/??/*")):
            yield from cells_of.faults(folder)
        for path in sorted(self.folder.glob("failures/??/*.json")):
            try:
                cells_of.failure(path)
            except BrokenError as error:
                yield str(error)
        yield from self.partials.faults()

    def write_plan(self, plan: dict[str, Any]) -> None:
        """Keep what a run wants, for ``benchcast status``."""
        files.write_text(dump(plan), self.folder / "plan.json")

    def plan(self) -> dict[str, Any]:
        """What the last run wanted.

        Raises
        ------
        InputError
            When nothing was ever scored into this store.
        """
        try:
            plan: dict[str, Any] = reading.json_of(reading.data(self.folder / "plan.json", reading.MOST_TABLE))
            if not isinstance(plan, dict) or not {"setup", "tasks", "checkpoints"} <= set(plan):
                raise ValueError
        except ValueError:
            raise InputError(f"{self.folder}: holds no scores yet; run benchcast score first") from None
        return plan

    def _failure(self, cell: str) -> Path:
        return self.folder / "failures" / cell[:2] / f"{cell}.json"

    def _move_in(self, whole: Path) -> None:
        for folder in sorted(whole.iterdir()):
            place = self.path(folder.name)
            place.parent.mkdir(exist_ok=True)
            try:
                folder.rename(place)
            except OSError:
                if self._whole(place):
                    shutil.rmtree(folder)  # scored before
                else:
                    _clear(place)  # what somebody left of a cell
                    folder.rename(place)
            _sync(place.parent)
        whole.rmdir()

    @staticmethod
    def _whole(place: Path) -> bool:
        try:
            cells_of.read(place)
        except BrokenError:
            return False
        return (place / DOCUMENTS).is_file()

    def _clear_up(self) -> None:
        """Finish what dead runs left whole, and drop what they left half done."""
        for folder in sorted((self.folder / "incoming").iterdir()):
            lock = FileLock(self.folder / "locks" / f"run-{folder.name}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue  # that run is alive
            try:
                for whole in sorted(folder.glob(f"*{WHOLE}")):
                    self._move_in(whole)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)


def _clear(place: Path) -> None:
    """Remove a folder, or whatever else stands in a cell's place."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink()


def dump(content: Any) -> str:
    """JSON with sorted keys; NaN and infinity, which JSON lacks, become null."""
    return dumps(content, indent=1, sort_keys=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
