"""Weights for the paths, from the ladder's own backtest: an average with shrinkage, not a winner.

Combining beats choosing when the ranking is noise (Bates and Granger, Oper. Res. Quart. 20 (1969); Timmermann,
Handbook of Economic Forecasting (2006)): on four suites the path that won the backtest was never the best on what came
after, and the plain mean was hard to beat where no path had failed badly. So a path's weight is one over its mean
squared error, where small errors count as none, the task's own record is shrunk towards that of all tasks of the
suite, and a path that calls itself unsure loses weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..fit.newton import Array
from .backtest import SAMPLING, BacktestForecasts
from .pathways import CARRY, ONE_STEP, ForecastPath
from .rolling_origin import Horizon


@dataclass(frozen=True, kw_only=True)
class PoolingConstants:
    """Set on the backtests of three suites (two published testbeds, and our own ladder), never on a target.

    ``benchmarks/trust.py`` shows the misses that they lead to.
    """

    error_floor: float = 0.03
    """Accuracy (fraction): differences below it are no evidence against a path."""

    suite_cutoffs: float = 10.0
    """Cutoffs' worth of evidence that the suite's record counts against the task's own."""

    half_life_decades: float = 0.25
    """Decades of compute after which an old cutoff counts half."""

    stated_share: float = 0.25
    """Share of a path's own variance that counts as error."""

    untested_error: float = 0.05
    """Accuracy (fraction): error assumed of every path before anything was tested."""

    own_sampling_share: float = 0.5
    """Share of a score's sampling variance that is not common to runs asked the same questions."""

    carry_weight: float = 0.25
    """Prior weight of the forecast "no change", where another path's is 1."""


POOLING = PoolingConstants()


@dataclass(frozen=True, kw_only=True)
class PooledForecasts:
    """The combined forecast of every row of a backtest: weights (n, k), mean (n,) and standard deviation (n,).

    ``std`` is that of a new score. Where there are forms with a spread of their own it is theirs, and their distance
    from the mean: how laws of one family disagree says little of how wrong they all are. Else it has what the paths say
    of their own error, how they disagree, and the sampling error of the score to come.
    """

    weights: Array
    mean: Array
    std: Array


def pool(forecasts: BacktestForecasts, constants: PoolingConstants = POOLING) -> PooledForecasts:
    """Combine the paths at every cutoff with what was known there, the targets' rows with all there is."""
    prior = prior_weights(forecasts.paths, np.isfinite(forecasts.mean), constants)
    stated = _stated(forecasts)
    weights = np.zeros(forecasts.mean.shape)
    tasks = forecasts.rows["task"].to_numpy()
    for horizon, here in forecasts.origins():
        names = np.unique(tasks[here])
        record = squared_errors(forecasts, horizon, here, names, constants)[np.searchsorted(names, tasks[here])]
        weights[here] = prior[here] / (record + constants.stated_share * stated[here] ** 2)
    weights = np.where(np.isfinite(forecasts.mean) & np.isfinite(weights), weights, 0.0)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    mean = np.sum(weights * np.nan_to_num(forecasts.mean), axis=1)
    return PooledForecasts(weights=weights, mean=mean, std=_spread(forecasts, weights, mean, constants))


def _stated(forecasts: BacktestForecasts) -> Array:
    """What every path says of its own error, (n, k); carrying forward says nothing, and is as unsure as the forms."""
    forms = np.array([path.form is not None for path in forecasts.paths], dtype=bool)
    carries = np.array([path.first == CARRY for path in forecasts.paths], dtype=bool)
    if not (forms.any() and carries.any() and len(forecasts.rows)):
        return forecasts.stderr
    unsure = np.nan_to_num(forecasts.stderr[:, forms]).max(axis=1)
    return np.where(carries & np.isfinite(forecasts.mean), unsure[:, None], forecasts.stderr)


def _spread(forecasts: BacktestForecasts, weights: Array, mean: Array, constants: PoolingConstants) -> Array:
    """Standard deviation of a new score, (n,): of the forms that have one, else of all paths."""
    own = np.array([path.form is not None for path in forecasts.paths], dtype=bool)
    share = np.where(own, weights, 0.0)
    with_own = share.sum(axis=1) > 0
    share = np.where(with_own[:, None], share, weights)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
    apart = np.nan_to_num(forecasts.mean) - mean[:, None]
    variance = np.sum(share * (np.nan_to_num(forecasts.stderr) ** 2 + apart**2), axis=1)
    if SAMPLING in forecasts.rows:
        sampling = np.nan_to_num(forecasts.rows[SAMPLING].to_numpy(dtype=float))
        variance += np.where(with_own, 0.0, constants.own_sampling_share * sampling**2)
    return np.asarray(np.sqrt(variance))


def prior_weights(
    paths: Sequence[ForecastPath], there: NDArray[np.bool_], constants: PoolingConstants = POOLING
) -> Array:
    """Weights (n, k) of k paths where ``there`` (n, k) says which could be fitted.

    Each intermediate loss counts the same, however many paths go through it; a form as much as it says, where all laws
    together count 1. Carrying forward is no law.
    """
    of_laws = np.array([path.form is None for path in paths], dtype=bool)
    carries = np.array([path.intermediate_loss == ONE_STEP and path.first == CARRY for path in paths], dtype=bool)
    losses = np.array([path.intermediate_loss for path in paths], dtype=object)
    weight = np.zeros(there.shape)
    for loss in dict.fromkeys(losses[of_laws]):
        mine = of_laws & (losses == loss)
        weight[:, mine] = 1 / np.maximum(there[:, mine].sum(axis=1, keepdims=True), 1)
    weight *= there * np.where(carries, constants.carry_weight, 1.0)
    together = weight[:, of_laws & ~carries].sum(axis=1, keepdims=True)
    forms = np.array([path.form.weight if path.form else 0.0 for path in paths])
    return np.asarray(weight + there * forms * np.where(together > 0, together, 1.0))


def squared_errors(
    forecasts: BacktestForecasts,
    horizon: Horizon,
    here: NDArray[np.int_],
    tasks: NDArray[np.str_],
    constants: PoolingConstants = POOLING,
) -> Array:
    """Mean squared error of every path on every one of ``tasks`` (sorted), (tasks, k), as known at a horizon.

    ``here`` are the rows that are forecast from it.
    """
    known = forecasts.known_at(horizon)
    nothing = np.full((len(tasks), len(forecasts.paths)), constants.error_floor**2 + constants.untested_error**2)
    if not len(known):
        return nothing
    error = (forecasts.mean - forecasts.rows["actual"].to_numpy(dtype=float)[:, None])[known]
    weight = forecasts.distance[known] * recency(forecasts, known, here, constants.half_life_decades)
    owner = forecasts.rows["task"].to_numpy()[known]
    origin = forecasts.rows["origin"].to_numpy()[known]
    log_mse = np.full(nothing.shape, np.nan)
    count = np.zeros(len(tasks))
    for i, task in enumerate(tasks):
        in_task = owner == task
        count[i] = len(np.unique(origin[in_task]))
        squared = error[in_task] ** 2
        share = weight[in_task][:, None] * np.isfinite(squared)
        total = share.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.sum(share * np.nan_to_num(squared), axis=0) / total
            log_mse[i] = np.log(mean + constants.error_floor**2)
    return _shrunk(log_mse, count, nothing, constants)


def recency(
    forecasts: BacktestForecasts, known: NDArray[np.int_], here: NDArray[np.int_], half_life_decades: float
) -> Array:
    """Weight of past forecasts by their age in decades of compute, halved at every half-life."""
    cutoff = forecasts.rows["cutoff"].to_numpy(dtype=float)
    age = np.maximum(np.log10(cutoff[here].max() / cutoff[known]), 0.0)
    return np.asarray(np.exp2(-age / half_life_decades))


def _shrunk(log_mse: Array, count: Array, nothing: Array, constants: PoolingConstants) -> Array:
    """A task's record relative to its median path, shrunk towards the suite's."""
    level = _nan_median(log_mse, axis=1)
    relative = log_mse - level[:, None]
    present = np.isfinite(relative)
    with np.errstate(invalid="ignore"):
        suite = np.where(present.any(axis=0), np.sum(np.nan_to_num(relative), axis=0) / present.sum(axis=0), 1.0)
    in_task = np.where(present, relative, suite)
    total = count[:, None] + constants.suite_cutoffs
    blended = (count[:, None] * in_task + constants.suite_cutoffs * suite) / total
    typical = float(np.mean(level[np.isfinite(level)])) if np.isfinite(level).any() else float(np.log(nothing[0, 0]))
    return np.asarray(np.exp(blended + np.where(np.isfinite(level), level, typical)[:, None]))


def _nan_median(values: Array, axis: int) -> Array:
    """Median of the finite entries; NaN where there are none, without a warning."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.inf), axis=axis)
    count = np.isfinite(values).sum(axis=axis)
    low, high = (np.maximum(count - 1, 0)) // 2, count // 2
    row = np.arange(len(values))
    return np.where(count > 0, (ordered[row, low] + ordered[row, np.minimum(high, values.shape[1] - 1)]) / 2, np.nan)
