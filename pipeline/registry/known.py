"""Whether a score was known when its forecast was registered: found in what the record says of its table.

A forecast of a run that stands in the table is none, under whatever name it is settled later. It is the same run when
its parameters and training tokens are those of a checkpoint of the table, when it has the name and the tokens of one,
or when the scored numbers themselves are those of a run of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
from benchcast.reports.records.forecast import Forecast, LadderRun, Result

from .register import Record, TableSnapshot

SAME_NUMBER = 1e-6  # relative: two numbers that were written down from one
SAME_SIZE = 0.05  # relative: parameters and tokens counted in another way
ROUNDING_OF_ACCURACY = 5.001e-4  # an accuracy and the same, rounded to three digits
TELLING_TASKS = 3  # tasks with one and the same score that are no accident


@dataclass(frozen=True, kw_only=True)
class MeasuredRun:
    """The run that a forecast is settled with: what it is, and its last score by (task, metric)."""

    name: str
    family: str
    params: float
    tokens: float
    scores: Mapping[tuple[str, str], float] = field(default_factory=dict)


def in_table(record: Record, forecast: Forecast, run: MeasuredRun) -> LadderRun | None:
    """The run of the record's table that this one is; fitted ones first; None where there is none, or none is told."""
    if record.seen is None:
        return None
    same = [r for r in record.seen.runs if _is(r, forecast, run) or _scores_alike(record.seen, r, forecast, run)]
    return min(same, key=lambda r: r.role != "fit", default=None)


def already(result: Result) -> list[str]:
    """Planned targets of a result that its table has as a run: what to say before they are registered."""
    by_target = {}
    for f in result.forecasts:
        if f.actual is None and f.params is not None and f.tokens is not None:
            plan = MeasuredRun(name=f.target, family=f.family, params=f.params, tokens=f.tokens)
            run = next((r for r in result.ladder if _is(r, f, plan)), None)
            if run is not None:
                fitted = "fitted" if run.role == "fit" else "in the table"
                by_target[f.target] = (
                    f"{f.target!r} has the parameters and tokens of {run.run}, which is {fitted}: "
                    "it is not a forecast, and settle will not count it"
                )
    return list(by_target.values())


def _is(r: LadderRun, forecast: Forecast, run: MeasuredRun) -> bool:
    if not any(_close(length, run.tokens) for length in (*r.lengths, r.tokens)):
        return False
    return r.run == run.name or (_close(r.params, run.params) and r.family in (forecast.family, run.family))


def _scores_alike(seen: TableSnapshot, r: LadderRun, forecast: Forecast, run: MeasuredRun) -> bool:
    """Whether the numbers are the same: of the forecast task and about the same size, or of several tasks."""
    apart = {}
    for s in seen.scores:
        if r.run in s.runs and (s.task, s.metric) in run.scores:
            value = run.scores[s.task, s.metric]
            apart[s.task] = abs(s.accuracy[s.runs.index(r.run)] - value), 0 < value < 1
    of_forecast = [apart[task][0] for task in forecast.members or (forecast.task,) if task in apart]
    size = _close(r.params, run.params, SAME_SIZE) and _close(r.tokens, run.tokens, SAME_SIZE)
    if of_forecast and size and max(of_forecast) <= ROUNDING_OF_ACCURACY:
        return True
    telling = [difference for difference, inner in apart.values() if inner]  # 0 and 1 are reached by many
    return len(telling) >= TELLING_TASKS and max(telling) <= SAME_NUMBER


def _close(a: float, b: float, share: float = SAME_NUMBER) -> bool:
    return abs(a - b) <= share * max(abs(a), abs(b))


def measured_run(name: str, row: pd.Series, scores: Mapping[tuple[str, str], float]) -> MeasuredRun:
    """A run of a ladder table by the row of its last checkpoint."""
    return MeasuredRun(
        name=name, family=str(row["family"]), params=float(row["params"]), tokens=float(row["tokens"]), scores=scores
    )
