"""From searches to estimates: the best optimum, its covariance, and an honest status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from .newton import FIXED_WIDTH, OBJECTIVE_RTOL, Array, Mask, Problem, SearchResults, broadcast_params, search

SEARCHED_SEEDS = 6  # at most this many seeds are searched from; the rest are only ranked


class FitStatus(StrEnum):
    """How a fit ended; the values are the words of results."""

    CONVERGED = "converged"
    """The gradient vanished inside all bounds: estimates and standard errors are what they say."""

    BOUND_HIT = "bound hit"
    """A parameter ended at a bound of its search: the data do not hold it, its standard error leans on the bound."""

    ABNORMAL = "abnormal"
    """No search converged, or no covariance could be computed: there is a curve but no uncertainty."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Where the search ended.

    ``covariance`` has zero rows for fixed parameters; it is NaN when there are no degrees of freedom left to estimate
    the noise. ``residual_std`` is on the link scale. ``agreement`` is the share of the searches that ended at this
    optimum, ``gradient`` the largest scaled gradient left at it (see ``scaled_gradient``), ``runner_up`` where the best
    of the other searches ended (None if all agree) and ``runner_up_cost`` its objective.
    """

    theta: Array
    covariance: Array
    residual_std: float
    dof: float
    cost: float
    at_bound: Mask
    agreement: float
    gradient: float
    runner_up: Array | None
    runner_up_cost: float
    status: FitStatus


def fit(problem: Problem, seeds: Array, groups: NDArray[np.generic] | None = None) -> Fit:
    """Search from the best of ``seeds`` (k, p) and describe the best optimum.

    ``groups`` (n,) marks observations that are not independent, such as checkpoints of one training run: the
    covariance is then clustered by group and the degrees of freedom are those of the groups.
    """
    start = _best_seeds(problem, seeds)
    return _describe_optimum(problem, search(problem, start, np.zeros(len(start), dtype=int)), groups)


def fit_together(
    problems: Sequence[Problem], seeds: Sequence[Array], groups: Sequence[NDArray[np.generic] | None]
) -> list[Fit]:
    """Fit one law to several data sets of n observations each in one search: what ``fit`` gives, in less time."""
    starts = [_best_seeds(problem, seed) for problem, seed in zip(problems, seeds, strict=True)]
    owner = np.repeat(np.arange(len(problems)), [len(start) for start in starts])
    first = problems[0]
    one_x = all(np.array_equal(p.x, first.x) for p in problems)
    x = first.x if one_x else np.stack([p.x.T for p in problems])[owner]
    observed, weight = (np.stack([getattr(p, name) for p in problems])[owner] for name in ("observed", "weight"))
    lower, upper = (np.stack([getattr(p, name) for p in problems])[owner] for name in ("lower", "upper"))
    joint = replace(first, x=x, observed=observed, weight=weight, lower=lower, upper=upper)
    results = search(joint, np.concatenate(starts), owner)
    per_fit = [np.flatnonzero(owner == i) for i in range(len(problems))]
    return [
        _describe_optimum(p, results.rows(rows), ids) for p, rows, ids in zip(problems, per_fit, groups, strict=True)
    ]


def _best_seeds(problem: Problem, seeds: Array) -> Array:
    """The seeds that are worth a search, inside the bounds."""
    seeds = np.clip(seeds, problem.lower, problem.upper)
    with np.errstate(all="ignore"):
        order = np.argsort(problem.cost(seeds), kind="stable")
    return np.asarray(seeds[order[:SEARCHED_SEEDS]])


def _describe_optimum(problem: Problem, results: SearchResults, groups: NDArray[np.generic] | None) -> Fit:
    best = int(np.argmin(results.cost))
    theta, lowest = results.theta[best], float(results.cost[best])
    same = results.cost <= lowest * (1 + OBJECTIVE_RTOL) + 1e-18
    others = np.flatnonzero(~same & np.isfinite(results.cost))
    second = int(others[np.argmin(results.cost[others])]) if len(others) else None
    at_bound = _at_bound(theta, problem)
    covariance, std, dof = _uncertainty(problem, theta, groups)
    status = FitStatus.CONVERGED
    if not np.isfinite(lowest) or not np.all(np.isfinite(covariance)) or not results.converged[best]:
        status = FitStatus.ABNORMAL
    elif at_bound.any():
        status = FitStatus.BOUND_HIT
    return Fit(
        theta=theta,
        covariance=covariance,
        residual_std=std,
        dof=dof,
        cost=lowest,
        at_bound=at_bound,
        agreement=float(np.mean(same)),
        gradient=float(results.gradient[best]),
        runner_up=None if second is None else results.theta[second],
        runner_up_cost=np.nan if second is None else float(results.cost[second]),
        status=status,
    )


def _at_bound(theta: Array, problem: Problem) -> Mask:
    # A fixed parameter (equal bounds) is not "hit": it was never free.
    free = problem.upper - problem.lower > FIXED_WIDTH
    low = np.abs(theta - problem.lower) <= 1e-6 * np.maximum(1.0, np.abs(theta))
    high = np.abs(theta - problem.upper) <= 1e-6 * np.maximum(1.0, np.abs(theta))
    return np.asarray(free & (low | high))


def _uncertainty(problem: Problem, theta: Array, groups: NDArray[np.generic] | None) -> tuple[Array, float, float]:
    """Covariance of the parameters, residual standard deviation and degrees of freedom.

    Finite bounds count as what they are, knowledge that the parameter lies between them: a prior as wide as the range
    (the estimate may be at one end and the truth at the other) enters the information. So a parameter that the data
    leave open, or push against a bound, widens the interval by what its range allows, instead of being taken for known.
    """
    with np.errstate(all="ignore"):
        value, every = problem.derive(broadcast_params(theta[None]), problem.x)
    used = problem.weight > 0
    r, jac, w = (value[0] - problem.observed)[used], every[0][used], problem.weight[used]
    width = problem.upper - problem.lower
    free = width > FIXED_WIDTH
    n, p = len(r), int(free.sum())
    covariance = np.zeros((len(theta), len(theta)))
    ids = np.arange(n) if groups is None else np.unique(np.asarray(groups)[used], return_inverse=True)[1]
    clusters = int(ids.max()) + 1 if n else 0
    # Only the pattern of the weights matters for the noise level: scale them to mean one.
    scaled = w * n / w.sum() if w.sum() > 0 else w
    dof = float(clusters - p)
    if dof <= 0 or not np.all(np.isfinite(jac)):
        return np.full_like(covariance, np.nan), float("nan"), max(dof, 0.0)
    std = float(np.sqrt(np.sum(scaled * r**2) / max(n - p, 1)))
    covariance[np.ix_(free, free)] = _sandwich(jac[:, free], r, scaled, std, width[free], ids)
    return covariance, std, dof


def _sandwich(j: Array, r: Array, weight: Array, std: float, width: Array, ids: NDArray[np.int_]) -> Array:
    """Covariance (p, p) of free parameters with Jacobian ``j`` (n, p), residuals (n,) and prior ranges ``width`` (p,).

    ``ids`` (n,) number the groups; with several observations in one it is clustered by them, else the noise is ``std``.
    """
    (n, p), clusters = j.shape, int(ids.max()) + 1
    # Columns differ by many orders of magnitude: invert the scaled normal matrix.
    size = np.maximum(np.sqrt(np.sum(weight[:, None] * j**2, axis=0)), 1e-300)
    prior = np.diag((std / (width * size)) ** 2)
    inverse = np.linalg.pinv((j / size).T @ (weight[:, None] * (j / size)) + prior, rcond=1e-13, hermitian=True)
    if clusters < n:
        scores = np.zeros((clusters, p))
        np.add.at(scores, ids, weight[:, None] * (j / size) * r[:, None])
        correction = clusters / (clusters - 1) * (n - 1) / max(n - p, 1)
        scaled = inverse @ (scores.T @ scores * correction + prior * std**2) @ inverse
    else:
        scaled = inverse * std**2
    return np.asarray(scaled / np.outer(size, size))
