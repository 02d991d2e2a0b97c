"""One search for every law: many starts and many data sets at once, in bounded Newton steps.

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

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
# Numbers of the search, without units. They were set on the published data sets and on thousands of their resamples;
# benchmarks/fit.py holds the search to exactness and speed against two peers.
FIXED_WIDTH = 1e-8  # bounds closer than this mean a fixed parameter
MAX_STEPS = 200  # a search that needs more has lost its way
# Steps that are left to the others once half of a fit's searches have met at the lowest point so far.
AGREEMENT_GRACE = 3
# A search is given up that gained less than this share of its objective in so many steps.
STALL_STEPS, STALL_RTOL = 15, 1e-6
LAGGARD_FACTOR = 2  # searches on different data end when others take this many times the steps that half of them took
GAIN_RTOL = 1e-15  # the step would lower the objective by less than this share of it
OBJECTIVE_RTOL = 1e-6  # relative difference in the objective below which two searches ended at the same optimum
CONVERGED_GRADIENT = 1e-6  # scaled gradient below which a search counts as converged, whatever ended it
BLOCK_SIZE = 24_000  # observations times searches that are worth making at once: what fits the processor's cache
# Fields of a problem and the number of their dimensions where every search has its own.
PER_SEARCH_NDIM = {"x": 3, "observed": 2, "weight": 2, "lower": 2, "upper": 2}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """n observations, p parameters; parameters come as (p, k, 1), so that a law's formula broadcasts to (k, n).

    ``value``, of parameters and ``x``, gives (k, n) on the link scale, ``derive`` that and the Jacobian (k, n, p).
    ``curvature``, if the law has it, takes ``x``, the Jacobian and v (k, n) and gives sum_i v_i times the second
    derivatives of observation i, (k, p, p); with ``log_link`` those of the curve f over f, to which
    (log f)'' = f''/f - (f'/f)(f'/f)' adds the rest. ``linear`` are the parameters that the curve is linear in: under
    least squares they are projected out (variable projection, Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973)).
    ``x`` is (n, columns), ``observed`` and ``weight`` (n,), bounds (p,); where the searches differ in them they are
    (k, columns, n), (k, n) and (k, p).
    """

    value: Callable[[Array, Array], Array]
    derive: Callable[[Array, Array], tuple[Array, Array]]
    curvature: Callable[[Array, Array, Array], Array] | None
    x: Array
    observed: Array
    weight: Array
    lower: Array
    upper: Array
    huber: float | None = None
    log_link: bool = False
    linear: tuple[int, ...] = ()

    @property
    def per_search_fields(self) -> list[str]:
        """In what the searches differ."""
        return [name for name, dimensions in PER_SEARCH_NDIM.items() if getattr(self, name).ndim == dimensions]

    def rows(self, keep: NDArray[np.generic]) -> Problem:
        """The searches ``keep`` only."""
        data = {name: getattr(self, name)[keep] for name in self.per_search_fields}
        return replace(self, **data) if data else self

    def cost(self, theta: Array) -> Array:
        """The objective at ``theta`` (k, p), (k,); infinite where the law overflows."""
        return self._total(self.value(broadcast_params(theta), self.x) - self.observed)

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
        value, jac = self.derive(broadcast_params(theta), self.x)
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
            hessian = _gram(jac, inside - score if self.log_link else inside) + self.curvature(self.x, jac, score)
        else:
            hessian = outer if self.huber is None else _gram(jac, inside)
        return Quadratic(cost=self._total(r), gradient=gradient, hessian=hessian, major=outer)


@dataclass(kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class SearchResults:
    """Where k searches ended: parameters (k, p), objective (k,), scaled gradient (k,), and whether it vanished."""

    theta: Array
    cost: Array
    gradient: Array
    converged: Mask

    def rows(self, keep: NDArray[np.generic]) -> SearchResults:
        """The searches ``keep`` only."""
        return SearchResults(
            theta=self.theta[keep], cost=self.cost[keep], gradient=self.gradient[keep], converged=self.converged[keep]
        )


def search(problem: Problem, start: Array, owner: NDArray[np.int_] | None = None) -> SearchResults:
    """Minimise from every row of ``start`` (k, p) at once, inside the bounds.

    ``owner`` (k,) numbers the fit that each search belongs to: those of one fit have the same data, and end when they
    have met. None: all belong to one fit or, where the problem has rows for every search, each to one of its own.
    """
    if owner is None and not problem.per_search_fields:
        owner = np.zeros(len(start), dtype=int)
    theta = np.clip(start, problem.lower, problem.upper)
    with np.errstate(all="ignore"):
        now = problem.quadratic(theta)
        damping = np.full(len(theta), 1e-2 if problem.huber else 1e-3)
        converged = np.zeros(len(theta), dtype=bool)
        live = np.flatnonzero(np.isfinite(now.cost))
        noise = 1e-28 * np.sum(problem.weight * problem.observed**2, axis=-1)
        deadline = _EarlyStopping(owner, len(theta))
        before = now.cost.copy()
        for count in range(MAX_STEPS):
            live = live[deadline.reached(count, converged, now.cost)[live] >= count]
            if not len(live):
                break
            here = problem.rows(live)
            part = Quadratic(
                cost=now.cost[live], gradient=now.gradient[live], hessian=now.hessian[live], major=now.major[live]
            )
            step, gain = _step(here, theta[live], part, damping[live])
            trial = np.clip(theta[live] + step, here.lower, here.upper)
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
            settled = (np.abs(gain) <= GAIN_RTOL * part.cost) & (damping[live] < 1e-2) | (now.cost[live] <= floor)
            converged[live[settled]] = True
            live = live[~settled & (damping[live] < 1e10)]
            if owner is not None and count % STALL_STEPS == STALL_STEPS - 1:
                # A valley without a floor (a sigmoid through points at chance) would take all steps and end nowhere.
                live = live[before[live] - now.cost[live] > STALL_RTOL * now.cost[live]]
                before = now.cost.copy()
        gradient = scaled_gradient(problem, theta, now)
    return SearchResults(
        theta=theta, cost=now.cost, gradient=gradient, converged=converged | (gradient < CONVERGED_GRADIENT)
    )


class _EarlyStopping:
    """The step after which a search is given up, because the others of its fit have met, or are long done."""

    def __init__(self, owner: NDArray[np.int_] | None, k: int) -> None:
        self.fits = None if owner is None else np.unique(owner, return_inverse=True)[1]
        self.searches = np.array([k]) if self.fits is None else np.bincount(self.fits)
        self.last = np.full(len(self.searches), MAX_STEPS)

    def reached(self, count: int, converged: Mask, cost: Array) -> NDArray[np.int_]:
        """The last step of every search, (k,), as known at step ``count``."""
        if self.fits is None:
            if self.last[0] == MAX_STEPS and self.searches[0] > 2 and 2 * converged.sum() >= self.searches[0]:
                self.last[0] = LAGGARD_FACTOR * count + 5
            return np.broadcast_to(self.last, len(cost))
        lowest = np.full(len(self.searches), np.inf)
        np.minimum.at(lowest, self.fits, cost)
        met = np.bincount(self.fits, converged & (cost <= lowest[self.fits] * (1 + OBJECTIVE_RTOL)), len(lowest))
        agreed = (self.last == MAX_STEPS) & (self.searches > 2) & (2 * met >= self.searches)
        self.last[agreed] = count + AGREEMENT_GRACE
        return self.last[self.fits]


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
    sound = np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(right).all(axis=1)
    if not sound.all():
        matrix, right = np.where(sound[:, None, None], matrix, np.eye(len(part))), np.where(sound[:, None], right, 0.0)
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
    wild = ~(np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(gradient).all(axis=1))
    if wild.any():
        # A start where the law overflows: its search may fail, the others must not.
        matrix[wild] = np.nan_to_num(matrix[wild], posinf=1e150, neginf=-1e150) + eye
        gradient[wild] = np.nan_to_num(gradient[wild], posinf=1e150, neginf=-1e150)
    step = _solve(matrix, -gradient)
    climbs = (step * gradient).sum(axis=1) > 0
    if np.any(climbs):  # the Hessian is indefinite there: the majoriser never is
        safe = np.nan_to_num(major[climbs] * (1 + damping[climbs])[:, None, None]) + eye * 1e-8
        safe += eye * ~free[climbs][:, None, :]
        step[climbs] = _solve(safe, -gradient[climbs])
    gain = -0.5 * (step * gradient).sum(axis=1)
    return step / size, gain


def _solve(matrix: Array, right: Array) -> Array:
    """Solutions (k, p) of k systems (k, p, p); a singular one is taken a little away from where it is."""
    try:
        return np.asarray(np.linalg.solve(matrix, right[:, :, None])[:, :, 0])
    except np.linalg.LinAlgError:
        return np.array([_solve_one(m, r) for m, r in zip(matrix, right, strict=True)])


def _solve_one(matrix: Array, right: Array) -> Array:
    try:
        return np.asarray(np.linalg.solve(matrix, right))
    except np.linalg.LinAlgError:
        size = np.max(np.abs(matrix)) + 1e-300
        return np.asarray(np.linalg.pinv(matrix / size + 1e-7 * np.diag(1 + np.arange(len(matrix)))) @ right / size)


def _damp(damping: Array, ratio: Array, better: Mask) -> Array:
    """Less damping after a step that kept its promise, more after one that did not."""
    kept = np.where(ratio > 0.75, damping * 0.04, np.where(ratio > 0.25, damping * 0.4, damping * 2.0))
    return np.asarray(np.where(better, np.maximum(kept, 1e-16), np.maximum(damping, 1e-7) * 8.0))


def _held(problem: Problem, theta: Array, gradient: Array) -> Mask:
    """Parameters that stay where they are: fixed, or at a bound that the gradient pushes against, (k, p)."""
    fixed = problem.upper - problem.lower <= FIXED_WIDTH
    low = (theta <= problem.lower) & (gradient > 0)
    high = (theta >= problem.upper) & (gradient < 0)
    return np.asarray(fixed | low | high)


def broadcast_params(theta: Array) -> Array:
    """(k, p) to (p, k, 1): what a law's formula broadcasts."""
    return theta.T[:, :, None]


def _gram(jac: Array, weight: Array) -> Array:
    """J' diag(w) J for every search, (k, p, p)."""
    transposed = np.swapaxes(jac, 1, 2)
    return np.asarray((transposed * weight[:, None, :]) @ jac)
