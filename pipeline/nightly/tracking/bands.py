"""The registered band of a tracked run: forecasts at many of its training lengths, made before it started.

As long as the run has no scored checkpoint, every change of the ladder registers the forecast again; with its first
checkpoint the last of these records is what it is held against.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchcast.reports.records.forecast import Forecast
from benchcast.reports.records.target import Target as TargetRecord
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from ...core.config import Config, ReevaluateSettings, Target
from ...data.ingest import Data
from ...forecasting import run as forecasting
from ...forecasting.context import FittedLadders
from ...registry import register
from ...registry.register import Record

Array = NDArray[np.float64]
END_TOLERANCE = 1.02  # tokens of a run over those planned that are still the end of its band


def grid(target: Target, settings: ReevaluateSettings) -> list[Target]:
    """The target at ``points`` lengths, evenly in log D from the earliest to the planned one."""
    planned = target.budget()
    assert planned.params is not None  # checked with the config
    assert planned.tokens is not None
    lengths = np.geomspace(settings.earliest * planned.tokens, planned.tokens, settings.points)
    ends = [
        TargetRecord(name=str(target.name), params=planned.params, tokens=float(d), flops=None, is_length=True)
        for d in lengths
    ]
    return [Target(name=end.label, params=end.params, tokens=end.tokens) for end in ends]


def tracked(config: Config) -> dict[str, Target]:
    """Targets with a run to track, by name."""
    names = config.reevaluate.track if config.reevaluate else {}
    return {t.name: t for t in config.targets if t.name is not None and t.name in names}


def without_tracked(config: Config) -> Config:
    """The config as before the tracked runs started: the laws do not see them; forecasts at all their lengths."""
    assert config.reevaluate is not None
    more = [t for target in tracked(config).values() for t in grid(target, config.reevaluate)]
    exclude = (*config.runs.exclude, *map(glob.escape, config.reevaluate.track.values()))
    runs = config.runs.model_copy(update={"exclude": exclude})
    return config.model_copy(update={"targets": (*config.targets, *more), "runs": runs, "figures": 0})


def with_tracked(config: Config, runs: Sequence[str]) -> Config:
    """The config that lets the laws see what the tracked runs among ``runs`` have scored so far."""
    if config.runs.fit is None or config.reevaluate is None:
        return config
    more = [glob.escape(run) for run in config.reevaluate.track.values() if run in runs]
    return config.model_copy(update={"runs": config.runs.model_copy(update={"fit": (*config.runs.fit, *more)})})


def renew(config: Config, base: Path, data: Data, path: Path, ladders: FittedLadders) -> Record:
    """Forecast without the tracked runs and register it, unless the last record says the same."""
    result = forecasting.run(without_tracked(config), base, data, ladders=ladders)
    records = register.read(path) if path.exists() else ()
    kept = tuple(f.model_copy(update={"alternatives": ()}) for f in result.forecasts)
    if records and kept == records[-1].forecasts:
        return records[-1]
    return register.register(result, path)


@dataclass(frozen=True, kw_only=True)
class Band:
    """The registered forecast of one task over the run's tokens; (n,) each, accuracies as fractions.

    ``planned`` are the tokens at its end, where there may be no forecast.
    """

    tokens: Array
    forecast: Array
    low: Array
    high: Array
    level: float
    params: float
    planned: float

    def plain(self) -> dict[str, list[float]]:
        """The columns as JSON."""
        return {k: getattr(self, k).tolist() for k in ("tokens", "forecast", "low", "high")}

    def is_past_its_end(self, tokens: float) -> bool:
        """Whether a run with so many tokens has gone beyond what was planned."""
        return tokens > self.planned * END_TOLERANCE

    def at(self, tokens: ArrayLike) -> tuple[Array, Array, Array, Array]:
        """Forecast, edges and standard deviation at some lengths, linear in log D between those registered."""
        x, registered = np.log(np.asarray(tokens, dtype=float)), np.log(self.tokens)
        middle, low, high = (np.interp(x, registered, y) for y in (self.forecast, self.low, self.high))
        return middle, low, high, np.maximum((high - low) / (2 * float(norm.ppf(0.5 + self.level / 2))), 1e-6)


def bands(record: Record, target: str, recipe: str, family: str | None) -> dict[str, Band]:
    """Task to registered band; of the run's own family, or of the first where that has none."""
    every = _lengths(record, target, recipe)
    families = [f.family for f in every]
    chosen = family if family in families else next(iter(families), "")
    bands_of = {}
    for task in dict.fromkeys(f.task for f in every if f.family == chosen):
        lengths = sorted((f for f in every if f.family == chosen and f.task == task), key=lambda f: f.tokens or 0.0)
        stated = [f for f in lengths if None not in (f.forecast, f.low, f.high)]
        if len(stated) > 1:
            columns = [
                np.array([getattr(f, c) for f in stated], dtype=float) for c in ("tokens", "forecast", "low", "high")
            ]
            tokens, middle, low, high = columns
            bands_of[task] = Band(
                tokens=tokens,
                forecast=middle,
                low=low,
                high=high,
                level=lengths[-1].level,
                params=lengths[-1].params or 0.0,
                planned=lengths[-1].tokens or 0.0,
            )
    return bands_of


def _lengths(record: Record, target: str, recipe: str) -> list[Forecast]:
    lengths = [f for f in record.forecasts if f.recipe == recipe and f.target_run.is_length]
    return [f for f in lengths if f.target_run.name == target]
