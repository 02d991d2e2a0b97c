r"""Accuracy as a trend in log-odds: an integrated Wiener process between a floor and one, many tasks in one search.

.. math::

    \mathrm{acc}(x) = c + (1 - c)\,\sigma(f(x)), \qquad f(x) = a + b\,(x - x_\mathrm{last}) + w(x)

with x in decades of effective compute, :math:`\sigma` the logistic function and w an integrated Wiener process that is
zero, with its slope, at the ladder's last run. So f is a cubic smoothing spline (Wahba, J. R. Stat. Soc. B 40 (1978)),
and beyond the ladder a straight line in log-odds whose error grows as distance to the power 1.5 (Harvey, Forecasting,
Structural Time Series Models and the Kalman Filter (1989)). Given the scatter of runs, the prior of the slope and that
of the floor, f and c are found by Gauss-Newton steps (an iterated extended Kalman update, dense). What is not given is
averaged over: each combination counts by its marginal likelihood (Laplace), so rough tasks get wide forecasts and
tasks without a trend get flat ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..fit.newton import Array
from .padding import by_padded_size

STEPS = 25  # Gauss-Newton steps at most
LARGEST_STEP, LARGEST_FLOOR_STEP = 1.0, 0.03  # log-odds, accuracy
TOLERANCE = 1e-3  # log-odds
EDGE = 0.02  # accuracy: log-odds of a score are taken no nearer to the ends than this, to centre the prior
LEAST_SLOPE = 1e-3  # of accuracy over log-odds, where the curve is flat
HIGHEST_FLOOR = 0.95
LEAST_WEIGHT = 1e-4  # combinations that count less are forgotten
SHARING_ROUNDS = 30
TOGETHER = 48  # fits in one block of memory
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
NODE_WEIGHTS = NODE_WEIGHTS / NODE_WEIGHTS.sum()


@dataclass(frozen=True, kw_only=True)
class TrendPriors:
    """Priors of a task's trend; set on the backtests of four ladders (docs/dev/log.md), never on a target."""

    slopes: tuple[tuple[float, float], ...] = ((0.0, 0.05), (0.6, 0.5))
    """Log-odds per decade: mean and standard deviation of b, no trend or one. Equally likely before the data."""

    shared_tasks: float = 2.0
    """Tasks' worth of evidence that equal shares count, where a ladder's tasks tell them (``share_slopes``)."""

    scatters: tuple[float, ...] = (0.005, 0.015, 0.04, 0.1)
    """Accuracy (fraction): standard deviation of runs about their trend, beyond sampling error. Equally likely."""

    level_std: float = 1.0
    """Log-odds: standard deviation of a about the mean of the ladder's scores."""

    wiggle: float = 0.2
    """Log-odds per decade^1.5: scale of the integrated Wiener process."""

    floor_std: float = 0.03
    """Accuracy (fraction): standard deviation of a floor about chance. As likely is a floor of zero."""

    run_share: float = 0.5
    """Share of the scatter's variance that checkpoints of one run have in common."""

    sampling_share: float = 0.5
    """Share of a score's sampling variance that is not common to runs asked the same questions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrendData:
    """One task: ``x`` (n,) log10 effective FLOPs, ``accuracy`` (n,) and its ``sampling`` error (n,), fractions.

    ``runs`` (n,) says which points are checkpoints of one run.
    """

    x: Array
    accuracy: Array
    sampling: Array
    runs: NDArray[np.int_]
    chance: float
    weight: Array | None = None
    """(n,): a score of weight w counts as w scores of its run, or of w runs where it is the only one of its run."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedTrend:
    """The combinations of priors that count, k of them, each with its posterior: ``predict`` averages them.

    Attributes
    ----------
    weights : (k,)
        Posterior probabilities.
    """

    weights: Array
    distance: Array  # (n,) decades from the last run
    last: float
    center: Array  # (k,) prior mean of f at the last run
    prior: Array  # (k, 2) mean and std of the slope
    prior_floor: Array  # (k, 2)
    gain: Array  # (k, n): posterior of f is prior + covariance @ gain
    inverse: Array  # (k, n, n) of the linearised covariance of the scores
    curve_slope: Array  # (k, n) of accuracy over log-odds
    floor_slope: Array  # (k, n) of accuracy over the floor
    noise: Array  # (k,) variance of a new score about the trend
    priors: TrendPriors

    @property
    def slopes(self) -> Array:
        """Slope of the trend at the ladder's end in every combination, (k,), log-odds per decade."""
        cross = self.prior[:, 1, None] ** 2 * self.distance * self.curve_slope
        return np.asarray(self.prior[:, 0] + np.sum(cross * self.gain, axis=1))

    def predict(self, x: Array, x_std: Array | None = None) -> tuple[Array, Array]:
        """Mean and standard deviation (t,) of a new score at ``x`` (t,), whose own standard error is ``x_std`` (t,)."""
        ahead = np.asarray(x, dtype=float) - self.last
        cross = np.moveaxis(_covariance(self.distance, ahead, self.prior[:, 1], self.priors), 2, 0)
        # A row for every point, (t, k, n), summed along the last axis: no point changes another's last digits.
        weighted = np.ascontiguousarray(self.curve_slope * cross)
        f = self.center + self.prior[:, 0] * ahead[:, None] + np.sum(weighted * self.gain, axis=2)
        solved = np.ascontiguousarray((self.inverse @ weighted[:, :, :, None])[:, :, :, 0])
        own = _variance(ahead, self.prior[:, 1], self.priors).T
        variance = np.maximum(own - np.sum(weighted * solved, axis=2), 1e-8)
        if x_std is not None:
            variance = variance + (self.slopes * np.asarray(x_std)[:, None]) ** 2
        floor_variance = self.prior_floor[:, 1] ** 2
        lean = self.floor_slope * floor_variance[:, None]
        floor = np.clip(self.prior_floor[:, 0] + np.sum(lean * self.gain, axis=1), 0.0, HIGHEST_FLOOR)
        floor_left = floor_variance - np.einsum("kn,knm,km->k", lean, self.inverse, lean)
        common = -np.sum(lean * solved, axis=2)
        mean, spread = _accuracy(f, variance, floor, np.maximum(floor_left, 0.0), common)
        average = np.sum(self.weights * mean, axis=1)
        total = np.sum(self.weights * (spread + self.noise + (mean - average[:, None]) ** 2), axis=1)
        return np.asarray(average), np.asarray(np.sqrt(total))


def share_slopes(trends: Sequence[FittedTrend], priors: TrendPriors | None = None) -> list[FittedTrend]:
    """The trends of one ladder's tasks, with the priors of the slope as common among them as the tasks say.

    Empirical Bayes: the shares of the priors are found by expectation maximisation over the tasks' marginal
    likelihoods, with equal shares as a weak prior. From three runs no task tells whether it rises; twenty do together.
    """
    priors = priors or TrendPriors()
    if not trends:
        return []
    kinds = [np.array([priors.slopes.index((mean, std)) for mean, std in trend.prior.tolist()]) for trend in trends]
    own = np.array(
        [np.bincount(kind, trend.weights, len(priors.slopes)) for kind, trend in zip(kinds, trends, strict=True)]
    )
    share = np.full(len(priors.slopes), 1 / len(priors.slopes))
    for _ in range(SHARING_ROUNDS):
        posterior = own * share
        posterior /= np.maximum(posterior.sum(axis=1, keepdims=True), 1e-300)
        share = (priors.shared_tasks / len(share) + posterior.sum(axis=0)) / (priors.shared_tasks + len(own))
    shared = []
    for kind, trend in zip(kinds, trends, strict=True):
        weights = trend.weights * share[kind]
        shared.append(replace(trend, weights=weights / weights.sum()))
    return shared


def fit_trends(tasks: Sequence[TrendData], priors: TrendPriors | None = None) -> list[FittedTrend]:
    """Fit every task; tasks of similar size are fitted together, which changes nothing: each as if it stood alone.

    Raises
    ------
    ValueError
        For a task without a score.
    """
    priors = priors or TrendPriors()
    if any(len(task.x) == 0 for task in tasks):
        raise ValueError("a trend needs at least one score")
    fitted: dict[int, FittedTrend] = {}
    for size, alike in by_padded_size([len(task.x) for task in tasks]):
        for start in range(0, len(alike), TOGETHER):
            part = alike[start : start + TOGETHER]
            fitted.update(zip(part, _fit_block([tasks[i] for i in part], size, priors), strict=True))
    return [fitted[i] for i in range(len(tasks))]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Block:
    """Padded data of m tasks, (m, n) each; ``known`` says where there is a score."""

    distance: Array
    accuracy: Array
    sampling: Array  # variance
    weight: Array
    same_run: Array  # (m, n, n)
    known: NDArray[np.bool_]
    last: Array
    chance: Array

    @classmethod
    def of(cls, tasks: Sequence[TrendData], n: int, priors: TrendPriors) -> _Block:
        m = len(tasks)
        distance, accuracy, sampling = np.zeros((m, n)), np.full((m, n), 0.5), np.zeros((m, n))
        weight = np.ones((m, n))
        known, runs = np.zeros((m, n), dtype=bool), np.full((m, n), -1)
        for i, task in enumerate(tasks):
            k = len(task.x)
            distance[i, :k] = task.x - task.x.max()
            accuracy[i, :k], known[i, :k], runs[i, :k] = task.accuracy, True, task.runs
            sampling[i, :k] = priors.sampling_share * np.nan_to_num(task.sampling) ** 2
            weight[i, :k] = 1.0 if task.weight is None else task.weight
        same = (runs[:, :, None] == runs[:, None, :]) & known[:, :, None] & known[:, None, :]
        return cls(
            distance=distance,
            accuracy=accuracy,
            sampling=sampling,
            weight=weight,
            same_run=same.astype(float),
            known=known,
            last=np.array([task.x.max() for task in tasks]),
            chance=np.array([task.chance for task in tasks]),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Posterior:
    """Of one combination of priors, for m tasks."""

    evidence: Array
    center: Array
    prior_floor: Array
    gain: Array
    inverse: Array
    curve_slope: Array
    floor_slope: Array


def _fit_block(tasks: Sequence[TrendData], size: int, priors: TrendPriors) -> Iterator[FittedTrend]:
    block = _Block.of(tasks, size, priors)
    combinations = list(itertools.product(priors.slopes, priors.scatters, (True, False)))
    posteriors = [_posterior(block, slope, scatter, floor, priors) for slope, scatter, floor in combinations]
    evidence = np.stack([each.evidence for each in posteriors], axis=1)
    weights = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    for i, task in enumerate(tasks):
        kept = np.flatnonzero(weights[i] >= LEAST_WEIGHT)
        share, n = weights[i, kept] / weights[i, kept].sum(), len(task.x)
        mine = [posteriors[k] for k in kept]
        typical = float(np.median(block.sampling[i, :n]))
        yield FittedTrend(
            weights=share,
            distance=block.distance[i, :n],
            last=float(block.last[i]),
            center=np.array([p.center[i] for p in mine]),
            prior=np.array([combinations[k][0] for k in kept]),
            prior_floor=np.array([p.prior_floor[i] for p in mine]),
            gain=np.array([p.gain[i, :n] for p in mine]),
            inverse=np.array([p.inverse[i, :n, :n] for p in mine]),
            curve_slope=np.array([p.curve_slope[i, :n] for p in mine]),
            floor_slope=np.array([p.floor_slope[i, :n] for p in mine]),
            noise=np.array([combinations[k][1] ** 2 + typical for k in kept]),
            priors=priors,
        )


def _posterior(
    block: _Block, slope: tuple[float, float], scatter: float, at_chance: bool, priors: TrendPriors
) -> _Posterior:
    """Gauss-Newton for f at the scores and for the floor, given all else."""
    known, u = block.known, block.distance
    count, weight = known.sum(axis=1), block.weight * known
    expected = block.chance if at_chance else np.zeros(len(block.chance))
    floor_variance = np.full(len(expected), priors.floor_std**2 if at_chance else 0.0)
    center = _level(block, expected) - slope[0] * np.sum(u * weight, axis=1) / weight.sum(axis=1)
    prior_f = center[:, None] + slope[0] * u
    covariance = _covariance(u, u, np.full(len(u), slope[1]), priors)
    shared, own = priors.run_share * scatter**2, (1 - priors.run_share) * scatter**2
    alone = block.same_run.sum(axis=2) == 1
    variance = block.sampling + own + np.where(alone, shared, 0.0)  # of one of the scores that a weight stands for
    diagonal = np.where(known, variance / block.weight, 1.0)
    noise = shared * block.same_run * ~alone[:, :, None] + diagonal[:, :, None] * np.eye(u.shape[1])
    f, floor = prior_f, expected
    for _ in range(STEPS):
        chance_part = 1 - floor[:, None]
        s = 1 / (1 + np.exp(-f))
        slope_f = np.where(known, np.maximum(chance_part * s * (1 - s), LEAST_SLOPE), 0.0)
        slope_c = np.where(known, 1 - s, 0.0)
        total = slope_f[:, :, None] * covariance * slope_f[:, None, :] + noise
        total += slope_c[:, :, None] * slope_c[:, None, :] * floor_variance[:, None, None]
        left = block.accuracy - floor[:, None] - chance_part * s
        left = np.where(known, left + slope_f * (f - prior_f) + slope_c * (floor - expected)[:, None], 0.0)
        gain = np.linalg.solve(total, left[:, :, None])[:, :, 0]
        step = prior_f + np.einsum("mij,mj->mi", covariance, slope_f * gain) - f
        step = np.clip(step, -LARGEST_STEP, LARGEST_STEP)
        floor_step = expected + floor_variance * np.sum(slope_c * gain, axis=1) - floor
        floor_step = np.clip(floor_step, -LARGEST_FLOOR_STEP, LARGEST_FLOOR_STEP)
        moves = np.abs(step).max(axis=1) >= TOLERANCE  # a task that has arrived waits for the others where it is
        if not moves.any():
            break
        f = np.where(moves[:, None], f + step, f)
        floor = np.where(moves, np.clip(floor + floor_step, 0.0, HIGHEST_FLOOR), floor)
    evidence = -0.5 * (np.linalg.slogdet(total)[1] + np.sum(left * gain, axis=1) + count * np.log(2 * np.pi))
    # A weight of w stands for w equal scores: what their scatter about their mean, which is none, says of the noise.
    equal = (block.weight - 1) * np.log(2 * np.pi * variance) + np.log(block.weight)
    evidence -= 0.5 * np.sum(np.where(known, equal, 0.0), axis=1)
    return _Posterior(
        evidence=evidence,
        center=center,
        prior_floor=np.stack([expected, np.sqrt(floor_variance)], axis=1),
        gain=np.asarray(gain, dtype=float),
        inverse=np.asarray(np.linalg.inv(total), dtype=float),
        curve_slope=slope_f,
        floor_slope=slope_c,
    )


def _level(block: _Block, floor: Array) -> Array:
    """Mean log-odds of the scores above a floor, by their weights, (m,)."""
    share = np.clip((block.accuracy - floor[:, None]) / (1 - floor[:, None]), EDGE, 1 - EDGE)
    weight = block.weight * block.known
    return np.asarray(np.sum(weight * np.log(share / (1 - share)), axis=1) / weight.sum(axis=1))


def _covariance(u: Array, v: Array, slope_std: Array, priors: TrendPriors) -> Array:
    """Prior covariance of f at distances u and v from the last run, for k slope priors: (k, n, t)."""
    rows, columns = u[..., :, None], v[..., None, :]
    near, far = np.minimum(np.abs(rows), np.abs(columns)), np.maximum(np.abs(rows), np.abs(columns))
    wiggle = np.where(rows * columns > 0, near**2 * (3 * far - near) / 6, 0.0)
    line = slope_std[:, None, None] ** 2 * rows * columns
    return np.asarray(priors.level_std**2 + line + priors.wiggle**2 * wiggle)


def _variance(v: Array, slope_std: Array, priors: TrendPriors) -> Array:
    """Diagonal of the prior covariance at distances v (t,), (k, t)."""
    line = slope_std[:, None] ** 2 * v**2
    return np.asarray(priors.level_std**2 + line + priors.wiggle**2 * np.abs(v) ** 3 / 3)


def _accuracy(f: Array, variance: Array, floor: Array, floor_left: Array, common: Array) -> tuple[Array, Array]:
    """Mean and variance (t, k) of the curve where f (t, k) and the floor (k,) are jointly normal: by quadrature."""
    at = f[:, :, None] + np.sqrt(variance)[:, :, None] * NODES
    lean = (common / variance)[:, :, None]
    c = np.clip(floor[:, None] + lean * (at - f[:, :, None]), 0.0, HIGHEST_FLOOR)
    s = 1 / (1 + np.exp(-at))
    score = c + (1 - c) * s
    mean = np.sum(score * NODE_WEIGHTS, axis=2)
    spread = np.sum((score - mean[:, :, None]) ** 2 * NODE_WEIGHTS, axis=2)
    rest = np.maximum(floor_left - common**2 / variance, 0.0)
    return mean, spread + rest * np.sum((1 - s) * NODE_WEIGHTS, axis=2) ** 2
