"""A user's table of runs for planning: columns by name, every fault with its file, row and column.

What is decided and left out on the way (rows that ``where`` does not keep, that repeat others) goes to the account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import readers
from numpy.typing import NDArray

from ..core import reading, units
from ..core.errors import Fault, FaultsError, UnreadableError
from ..data import csv_files

TEXTS = ("run", "flops_convention")
SURE_LOSS, MOST_LOSS = 8.0, 12.5  # nats/token: no trained model's; a guess among 270,000 words
EARLY_LOSS = 1.0  # nats/token by which a run's first steps lie above its end, at the least
NUMBER = "is not a positive number"


def read_plan_table(
    path: Path,
    needed: Sequence[str],
    optional: Sequence[str],
    columns: Mapping[str, str],
    where: Mapping[str, Any],
    account: Account | None = None,
) -> pd.DataFrame:
    """The rows that match ``where``, with ``needed`` and what there is of ``optional`` as positive floats, and texts.

    The index is the row as an editor shows it (the header is row 1). Rows that say the same twice count once.

    Raises
    ------
    FaultsError
        For a file that cannot be read, missing columns, values that are not positive numbers or cannot be in their
        unit, two losses for one checkpoint, or no row left.
    """
    account = account or Account()
    table = _load(path, account)
    # What is odd about the file as a whole is the first thing to know about a cell that cannot be read.
    place = f"{path} ({separated})" if (separated := table.attrs.get("separated")) else str(path)
    names = {name: columns.get(name, name) for name in (*needed, *optional, *TEXTS)}
    _check_columns(path, table, needed, names, columns, where)
    account.read("rows", len(table))
    if len(kept := _kept(table, where)) < len(table):
        account.note(readers.WHERE(path.name, kept=len(kept), rows=len(table)))
    if kept.empty:
        raise FaultsError([Fault(str(path), "no row is left", "loosen where, or give another table")])
    out = pd.DataFrame(index=kept.index)
    faults: list[Fault] = []
    for name in (*needed, *optional):
        if names[name] in kept:
            out[name] = _numbers(kept, names[name], place, faults)
    for name in TEXTS:
        if names[name] in kept:
            out[name] = kept[names[name]].fillna("").astype(str)
    if faults:
        raise FaultsError(faults)
    out = _once(out, path, account)
    check_units(out, path)
    if {"params", "tokens"} <= {*out} and (odd := units.unusual(out["tokens"] / out["params"])):
        account.note(odd.about(path.name))
    account.taken("rows", len(out))
    return out


def _load(path: Path, account: Account) -> pd.DataFrame:
    try:
        if path.suffix != ".parquet":
            own = Account()
            table = csv_files.read_csv(path, own)
            separators = [n.values["separator"] for n in own.record().notes if n.code == readers.SEPARATED.name]
            table.attrs["separated"] = "; ".join(readers.SEPARATED(separator=each) for each in separators)
            account.add(own.record())
            return table
        reading.check(path)
        table = pd.read_parquet(path)
    except UnreadableError as error:
        if not path.exists():
            raise FaultsError([Fault(str(path), "does not exist", "data.path of the config, or --data")]) from None
        raise FaultsError([Fault(str(path), f"cannot be read: it {error}", "give a CSV or Parquet table")]) from None
    except (OSError, ValueError) as error:
        what = " ".join(str(error).split())[:200]
        raise FaultsError([Fault(str(path), f"cannot be read: {what}", "give a CSV or Parquet table")]) from None
    return table.set_axis(pd.Index(np.arange(len(table)) + 2, name=csv_files.LINE))


def _check_columns(
    path: Path,
    table: pd.DataFrame,
    needed: Sequence[str],
    names: Mapping[str, str],
    columns: Mapping[str, str],
    where: Mapping[str, Any],
) -> None:
    known = [name for name in names if name != "flops_convention"]
    have = f"it has {listed(table.columns, 12)}"
    faults = [
        Fault(f"columns.{name}", "is not a column of this table", f"known: {', '.join(known)}")
        for name in columns
        if name not in names
    ]
    used = list(columns.values())
    faults += [
        Fault(f"columns.{name}", f"{own!r} is given for another column too", "a column of the table is one thing")
        for name, own in columns.items()
        if used.count(own) > 1
    ]
    faults += [
        Fault(str(path), f"has no column {names[name]!r}", f"{have}; map yours with columns: {{{name}: …}}")
        for name in needed
        if names[name] not in table
    ]
    faults += [Fault(f"where.{name}", f"{path} has no column {name!r}", have) for name in where if name not in table]
    if faults:
        raise FaultsError(faults)


def _kept(table: pd.DataFrame, where: Mapping[str, Any]) -> pd.DataFrame:
    """The rows whose columns have these values; numbers are compared as numbers, truth values in any spelling."""
    for name, value in where.items():
        cells = table[name]
        if isinstance(value, bool):
            same = cells.astype(str).str.strip().str.lower().isin(["true", "1"] if value else ["false", "0"])
        elif isinstance(value, int | float):
            same = pd.to_numeric(cells, errors="coerce").eq(value)
        else:
            same = cells.astype(str).eq(value)
        table = table[same]
    return table


def _numbers(table: pd.DataFrame, name: str, place: str, faults: list[Fault]) -> pd.Series:
    """A column as floats; what is not a positive number is entered in ``faults``."""
    values, _ = csv_files.numbers(table[name])
    truths = table[name].map(lambda v: isinstance(v, bool | np.bool_)).to_numpy(dtype=bool)
    for i in np.flatnonzero(~(np.isfinite(values) & (values > 0)) | truths):
        cell = table[name].iloc[i]
        where = f"{place}: row {table.index[i]}, column {name}"
        if pd.isna(cell):
            faults.append(Fault(where, "is empty", "give a number, or leave the row out with where"))
            continue
        text = str(cell)  # not numpy's way of writing it
        known = np.isfinite(values[i]) or text.lower().strip("+-") in ("nan", "inf", "infinity")
        hint = "" if known else csv_files.unlike(text)
        hint = hint or "correct it, or leave the row out (where)"
        faults.append(Fault(where, f"{text!r} {NUMBER}", hint))
    return pd.Series(values, index=table.index)


def _once(table: pd.DataFrame, path: Path, account: Account) -> pd.DataFrame:
    """Each row once: repeated rows would make the intervals too narrow.

    Raises
    ------
    FaultsError
        For two losses of one checkpoint of one run.
    """
    again = table.duplicated()
    if again.any():
        rows = listed(table.index[again])
        account.note(readers.REPEATED(path.name, repeated=int(again.sum()), rows=len(table), names=rows))
        table = table[~again]
    clock = "step" if "step" in table else "tokens"
    if {"run", clock, "loss"} <= set(table.columns):
        key = [name for name in ("run", clock, "params", "tokens", "lr", "batch_size") if name in table]
        twice = table[table.duplicated(key, keep=False)]
        faults = [
            Fault(
                f"{path}: rows {listed(rows.index)}",
                f"run {run[0]!r} has {len(rows)} losses at one checkpoint",
                "keep one of them",
            )
            for run, rows in twice.groupby(key, sort=False)
            if rows["loss"].nunique() > 1
        ]
        if faults:
            raise FaultsError(faults)
    return table


def check_units(table: pd.DataFrame, path: Path) -> None:
    """Counts and losses that cannot be in the unit they should be in.

    Raises
    ------
    FaultsError
        One fault per kind, with the first row, how many rows there are, and the likely unit.
    """
    faults = [*_impossible(table, path), *_impossible_flops(table, path), *_perplexity(table, path)]
    if faults:
        raise FaultsError(faults)


def _impossible(table: pd.DataFrame, path: Path) -> list[Fault]:
    if "params" not in table:
        return []
    params = table["params"].to_numpy()
    tokens = table["tokens"].to_numpy() if "tokens" in table else np.full(len(table), np.nan)
    trained = _whole_runs(table, tokens)
    complaints = [units.impossible(n, None if np.isnan(d) else d) for n, d in zip(params, trained, strict=True)]
    bad = [i for i, what in enumerate(complaints) if what]
    if not bad:
        all_small = "tokens" in table and units.both_in_millions(float(params.max()), float(tokens.max()))
        return [Fault(f"{path}: columns params and tokens", all_small, "write plain counts: 7e9")] if all_small else []
    # The middle one of them tells the unit best: the smallest and the largest runs are unusual in any unit.
    middle = sorted(bad, key=lambda i: params[i] if np.isnan(tokens[i]) else tokens[i] / params[i])[len(bad) // 2]
    where = f"{path}: row {table.index[middle]}"
    return [
        Fault(where, f"{complaints[middle]} ({len(bad)} of {len(table)} rows cannot be)", "write plain counts: 7e9")
    ]


def _whole_runs(table: pd.DataFrame, tokens: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tokens to judge the unit by: of a run's first steps, which have seen next to nothing, those of its last.

    Such a row has a loss far above the best one of its size; one whose tokens are in another unit has not.
    """
    if not {"tokens", "loss"} <= set(table.columns):
        return tokens
    same = table.groupby("params")
    few = (table["tokens"] >= units.FEWEST_EARLY) & (table["tokens"] / table["params"] < units.FEWEST_RATIO)
    early = few & (table["loss"] > same["loss"].transform("min") + EARLY_LOSS)
    return np.where(early, same["tokens"].transform("max"), tokens)


def _impossible_flops(table: pd.DataFrame, path: Path) -> list[Fault]:
    if not {"params", "tokens", "flops"} <= set(table.columns):
        return []
    rows = zip(table["params"], table["tokens"], table["flops"], strict=True)
    complaints = [units.impossible_flops(*row) for row in rows]
    bad = [i for i, what in enumerate(complaints) if what]
    return (
        [
            Fault(
                f"{path}: row {table.index[bad[0]]}",
                f"{complaints[bad[0]]} ({len(bad)} of {len(table)} rows cannot be)",
            )
        ]
        if bad
        else []
    )


def _perplexity(table: pd.DataFrame, path: Path) -> list[Fault]:
    if "loss" not in table:
        return []
    loss = table["loss"]
    if loss.min() <= SURE_LOSS and loss.median() <= MOST_LOSS:
        return []
    what = f"losses from {loss.min():.4g} to {loss.max():.4g} are not mean losses in nats per token of trained models"
    return [
        Fault(
            f"{path}: column loss", f"{what}; are they perplexities, or sums?", "a perplexity's logarithm is the loss"
        )
    ]


def six(convention: str) -> bool:
    """Whether FLOPs are said to be counted as 6·params·tokens."""
    return re.sub(r"[\s·*]", "", convention).upper() in ("6ND", "C=6ND")
