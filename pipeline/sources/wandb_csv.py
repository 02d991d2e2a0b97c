"""Read CSV files that the Weights & Biases web page exports: a chart's panel, or the table of runs.

A panel has a column ``Step`` and for every run ``<run> - <metric>`` (beside ``__MIN`` and ``__MAX``, which are left
out); the table of runs has ``Name`` and a column per logged value, one row a run. ``<task>/acc`` and
``<task>/acc_norm`` (also ``…,none``, as lm-eval logs them) are accuracies, and what ends in ``loss`` and speaks of
validation is a validation loss; every other column is left out. W&B does not know where a run stands:
``ladder.yaml`` beside the file does (see ``run_places``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import schema
from pipeline.account import Account
from pipeline.errors import Fault, FaultsError
from pipeline.sources import run_places

ACCURACY = re.compile(r"(?:.*/)?([^/]+)/(acc|acc_norm)(?:,none)?")
LOSS = re.compile(r"(?:eval|val|valid|validation|test)[/_.-](?:(.+)[/_.-])?loss|(?:(.+)[/_.-])?val(?:id|idation)?_loss")
STEPS = ("Step", "_step", "trainer/global_step", "train/global_step")
Cell = tuple[str, float | None, str, float]  # run, step, metric's name as logged, value


def read(path: Path, account: Account | None = None) -> pd.DataFrame:
    """A CSV file, or every one in a folder, as a ladder table.

    Raises
    ------
    FaultsError
        With every file that is no export, and every run whose size or tokens nothing tells.
    """
    account = account or Account()
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    places = run_places.read(path if path.is_dir() else path.parent)
    faults: list[Fault] = []
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        for run, step, name, value in _cells(file, faults):
            kind = what(name)
            if kind is None:
                continue
            try:
                about = run_places.of(run, places).columns(run, step, None, None)
            except ValueError as error:
                fix = f"write {{params, tokens_per_step}} for it into {run_places.LADDER} beside the file"
                faults.append(Fault(str(file), f"run {run!r}: {error}", fix))
                continue
            about |= {"source": file.name, "digest": digest, "task": kind[0], "metric": kind[1], "value": value}
            rows[run, step, *kind] = about
    if not rows and not faults:
        faults.append(Fault(str(path), "has no column that is an accuracy or a validation loss",
                            "such are named <task>/acc, <task>/acc_norm, eval/loss, val_loss"))  # fmt: skip
    if faults:
        raise FaultsError(list(dict.fromkeys(faults)))
    return schema.validate(pd.DataFrame(list(rows.values())), str(path))


def what(name: str) -> tuple[str, str] | None:
    """Task and metric of a logged name; None where it is neither an accuracy nor a validation loss."""
    if match := ACCURACY.fullmatch(name):
        return match[1], match[2]
    if match := LOSS.fullmatch(name):
        return next((part for part in match.groups() if part), "validation"), "val_loss"
    return None


def _cells(file: Path, faults: list[Fault]) -> Iterator[Cell]:
    """The numbers of one export."""
    try:
        frame = pd.read_csv(file)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        faults.append(Fault(str(file), f"cannot be read: {error}"))
        return
    step = next((column for column in STEPS if column in frame), None)
    if "Name" in frame:
        yield from _table(frame, step)
    elif step is not None:
        yield from _panel(frame, step)
    else:
        faults.append(Fault(str(file), "is no export of W&B: it has neither a column 'Step' nor 'Name'"))


def _panel(frame: pd.DataFrame, step: str) -> Iterator[Cell]:
    steps = pd.to_numeric(frame[step], errors="coerce")
    for column in frame.columns:
        run, sign, name = str(column).rpartition(" - ")
        if not sign or name.endswith(("__MIN", "__MAX")) or what(name) is None:
            continue
        values = pd.to_numeric(frame[column], errors="coerce")
        for at, value in zip(steps, values, strict=True):
            if pd.notna(at) and pd.notna(value):
                yield run, float(at), name, float(value)


def _table(frame: pd.DataFrame, step: str | None) -> Iterator[Cell]:
    for column in frame.columns:
        if what(str(column)) is None:
            continue
        values = pd.to_numeric(frame[column], errors="coerce")
        steps = pd.to_numeric(frame[step], errors="coerce") if step else values * float("nan")
        for run, at, value in zip(frame["Name"].astype(str), steps, values, strict=True):
            if pd.notna(value):
                yield run, float(at) if pd.notna(at) else None, str(column), float(value)
