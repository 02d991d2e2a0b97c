"""The folder of the nightly pass: lock, history, status, log and reports.

::

    <folder>/history.jsonl     a line for every pass that found something new; only ever appended to
    <folder>/history.bad       lines of it that were no record of a pass, set aside
    <folder>/forecasts.jsonl   the register of forecasts (benchcast.registry.register)
    <folder>/reports/<date>/   what a pass reported; ``latest`` points at the newest
    <folder>/index.html        all nights on a page (benchcast.nightly.overview); made anew from the history at any time
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
import secrets
import shutil
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchcast.reports.text import strict_json
from filelock import FileLock, Timeout

from ..core import files as store
from ..core import reading
from ..core.errors import BenchcastError, Fault, FaultsError, InputError, LaterError, UnreadableError


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
        self.index = folder / "index.html"
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
        """Every line of the history that is a record of a pass, oldest first; ``bad_lines`` has the others.

        Raises
        ------
        FaultsError
            When the file cannot be read at all.
        """
        return [entry for _, _, entry in self._lines() if entry is not None]

    def bad_lines(self) -> list[int]:
        """Numbers of the lines of the history that are not records of a pass: cut, edited, or not UTF-8."""
        return [number for number, _, entry in self._lines() if entry is None]

    def set_bad_lines_aside(self) -> list[int]:
        """Move them to ``history.bad``, for a person to look at; returns their numbers."""
        lines = self._lines()
        bad = [(number, line) for number, line, entry in lines if entry is None]
        for _, line in bad:
            store.append_line(line.decode("utf-8", "backslashreplace"), self.folder / "history.bad")
        if bad:
            good = b"".join(line + b"\n" for _, line, entry in lines if entry is not None)
            store.write_bytes(good, self._history, durable=True)
        return [number for number, _ in bad]

    def _lines(self) -> list[tuple[int, bytes, dict[str, Any] | None]]:
        """Number, bytes and content of every line; a line ends with a newline only, whatever its texts hold."""
        if not self._history.exists():
            return []
        try:
            content = reading.data(self._history, reading.MOST_TABLE)
        except UnreadableError as what:
            raise FaultsError([Fault(str(self._history), f"cannot be read: {what}")]) from None
        lines = content.removesuffix(b"\n").split(b"\n") if content else []
        return [(number, line, _entry(line)) for number, line in enumerate(lines, start=1)]

    def append(self, entry: dict[str, Any]) -> None:
        """Add a line to the history; all of it or nothing, and on the disk when this returns."""
        store.append_line(strict_json.dumps(entry, sort_keys=True), self._history)

    def index_is_stale(self) -> bool:
        """Whether the history says more than the index page: there is none, or it is older."""
        if not self._history.is_file():
            return False
        return not self.index.is_file() or self.index.stat().st_mtime_ns < self._history.stat().st_mtime_ns

    def status(self) -> dict[str, Any]:
        """The last pass in short; empty when there is none, or it cannot be read."""
        status_ = _read(self.folder / "status.json")
        notified = status_.get("told")
        status_["told"] = (
            {k: v for k, v in notified.items() if isinstance(v, int)} if isinstance(notified, dict) else {}
        )
        return status_

    def write_status(self, status: dict[str, Any]) -> None:
        """Keep the last pass in short."""
        store.write_text(
            strict_json.dumps(status, indent=1, sort_keys=True) + "\n", self.folder / "status.json", durable=True
        )

    def known(self) -> dict[str, str]:
        """Checkpoints that were there: "run at step" to where."""
        return {k: str(v) for k, v in _read(self.folder / "known.json").items()}

    def write_known(self, known: dict[str, Any]) -> None:
        """Keep which checkpoints are there."""
        store.write_text(
            strict_json.dumps(known, indent=0, sort_keys=True) + "\n", self.folder / "known.json", durable=True
        )

    @contextmanager
    def new_report(self) -> Iterator[Path]:
        """A folder to write a report into, beside the others; what a killed pass left is removed."""
        for left in self.reports.glob(".new-*"):
            shutil.rmtree(left, ignore_errors=True)
        part = self.reports / f".new-{secrets.token_hex(8)}"
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
        link = self.reports / f".latest-{secrets.token_hex(8)}"
        link.symlink_to(place.name)
        os.replace(link, self.reports / "latest")
        return place.name


def time_of(text: object) -> datetime | None:
    """A time that was written down; None where it is none, or says no time zone."""
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def stamp(time: datetime) -> str:
    """UTC, ISO 8601, to the second."""
    return time.astimezone(UTC).isoformat(timespec="seconds")


def _holder(path: Path) -> str:
    holder = _read(path)
    whole = {"pid", "host", "since"} <= set(holder)
    return f"process {holder['pid']} on {holder['host']} since {holder['since']}" if whole else "just begun"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = reading.json_of(reading.data(path))
    except UnreadableError:
        return {}
    return content if isinstance(content, dict) else {}


LISTS = {  # of an entry, with what each of their items must have
    "conditions": ("rule", "subject", "text"),
    "points": ("run", "task", "step", "tokens", "params", "metric", "value", "stderr", "n", "version", "digest"),
    "forecasts": ("recipe", "family", "task", "target", "forecast"),
}
# Of the entry of a registration, what it must have.
REGISTERED = ("hash", "time", "targets", "late", "complete", "versions", "setup")


def _entry(line: bytes) -> dict[str, Any] | None:
    """A line as the record of a pass; None when it is none."""
    try:
        entry = reading.json_of(line)
        if not (isinstance(entry, dict) and isinstance(entry["seq"], int)):
            return None
        if time_of(entry["time"]) is None:
            return None
        for name, keys in LISTS.items():
            if any(key not in item for item in entry.get(name) or () for key in keys):
                return None
        made = entry.get("registered")
        if made is not None and any(key not in made for key in REGISTERED):
            return None
    except (ValueError, KeyError, TypeError):
        return None
    return entry
