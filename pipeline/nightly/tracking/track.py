"""A tracked run against its registered band: the series that the rules look at, and what their tests say."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from benchcast.stages.monitor import sequential
from benchcast.stages.monitor.sequential import Series, Verdict

from ...core.config import ReevaluateSettings, Target
from .bands import END_TOLERANCE, Band
from .points import Documents, Point


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """A run beside its band: task to series, band and verdict of the tests."""

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
        of_task = points.get(task, points.get(task.rsplit(" (", 1)[0], ()))
        inside = [p for p in of_task if band.tokens[0] <= p.tokens <= band.tokens[-1] * END_TOLERANCE]
        if inside:
            series[task] = _series(inside, band, documents)
    verdicts = sequential.assess(series, planned, settings.false_alarms, settings.shift)
    named = dict(series)
    if sequential.MEAN in verdicts and (mean := sequential.mean_of(list(series.values()))) is not None:
        named[sequential.MEAN] = mean
    return Tracked(target=str(target.name), run=run, series=named, bands=dict(bands), verdicts=verdicts)


def _series(points: Sequence[Point], band: Band, documents: Documents) -> Series:
    tokens = np.array([p.tokens for p in points])
    pairs = (None, *(documents.pair(a, b) for a, b in itertools.pairwise(points)))
    checkpoint_std = np.array([np.nan if p is None else p.checkpoint_std for p in pairs])
    if len(checkpoint_std) > 1:
        checkpoint_std[0] = checkpoint_std[1]
    middle, low, high, spread = band.at(tokens)
    value, stderr = np.array([p.value for p in points]), np.array([p.stderr for p in points])
    return Series(
        tokens=tokens,
        value=value,
        stderr=stderr,
        checkpoint_std=checkpoint_std,
        forecast=middle,
        low=low,
        high=high,
        band_std=spread,
        pairs=pairs,
    )
