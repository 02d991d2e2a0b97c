"""Weights for the forms, from the ladder's own backtest: an average with shrinkage, not a winner.

Combining beats choosing when the ranking is noise (Bates and Granger, Oper. Res. Quart. 20 (1969); Timmermann,
Handbook of Economic Forecasting (2006)): on four suites the form that won the backtest was never the best on what came
after, and the plain mean was hard to beat where no form had failed badly. So a form's weight is one over its mean
squared error, where errors below ``FLOOR`` count as none, the task's own record is shrunk towards that of all tasks of
the suite, and a form that calls itself unsure loses weight.

The constants were set on the backtests of three suites (two published testbeds, and our own ladder), never on a
target.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..fit.newton import Array
from .backtest import SAMPLING, BacktestForecasts
from .pathways import CARRY, ONE_STEP

FLOOR = 0.03  # accuracy: differences below it are no evidence against a form
SHRINK = 10.0  # cutoffs' worth of evidence that the suite's record counts against the task's own
HALF_LIFE = 0.25  # decades of compute after which an old cutoff counts half
UNSURE = 0.25  # share of a form's own variance that counts as error
UNTESTED = 0.05  # accuracy: error assumed of every form before anything was tested
OWN_SAMPLE = 0.5  # share of a score's sampling variance that is not common to runs asked the same questions
CARRIED = 0.25  # weight of the forecast "no change" beside another form


@dataclass(frozen=True)
class PooledForecasts:
    """The combined forecast of every row of a backtest: weights (n, k), mean (n,) and spread (n,) of the pool.

    ``spread`` is the standard deviation of the pool: what the forms say of their own error, how they disagree, and the
    sampling error of the score to come.
    """

    weights: Array
    mean: Array
    spread: Array


def pool(trials: BacktestForecasts) -> PooledForecasts:
    """Combine the forms at every cutoff with what was known there, the targets' rows with all there is."""
    n, k = trials.mean.shape
    error = trials.mean - trials.rows["actual"].to_numpy(dtype=float)[:, None]
    prior = _prior(trials)
    weights = np.zeros((n, k))
    tasks, target = trials.rows["task"].to_numpy(), trials.rows["target"].to_numpy(dtype=bool)
    cutoffs = trials.rows["cutoff"].to_numpy(dtype=float)
    groups = [(c, False) for c in np.unique(cutoffs[~target])] + [(c, True) for c in np.unique(cutoffs[target])]
    for cutoff, final in groups:
        here = np.flatnonzero((cutoffs == cutoff) & (target == final))
        names = np.unique(tasks[here])
        record = _record(trials, error, cutoff, names)
        rows = np.searchsorted(names, tasks[here])
        weights[here] = prior / (record[rows] + UNSURE * trials.stderr[here] ** 2)
    weights = np.where(np.isfinite(trials.mean) & np.isfinite(weights), weights, 0.0)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    said = np.nan_to_num(trials.mean)
    mean = np.sum(weights * said, axis=1)
    variance = np.sum(weights * (np.nan_to_num(trials.stderr) ** 2 + (said - mean[:, None]) ** 2), axis=1)
    if SAMPLING in trials.rows:
        variance += OWN_SAMPLE * np.nan_to_num(trials.rows[SAMPLING].to_numpy(dtype=float)) ** 2
    return PooledForecasts(weights, mean, np.sqrt(variance))


def _prior(trials: BacktestForecasts) -> Array:
    """Each middle quantity counts the same, however many forms go through it."""
    middle = [form.intermediate_loss for form in trials.paths]
    weight = np.array([1 / middle.count(m) for m in middle])
    return weight * np.where([f.intermediate_loss == ONE_STEP and f.first == CARRY for f in trials.paths], CARRIED, 1.0)


def _record(trials: BacktestForecasts, error: Array, cutoff: float, names: NDArray[np.str_]) -> Array:
    """Mean squared error of every form on every task, (tasks, k), as known at ``cutoff``."""
    known = trials.known_at(cutoff)
    nothing = np.full((len(names), len(trials.paths)), FLOOR**2 + UNTESTED**2)
    if not len(known):
        return nothing
    old = np.log10(cutoff / trials.rows["cutoff"].to_numpy(dtype=float)[known])
    weight = trials.decades[known] * np.exp2(-old / HALF_LIFE)
    owner = trials.rows["task"].to_numpy()[known]
    origin = trials.rows["cutoff"].to_numpy()[known]
    log_mse = np.full(nothing.shape, np.nan)
    count = np.zeros(len(names))
    for i, name in enumerate(names):
        mine = owner == name
        count[i] = len(np.unique(origin[mine]))
        squared = error[known][mine] ** 2
        share = weight[mine][:, None] * np.isfinite(squared)
        total = share.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            log_mse[i] = np.log(np.sum(share * np.nan_to_num(squared), axis=0) / total + FLOOR**2)
    return _shrunk(log_mse, count, nothing)


def _shrunk(log_mse: Array, count: Array, nothing: Array) -> Array:
    """A task's record relative to its median form, shrunk towards the suite's."""
    level = _nan_median(log_mse, axis=1)
    relative = log_mse - level[:, None]
    present = np.isfinite(relative)
    with np.errstate(invalid="ignore"):
        suite = np.where(present.any(axis=0), np.sum(np.nan_to_num(relative), axis=0) / present.sum(axis=0), 1.0)
    own = np.where(present, relative, suite)
    blended = (count[:, None] * own + SHRINK * suite) / (count[:, None] + SHRINK)
    typical = float(np.mean(level[np.isfinite(level)])) if np.isfinite(level).any() else float(np.log(nothing[0, 0]))
    return np.asarray(np.exp(blended + np.where(np.isfinite(level), level, typical)[:, None]))


def _nan_median(values: Array, axis: int) -> Array:
    """Median of the finite entries; NaN where there are none, without a warning."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.inf), axis=axis)
    count = np.isfinite(values).sum(axis=axis)
    low, high = (np.maximum(count - 1, 0)) // 2, count // 2
    row = np.arange(len(values))
    return np.where(count > 0, (ordered[row, low] + ordered[row, np.minimum(high, values.shape[1] - 1)]) / 2, np.nan)
