"""What is wrong with a ladder table: columns, single values, and rows that cannot all be true."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.account import listed
from numpy.typing import NDArray

from ..core import units
from ..core.errors import Fault
from ..core.metrics import METRICS, PERCENT, RESERVED, USUAL, is_share, kind_of_score, meant, metric_of
from . import csv_files

OTHERWISE = {  # what the columns are called elsewhere
    "N": "params",
    "D": "tokens",
    "C": "flops",
    "n_params": "params",
    "parameters": "params",
    "size": "params",
    "training_tokens": "tokens",
    "compute": "flops",
    "model": "run",
    "name": "run",
    "benchmark": "task",
    "dataset": "task",
    "accuracy": "value",
    "acc": "value",
    "score": "value",
}
NUMBERS = ("step", "params", "tokens", "flops", "num_fewshot", "value", "stderr", "n", "chance")
COLUMNS = (
    *("run", "family", "step", "params", "tokens", "flops", "flops_convention"),
    *("task", "num_fewshot", "prompt", "metric", "value", "stderr", "n", "chance"),
    *("source", "digest", "lm_eval", "task_version", "tokenizer", "chat_template", "dtype"),
)
TEXT = tuple(column for column in COLUMNS if column not in NUMBERS)
REQUIRED = ("run", "family", "params", "tokens", "flops", "task", "metric", "value")
KEY = ["run", "step", "task", "num_fewshot", "prompt", "metric"]
MOST_ROWS = 50  # faults of one kind that are listed; then their number
MOST_PERCENT = 3  # rows that are listed where all may be one mistake: a table in percent
MOST_UNKNOWN = 10  # names of unknown metrics that are told


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the rows of a table stand, for its faults."""

    file: str
    row: Callable[[int], str]  # file and line of a row

    def rows(
        self, bad: pd.Series | NDArray[np.bool_], values: pd.Series, column: str, what: str, fix: str = ""
    ) -> list[Fault]:
        """A fault for each row that is bad; of very many, the first and a count."""
        at, most = np.flatnonzero(bad), MOST_PERCENT if fix == PERCENT else MOST_ROWS

        def fault(i: int) -> Fault:
            value = values.iloc[i]
            shown = "" if what == "is empty" else f"{value:g} " if isinstance(value, float) else f"{value!r} "
            hint = fix or (csv_files.unlike(value) if isinstance(value, str) else "")
            return Fault(self.row(i), f"{column} {shown}{what}", hint)

        faults = [fault(int(i)) for i in at[:most]]
        if len(at) > most:
            faults.append(Fault(self.file, f"column {column!r}: {len(at) - most} more rows: {what}", fix))
        return faults


def column_faults(frame: pd.DataFrame, place: Place) -> Iterator[Fault]:
    """Columns that are missing, twice or unknown."""
    names = [str(column) for column in frame.columns]
    lacking = [column for column in REQUIRED if column not in names]
    if lacking:
        fix = f"it has {listed(names, 12)}; columns are {', '.join(COLUMNS)}"
        cased = {name.lower().strip(): name for name in names}
        cased |= {meant: name for name in names if (meant := OTHERWISE.get(name)) in lacking}
        if spelled := [f"{cased[c]} as {c}" for c in lacking if c in cased]:
            fix = f"write {', '.join(spelled)}"
        verb = "column {} is missing" if len(lacking) == 1 else "columns {} are missing"
        yield Fault(place.file, verb.format(", ".join(map(repr, lacking))), fix)
    for column in dict.fromkeys(names):
        if names.count(column) > 1:
            yield Fault(place.file, f"column {column!r} appears twice", "keep one of them")
        elif column not in COLUMNS and not {column.lower(), OTHERWISE.get(column)} & {*lacking}:
            near = [OTHERWISE[column]] if column in OTHERWISE else difflib.get_close_matches(column, COLUMNS, 1)
            yield Fault(
                place.file, f"column {column!r} is unknown", f"did you mean {near[0]!r}?" if near else "remove it"
            )
    if frame.empty:
        yield Fault(place.file, "there are no rows")


def value_faults(table: pd.DataFrame, place: Place) -> Iterator[Fault]:
    """Single values that cannot be."""
    for column in ("params", "tokens", "flops", "n"):
        numbers = table[column].to_numpy()
        bad = (numbers <= 0) | np.isinf(numbers)
        yield from place.rows(bad, table[column], column, "must be positive and finite")
    for column in ("stderr", "step", "num_fewshot"):
        numbers = table[column].to_numpy()
        bad = (numbers < 0) | np.isinf(numbers)
        yield from place.rows(bad, table[column], column, "must be zero or more")
    bad = table["chance"].notna() & ~table["chance"].between(0, 1, inclusive="left")
    yield from place.rows(bad, table["chance"], "chance", "must be a fraction in [0, 1)", PERCENT)
    yield from _metric_faults(table, place)


def _metric_faults(table: pd.DataFrame, place: Place) -> Iterator[Fault]:
    """Metrics that no table may have, and values and sampling errors that a metric cannot have."""
    names = [str(name) for name in table["metric"].unique() if name]
    for name in [name for name in names if metric_of(name) is None][:MOST_UNKNOWN]:
        near = meant(name)
        fix = f"did you mean {near!r}?" if near else f"metrics are {', '.join((*METRICS, *USUAL))}, …"
        yield from place.rows(table["metric"].eq(name), table["metric"], "metric", "is unknown", fix)
    for name in names:
        metric = metric_of(name)
        if metric is None:
            continue
        own = table["metric"].eq(name)
        bad = own & table["value"].notna() & ~table["value"].between(metric.low, metric.high)
        what = f"is outside {metric.range}, the range of {name}"
        yield from place.rows(bad, table["value"], "value", what, metric.hint)
        if metric.is_accuracy:  # a score in [0, 1] cannot scatter more
            wide = own & table["stderr"].gt(0.5001)
            yield from place.rows(wide, table["stderr"], "stderr", "is larger than a fraction's can be", PERCENT)


def table_faults(table: pd.DataFrame, place: Place) -> Iterator[Fault]:
    """Rows of a run or family that contradict each other, or their own numbers."""
    six_nd = table["flops_convention"].str.upper().str.replace(" ", "").eq("6ND")
    off = (table["flops"] / (6 * table["params"] * table["tokens"]) - 1).abs() > 0.02
    yield from place.rows(
        six_nd & off,
        table["flops"],
        "flops",
        "is not 6·params·tokens",
        "correct it, or name the convention in flops_convention",
    )
    reserved = table["metric"].eq("val_loss") & table["task"].isin(RESERVED)
    yield from place.rows(reserved, table["task"], "task", "cannot name a validation loss", "rename it")
    places = table[["run", "family", "step", "params", "tokens", "flops", "flops_convention"]].drop_duplicates()
    yield from _unit_faults(places, place)
    checkpoints = places[["run", "tokens", "step", "flops"]].drop_duplicates()
    for (run, tokens), rows in _several(checkpoints, ["run", "tokens"]):
        what = f"run {run!r} has several steps or FLOPs at {tokens:g} tokens"
        yield Fault(place.row(int(rows.index[-1])), what, "a checkpoint has one of each")
    yield from _clock_faults(checkpoints, place)
    yield from _statement_faults(table, place)
    for (family,), rows in _several(places[["family", "flops_convention"]].drop_duplicates(), ["family"]):
        names = " and ".join(map(repr, sorted(rows["flops_convention"])))
        yield Fault(place.file, f"family {family!r} mixes FLOP conventions {names}", "recompute all FLOPs in one")
    for (run,), rows in _several(places[["run", "family", "params"]].drop_duplicates(), ["run"]):
        if rows["params"].nunique() > 1 or rows["family"].nunique() > 1:
            yield Fault(place.file, f"run {run!r} has several params or families", "one run is one model")


def _several(rows: pd.DataFrame, by: list[str]) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Groups of more than one row, which are rare: to group them all would take longer than all other checks."""
    again = rows[rows.duplicated(by, keep=False).to_numpy()]
    return iter(again.groupby(by) if len(again) else ())


def _statement_faults(table: pd.DataFrame, place: Place) -> Iterator[Fault]:
    """Two statements of one fact that do not agree: scatter and documents, both units of a loss, the chance level."""
    fraction = table["metric"].isin([name for name in table["metric"].unique() if is_share(name)])
    most = 2 * 0.5 / np.sqrt((table["n"] - 1).clip(lower=1))  # twice what right and wrong answers can
    yield from place.rows(
        fraction & table["n"].ge(2) & table["stderr"].gt(most),
        table["stderr"],
        "stderr",
        "is more than so many documents (n) can scatter",
        "correct stderr or n",
    )
    losses = table[table["metric"].isin(["nll", "bits_per_byte"])]
    if losses["metric"].nunique() > 1:
        key = [*(c for c in KEY if c != "metric"), "tokens", "n"]
        wide = losses.assign(**losses[key].fillna(-1)).pivot_table("value", key, "metric", aggfunc="first")
        wide = wide.reindex(columns=["nll", "bits_per_byte"]).dropna()
        off = (wide["bits_per_byte"] * np.log(2) / wide["nll"] - 1).abs() > 0.02
        for cell in list(wide.index[off & wide["nll"].gt(0)])[:MOST_ROWS]:
            about = dict(zip(key, cell, strict=True))
            bits, nats = wide.loc[cell, "bits_per_byte"], wide.loc[cell, "nll"]
            what = f"run {about['run']!r}, task {about['task']!r}: bits_per_byte {bits:g} is not nll {nats:g} / ln 2"
            yield Fault(place.file, what, "they are one number in two units: correct one")
    stated = table.dropna(subset=["chance"])
    kind = stated["metric"].map({name: kind_of_score(name) for name in stated["metric"].unique()})
    levels = stated[["task", "prompt", "chance"]].assign(kind=kind).drop_duplicates()
    for (task, _, name), rows in _several(levels, ["task", "prompt", "kind"]):
        low, high = rows["chance"].min(), rows["chance"].max()
        if high - low > 0.02:
            what = f"task {task!r} has a chance of {low:g} in some rows and {high:g} in others"
            yield Fault(place.file, what + f" of {name}" * bool(name), "a task has one level of guessing")


def _unit_faults(places: pd.DataFrame, place: Place) -> Iterator[Fault]:
    """Sizes that cannot be in plain counts, a line for every kind with the first row that shows it."""
    numbers = places[["params", "tokens", "flops"]]
    positive = places[((numbers > 0) & np.isfinite(numbers)).all(axis=1)]
    ratio = positive["tokens"] / positive["params"]
    if (ratio < units.FEWEST_RATIO).any():
        end = positive.groupby("run")["tokens"].transform("max")  # a run's first steps have seen next to nothing
        early = positive["tokens"] >= units.FEWEST_EARLY
        ratio = ratio.mask(early & (ratio < units.FEWEST_RATIO), end / positive["params"])
        ratio = ratio.mask(units.first_steps(positive["step"], positive["tokens"]) & (ratio < units.FEWEST_RATIO), 1.0)
    factor = positive["flops"] / (6 * positive["params"] * positive["tokens"])
    odd = ~ratio.between(units.FEWEST_RATIO, units.MOST_RATIO) | ~positive["params"].between(
        units.FEWEST_PARAMS, units.MOST_PARAMS
    )
    odd |= ~factor.between(1 / units.MOST_OFF, units.MOST_OFF)
    for i, row in positive[odd].iterrows():
        what = units.impossible(row["params"], ratio[i] * row["params"])
        what = what or units.impossible_flops(row["params"], row["tokens"], row["flops"])
        if what:
            yield Fault(place.row(int(str(i))), f"run {row['run']!r}: {what}")


def _clock_faults(checkpoints: pd.DataFrame, place: Place) -> Iterator[Fault]:
    """Tokens that fall, or stand still, while the steps of a run grow."""
    known = checkpoints.dropna(subset=["step", "tokens"]).sort_values(["run", "step"], kind="stable")
    same = known["run"].eq(known["run"].shift())
    bad = same & (known["step"] > known["step"].shift()) & (known["tokens"] < known["tokens"].shift())
    for i in np.flatnonzero(bad):
        was, now = known.iloc[i - 1], known.iloc[i]
        what = (
            f"run {now['run']!r} has {now['tokens']:g} tokens at step {now['step']:g}, "
            f"fewer than {was['tokens']:g} at step {was['step']:g}"
        )
        yield Fault(place.row(int(known.index[i])), what, "tokens grow with the steps")


def position(fault: Fault) -> tuple[str, int]:
    """Where a fault is listed: by file and row, those of the file as a whole first, counts of more rows last."""
    file, _, row = fault.where.partition(": row ")
    return (file, int(row)) if row else (file, 0 if "more rows" not in fault.what else 1 << 60)
