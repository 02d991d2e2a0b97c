"""A tracked run as the report draws and judges it: a record of its points, bands, forecasts and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchcast.reports.records.forecast import Forecast
from benchcast.reports.records.nightly import BandColumns, Ends, Track, TrackedPoint, TrackedTask
from benchcast.stages.monitor.sequential import MEAN
from benchcast.stages.notices import Notice, nightly

from ...core.config import Target
from ...core.metrics import ACCURACIES
from ...forecasting.averages import MIXED
from ...registry.register import Record
from .points import Point
from .track import Tracked


def of_run(
    followed: Tracked,
    record: Record,
    target: Target,
    recipe: str,
    refreshed: Sequence[Forecast],
    points: Mapping[str, Sequence[Point]],
    changed: Sequence[Notice],
    *,
    late: bool,
) -> Track:
    """What the report shows of a tracked run: bands, points, and the registered beside the refreshed forecast.

    Parameters
    ----------
    refreshed : the forecasts of the config, by all that is measured now
    points : task to the run's scored checkpoints
    changed : what is not as it was when the forecast was registered, of the run or of a task
    """
    why = {notice.subject: notice.body for notice in changed if notice.code != nightly.BENCHMARK.name}
    asked = {notice.subject: notice.body for notice in changed if notice.code == nightly.BENCHMARK.name}
    steps = {p.tokens: p.step for of_task in points.values() for p in of_task}
    metrics = {f.task: f.metric for f in record.forecasts if f.metric not in ACCURACIES}
    of_mean = {metrics.get(task, "") for task in followed.series if task != MEAN}
    mean = of_mean.pop() if len(of_mean) == 1 else MIXED
    tasks = [
        TrackedTask(
            task=task,
            metric=metrics.get(task, "") if task in followed.bands else mean,
            band=_band(followed, task),
            points=_points(followed, task, steps),
            registered=_ends(record.forecasts, recipe, task, followed.target),
            refreshed=_ends(refreshed, recipe, task, followed.target),
            is_mean=task == MEAN,
            problem=asked.get(f"{followed.target}, {task}", ""),
        )
        for task in (*followed.bands, *([MEAN] if MEAN in followed.series else []))
    ]
    return Track(
        target=followed.target,
        run=followed.run,
        registered=record.time,
        hash=record.hash,
        planned_tokens=target.budget().tokens,
        tasks=tuple(tasks),
        late=late,
        problem=why.get(followed.target, ""),
        newest=max(steps, default=None),
    )


def _band(followed: Tracked, task: str) -> BandColumns | None:
    band = followed.bands.get(task)
    return None if band is None else BandColumns.model_validate(band.plain())


def _points(followed: Tracked, task: str, steps: Mapping[float, float | None]) -> tuple[TrackedPoint, ...]:
    """A point per checkpoint of the run, with what the rules say of it."""
    series, said = followed.series.get(task), followed.verdicts.get(task)
    if series is None:
        return ()
    columns = (series.tokens, series.value, series.stderr, series.low, series.forecast, series.high)
    none = [0] * len(series.tokens)
    flags = (said.outside.tolist(), said.drift.tolist(), said.dropped.tolist()) if said else (none, none, none)
    return tuple(
        TrackedPoint(
            tokens=t,
            value=v,
            stderr=e,
            low=low,
            forecast=middle,
            high=high,
            alarm=bool(outside or drift or dropped),
            step=steps.get(t),
            outside=outside,
            drift=drift,
            dropped=bool(dropped),
        )
        for t, v, e, low, middle, high, outside, drift, dropped in zip(
            *(column.tolist() for column in columns), *flags, strict=True
        )
    )


def _ends(forecasts: Sequence[Forecast], recipe: str, task: str, target: str) -> Ends | None:
    forecast = next((f for f in forecasts if (f.recipe, f.task, f.target) == (recipe, task, target)), None)
    return None if forecast is None else Ends(forecast=forecast.forecast, low=forecast.low, high=forecast.high)
