"""The folder of the nightly pass: lock, history, status, log and reports.

::

    <folder>/history.jsonl     a line for every pass that found something new; only ever appended to
    <folder>/forecasts.jsonl   the register of forecasts (pipeline.register)
    <folder>/reports/<date>/   what a pass reported; ``latest`` points at the newest
    <folder>/status.json       the last pass, in short, and which messages reached whom
    <folder>/known.json        the checkpoints that were there
    <folder>/pass.lock         held by a running pass; ``pass.holder`` says by whom
    <folder>/reevaluate.log    what the passes did (rotated); output.log: what libraries printed

A pass first writes its report, then its line of history, then tells people: one that is killed in between is completed
by the next, which finds the line missing, or its messages not delivered.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline import store
from pipeline.errors import BenchcastError, Fault, FaultsError, InputError

LATER = 75  # EX_TEMPFAIL of sysexits.h


class LaterError(BenchcastError):
    """Nothing is wrong, but nothing can be done now: another pass is at work, or there is nothing to forecast from."""

    exit_code = LATER


class State:
    """The folder and its files.

    Raises
    ------
    InputError
        When the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports = folder / "reports"
        self.register = folder / "forecasts.jsonl"
        self.log = folder / "reevaluate.log"
        self._history = folder / "history.jsonl"
        try:
            self.reports.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock of the pass; the operating system frees it when the process dies, however it dies.

        Raises
        ------
        LaterError
            At once, with the name of the holder.
        """
        if not os.access(self.folder, os.W_OK):
            raise InputError(f"{self.folder}: cannot be written; change its permissions, or reevaluate.folder")
        lock, holder = FileLock(self.folder / "pass.lock"), self.folder / "pass.holder"
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise LaterError(f"{self.folder}: another pass is at work ({_holder(holder)}); try again later") from None
        except OSError as error:
            raise InputError(f"{self.folder}: cannot be locked ({error.strerror or error})") from error
        try:
            about = {"pid": os.getpid(), "host": socket.gethostname(), "since": stamp(datetime.now(UTC))}
            with contextlib.suppress(BenchcastError):  # a full disk is told by what must be written
                store.write_text(json.dumps(about) + "\n", holder)
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()

    def history(self) -> list[dict[str, Any]]:
        """Every line of the history, oldest first.

        Raises
        ------
        FaultsError
            For a line that is no JSON object: the history was edited.
        """
        if not self._history.exists():
            return []
        found = []
        try:
            text = self._history.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FaultsError([Fault(str(self._history), f"cannot be read: {error}")]) from None
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                entry = json.loads(line)
                found.append({"seq": entry["seq"], "time": entry["time"], **entry})
            except (ValueError, KeyError, TypeError):
                where = f"{self._history}: line {number}"
                raise FaultsError([Fault(where, "is no record of a pass", "restore the file from a copy")]) from None
        return found

    def append(self, entry: dict[str, Any]) -> None:
        """Add a line to the history; all of it or nothing."""
        before = self._history.read_text(encoding="utf-8") if self._history.exists() else ""
        store.write_text(before + json.dumps(entry, sort_keys=True, ensure_ascii=False) + "\n", self._history)

    def status(self) -> dict[str, Any]:
        """The last pass in short; empty when there is none, or it cannot be read."""
        return _read(self.folder / "status.json")

    def write_status(self, status: dict[str, Any]) -> None:
        """Keep the last pass in short."""
        store.write_text(json.dumps(status, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
                         self.folder / "status.json")  # fmt: skip

    def known(self) -> dict[str, Any]:
        """Checkpoints that were there: "run at step" to where."""
        return _read(self.folder / "known.json")

    def write_known(self, known: dict[str, Any]) -> None:
        """Keep which checkpoints are there."""
        store.write_text(json.dumps(known, indent=0, sort_keys=True, ensure_ascii=False) + "\n",
                         self.folder / "known.json")  # fmt: skip

    @contextmanager
    def new_report(self) -> Iterator[Path]:
        """A folder to write a report into, beside the others; what a killed pass left is removed."""
        for left in self.reports.glob(".new-*"):
            shutil.rmtree(left, ignore_errors=True)
        part = self.reports / f".new-{os.getpid()}"
        try:
            part.mkdir()
            yield part
        except OSError as error:
            raise BenchcastError(f"{self.reports}: cannot be written ({error.strerror or error})") from error
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def keep_report(self, part: Path, date: str, named: Collection[str]) -> str:
        """Move a report to its date and point ``latest`` at it; returns its name.

        No report that the history names (``named``) is touched; one that it does not was left by a killed pass, and
        this one takes its place.
        """
        number = 1
        while (place := self.reports / (date if number == 1 else f"{date}-{number}")).exists() and place.name in named:
            number += 1
        shutil.rmtree(place, ignore_errors=True)
        part.rename(place)
        link = self.reports / f".latest-{os.getpid()}"
        link.unlink(missing_ok=True)
        link.symlink_to(place.name)
        os.replace(link, self.reports / "latest")
        return place.name


def stamp(time: datetime) -> str:
    """UTC, ISO 8601, to the second."""
    return time.astimezone(UTC).isoformat(timespec="seconds")


def _holder(path: Path) -> str:
    found = _read(path)
    return f"process {found['pid']} on {found['host']} since {found['since']}" if "pid" in found else "just begun"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
