"""The backtest's single forecasts, as the report draws them: predicted against actual."""

from __future__ import annotations

import numpy as np
from benchcast.reports.records.forecast import TaskBacktest

from .base import sig
from .suite import Suite

DIGITS = 5


def trials(suite: Suite, family: str, task: str) -> list[TaskBacktest]:
    """Every forecast of the ladder's own runs from cheaper ones whose truth is known; none is no entry."""
    rows, made = suite.trials.rows, suite.calibrated
    actual = rows["actual"].to_numpy(dtype=float)
    said = np.isfinite(suite.pooled.mean) & np.isfinite(made.low) & np.isfinite(made.high)
    keep = rows["task"].eq(task).to_numpy() & ~rows["target"].to_numpy(dtype=bool) & np.isfinite(actual) & said
    if not keep.any():
        return []
    series = {
        "ratio": 10**suite.trials.decades,
        "forecast": suite.pooled.mean,
        "low": made.low,
        "high": made.high,
        "actual": actual,
    }
    columns = {name: tuple(sig(float(v), DIGITS) for v in values[keep]) for name, values in series.items()}
    return [TaskBacktest(recipe="auto", family=family, task=task, run=tuple(map(str, rows["run"][keep])), **columns)]
