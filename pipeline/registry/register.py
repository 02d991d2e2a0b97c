"""Forecasts on the record: an append-only file whose lines are chained, so that a later edit shows.

One JSON object a line: when, what was forecast, from which code and data, the hash of the line before, and its own
hash. Changing, removing or inserting a line breaks the chain from there on; cutting lines off the end does not, so
keep the last hash (``benchcast register`` prints it) somewhere else, such as a commit message.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchcast.reports.documents import writing
from benchcast.reports.records.base import Frozen
from benchcast.reports.records.forecast import Forecast, LadderRun, Registered, Result, Scores
from filelock import FileLock, Timeout
from pydantic import Field, ValidationError

from ..core import files as store
from ..core import reading
from ..core.digest import object_digest
from ..core.errors import BenchcastError, Fault, FaultsError, UnreadableError
from .code_digest import code_digest

START = "0" * 64
WAIT = 30  # seconds for another registration to end


class TableSnapshot(Frozen):
    """What the table held when its forecasts were registered: a score that was in it is not a forecast's truth."""

    runs: tuple[LadderRun, ...] = Field(description="every run of the table, fitted or not")
    scores: tuple[Scores, ...] = Field(description="the last score of each, by task")


class Record(Frozen):
    """One registered result: its forecasts without their evidence, and what they were made from."""

    time: str = Field(description="UTC, ISO 8601")
    title: str
    benchcast: str
    code_digest: str = Field(description="SHA-256 of the package's source")
    config_digest: str
    data_digest: str
    forecasts: tuple[Forecast, ...]
    seen: TableSnapshot | None = Field(default=None, description="null: registered by a version that did not say")
    previous: str = Field(description="hash of the record before; zeros for the first")
    hash: str = ""

    def content_hash(self) -> str:
        """What ``hash`` must be."""
        return object_digest(json.loads(self.model_dump_json(exclude={"hash"})))


def register(result: Result, path: Path, now: datetime | None = None) -> Record:
    """Append a result's forecasts to the register at ``path``, which is made if it is not there.

    Raises
    ------
    FaultsError
        When the register was edited: nothing is appended to a broken chain.
    BenchcastError
        When it cannot be written, another process holds it, or the clock is behind its last record.
    """
    target = _target(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(target.name + ".lock"), timeout=WAIT):
            before = read(path) if target.exists() else ()
            now = now or datetime.now(UTC)
            if before and now < datetime.fromisoformat(before[-1].time):
                raise BenchcastError(
                    f"{path}: the clock says {now.isoformat(timespec='seconds')}, the last record is of "
                    f"{before[-1].time}; set the clock right, or begin another register if that record was made "
                    "by a wrong one: times that run backwards prove nothing"
                )
            record = _record(result, before[-1].hash if before else START, now)
            store.append_line(_line(record, path), target)
    except Timeout:
        raise BenchcastError(f"{path}: another registration has held it for {WAIT} s; try again") from None
    except OSError as error:
        raise BenchcastError(f"{path}: cannot be locked ({error.strerror or error})") from error
    return record


def check(path: Path) -> None:
    """That a register could be appended to: a regular file with a whole chain, a link to one, or none yet.

    Raises
    ------
    FaultsError
        Saying what is wrong with it.
    """
    if _target(path).exists():
        read(path)


def _target(path: Path) -> Path:
    """The file itself: two links to one register are one register, with one lock."""
    try:
        where = writing.place(path)
        if where.opened:
            raise OSError("is a device or a FIFO, not a file")
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or error
        raise FaultsError([Fault(str(path), f"cannot be a register: {what}", "name a file")]) from None
    return where.path


def _record(result: Result, previous: str, now: datetime) -> Record:
    kept = tuple(f.model_copy(update={"alternatives": ()}) for f in result.forecasts)
    record = Record(
        time=now.isoformat(timespec="seconds"),
        title=result.title,
        benchcast=result.provenance.benchcast,
        code_digest=code_digest(),
        config_digest=result.provenance.config_digest,
        data_digest=result.provenance.data_digest,
        forecasts=kept,
        seen=TableSnapshot(runs=result.ladder, scores=result.scores),
        previous=previous,
    )
    return record.model_copy(update={"hash": record.content_hash()})


def _line(record: Record, path: Path) -> str:
    """The record as it will stand there, if it can be read back: a number that is none would break the register."""
    line = record.model_dump_json()
    try:
        Record.model_validate_json(line)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise BenchcastError(f"{path}: {where} is not a number: the forecast is not registered") from None
    return line


def read(path: Path) -> tuple[Record, ...]:
    """Every record, oldest first, with the chain checked.

    Raises
    ------
    FaultsError
        With every line that is unreadable, edited, or out of place.
    """
    try:
        text = reading.text(path, reading.MOST_TABLE)
    except UnreadableError as what:
        fix = "" if path.exists() else "benchcast register CONFIG writes one; --register names another"
        raise FaultsError([Fault(str(path), f"cannot be read: {what}", fix)]) from None
    # Titles may hold what splitlines takes for an end of line; JSON has no newline of its own.
    lines = text.removesuffix("\n").split("\n") if text else []
    faults, records = [], []
    previous = START
    for number, line in enumerate(lines, start=1):
        where = f"{path}: line {number}"
        try:
            content = reading.json_of(line)
            record = Record.model_validate(content)
        except (ValueError, ValidationError) as error:
            first = str(error).split("\n")[0]
            cut = number == len(lines) and not text.endswith("\n")
            faults.append(Fault(where, f"is not a record ({first})", _remedy(line, cut=cut)))
            previous = ""
            continue
        # Of what stands there: read back, a record of an earlier version has fields more, with their defaults.
        if record.hash != object_digest({k: v for k, v in content.items() if k != "hash"}):
            faults.append(Fault(where, "was edited: its hash does not fit its content", "restore it from a copy"))
        if previous and record.previous != previous:
            faults.append(Fault(where, "does not follow the line before it: a line was removed, added or edited"))
        previous = record.hash
        records.append(record)
    if faults:
        raise FaultsError(faults)
    return tuple(records)


def _remedy(line: str, *, cut: bool) -> str:
    if not line.strip():
        return "remove the empty line"
    if "}{" in line:
        return "two records stand on one line: put a newline between }{ where one ends and the other begins"
    if cut:
        return "its end is missing: remove this line, if a power failure cut it, or restore the file from a copy"
    return "restore the file from a copy"


def looked_up(result: Result, records: Sequence[Record]) -> Registered:
    """Which of a result's forecasts are on the record: same run, same recipe, same numbers."""
    oldest = {claim_of(f): record for record in reversed(records) for f in record.forecasts}
    matching = [oldest[claim_of(f)] for f in result.forecasts if claim_of(f) in oldest]
    if not matching:
        return Registered(count=0)
    first = min(matching, key=lambda record: record.time)
    return Registered(count=len(matching), hash=first.hash, time=first.time)


def claim_of(f: Forecast) -> tuple[object, ...]:
    """What a forecast claims; the measured score, which may have come since, is not part of it."""
    return (f.recipe, f.family, f.task, f.target, f.level, f.forecast, f.low, f.high)


def names(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Time, title, hash and number of forecasts of every record."""
    return [{"time": r.time, "title": r.title, "hash": r.hash, "forecasts": len(r.forecasts)} for r in records]
