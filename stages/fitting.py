"""One fitting engine for every law: many seeds, bounded local search, covariance, and an honest status.

The objective is ``sum_i w_i * rho(r_i)`` with ``r`` the residual on the law's link scale and ``rho`` either
``r**2 / 2`` or Huber's function [1]_ with threshold ``delta``.

.. [1] Huber, Robust estimation of a location parameter, Ann. Math. Statist. 35 (1964).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, minimize

Array = NDArray[np.float64]
Curve = Callable[[Array], Array]
Status = Literal["converged", "bound hit", "abnormal"]
FIXED = 1e-8  # bounds closer than this mean a fixed parameter
POLISHED = 6  # at most this many seeds get a full local search; the rest are only ranked


@dataclass(frozen=True)
class Problem:
    """Residuals (n,) and their Jacobian (n, p) as functions of the parameters (p,), with weights and bounds."""

    residual: Curve
    jacobian: Curve
    weight: Array
    lower: Array
    upper: Array
    huber: float | None = None

    def cost(self, theta: Array) -> float:
        """The objective at ``theta``; infinite where the law overflows."""
        r = self.residual(theta)
        if self.huber is None:
            rho = 0.5 * r**2
        else:
            a = np.abs(r)
            rho = np.where(a <= self.huber, 0.5 * r**2, self.huber * (a - 0.5 * self.huber))
        total = float(np.sum(self.weight * rho))
        return total if np.isfinite(total) else np.inf

    def gradient(self, theta: Array) -> Array:
        """Gradient of the objective, (p,)."""
        r = self.residual(theta)
        psi = r if self.huber is None else np.clip(r, -self.huber, self.huber)
        return np.asarray(self.jacobian(theta).T @ (self.weight * psi))


@dataclass(frozen=True)
class Fit:
    """Where the search ended.

    ``covariance`` has zero rows for fixed parameters; it is NaN when there are no degrees of freedom left to estimate
    the noise. ``residual_std`` is on the link scale.
    """

    theta: Array
    covariance: Array
    residual_std: float
    dof: float
    cost: float
    at_bound: NDArray[np.bool_]
    agreement: float
    status: Status


def fit(problem: Problem, seeds: Array, groups: NDArray[np.generic] | None = None) -> Fit:
    """Search from the best of ``seeds`` (k, p) and describe the best optimum found.

    ``groups`` (n,) marks observations that are not independent, such as checkpoints of one training run: the
    covariance is then clustered by group and the degrees of freedom are those of the groups.
    """
    seeds = np.clip(seeds, problem.lower, problem.upper)
    costs = np.array([problem.cost(s) for s in seeds])
    best = seeds[np.argsort(costs, kind="stable")[:POLISHED]]
    ends: list[Array] = []
    end_costs: list[float] = []
    for start in best:
        with np.errstate(all="ignore"):
            ends.append(_search(problem, start))
        end_costs.append(problem.cost(ends[-1]))
        # Two seeds that meet at the lowest point so far settle it; disagreement calls for more.
        if len(ends) > 1 and np.sum(np.array(end_costs) <= min(end_costs) * (1 + 1e-6) + 1e-18) > 1:
            break
    lowest = min(end_costs)
    theta = ends[end_costs.index(lowest)]
    agreement = float(np.mean(np.array(end_costs) <= lowest * (1 + 1e-4) + 1e-15))
    at_bound = _at_bound(theta, problem)
    covariance, std, dof = _uncertainty(problem, theta, groups)
    status: Status = "converged"
    if not np.isfinite(lowest) or not np.all(np.isfinite(covariance)):
        status = "abnormal"
    elif at_bound.any():
        status = "bound hit"
    return Fit(theta, covariance, std, dof, lowest, at_bound, agreement, status)


def _search(problem: Problem, start: Array) -> Array:
    root = np.sqrt(problem.weight)

    def residual(theta: Array) -> Array:
        return np.asarray(root * np.nan_to_num(problem.residual(theta), nan=1e150, posinf=1e150, neginf=-1e150))

    def jacobian(theta: Array) -> Array:
        return np.asarray(root[:, None] * np.nan_to_num(problem.jacobian(theta), posinf=1e150, neginf=-1e150))

    tight: dict[str, Any] = {"jac": jacobian, "x_scale": "jac", "ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12}
    try:
        if problem.huber is None and len(root) >= len(start):
            # MINPACK is ten times faster than the bounded search: keep its answer if it respects the bounds.
            free = least_squares(residual, start, method="lm", max_nfev=200, **tight).x
            if np.all(np.isfinite(free)) and np.all((free >= problem.lower) & (free <= problem.upper)):
                return np.asarray(free)
        found = least_squares(
            residual,
            np.clip(start, problem.lower + 1e-10, problem.upper - 1e-10),  # it wants a start strictly inside
            bounds=(problem.lower, problem.upper),
            loss="linear" if problem.huber is None else _huber(problem.huber * root),
            max_nfev=200,
            **tight,
        ).x
    except (ValueError, np.linalg.LinAlgError):
        return start
    # TRF stays a hair inside the bounds; step onto one where that is no worse.
    snapped = np.where(_at_bound(found, problem), np.clip(np.round(found, 9), problem.lower, problem.upper), found)
    found = np.asarray(snapped if problem.cost(snapped) <= problem.cost(found) else found)
    return found if problem.huber is None else _polish(problem, found)


def _huber(threshold: Array) -> Callable[[Array], Array]:
    """Huber's function for ``least_squares``: rho, rho', rho'' of the squared residuals z (n,), as (3, n)."""

    def rho(z: Array) -> Array:
        inside = z <= threshold**2
        root = np.sqrt(np.maximum(z, 1e-300))
        return np.array(
            [
                np.where(inside, z, 2 * threshold * root - threshold**2),
                np.where(inside, 1.0, threshold / root),
                np.where(inside, 0.0, -0.5 * threshold / root**3),
            ]
        )

    return rho


def _polish(problem: Problem, start: Array) -> Array:
    """A few quasi-Newton steps: the robust trust-region search can stall where residuals cross the threshold."""
    bounds = list(zip(problem.lower, problem.upper, strict=True))
    options = {"ftol": 0.0, "gtol": 1e-12, "maxiter": 500, "maxcor": 20}
    found = minimize(problem.cost, start, jac=problem.gradient, method="L-BFGS-B", bounds=bounds, options=options).x
    return np.asarray(found if problem.cost(found) < problem.cost(start) else start, dtype=float)


def _at_bound(theta: Array, problem: Problem) -> NDArray[np.bool_]:
    # A fixed parameter (equal bounds) is not "hit": it was never free.
    free = problem.upper - problem.lower > FIXED
    low = np.abs(theta - problem.lower) <= 1e-6 * np.maximum(1.0, np.abs(theta))
    high = np.abs(theta - problem.upper) <= 1e-6 * np.maximum(1.0, np.abs(theta))
    return np.asarray(free & (low | high))


def _uncertainty(problem: Problem, theta: Array, groups: NDArray[np.generic] | None) -> tuple[Array, float, float]:
    """Covariance of the parameters, residual standard deviation and degrees of freedom.

    Finite bounds count as what they are, knowledge that the parameter lies between them: a prior as wide as the range
    (the estimate may be at one end and the truth at the other) enters the information. So a parameter that the data
    leave open, or push against a bound, widens the interval by what its range allows, instead of being taken for known.
    """
    used = problem.weight > 0
    r, jac, w = problem.residual(theta)[used], problem.jacobian(theta)[used], problem.weight[used]
    width = problem.upper - problem.lower
    free = width > FIXED
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
    # Columns differ by many orders of magnitude: invert the scaled normal matrix.
    j = jac[:, free]
    size = np.maximum(np.sqrt(np.sum(scaled[:, None] * j**2, axis=0)), 1e-300)
    prior = np.diag((std / (width[free] * size)) ** 2)
    inverse = np.linalg.pinv((j / size).T @ (scaled[:, None] * (j / size)) + prior, rcond=1e-13, hermitian=True)
    if clusters < n:
        scores = np.zeros((clusters, p))
        np.add.at(scores, ids, scaled[:, None] * (j / size) * r[:, None])
        correction = clusters / (clusters - 1) * (n - 1) / max(n - p, 1)
        middle = inverse @ (scores.T @ scores * correction + prior * std**2) @ inverse
    else:
        middle = inverse * std**2
    covariance[np.ix_(free, free)] = middle / np.outer(size, size)
    return covariance, std, dof
