"""The ladders' own backtests: every run forecast from what lay below it, along compute, size and length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.forecasting.context import FamilyContext
from benchcast.stages.forecast.auto import AutoForecaster
from benchcast.stages.forecast.pathways import CARRY
from benchcast.stages.forecast.pooled import PooledBacktest
from benchcast.stages.forecast.rolling_origin import AXES, Horizon
from benchcast.stages.laws.accuracy.exponential_error import LossToError
from benchcast.stages.laws.loss.overtraining import OvertrainedLoss

from .marks import LEVEL, Marks, cell
from .suites import equal_weights, is_average, ladders, markdown, seventeen

BINS = ((1.0, 3.0), (3.0, 10.0), (10.0, np.inf))  # of the ratio along the axis that the ladder was cut at
WORKERS = 2
BINNED, OF_ERROR = "inside <3x, <10x, more", "% of the error"
AXIS_NAMES = {"flops": "compute", "params": "size", "tokens": "length"}
# Commit 895c8dd, cut along compute alone: miss of all rows and without the first cutoff, then as the table has them.
BEFORE = {
    "C4": ("3936", "4.93, 4.29", "5.02", "0.925", "20.5", "35.9", "0.96, 0.94, 0.91"),
    "RedPajama": ("4080", "4.71, 4.33", "5.22", "0.928", "21.3", "32.8", "0.94, 0.93, 0.92"),
    "model ladder": ("1474", "3.20, 2.77", "6.34", "0.932", "13.4", "22.6", "0.95, 0.92, 0.92"),
    "demo": ("210", "1.70, 1.71", "4.76", "0.986", "10.9", "15.8", "0.97, 1.00, 1.00"),
}
BEFORE_COLUMNS = ("n", "miss", "carry", "inside", "width", "Winkler", BINNED)
# The same commit, means of tasks without the first cutoff: (as a task, from its tasks).
AVERAGES_BEFORE = {
    ("C4", "average_17"): (("5.74", "0.821", "18.1", "31.0", "8.98"), ("4.36", "1.000", "18.1", "21.0", "6.77")),
    ("C4", "average_46"): (("1.98", "0.982", "11.6", "15.1", "2.88"), ("1.64", "1.000", "9.3", "10.8", "2.37")),
    ("RedPajama", "average_17"): (("1.88", "1.000", "23.1", "34.9", "3.05"), ("2.92", "1.000", "17.4", "21.2", "4.76")),
    ("RedPajama", "average_46"): (("1.43", "1.000", "9.8", "14.6", "2.12"), ("1.35", "1.000", "8.6", "10.8", "1.98")),
}
AVERAGE_COLUMNS = ("miss", "inside", "width", "Winkler", OF_ERROR)
LOSS = "c4_val"  # of the over-training recipe in benchmarks and in the published procedure


def forecaster() -> AutoForecaster:
    """``auto`` as the recipe makes it."""
    return AutoForecaster(workers=WORKERS)


def outcomes(pooled: PooledBacktest) -> pd.DataFrame:
    """Rows of a backtest whose truth is known: task, axis, limit, ratio, said, carry, actual, low, high; fractions.

    ``limit`` is the horizon along the row's axis, ``ratio`` how far the run lies beyond what was fitted along it.
    """
    rows, intervals = pooled.forecasts.rows, pooled.intervals(LEVEL)
    carry = [path.first for path in pooled.forecasts.paths].index(CARRY)
    fitted = np.isfinite(pooled.forecasts.mean).any(axis=1)
    table = rows.assign(
        said=np.where(fitted, pooled.pooled.mean, np.nan),
        carry=pooled.forecasts.mean[:, carry],
        low=intervals.low,
        high=intervals.high,
        limit=np.nan,
        ratio=np.nan,
    )
    for axis in AXES:
        here = table["axis"].eq(axis)
        table.loc[here, "limit"] = table.loc[here, f"limit_{axis}"]
        table.loc[here, "ratio"] = np.maximum(table.loc[here, axis] / table.loc[here, f"fitted_{axis}"], 1.0)
    known = ~table["target"].astype(bool) & table["actual"].notna() & table["axis"].ne("")
    return table[known].astype({"actual": float}).reset_index(drop=True)


def later(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows after the first cutoff of their axis, where a record exists to weigh and calibrate by."""
    return rows[rows["limit"] > rows["limit"].groupby(rows["axis"]).transform("min")]


def line(label: str, rows: pd.DataFrame) -> dict[str, str]:
    """One line of the table of backtests."""
    marks = Marks.of(rows)
    cells = {"ladder": label} | marks.cells()
    cells["miss"] = f"{cell(marks.miss)}, {cell(Marks.of(later(rows)).miss)}"
    far = [rows[(rows["ratio"] >= low) & (rows["ratio"] < high)] for low, high in BINS]
    cells[BINNED] = ", ".join(cell(Marks.of(part).inside) for part in far)
    return cells


def before_line(label: str, now: Marks) -> dict[str, str]:
    """What commit 895c8dd had, and the ratio of the interval scores."""
    cells = dict(zip(BEFORE_COLUMNS, BEFORE[label], strict=True))
    ratio = now.score / float(cells["Winkler"])
    return {"ladder": f"{label}, before"} | cells | {"Winkler": f"{cells['Winkler']}, now {ratio:.2f} of it"}


def table_of(label: str, pooled: PooledBacktest) -> list[dict[str, str]]:
    """A ladder's lines: along each axis, beside what was before."""
    rows = outcomes(pooled)
    lines = []
    for axis in AXES:
        part = rows[rows["axis"].eq(axis)]
        if len(part):
            lines.append(line(f"{label}, {AXIS_NAMES[axis]}", part))
        if axis == "flops" and label in BEFORE:
            lines.append(before_line(label, Marks.of(part)))
    return lines


def report(suites: Sequence[str], testbeds: Path) -> None:
    """Print the backtests of some suites; no target's score is in what they are made of."""
    lines: list[dict[str, str]] = []
    means: list[dict[str, str]] = []
    for label, context in ladders(suites, testbeds):
        pooled = context.forecaster(forecaster()).backtest_
        lines += table_of(label, pooled)
        tasks = list(pooled.facts)
        if any(map(is_average, tasks)):
            means += averages(label, context, pooled, seventeen(tasks, testbeds))
    print("\nBacktests; miss: of all rows, and without the first cutoff\n")
    print(markdown(lines))
    if means:
        print("\nMeans of tasks in the backtest along compute, without the first cutoff\n")
        print(markdown(means))


def averages(label: str, context: FamilyContext, pooled: PooledBacktest, chosen: Sequence[str]) -> list[dict[str, str]]:
    """Means of the published 17 and of all tasks: as tasks of their own, from their tasks, by the published recipe."""
    every = [task for task in pooled.facts if not is_average(task)]
    lines = []
    for name, members in (("average_17", chosen), ("average_46", every)):
        weights, facts = equal_weights(members), pooled.facts[name]
        alone = outcomes(pooled)
        alone = alone[alone["task"].eq(name)]
        ways = {
            "auto": outcomes(pooled.average(weights, name, facts)),
            "as a task": alone,
            "from its tasks": outcomes(pooled.average(weights, f"{name}, from its tasks", facts)),
            "over-training recipe": published(context, name, alone),
        }
        for way, rows in ways.items():
            rows = later(rows[rows["axis"].eq("flops")])
            relative = 100 * float(((rows["said"] - rows["actual"]).abs() / (1 - rows["actual"])).mean())
            cells = {"mean": f"{label}, {name} of {len(members)}, {way}"} | Marks.of(rows).cells()
            lines.append(cells | {OF_ERROR: f"{relative:.2f}"})
        for way, before in zip(("as a task", "from its tasks"), AVERAGES_BEFORE.get((label, name), ()), strict=False):
            lines.append({"mean": f"{label}, {name}, before, {way}"} | dict(zip(AVERAGE_COLUMNS, before, strict=True)))
    return lines


def published(context: FamilyContext, task: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows as the over-training recipe says them, with all runs below the horizon; without intervals."""
    job = next(job for job in context.jobs if job.task == task)
    finals = job.finals(1, [LOSS, "accuracy"]).dropna(subset=[LOSS, "accuracy"])
    parts = []
    for limit, part in rows[rows["axis"].eq("flops")].groupby("limit", sort=True):
        seen = finals[Horizon.below("flops", float(limit)).sees(finals)]
        ahead = part[["flops"]].assign(token_multiplier=part["tokens"] / part["params"]).to_numpy(dtype=float)
        first = OvertrainedLoss().fit(seen[["flops", "token_multiplier"]].to_numpy(dtype=float), seen[LOSS])
        second = LossToError().fit(seen[[LOSS]].to_numpy(dtype=float), 1 - seen["accuracy"])
        said = 1 - second.predict(first.predict(ahead)[:, None])
        parts.append(part.assign(said=said, low=np.nan, high=np.nan))
    return pd.concat(parts, ignore_index=True)
