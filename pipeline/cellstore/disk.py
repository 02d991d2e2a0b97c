"""The cells on disk, one folder each; what is here was scored, whatever the index says.

::

    <store>/cells/<ab>/<cell id>/documents.parquet   the values of every document
                                 results.json        lm-eval's results and the cell's identity; written last
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

import contextlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from pipeline import store as files
from pipeline.digest import file_digest
from pipeline.errors import BenchcastError, InputError

if TYPE_CHECKING:  # the index and the status do without it
    import pandas as pd

RESULTS, DOCUMENTS = "results.json", "documents.parquet"
WHOLE = ".whole"  # suffix of an incoming batch that is complete


@dataclass(frozen=True)
class Record:
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

    def add(self, records: Sequence[Record]) -> None:
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
                about = record.about | {"documents_sha256": file_digest(folder / DOCUMENTS)}
                content = record.results | {"benchcast": about | {"rows": record.rows}}
                (folder / RESULTS).write_text(dump(content), encoding="utf-8")
                _sync(folder / RESULTS)
            whole = batch.with_suffix(WHOLE)
            batch.rename(whole)
            _sync(whole.parent)
            self._move_in(whole)
        except OSError as error:
            shutil.rmtree(batch, ignore_errors=True)
            raise BenchcastError(f"{self.folder}: cannot be written ({error.strerror or error})") from error

    def fail(self, cell: str, about: dict[str, Any]) -> None:
        """Record why a cell could not be scored."""
        files.write_text(dump(about) + "\n", self._failure(cell))

    def forget_failure(self, cell: str) -> None:
        """Remove the record of a failure, before the cell is tried again."""
        self._failure(cell).unlink(missing_ok=True)

    def path(self, cell: str) -> Path:
        """The folder of a cell, whether it exists or not."""
        return self.folder / "cells" / cell[:2] / cell

    def about(self, cell: str) -> dict[str, Any]:
        """Identity, provenance and rows of a stored cell."""
        content: dict[str, Any] = json.loads((self.path(cell) / RESULTS).read_text(encoding="utf-8"))["benchcast"]
        return content

    def cells(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every scored cell on disk with its ``results.json``; folders without one do not count.

        Raises
        ------
        BenchcastError
            For a ``results.json`` that is not what ``add`` writes.
        """
        for path in sorted(self.folder.glob(f"cells/??/*/{RESULTS}")):
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                content["benchcast"]["rows"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                what = f"{path}: is not a scored cell ({error}); remove its folder to score it again"
                raise BenchcastError(what) from error
            yield path.parent.name, content

    def failures(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every recorded failure on disk."""
        for path in sorted(self.folder.glob("failures/??/*.json")):
            with contextlib.suppress(ValueError):  # cut short by a crash: the cell counts as never tried
                yield path.stem, json.loads(path.read_text(encoding="utf-8"))

    def faults(self) -> Iterator[str]:
        """What is wrong with the cells on disk, one line each (``benchcast store check``)."""
        for folder in sorted(self.folder.glob("cells/??/*")):
            try:
                about = json.loads((folder / RESULTS).read_text(encoding="utf-8"))["benchcast"]
                if about["cell"] != folder.name:
                    yield f"{folder}: holds another cell, {about['cell']}"
                if file_digest(folder / DOCUMENTS) != about["documents_sha256"]:
                    yield f"{folder}: {DOCUMENTS} is not the file that was written"
            except (OSError, ValueError, KeyError, TypeError) as error:
                yield f"{folder}: cannot be read ({error})"

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
            plan: dict[str, Any] = json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
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
                if (place / RESULTS).is_file():
                    shutil.rmtree(folder)  # scored before
                else:
                    shutil.rmtree(place)  # what somebody left of a cell
                    folder.rename(place)
            _sync(place.parent)
        whole.rmdir()

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


def dump(content: Any) -> str:
    """JSON with sorted keys; NaN and infinity, which JSON lacks, become null."""
    return json.dumps(_plain(content), sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
