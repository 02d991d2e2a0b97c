"""One fitting engine for every law: many starts at once, bounded Newton steps, covariance, and an honest status.

The objective is ``sum_i w_i * rho(r_i)`` with ``r`` the residual on the law's link scale and ``rho`` either
``r**2 / 2`` or Huber's function [1]_ with threshold ``delta``. All starts of a fit, and all resamples of a data set,
go through the same vectorised search: arrays have a leading axis of k searches.

A step solves ``(H + lam * (M + diag M)) d = -g``: H is the Hessian, exact where the law gives its second derivatives
and Gauss–Newton's otherwise; M is the Hessian of the quadratic that majorises rho at the current residuals
(reweighted least squares), so a large ``lam`` gives a short downhill step wherever H is indefinite [2]_.

.. [1] Huber, Robust estimation of a location parameter, Ann. Math. Statist. 35 (1964).
.. [2] Marquardt, An algorithm for least-squares estimation of nonlinear parameters, SIAM J. Appl. Math. 11 (1963).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Status = Literal["converged", "bound hit", "abnormal"]
FIXED = 1e-8  # bounds closer than this mean a fixed parameter
SEARCHED = 6  # at most this many seeds are searched from; the rest are only ranked
STEPS = 200  # a search that needs more has lost its way
AGREED = 3  # steps that are left to the others once half of a fit's searches have met at the lowest point so far
CREEP, CREEPING = 15, 1e-6  # a search is given up that gained less than this share of its objective in so many steps
PATIENCE = 2  # searches on different data end when others take this many times the steps that half of them took
DONE = 1e-15  # the step would lower the objective by less than this share of it
SAME = 1e-6  # relative difference in the objective below which two searches ended at the same optimum


@dataclass(frozen=True)
class Problem:
    """n observations, p parameters; parameters come as (p, k, 1), so that a law's formula broadcasts to (k, n).

    ``value`` gives (k, n) on the link scale, ``derive`` that and the Jacobian (k, n, p). ``curvature``, if the law has
    it, takes the Jacobian and v (k, n) and gives sum_i v_i times the second derivatives of observation i, (k, p, p);
    with ``log_link`` those of the curve f over f, to which (log f)'' = f''/f - (f'/f)(f'/f)' adds the rest. ``linear``
    are the parameters that the curve is linear in: under least squares they are projected out (variable projection,
    Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973)). ``observed`` and ``weight`` are (n,), or (k, n) where the
    searches differ in their data.
    """

    value: Callable[[Array], Array]
    derive: Callable[[Array], tuple[Array, Array]]
    curvature: Callable[[Array, Array], Array] | None
    observed: Array
    weight: Array
    lower: Array
    upper: Array
    huber: float | None = None
    log_link: bool = False
    linear: tuple[int, ...] = ()

    def rows(self, keep: NDArray[np.generic]) -> Problem:
        """The searches ``keep`` only."""
        data = {name: array[keep] for name in ("observed", "weight") if (array := getattr(self, name)).ndim == 2}
        return replace(self, **data) if data else self

    def cost(self, theta: Array) -> Array:
        """The objective at ``theta`` (k, p), (k,); infinite where the law overflows."""
        return self._total(self.value(_columns(theta)) - self.observed)

    def _total(self, r: Array) -> Array:
        if self.huber is None:
            rho = 0.5 * r**2
        else:
            a = np.abs(r)
            rho = np.where(a <= self.huber, 0.5 * r**2, self.huber * (a - 0.5 * self.huber))
        total = rho @ self.weight if self.weight.ndim == 1 else np.einsum("kn,kn->k", self.weight, rho)
        return np.where(np.isfinite(total), total, np.inf)

    def quadratic(self, theta: Array) -> Quadratic:
        """Objective (k,), gradient (k, p), Hessian and majorising Hessian (k, p, p) at ``theta`` (k, p)."""
        value, jac = self.derive(_columns(theta))
        r = value - self.observed
        weight = np.atleast_2d(self.weight)
        if self.huber is None:
            score, major, inside = weight * r, weight, weight
        else:
            a = np.abs(r)
            score = weight * np.clip(r, -self.huber, self.huber)
            major = weight * (self.huber / np.maximum(a, self.huber))
            inside = weight * (a <= self.huber)
        gradient = (score[:, None, :] @ jac)[:, 0]
        outer = _gram(jac, major)
        if self.curvature is not None:
            hessian = _gram(jac, inside - score if self.log_link else inside) + self.curvature(jac, score)
        else:
            hessian = outer if self.huber is None else _gram(jac, inside)
        return Quadratic(self._total(r), gradient, hessian, outer)


@dataclass
class Quadratic:
    """The objective around k points: cost (k,), gradient (k, p), Hessian and its majoriser (k, p, p)."""

    cost: Array
    gradient: Array
    hessian: Array
    major: Array

    def put(self, where: NDArray[np.generic], new: Quadratic, rows: NDArray[np.generic]) -> None:
        """Replace the points ``where`` by ``rows`` of another."""
        for name in ("cost", "gradient", "hessian", "major"):
            getattr(self, name)[where] = getattr(new, name)[rows]


@dataclass(frozen=True)
class Ends:
    """Where k searches ended: parameters (k, p), objective (k,), scaled gradient (k,), and whether it vanished."""

    theta: Array
    cost: Array
    gradient: Array
    converged: Mask


@dataclass(frozen=True)
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
    status: Status


def fit(problem: Problem, seeds: Array, groups: NDArray[np.generic] | None = None) -> Fit:
    """Search from the best of ``seeds`` (k, p) and describe the best optimum found.

    ``groups`` (n,) marks observations that are not independent, such as checkpoints of one training run: the
    covariance is then clustered by group and the degrees of freedom are those of the groups.
    """
    seeds = np.clip(seeds, problem.lower, problem.upper)
    with np.errstate(all="ignore"):
        order = np.argsort(problem.cost(seeds), kind="stable")
        ends = search(problem, seeds[order[:SEARCHED]])
    best = int(np.argmin(ends.cost))
    theta, lowest = ends.theta[best], float(ends.cost[best])
    same = ends.cost <= lowest * (1 + SAME) + 1e-18
    others = np.flatnonzero(~same & np.isfinite(ends.cost))
    second = int(others[np.argmin(ends.cost[others])]) if len(others) else None
    at_bound = _at_bound(theta, problem)
    covariance, std, dof = _uncertainty(problem, theta, groups)
    status: Status = "converged"
    if not np.isfinite(lowest) or not np.all(np.isfinite(covariance)) or not ends.converged[best]:
        status = "abnormal"
    elif at_bound.any():
        status = "bound hit"
    return Fit(
        theta, covariance, std, dof, lowest, at_bound, float(np.mean(same)), float(ends.gradient[best]),
        None if second is None else ends.theta[second], np.nan if second is None else float(ends.cost[second]), status,
    )  # fmt: skip


def search(problem: Problem, start: Array) -> Ends:
    """Minimise from every row of ``start`` (k, p) at once, inside the bounds."""
    theta = np.clip(start, problem.lower, problem.upper)
    with np.errstate(all="ignore"):
        now = problem.quadratic(theta)
        damping = np.full(len(theta), 1e-2 if problem.huber else 1e-3)
        converged = np.zeros(len(theta), dtype=bool)
        live = np.flatnonzero(np.isfinite(now.cost))
        noise = 1e-28 * np.sum(problem.weight * problem.observed**2, axis=-1)
        last = STEPS
        shared = problem.observed.ndim == 1 and problem.weight.ndim == 1
        before = now.cost.copy()
        for count in range(STEPS):
            if not len(live) or count > last:
                break
            if last == STEPS and len(theta) > 2 and 2 * converged.sum() >= len(theta):
                if not shared:
                    last = PATIENCE * count + 5
                elif 2 * np.sum(converged & (now.cost <= now.cost.min() * (1 + SAME))) >= len(theta):
                    last = count + AGREED
            part = Quadratic(now.cost[live], now.gradient[live], now.hessian[live], now.major[live])
            step, gain = _step(problem, theta[live], part, damping[live])
            trial = np.clip(theta[live] + step, problem.lower, problem.upper)
            here = problem.rows(live)
            new = here.quadratic(trial)
            if problem.linear and problem.huber is None and not problem.log_link:
                trial, new = _project(here, trial, new)
            drop = part.cost - new.cost
            better = drop > 0
            theta[live[better]] = trial[better]
            now.put(live[better], new, np.flatnonzero(better))
            damping[live] = _damp(damping[live], drop / np.maximum(gain, 1e-300), better)
            floor = noise[live] if noise.ndim else noise
            # A settled search has nothing to gain from a full step; a stuck one is not to be moved by any step.
            settled = (np.abs(gain) <= DONE * part.cost) & (damping[live] < 1e-2) | (now.cost[live] <= floor)
            converged[live[settled]] = True
            live = live[~settled & (damping[live] < 1e10)]
            if shared and count % CREEP == CREEP - 1:
                # A valley without a floor (a sigmoid through points at chance) would take all steps and end nowhere.
                live = live[before[live] - now.cost[live] > CREEPING * now.cost[live]]
                before = now.cost.copy()
        gradient = scaled_gradient(problem, theta, now)
    return Ends(theta, now.cost, gradient, converged | (gradient < 1e-6))


def _project(problem: Problem, theta: Array, at: Quadratic) -> tuple[Array, Quadratic]:
    """The linear parameters at their least-squares values for the others, where that is better: a curved valley is
    followed along its floor.
    """
    part = list(problem.linear)
    free = ~_held(problem, theta, at.gradient)[:, part]
    matrix = np.where(free[:, :, None] & free[:, None, :], at.major[:, part][:, :, part], 0.0)
    size = np.sqrt(np.maximum(np.einsum("kqq->kq", matrix), 1e-300))
    matrix = matrix / (size[:, :, None] * size[:, None, :]) + np.eye(len(part)) * np.where(free, 1e-14, 1.0)[:, None]
    right = np.where(free, -at.gradient[:, part] / size, 0.0)
    if not (np.isfinite(matrix).all() and np.isfinite(right).all()):
        return theta, at
    moved = theta.copy()
    moved[:, part] += _solve(matrix, right) / size
    moved = np.clip(moved, problem.lower, problem.upper)
    new = problem.quadratic(moved)
    better = new.cost < at.cost
    at.put(better, new, better)
    return np.where(better[:, None], moved, theta), at


def scaled_gradient(problem: Problem, theta: Array, at: Quadratic) -> Array:
    """Largest |gradient| over the parameters free to move, (k,), in units free of scale.

    A parameter's unit of length is the one that changes the majorising quadratic by the objective itself.
    """
    free = ~_held(problem, theta, at.gradient)
    size = np.sqrt(np.maximum(np.einsum("kpp->kp", at.major), 1e-300) * np.maximum(2 * at.cost, 1e-300)[:, None])
    return np.asarray(np.max(np.where(free, np.abs(at.gradient) / size, 0.0), axis=1))


def _step(problem: Problem, theta: Array, at: Quadratic, damping: Array) -> tuple[Array, Array]:
    """The damped Newton step (k, p) of the parameters that are free to move, and the decrease it promises (k,)."""
    free = ~_held(problem, theta, at.gradient)
    diagonal = np.einsum("kpp->kp", at.major)
    size = np.where(free & (diagonal > 0), np.sqrt(np.maximum(diagonal, 1e-300)), 1.0)
    scale = size[:, :, None] * size[:, None, :]
    eye = np.eye(theta.shape[1])
    major, hessian, gradient = at.major / scale, at.hessian / scale, at.gradient / size
    if not free.all():
        both = free[:, :, None] & free[:, None, :]
        major, hessian, gradient = (
            np.where(both, major, 0.0),
            np.where(both, hessian, 0.0),
            np.where(free, gradient, 0.0),
        )
        hessian += eye * ~free[:, None, :]
    matrix = hessian + damping[:, None, None] * (major + eye) + 1e-14 * eye
    if not (np.isfinite(matrix).all() and np.isfinite(gradient).all()):
        # A start where the law overflows: its search may fail, the others must not.
        matrix = np.nan_to_num(matrix, posinf=1e150, neginf=-1e150) + eye
        gradient = np.nan_to_num(gradient, posinf=1e150, neginf=-1e150)
    step = _solve(matrix, -gradient)
    climbs = (step * gradient).sum(axis=1) > 0
    if np.any(climbs):  # the Hessian is indefinite there: the majoriser never is
        safe = np.nan_to_num(major[climbs] * (1 + damping[climbs])[:, None, None]) + eye * 1e-8
        safe += eye * ~free[climbs][:, None, :]
        step[climbs] = _solve(safe, -gradient[climbs])
    gain = -0.5 * (step * gradient).sum(axis=1)
    return step / size, gain


def _solve(matrix: Array, right: Array) -> Array:
    """Solutions (k, p) of k systems (k, p, p); where one is singular, all are taken a little away from it."""
    try:
        return np.asarray(np.linalg.solve(matrix, right[:, :, None])[:, :, 0])
    except np.linalg.LinAlgError:
        size = np.max(np.abs(matrix), axis=(1, 2))[:, None, None] + 1e-300
        shifted = matrix / size + 1e-7 * np.diag(1 + np.arange(matrix.shape[1]))
        return np.asarray((np.linalg.pinv(shifted) @ right[:, :, None] / size)[:, :, 0])


def _damp(damping: Array, ratio: Array, better: Mask) -> Array:
    """Less damping after a step that kept its promise, more after one that did not."""
    kept = np.where(ratio > 0.75, damping * 0.04, np.where(ratio > 0.25, damping * 0.4, damping * 2.0))
    return np.asarray(np.where(better, np.maximum(kept, 1e-16), np.maximum(damping, 1e-7) * 8.0))


def _held(problem: Problem, theta: Array, gradient: Array) -> Mask:
    """Parameters that stay where they are: fixed, or at a bound that the gradient pushes against, (k, p)."""
    fixed = problem.upper - problem.lower <= FIXED
    low = (theta <= problem.lower) & (gradient > 0)
    high = (theta >= problem.upper) & (gradient < 0)
    return np.asarray(fixed | low | high)


def _columns(theta: Array) -> Array:
    """(k, p) to (p, k, 1): what a law's formula broadcasts."""
    return theta.T[:, :, None]


def _gram(jac: Array, weight: Array) -> Array:
    """J' diag(w) J for every search, (k, p, p)."""
    transposed = np.swapaxes(jac, 1, 2)
    return np.asarray((transposed * weight[:, None, :]) @ jac)


def _at_bound(theta: Array, problem: Problem) -> Mask:
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
    with np.errstate(all="ignore"):
        value, every = problem.derive(_columns(theta[None]))
    used = problem.weight > 0
    r, jac, w = (value[0] - problem.observed)[used], every[0][used], problem.weight[used]
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
