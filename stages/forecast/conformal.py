"""Intervals that held: the pool's own spread, inflated by how wrong it was at earlier cutoffs.

Order-respecting conformal prediction: the score of a past forecast is its miss in units of its own standard deviation,
on the log-odds scale, and an interval takes the quantile of the scores known at its horizon. The scores are weighted by
how near they are, in age and in how far they reached beyond their ladder in size and in length (Tibshirani et al.,
Conformal Prediction Under Covariate Shift, arXiv 1904.06019), and shrunk towards a prior, since errors of one cutoff
are not independent. A task whose misses were larger or smaller than the suite's gets its own factor, shrunk to one. On
log-odds an interval is asymmetric where accuracy is bounded and never leaves [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ..fit import checks
from ..fit.newton import Array
from .backtest import BacktestForecasts
from .pooling import PooledForecasts, recency
from .scoring_rules import EDGE, logit


@dataclass(frozen=True, kw_only=True)
class CalibrationConstants:
    """Set on the backtests of three suites (two published testbeds, and our own ladder), never on a target."""

    prior_multiple: float = 1.645
    """Multiple of the standard deviation for a 90 % interval before anything was tested: a normal's."""

    prior_forecasts: float = 15.0
    """Forecasts' worth of evidence that the prior counts."""

    task_forecasts: float = 40.0
    """Forecasts' worth of evidence that the suite's misses count against the task's own."""

    outlier: float = 4.0
    """Multiple of the suite's quantile beyond which a miss tells no more of its task."""

    half_life_decades: float = 0.5
    """Decades of compute after which an old cutoff counts half."""

    bandwidth_decades: float = 0.5
    """Decades of size and of length beyond the ladder that count as near."""

    growth: float = 0.25
    """Power of the distance over the farthest tested one that the multiple grows with."""

    least_std: float = 0.005
    """Accuracy (fraction): no standard deviation is below this."""

    least_variance: float = 0.02
    """p (1 - p) of an accuracy is read as at least this where a standard deviation is put on log-odds."""


CALIBRATION = CalibrationConstants()
LEAST_SCORE = 1e-9  # of a miss or a weight, against division by zero


@dataclass(frozen=True, kw_only=True)
class CalibratedIntervals:
    """Intervals of every row of a backtest.

    ``center`` and ``scale`` (n,) are on log-odds; ``inflation`` (n,) is the multiple of the scale that makes the
    interval; ``low`` and ``high`` (n,) are accuracies; ``score`` (n,) is the miss in units of the scale; ``tested``
    (n, 3) is how far the forecasts known when the interval was made had reached beyond their ladders in compute, size
    and length, in decades (NaN: none was known).
    """

    center: Array
    scale: Array
    inflation: Array
    low: Array
    high: Array
    score: Array
    tested: Array

    def holds(self, actual: Array) -> NDArray[np.bool_]:
        """Whether each interval holds its actual value, (n,)."""
        return np.asarray((actual >= self.low) & (actual <= self.high))


def calibrate(
    forecasts: BacktestForecasts,
    pooled: PooledForecasts,
    level: float = 0.9,
    constants: CalibrationConstants = CALIBRATION,
) -> CalibratedIntervals:
    """Intervals of nominal coverage ``level`` at every cutoff, from what was known there.

    Raises
    ------
    ValueError
        For a level that is not between 0 and 1.
    """
    checks.level(level)
    center, scale = logit(pooled.mean), log_odds_std(pooled.mean, pooled.std, constants)
    score = np.abs(logit(forecasts.rows["actual"].to_numpy(dtype=float)) - center) / scale
    prior = constants.prior_multiple * norm.ppf(0.5 + level / 2) / norm.ppf(0.95)
    inflation, tested = np.full(len(center), prior), np.full((len(center), 3), np.nan)
    past = _Past(forecasts, score, constants)
    for horizon, here in forecasts.origins():
        known = forecasts.known_at(horizon)
        known = known[np.isfinite(score[known])]
        if len(known):
            tested[here] = past.reached[known].max(axis=0)
            inflation[here] = past.inflation(known, here, level, prior)
    low, high = (1 / (1 + np.exp(-(center + sign * inflation * scale))) for sign in (-1, 1))
    # Log-odds end EDGE away from 0 and 1: an interval that reaches there reaches the end.
    low, high = np.where(low <= EDGE, 0.0, low), np.where(high >= 1 - EDGE, 1.0, high)
    return CalibratedIntervals(
        center=center, scale=scale, inflation=inflation, low=low, high=high, score=score, tested=tested
    )


def log_odds_std(mean: Array, std: Array, constants: CalibrationConstants = CALIBRATION) -> Array:
    """Standard deviation on log-odds of an accuracy with this mean and standard deviation (delta method)."""
    variance = np.maximum(mean * (1 - mean), constants.least_variance)
    return np.asarray(np.sqrt(std**2 + constants.least_std**2) / variance)


class _Past:
    """Misses of a backtest in units of their scales, and how far each forecast had reached."""

    def __init__(self, forecasts: BacktestForecasts, score: Array, constants: CalibrationConstants) -> None:
        self.forecasts, self.score, self.constants = forecasts, score, constants
        reach = forecasts.reach
        self.reached = np.column_stack([forecasts.decades, np.nan_to_num(reach)])
        self.along = np.asarray(
            np.isfinite(reach).all(axis=1), dtype=bool
        )  # size and length are known: else compute alone counts
        self.distance = forecasts.distance
        self.task = forecasts.rows["task"].to_numpy(dtype=str)
        models = forecasts.rows["origin"].astype(str) + "\n" + forecasts.rows["model"].astype(str)
        self.model = np.unique(models.to_numpy(dtype=str), return_inverse=True)[1]  # checkpoints of one run are one

    def inflation(self, known: NDArray[np.int_], here: NDArray[np.int_], level: float, prior: float) -> Array:
        """Multiples of the scales of the rows ``here``, from those ``known``."""
        age = recency(self.forecasts, known, here, self.constants.half_life_decades)
        count, n = len(np.unique(self.model[known])), self.constants.prior_forecasts
        reached = np.column_stack([self.reached[here], self.along[here]])
        places, place_of = np.unique(reached, axis=0, return_inverse=True)
        found = np.zeros(len(here))
        for i, (*far, along) in enumerate(places):
            weight = age * self._nearness(known, np.array(far), bool(along))
            quantile = _weighted_quantile(self.score[known], weight, level)
            mine = np.flatnonzero(place_of == i)
            factor = self._task_factors(known, weight, quantile, self.task[here[mine]])
            # The scale grows with the distance by itself; a little more beyond what was tested.
            beyond = max(1.0, self.distance[here[mine[0]]] / self.distance[known].max())
            quantile *= beyond**self.constants.growth
            found[mine] = factor * (count * quantile + n * prior) / (count + n)
        return found

    def _nearness(self, known: NDArray[np.int_], reached: Array, along: bool) -> Array:
        """How near past forecasts are to one that reaches so far: a kernel in size and length, or in compute."""
        past = self.reached[known]
        axes = [1, 2] if along and self.along[known].all() else [0]
        apart = (
            past[:, axes] - np.minimum(reached[axes], past[:, axes].max(axis=0))
        ) / self.constants.bandwidth_decades
        squares = np.sum(apart**2, axis=1)
        return np.asarray(np.exp(-0.5 * (squares - squares.min())))

    def _task_factors(self, known: NDArray[np.int_], weight: Array, quantile: float, tasks: NDArray[np.str_]) -> Array:
        """How much larger the misses of some tasks were than the suite's, shrunk to one by what little is known."""
        names, owner = np.unique(self.task[known], return_inverse=True)
        squares = np.minimum(self.score[known], self.constants.outlier * max(quantile, LEAST_SCORE)) ** 2
        total = np.bincount(owner, weight, len(names))
        size = np.bincount(owner, weight * squares, len(names)) / np.maximum(total, LEAST_SCORE)
        evidence = total**2 / np.maximum(np.bincount(owner, weight**2, len(names)), LEAST_SCORE)
        suite = max(float(np.sum(weight * squares) / np.sum(weight)), LEAST_SCORE)
        lean = 0.5 * np.log(np.maximum(size, LEAST_SCORE) / suite)
        factor = np.exp(evidence * lean / (evidence + self.constants.task_forecasts))
        at = np.minimum(np.searchsorted(names, tasks), len(names) - 1)
        return np.where(names[at] == tasks, factor[at], 1.0)


def _weighted_quantile(values: Array, weights: Array, level: float) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / np.sum(weights)
    return float(values[order][min(int(np.searchsorted(reached, level)), len(values) - 1)])
