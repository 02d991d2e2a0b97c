"""Read CSV files that the Weights & Biases web page exports: a chart's panel, or the table of runs.

A panel has a column for its x axis and for every run ``<run> - <metric>`` (beside ``__MIN`` and ``__MAX``, which are
left out); the table of runs has ``Name`` and a column per logged value, one row a run. ``<task>/acc`` and
``<task>/acc_norm`` (also ``…,none``, as lm-eval logs them) are accuracies; ``eval/loss``, ``val_loss`` and the like
are validation losses, those of ``test`` kept apart; every other column is left out, with a line. Steps are the
trainer's (``trainer/global_step``) where the file has them, tokens are read where they were logged. Runs that crashed
or still run are left out. W&B does not know how large a model is: ``ladder.yaml`` beside the file does (see
``places.runs``).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.stages.notices import readers

from ....core import reading
from ....core.errors import Fault, FaultsError, UnreadableError
from ....core.metrics import METRICS
from ... import csv_files, schema
from ...csv_files import unlike
from ...places.clocks import falling_tokens
from ...places.ladder import LADDER
from ...places.runs import RunPlaces, note_idle_names, read_run_places, run_place
from .names import LOGGED, OWN, STEPS, TOKENS, UNFINISHED, what, why_not

__all__ = ["read_wandb", "what"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One number of an export, and where it stands."""

    run: str
    step: float | None
    tokens: float | None
    name: str
    value: float
    where: str


class Problems(list[Fault]):
    """The faults of all files, and the account of what was left out."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self.account = account

    def add(self, where: str, text: str, fix: str = "") -> None:
        """One more fault, once."""
        if (fault := Fault(where, text, fix)) not in self:
            self.append(fault)


def read_wandb(path: Path, account: Account | None = None) -> pd.DataFrame:
    """A CSV file, or every one in a folder, as a ladder table.

    Raises
    ------
    FaultsError
        With every file that is not an export, every cell that is not a number, every run whose size or tokens nothing
        tells, and everything that two columns, rows or files say differently.
    """
    account = account or Account()
    problems = Problems(account)
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    places = read_run_places(path if path.is_dir() else path.parent)
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    places_of: dict[tuple[Any, ...], str] = {}
    for file in files:
        try:
            data, frame = reading.data(file, reading.MOST_TABLE), csv_files.read_csv(file, account, repeated=True)
        except UnreadableError as error:
            problems.add(str(file), f"cannot be read: {error}")
            continue
        account.read("exports")
        digest = hashlib.sha256(data).hexdigest()
        for cell in _cells(file, frame, problems):
            kind = what(cell.name)
            if kind is None or not _possible(cell, kind[1], problems):
                continue
            about = _placed(cell, places, file, problems)
            if about is None:
                continue
            key = (about["run"], about["tokens"], *kind)
            if key not in rows:
                rows[key] = about | {"source": file.name, "digest": digest, "task": kind[0], "metric": kind[1]}
                rows[key]["value"], places_of[key] = cell.value, cell.where
            elif rows[key]["value"] != cell.value:
                fix = "they would be one number: rename one, or leave it out of the export"
                problems.add(
                    cell.where,
                    f"run {cell.run!r} has {cell.value:g} here and {rows[key]['value']:g} in {places_of[key]}",
                    fix,
                )
    if not rows and not problems:
        problems.add(
            str(path),
            "has no column that is an accuracy or a validation loss",
            "such are named <task>/acc, <task>/acc_norm, eval/loss, val_loss",
        )
    problems.extend(
        falling_tokens((row["run"], row["step"], row["tokens"], places_of[key]) for key, row in rows.items())
    )
    note_idle_names(places, {row["run"] for row in rows.values()}, account)
    if problems:
        raise FaultsError(list(dict.fromkeys(problems)))
    return schema.validate(pd.DataFrame(list(rows.values())), str(path), account, list(places_of.values()))


def _possible(cell: Cell, metric: str, problems: Problems) -> bool:
    known = METRICS[metric]
    if known.low <= cell.value <= known.high:
        return True
    what = f"run {cell.run!r}: {cell.value:g} is outside {known.range}, the range of {metric}"
    problems.add(cell.where, what, known.hint)
    return False


def _placed(cell: Cell, places: RunPlaces, file: Path, problems: Problems) -> dict[str, Any] | None:
    """The ladder's columns of a cell; None where it is left out, or nothing places it."""
    if cell.step == 0 or cell.tokens == 0:
        problems.account.leave("scores before the first step, at zero tokens", cell.run)
        return None
    place = run_place(cell.run, places)
    try:
        about = place.columns(cell.run, cell.step, cell.tokens, None)
    except ValueError as error:
        fix = f"write {{params, tokens_per_step}} for it into {LADDER} beside the file"
        problems.add(str(file), f"run {cell.run!r}: {error}", fix)
        return None
    if contradiction := place.contradiction(cell.step, cell.tokens):
        problems.add(cell.where, f"run {cell.run!r}: {contradiction}", "correct one of them")
        return None
    return about


def _cells(file: Path, frame: pd.DataFrame, problems: Problems) -> Iterator[Cell]:
    """The numbers of one export."""
    names = list(frame.columns)
    clock, tokens = _clock(file, frame, problems)
    if "Name" in names:
        yield from _table(file, frame, clock, tokens, problems)
    elif clock is None and tokens is None:
        first = (
            f"its first column is {names[0]!r}" if any(" - " in name for name in names) else "it has no column 'Name'"
        )
        fix = "choose trainer/global_step (or tokens) as the x axis of the panel, or export the table of runs"
        problems.add(str(file), f"is not an export of W&B that tells steps or tokens: {first}", fix)
    else:
        yield from _panel(file, frame, clock, tokens, problems)


def _clock(file: Path, frame: pd.DataFrame, problems: Problems) -> tuple[int | None, int | None]:
    """Positions of the column of steps, the trainer's own before W&B's, and of the column of tokens."""
    names = list(frame.columns)
    steps = [name for name in STEPS if name in names]
    tokens = [name for name in TOKENS if name in names]
    for kind, columns in (("steps", [n for n in steps if n not in LOGGED]), ("tokens", tokens)):
        for other in columns[1:]:
            one, two = frame.iloc[:, names.index(columns[0])], frame.iloc[:, names.index(other)]
            if not (one.isna() | two.isna() | one.eq(two)).all():
                problems.add(
                    str(file),
                    f"tells {kind} twice, and differently: {columns[0]!r} and {other!r}",
                    "export the one that counts the trainer's",
                )
    if steps and steps[0] in LOGGED and not tokens:
        problems.account.note(readers.WANDB_STEPS(file.name, steps=steps[0]))
    elif len(steps) > 1:
        problems.account.note(readers.WANDB_STEPS(file.name, steps=steps[0], others=", ".join(map(repr, steps[1:]))))
    if tokens:
        problems.account.note(readers.WANDB_TOKENS(file.name, tokens=tokens[0]))
    return (names.index(steps[0]) if steps else None), (names.index(tokens[0]) if tokens else None)


def _panel(
    file: Path, frame: pd.DataFrame, clock: int | None, tokens: int | None, problems: Problems
) -> Iterator[Cell]:
    for position, column in enumerate(frame.columns):
        run, sign, name = str(column).rpartition(" - ")
        if not sign or name.endswith(("__MIN", "__MAX")):
            if not sign and position not in (clock, tokens) and column not in STEPS:
                problems.account.leave("columns of a panel that name no run", str(column))
            continue
        if what(name) is None:
            problems.account.leave(why_not(name), column)
            continue
        for at in range(len(frame)):
            value = _number(file, frame, at, position, problems, run)
            if value is not None:
                yield from _at(file, frame, at, position, (clock, tokens), run, name, value, problems)


def _table(
    file: Path, frame: pd.DataFrame, clock: int | None, tokens: int | None, problems: Problems
) -> Iterator[Cell]:
    kept = _finished(file, frame, problems)
    names = [str(column) for column in frame.columns]
    wanted = [position for position, name in enumerate(names) if what(name)]
    for position, name in enumerate(names):
        known = position in wanted or name.lower() in OWN or name in (*STEPS, *TOKENS)
        if not known and pd.to_numeric(frame.iloc[:, position], errors="coerce").notna().any():
            problems.account.leave(why_not(name), name)
    runs = frame["Name"] if names.count("Name") == 1 else frame.iloc[:, names.index("Name")]
    first_line: dict[str, int] = {}
    for at in kept:
        run = str(runs.iloc[at])
        if run in first_line:
            _twice(file, frame, run, first_line[run], at, wanted, problems)
            continue
        first_line[run] = at
        for position in wanted:
            value = _number(file, frame, at, position, problems, run)
            if value is not None:
                yield from _at(file, frame, at, position, (clock, tokens), run, names[position], value, problems)


def _finished(file: Path, frame: pd.DataFrame, problems: Problems) -> list[int]:
    """Rows of runs that have a name and are finished, as far as the table tells."""
    kept = []
    states = frame["State"] if list(frame.columns).count("State") == 1 else None
    for at in range(len(frame)):
        state = "" if states is None or pd.isna(states.iloc[at]) else str(states.iloc[at]).strip()
        name = frame["Name"].iloc[at] if list(frame.columns).count("Name") == 1 else ""
        if pd.isna(name):
            problems.add(_line(file, frame, at), "a run without a Name", "give it one")
        elif state.lower() in UNFINISHED:
            problems.account.leave("runs that are not finished", f"{name} ({state})")
        else:
            kept.append(at)
    if not kept and not problems:
        problems.add(str(file), "has no finished run", "export it when one is, or without the column State")
    return kept


def _twice(
    file: Path, frame: pd.DataFrame, run: str, first: int, at: int, wanted: list[int], problems: Problems
) -> None:
    """Two rows of one name: one where they say the same, else a fault."""
    differ = [str(frame.columns[p]) for p in wanted if str(frame.iat[first, p]) != str(frame.iat[at, p])]
    if differ:
        what = f"is called {run!r} as line {frame.index[first]} is, with other values of {', '.join(differ[:3])}"
        problems.add(_line(file, frame, at), what, "two runs need two names: rename one, or leave it out of the export")
    else:
        problems.account.note(readers.RUN_TWICE(file.name, run=run))


def _number(file: Path, frame: pd.DataFrame, at: int, position: int, problems: Problems, run: str) -> float | None:
    """A cell's number; None where it is empty, is not finite (left out, told) or is none (a fault)."""
    cell = frame.iat[at, position]
    if pd.isna(cell) or not str(cell).strip():
        return None
    try:
        value = float(cell) if csv_files.NUMBER.fullmatch(str(cell).strip()) else math.nan
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    column = str(frame.columns[position])
    if str(cell).strip().lower().lstrip("+-") in ("nan", "inf", "infinity"):
        problems.account.leave(
            "values that are not finite numbers", f"run {run}, {column}, line {frame.index[at]}: {cell}"
        )
    else:
        problems.add(
            f"{_line(file, frame, at)}, column {column}", f"run {run!r}: {cell!r} is not a number", unlike(str(cell))
        )
    return None


def _at(
    file: Path,
    frame: pd.DataFrame,
    at: int,
    position: int,
    clocks: tuple[int | None, int | None],
    run: str,
    name: str,
    value: float,
    problems: Problems,
) -> Iterator[Cell]:
    """The cell with its step and tokens, where these can be read."""
    times = []
    for clock in clocks:
        time = None if clock is None else _number(file, frame, at, clock, problems, run)
        if clock is not None and time is None and not pd.isna(frame.iat[at, clock]):
            return  # told already
        times.append(time)
    where = f"{_line(file, frame, at)}, column {frame.columns[position]}"
    if all(time is None for time in times) and any(clock is not None for clock in clocks) and "Name" not in frame:
        problems.add(where, f"run {run!r}: a value without a step", "correct the first column")
    elif any(time is not None and time < 0 for time in times):
        problems.add(where, f"run {run!r}: steps and tokens are zero or more")
    else:
        yield Cell(run=run, step=times[0], tokens=times[1], name=name, value=value, where=where)


def _line(file: Path, frame: pd.DataFrame, at: int) -> str:
    return f"{file}: line {frame.index[at]}"
