"""A tracked run against its registered band: the series the rules look at, and what they say as conditions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from benchcast.stages.monitor import sequential as tracking
from benchcast.stages.monitor.sequential import Series, Verdict
from benchcast.stages.notices import Notice, nightly

from ...core.config import ReevaluateSettings, Target
from ..alerts.conditions import condition
from .bands import Band
from .points import Documents, Point

FROM_N = 0.05  # N of the run may differ by this share from the planned one: embeddings counted or not
BEYOND = 1.02  # tokens of the run over those planned that are still the end of the band


@dataclass(frozen=True)
class Tracked:
    """A run beside its band: task to series and band, and what the rules say."""

    target: str
    run: str
    series: dict[str, Series]
    bands: dict[str, Band]
    verdicts: dict[str, Verdict]


def track(
    target: Target,
    run: str,
    points: Mapping[str, Sequence[Point]],
    bands: Mapping[str, Band],
    documents: Documents,
    settings: ReevaluateSettings,
) -> Tracked:
    """Hold a run's points against its band; checkpoints before the band begins or after it ends are left out."""
    planned = target.budget().tokens or 0.0
    series = {}
    for task, band in bands.items():
        own = points.get(task, points.get(task.rsplit(" (", 1)[0], ()))
        inside = [p for p in own if band.tokens[0] <= p.tokens <= band.tokens[-1] * BEYOND]
        if inside:
            series[task] = _series(inside, band, documents)
    verdicts = tracking.assess(series, planned, settings.false_alarms, settings.shift)
    named = dict(series)
    if tracking.MEAN in verdicts and (mean := tracking.mean_of(list(series.values()))) is not None:
        named[tracking.MEAN] = mean
    return Tracked(str(target.name), run, named, dict(bands), verdicts)


def _series(points: Sequence[Point], band: Band, documents: Documents) -> Series:
    tokens = np.array([p.tokens for p in points])
    pairs = (None, *(documents.pair(a, b) for a, b in itertools.pairwise(points)))
    own = np.array([np.nan if p is None else p.checkpoint_std for p in pairs])
    if len(own) > 1:
        own[0] = own[1]
    middle, low, high, spread = band.at(tokens)
    value, stderr = np.array([p.value for p in points]), np.array([p.stderr for p in points])
    return Series(
        tokens=tokens,
        value=value,
        stderr=stderr,
        checkpoint_std=own,
        forecast=middle,
        low=low,
        high=high,
        band_std=spread,
        pairs=pairs,
    )


def conditions(tracked: Tracked, fresh: Iterable[float]) -> Iterator[Notice]:
    """What the rules say at the checkpoints that are new, by their tokens, and at the last one."""
    new = set(fresh)
    for task, verdict in tracked.verdicts.items():
        series = tracked.series[task]
        looked = np.array([t in new for t in series.tokens.tolist()])
        looked[-1:] = True
        for says, flags in ((_outside, verdict.outside), (_drift, verdict.drift), (_dropped, verdict.dropped)):
            hits = np.flatnonzero(looked & (flags != 0))
            if len(hits):
                subject = f"{tracked.target}, {task}"
                yield says(subject, series, int(hits[-1]), int(flags[hits[-1]]))


def _outside(subject: str, series: Series, at: int, side: int) -> Notice:
    return condition(
        nightly.OUTSIDE,
        subject,
        value=float(series.value[at]),
        tokens=float(series.tokens[at]),
        side="below" if side < 0 else "above",
        low=float(series.low[at]),
        high=float(series.high[at]),
    )


def _drift(subject: str, series: Series, at: int, side: int) -> Notice:
    return condition(
        nightly.DRIFT,
        subject,
        direction="downwards" if side < 0 else "upwards",
        value=float(series.value[at]),
        tokens=float(series.tokens[at]),
        points=100 * float(series.deviation[at]),
    )


def _dropped(subject: str, series: Series, at: int, side: int) -> Notice:
    return condition(
        nightly.DROPPED,
        subject,
        value=float(series.value[at]),
        tokens=float(series.tokens[at]),
        before=float(series.value[at - 1]),
        then=float(series.tokens[at - 1]),
    )


def plan_changed(target: Target, points: Iterable[Point], bands: Mapping[str, Band]) -> Iterator[Notice]:
    """Whether the run, or the config, is another than the one that was registered."""
    planned, name = target.budget(), str(target.name)
    band = next(iter(bands.values()))
    if not (_close(band.params, planned.params or 0.0, 1e-6) and _close(band.planned, planned.tokens or 0.0, 1e-6)):
        now, then = f"N {planned.params:.4g}, D {planned.tokens:.4g}", f"N {band.params:.4g}, D {band.planned:.4g}"
        yield condition(nightly.PLAN, name, now=now, then=then)
        return
    own = list(points)
    if odd := [p for p in own if not _close(p.params, band.params, FROM_N)]:
        yield condition(nightly.PLAN, name, run=odd[-1].run, params=odd[-1].params, planned=band.params)
    elif (most := max((p.tokens for p in own), default=0.0)) > band.planned * BEYOND:
        yield condition(nightly.PLAN, name, run=own[0].run, tokens=most, planned=band.planned)


def _close(a: float, b: float, share: float) -> bool:
    return abs(a - b) <= share * max(a, b)


def asked_otherwise(
    target: str,
    points: Mapping[str, Sequence[Point]],
    then: Mapping[str, Sequence[str]],
    now: Mapping[str, Sequence[str]],
    tasks: Iterable[str],
) -> Iterator[Notice]:
    """Tasks whose questions changed since the forecast was registered, or that are asked no more.

    ``then`` and ``now`` are the versions of each task, in all of the ladder.
    """
    for task in tasks:
        plain = task if task in then else task.rsplit(" (", 1)[0]
        if plain not in then:  # an average
            continue
        asked = [points[plain][-1].version] if points.get(plain) else now.get(plain, ())
        if plain not in now:
            yield condition(nightly.BENCHMARK, f"{target}, {task}")
        elif not set(asked) <= set(then[plain]):
            versions, newest = ", ".join(then[plain]), ", ".join(asked)
            yield condition(nightly.BENCHMARK, f"{target}, {task}", then=versions, now=newest)
