"""The pooled forecasts of a ladder, and what is read off them: intervals at any level, grades, the backtest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from ..fit.newton import Array
from ..notices import Notice
from ..notices import grading as codes
from .aggregate import AverageConstants, combine
from .backtest import BacktestForecasts
from .conformal import CalibratedIntervals, CalibrationConstants, calibrate
from .grading import GRADING, Grade, Reach, Signal, grade, typical_miss
from .pathways import CARRY, ForecastPath
from .pooling import PooledForecasts, PoolingConstants
from .rolling_origin import Axis
from .scoring_rules import interval_score

POOL = "pool"
RATIOS = (1.0, 3.0, 10.0, math.inf)  # bins of the extrapolation ratio in a summary
OUTCOMES = ("ratio", "error", "carry", "hit", "width", "score", "delta")


@dataclass(frozen=True, kw_only=True)
class TaskFacts:
    """What is known of one task beside its forecasts.

    Attributes
    ----------
    sampling : float
        Median sampling error of its scores, a fraction (NaN: not known).
    all_alike : bool
        Every run scores the same.
    checkpoints_stand_in : bool
        Checkpoints stand for shorter runs, since the ends of the runs do not tell what tokens do.
    failures : fit to reason
        Laws that refused the data of the whole ladder.
    """

    signal: Signal
    sampling: float
    all_alike: bool
    checkpoints_stand_in: bool = False
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TargetForecast:
    """The forecast of one task at one target; accuracies as fractions.

    Attributes
    ----------
    stderr : float
        Standard error of a new observation: what the interval implies, if errors are normal.
    inflation : float
        The interval in multiples of the pool's own standard deviation.
    reach : Reach
        How far the target lies beyond the ladder, and how far the backtest tried.
    sampling_assumed : bool
        The ladder tells no sampling error, so one is assumed.
    warnings, reasons : tuple of Notice
        What follows from the fits and the backtest, and why the grade.
    by_path : tuple of (ForecastPath, forecast, weight)
        What every path says, heaviest first: the specification curve.
    """

    mean: float
    low: float
    high: float
    stderr: float
    level: float
    inflation: float
    reach: Reach
    sampling_assumed: bool
    grade: Grade
    reasons: tuple[Notice, ...]
    warnings: tuple[Notice, ...]
    by_path: tuple[tuple[ForecastPath, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Performance:
    """How the pool did on the ladder's own runs whose extrapolation ratio lies in [ratio_low, ratio_high).

    ``error`` and ``carry_error`` are mean absolute errors, of the pool and of the largest score carried forward;
    ``interval_score`` is Winkler's, ``delta_score`` that of the heaviest path's own interval; all fractions.
    """

    ratio_low: float
    ratio_high: float
    n: int
    error: float
    carry_error: float
    coverage: float
    width: float
    interval_score: float
    delta_score: float


@dataclass(frozen=True, kw_only=True, eq=False)
class PooledBacktest:
    """A backtest, pooled; intervals are calibrated when a level is asked for, and kept."""

    forecasts: BacktestForecasts
    pooled: PooledForecasts
    facts: Mapping[str, TaskFacts]
    pooling: PoolingConstants
    calibration: CalibrationConstants
    averages: AverageConstants
    _intervals: dict[float, CalibratedIntervals] = field(default_factory=dict, repr=False)
    _averages: dict[str, PooledBacktest] = field(default_factory=dict, repr=False)

    # ---- targets ----

    def forecast(self, task: str, run: str, level: float = 0.9) -> TargetForecast | None:
        """The forecast of one task at one target; None where too little is known to fit anything."""
        rows = self.forecasts.rows
        places = np.flatnonzero((rows["task"].eq(task) & rows["run"].eq(run) & self._is_target).to_numpy())
        if not len(places):
            return None
        at = int(places[-1])  # from the whole ladder
        intervals, reach = self.intervals(level), self._reach(at)
        warnings = self._warnings(places, at, level, reach)
        graded = self.intervals(GRADING.interval_level)
        half_width = float(graded.high[at] - graded.low[at]) / 2
        miss, carry = self._typical_misses(task, at)
        warnings += [codes.NO_SKILL(named=True)] if carry <= miss else []
        mark, reasons = grade(self.facts[task].signal, half_width, miss, carry, reach)
        error, assumed = self._least_error(task, half_width)
        mean, width = float(self.pooled.mean[at]), _normal(level) * error
        spread = float(intervals.inflation[at] * self.pooled.std[at] / _normal(level))
        return TargetForecast(
            mean=mean,
            low=float(min(intervals.low[at], max(mean - width, 0.0))),
            high=float(max(intervals.high[at], min(mean + width, 1.0))),
            stderr=max(spread, error),
            level=level,
            inflation=float(intervals.inflation[at]),
            reach=reach,
            sampling_assumed=assumed,
            grade=mark,
            reasons=reasons,
            warnings=tuple(warnings),
            by_path=self._by_path(at),
        )

    def weights(self, task: str, runs: list[str]) -> dict[ForecastPath, Array]:
        """What every path counts in the forecasts of some targets, (m,)."""
        rows = self.forecasts.rows
        in_task = rows[rows["task"].eq(task) & self._is_target]
        places = in_task.reset_index().groupby("run")["index"].last().reindex(runs)
        nothing = np.zeros(len(self.forecasts.paths))
        share = np.array([nothing if pd.isna(at) else self.pooled.weights[int(at)] for at in places])
        return dict(zip(self.forecasts.paths, share.T, strict=True))

    def average(self, members: Mapping[str, float], label: str, facts: TaskFacts) -> PooledBacktest:
        """An average, from its own scores and as the mean of its tasks' forecasts: a pooled backtest of one task."""
        if label not in self._averages:
            forecasts, pooled = self.forecasts, self.pooled
            if forecasts.paths:  # else so few runs that nothing was fitted: there is nothing to combine
                forecasts, pooled = combine(forecasts, pooled, members, label, self.averages)
            self._averages[label] = replace(
                self, forecasts=forecasts, pooled=pooled, facts={label: facts}, _intervals={}, _averages={}
            )
        return self._averages[label]

    def intervals(self, level: float) -> CalibratedIntervals:
        """Of every row, of nominal coverage ``level``; ValueError for a level that is not between 0 and 1."""
        if level not in self._intervals:
            self._intervals[level] = calibrate(self.forecasts, self.pooled, level, self.calibration)
        return self._intervals[level]

    def _reach(self, at: int) -> Reach:
        tested = self.intervals(GRADING.interval_level).tested[at]
        along = self.forecasts.reach[at]
        return Reach(
            flops=float(self.forecasts.decades[at]),
            params=float(along[0]),
            tokens=float(along[1]),
            tested_flops=float(tested[0]),
            tested_params=float(tested[1]),
            tested_tokens=float(tested[2]),
        )

    def _warnings(self, places: NDArray[np.int_], at: int, level: float, reach: Reach) -> list[Notice]:
        """Warnings that follow from the fits and the backtest."""
        task = str(self.forecasts.rows["task"].iloc[at])
        warnings = [codes.CHECKPOINTS_STAND_IN(named=True)] if self.facts[task].checkpoints_stand_in else []
        intervals = self.intervals(level)
        if not reach.any_tested:
            warnings.append(codes.UNTESTED(named=True))
        elif reach.untested_axes():
            warnings.append(codes.BEYOND_TESTED(named=True))
        bound = np.nan_to_num(self.forecasts.at_bound[at])
        if np.sum(self.pooled.weights[at] * bound) > GRADING.bound_weight:
            warnings.append(codes.BOUND_HIT(named=True))
        earlier = [p for p in places if p != at]
        if earlier:
            before = self.pooled.mean[earlier[-1]]
            if not intervals.low[at] <= before <= intervals.high[at]:
                warnings.append(codes.LEVERAGE(named=True))
        return warnings

    def _typical_misses(self, task: str, at: int) -> tuple[float, float]:
        """What to expect at this distance, by the backtest: of the pool, and of carrying forward."""
        error, carry, known = self._misses
        in_task = self.forecasts.rows["task"].eq(task).to_numpy()[known]
        distance = self.forecasts.distance
        far, reach = distance[known], float(distance[at])
        return typical_miss(error[known], far, in_task, reach), typical_miss(carry[known], far, in_task, reach)

    def _least_error(self, task: str, half_width: float) -> tuple[float, bool]:
        """What no standard error may be below, and whether it is assumed because the ladder says nothing of it.

        Of a score's sampling error that is what is left between runs that were asked the same questions.
        """
        facts = self.facts[task]
        if facts.sampling > 0:
            return math.sqrt(self.pooling.own_sampling_share) * facts.sampling, False
        assumed = facts.all_alike or not half_width > 0
        return self.pooling.untested_error if assumed else 0.0, assumed

    def _by_path(self, at: int) -> tuple[tuple[ForecastPath, float, float], ...]:
        weights, mean = self.pooled.weights[at], self.forecasts.mean[at]
        order = [int(i) for i in np.argsort(-weights, kind="stable") if np.isfinite(mean[i])]
        return tuple((self.forecasts.paths[i], float(mean[i]), float(weights[i])) for i in order)

    # ---- the ladder's own runs ----

    def performance(self, level: float, task: str = "", axis: Axis = "flops") -> list[Performance]:
        """On the ladder's own runs, by extrapolation ratio and at last over all of them; empty task: of all tasks.

        Where the ladder was cut along ``axis``; the ratio is that of what was cut.
        """
        rows, frame = self.forecasts.rows, self.outcomes(level)
        keep = ~self._is_target.to_numpy() & np.isfinite(frame["error"].to_numpy()) & rows["axis"].eq(axis).to_numpy()
        beyond = rows[axis].to_numpy(dtype=float) / rows[f"fitted_{axis}"].to_numpy(dtype=float)
        frame = frame.assign(ratio=np.maximum(beyond, RATIOS[0]))
        if task:
            keep &= rows["task"].eq(task).to_numpy()
        frame = frame[keep]
        bins = [*pairwise(RATIOS), (RATIOS[0], RATIOS[-1])]
        parts = [(low, high, frame[(frame["ratio"] >= low) & (frame["ratio"] < high)]) for low, high in bins]
        return [_performance(part, low, high) for low, high, part in parts if len(part)]

    def outcomes(self, level: float) -> pd.DataFrame:
        """How every row of the backtest fared: ratio, error, carry, hit, width, score and delta.

        ``score`` is the interval score, and ``delta`` that of the heaviest path's own interval (delta method).
        """
        actual = self._actual
        if not len(actual):
            return pd.DataFrame(columns=list(OUTCOMES), dtype=float)
        row, forecasts = np.arange(len(actual)), self.forecasts
        heaviest = np.argmax(np.where(np.isfinite(forecasts.mean), self.pooled.weights, -1.0), axis=1)
        center = forecasts.mean[row, heaviest]
        half = norm.ppf(0.5 + level / 2) * np.nan_to_num(forecasts.stderr[row, heaviest])
        intervals = self.intervals(level)
        error, carry, _ = self._misses
        return pd.DataFrame(
            {
                "ratio": 10**forecasts.decades,
                "error": error,
                "carry": carry,
                "hit": intervals.holds(actual).astype(float),
                "width": intervals.high - intervals.low,
                "score": interval_score(intervals.low, intervals.high, actual, level),
                "delta": interval_score(center - half, center + half, actual, level),
            }
        )

    def own_forecasts(self, level: float, task: str | None = None) -> pd.DataFrame:
        """Forecasts of the ladder's own runs whose truth is known: task, origin, axis, cutoff, run, ratio and more.

        That is forecast, low, high and actual, fractions. ``origin`` names the horizon, ``axis`` what was cut there:
        cuts along compute, size and length may end at one cutoff.
        """
        rows, intervals = self.forecasts.rows, self.intervals(level)
        finite = np.isfinite(self.pooled.mean) & np.isfinite(intervals.low) & np.isfinite(intervals.high)
        keep = ~self._is_target.to_numpy() & np.isfinite(self._actual) & finite
        if task is not None:
            keep &= rows["task"].eq(task).to_numpy()
        frame = pd.DataFrame(
            {
                "task": rows["task"],
                "origin": rows["origin"],
                "axis": rows["axis"],
                "cutoff": rows["cutoff"],
                "run": rows["run"],
                "ratio": 10**self.forecasts.decades,
                "forecast": self.pooled.mean,
                "low": intervals.low,
                "high": intervals.high,
                "actual": self._actual,
            }
        )
        return frame[keep].reset_index(drop=True)

    def cross_validation(self, level: float = 0.9) -> pd.DataFrame:
        """The backtest as a tidy table; see ``AutoForecaster.cross_validation``."""
        about = ["task", "origin", "cutoff", "run", "actual"]
        columns = [*about, "forecast", "low", "high", "form"]
        own = self.own_forecasts(level).assign(form=POOL)[columns]
        parts = [own] if len(own) else []
        rows = self.forecasts.rows
        keep = ~self._is_target.to_numpy() & np.isfinite(self._actual)
        for k, path in enumerate(self.forecasts.paths):
            mean, stderr = self.forecasts.mean[:, k], self.forecasts.stderr[:, k]
            here = keep & np.isfinite(mean)
            if here.any():
                half = _normal(level) * stderr[here]
                part = rows.loc[here, about].assign(
                    forecast=mean[here],
                    low=np.maximum(mean[here] - half, 0.0),
                    high=np.minimum(mean[here] + half, 1.0),
                    form=path.name,
                )
                parts.append(part[columns])
        return pd.concat(parts, ignore_index=True) if parts else own

    @cached_property
    def _is_target(self) -> pd.Series[Any]:
        return self.forecasts.rows["target"].astype(bool)

    @cached_property
    def _actual(self) -> Array:
        return np.asarray(self.forecasts.rows["actual"].to_numpy(dtype=float))

    @cached_property
    def _misses(self) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Absolute errors of the pool and of carrying forward, (n,), and which are known of the ladder's own runs."""
        carry = next((i for i, path in enumerate(self.forecasts.paths) if path.first == CARRY), None)
        error = np.abs(self.pooled.mean - self._actual)
        carried = error if carry is None else np.abs(self.forecasts.mean[:, carry] - self._actual)
        return error, carried, ~self._is_target.to_numpy() & np.isfinite(error)


def _performance(part: pd.DataFrame, low: float, high: float) -> Performance:
    mean = part.mean()
    return Performance(
        ratio_low=low,
        ratio_high=high,
        n=len(part),
        error=mean["error"],
        carry_error=mean["carry"],
        coverage=mean["hit"],
        width=float(part["width"].median()),
        interval_score=mean["score"],
        delta_score=mean["delta"],
    )


def _normal(level: float) -> float:
    """Half the width of a standard normal's central interval."""
    return float(norm.ppf(0.5 + level / 2))
