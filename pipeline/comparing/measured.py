"""A run's measured scores as a gate needs them: the score that was forecast, and of how many documents it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchcast.reports.records.forecast import Forecast
from benchcast.stages.notices import Notice

from ..core.metrics import ACCURACIES
from ..registry.settle import Truth, measured_score

EDGE = 1e-6  # how near to 0 and 1 a score is taken to be


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A score, a fraction, and the documents that would give its sampling error; ``why`` there is none of either.

    Of an average the documents are as many as one task would need for the same error.
    """

    value: float | None = None
    documents: float | None = None
    metric: str = ""
    why: str = ""


def of_forecast(truth: Truth, run: str, forecast: Forecast, last: int | None) -> Measured:
    """The score that a forecast was of: the same metric, shots, version and documents, mean of so many checkpoints."""
    score = measured_score(truth, run, forecast, "auto", last)
    if isinstance(score, Notice):
        return Measured(why=score.body)
    if score is None:
        return Measured(why="no score at this checkpoint")
    parts = forecast.members or {forecast.task: 1.0}
    variance = 0.0
    metric = ""
    for task, weight in parts.items():
        metric = _metric(truth, run, forecast.asked.get(task, task), task, forecast.metric)
        documents, value = _documents(truth, run, forecast.asked.get(task, task), task, metric)
        variance += weight**2 * value * (1 - value) / documents
    return _of(score, variance, metric)


def of_task(truth: Truth, run: str, task: str) -> Measured:
    """The score of a task that was not forecast, by its name in the table; of two accuracies acc_norm."""
    metric = _metric(truth, run, task, task, "")
    if not metric:
        return Measured(why="no score at this checkpoint")
    if truth.ways.get((run, task, metric), 1) > 1:
        return Measured(why="asked in several ways (shots, prompts): keep one in the table")
    documents, inner = _documents(truth, run, task, task, metric)
    return _of(float(truth.scores[run, task, metric][-1]), inner * (1 - inner) / documents, metric)


def _of(value: float, variance: float, metric: str) -> Measured:
    if not math.isfinite(variance):
        return Measured(value=value, metric=metric, why="the table does not say of how many documents (column n)")
    return Measured(value=value, documents=_within(value) * (1 - _within(value)) / variance, metric=metric)


def _within(value: float) -> float:
    """A score of 0 or 1 has a sampling error too: it is taken as a little less extreme, wherever it is divided by."""
    return min(max(value, EDGE), 1 - EDGE)


def _metric(truth: Truth, run: str, full: str, task: str, wanted: str) -> str:
    """The metric of a score: that which was forecast, or the first of the accuracies, or whatever there is."""
    there = [m for name in (full, task) for r, n, m in truth.scores if r == run and n == name]
    return next((m for m in (wanted, *ACCURACIES, *there) if m in there), "")


def _documents(truth: Truth, run: str, full: str, task: str, metric: str) -> tuple[float, float]:
    for name in (full, task):
        if (run, name, metric) in truth.asked:
            return truth.asked[run, name, metric][0], _within(float(truth.scores[run, name, metric][-1]))
    return math.nan, math.nan
