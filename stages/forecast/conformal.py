"""Intervals that held: the pool's own spread, inflated by how wrong it was at earlier cutoffs.

Order-respecting conformal prediction: the score of a past forecast is its miss in units of its own standard deviation,
on the log-odds scale, and an interval takes the quantile of the scores known at its cutoff. The scores are weighted by
how near they are in compute and in extrapolation ratio (Tibshirani et al., Conformal Prediction Under Covariate Shift,
arXiv 1904.06019), and shrunk towards a prior, since errors of one cutoff are not independent. On log-odds an interval
is asymmetric where accuracy is bounded and never leaves [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ..fit import checks
from ..fit.newton import Array
from .backtest import BacktestForecasts
from .pooling import PooledForecasts
from .scoring_rules import EDGE, logit


@dataclass(frozen=True, kw_only=True)
class CalibrationConstants:
    """Set on the backtests of three suites (two published testbeds, and our own ladder), never on a target."""

    prior_multiple: float = 2.0
    """Multiple of the standard deviation for a 90 % interval before anything was tested (a normal's is 1.64)."""

    prior_forecasts: float = 10.0
    """Forecasts' worth of evidence that the prior counts."""

    half_life_decades: float = 0.5
    """Decades of compute after which an old cutoff counts half."""

    bandwidth_decades: float = 0.5
    """Decades of extrapolation that count as near."""

    least_std: float = 0.005
    """Accuracy (fraction): no standard deviation is below this."""

    least_variance: float = 0.02
    """p (1 - p) of an accuracy is read as at least this where a standard deviation is put on log-odds."""


CALIBRATION = CalibrationConstants()


@dataclass(frozen=True, kw_only=True)
class CalibratedIntervals:
    """Intervals of every row of a backtest.

    ``center`` and ``scale`` (n,) are on log-odds; ``inflation`` (n,) is the multiple of the scale that makes the
    interval; ``low`` and ``high`` (n,) are accuracies; ``score`` (n,) is the miss in units of the scale; ``tested``
    (n,) is the largest extrapolation, in decades, that was known when the interval was made (NaN: none).
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
    decades = forecasts.decades
    prior = constants.prior_multiple * norm.ppf(0.5 + level / 2) / norm.ppf(0.95)
    inflation, tested = np.full(len(center), prior), np.full(len(center), np.nan)
    cutoffs = forecasts.rows["cutoff"].to_numpy(dtype=float)
    for cutoff in np.unique(cutoffs):
        known = forecasts.known_at(cutoff)
        known = known[np.isfinite(score[known])]
        if not len(known):
            continue
        here = np.flatnonzero(cutoffs == cutoff)
        age = np.exp2(-np.log10(cutoff / cutoffs[known]) / constants.half_life_decades)
        tested[here] = decades[known].max()
        count = len(forecasts.rows.iloc[known][["cutoff", "run"]].drop_duplicates())
        for reach in np.unique(decades[here]):
            distance = (decades[known] - min(reach, decades[known].max())) / constants.bandwidth_decades
            quantile = _weighted_quantile(score[known], age * np.exp(-0.5 * distance**2), level)
            # Beyond what was tested the miss is taken to grow with the decades, as it did between those tested.
            quantile *= max(1.0, reach / decades[known].max())
            total = count + constants.prior_forecasts
            inflation[here[decades[here] == reach]] = (count * quantile + constants.prior_forecasts * prior) / total
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


def _weighted_quantile(values: Array, weights: Array, level: float) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / np.sum(weights)
    return float(values[order][min(int(np.searchsorted(reached, level)), len(values) - 1)])
