"""Training loss along a learning-rate schedule: what a constant rate, a cosine or a decay gives at every step.

A law of steps alone is broken by a decay. Here loss depends on the area under the schedule and on what its drops have
gained so far. ``schedule_features`` turns a schedule into these two numbers per step, ``AnnealedLoss`` is the law over
them, and ``fit_schedules`` finds how fast a drop takes effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ..fit.errors import FitError
from ..fit.newton import Array
from ..laws.loss.annealed import AnnealedLoss

# Where the search for a response starts: steps until a drop has taken effect, and how a small rate slows that down.
SEED_MEMORIES = tuple(np.geomspace(50.0, 5000.0, 11).tolist())
SEED_GAMMAS = (0.0, 0.25, 0.5)
BLOCKS_PER_CURVE = 8  # parts of a curve whose residuals are taken as independent of each other, by judgement


@dataclass(frozen=True)
class Response:
    """How much of a drop has taken effect after so many steps: 1 - exp(-steps lr^gamma / memory).

    ``lr`` is the learning rate after the drop in units of the peak: with gamma > 0 a small rate works more slowly.
    """

    memory: float
    gamma: float

    def __call__(self, lr: Array, steps: Array) -> Array:
        """The share, broadcast over its arguments."""
        return np.asarray(-np.expm1(-steps * lr**self.gamma / self.memory))


def schedule_features(step: Array, lr: Array, response: Response, peak: float, warmup: float | None = None) -> Array:
    """Area under a schedule and the annealing that has taken effect, at every recorded step.

    Parameters
    ----------
    step, lr : (n,)
        Steps in growing order and the learning rate there; between them it is taken to be linear.
    response : Response
    peak : float
        Learning rate that areas and drops are measured in, the same for all schedules of one law.
    warmup : float, optional
        Steps of linear warm-up before the first recorded step; all of them when left out.

    Returns
    -------
    (n, 2)
        ``area``: S1, the sum of the learning rate over steps in units of ``peak``. ``annealing``: the sum over past
        drops of the learning rate, in units of ``peak``, of the drop times its ``response``.

    Raises
    ------
    FitError
        When steps do not grow or a learning rate is not positive.

    References
    ----------
    Tissue et al., Scaling Law with Learning Rate Annealing, arXiv 2408.11029, equation 1, in its continuous form;
    that a
    smaller rate responds more slowly is Luo et al., A Multi-Power Law for Loss Curve Prediction, arXiv 2503.12811.
    """
    if np.any(np.diff(step) <= 0) or np.any(lr <= 0):
        raise FitError("steps must grow and learning rates be positive")
    rate = lr / peak
    before = step[0] - (step[0] if warmup is None else min(warmup, step[0])) / 2
    area = rate[0] * before + np.concatenate([[0.0], np.cumsum(np.diff(step) * (rate[1:] + rate[:-1]) / 2)])
    at = np.flatnonzero(rate[:-1] != rate[1:])
    # A drop between two records is put halfway between them.
    since = step[:, None] - (step[at] + step[at + 1]) / 2
    effect = np.where(since > 0, response(rate[at + 1], np.maximum(since, 0.0)), 0.0)
    return np.column_stack([area, effect @ (rate[at] - rate[at + 1])])


def table_features(
    curve: NDArray[np.generic], step: Array, lr: Array, response: Response, peak: float, warmup: float | None = None
) -> Array:
    """``schedule_features`` of every curve of a table, in the table's order, (n, 2)."""
    out = np.empty((len(step), 2))
    for name in np.unique(curve):
        rows = np.flatnonzero(curve == name)
        rows = rows[np.argsort(step[rows], kind="stable")]
        out[rows] = schedule_features(step[rows], lr[rows], response, peak, warmup)
    return out


@dataclass(frozen=True, kw_only=True)
class ScheduleFit:
    """The law, the response it was fitted with, and the units: predicts any schedule."""

    law: AnnealedLoss
    response: Response
    peak: float
    warmup: float | None

    def predict(self, step: Array, lr: Array) -> Array:
        """Loss along a schedule, (n,) nats per token."""
        return self.law.predict(schedule_features(step, lr, self.response, self.peak, self.warmup))

    def interval(self, step: Array, lr: Array, level: float = 0.9) -> tuple[Array, Array]:
        """Central interval of a new measurement along a schedule, the response taken as known; (n,) each."""
        return self.law.interval(schedule_features(step, lr, self.response, self.peak, self.warmup), level)


def fit_schedules(
    curve: NDArray[np.generic], step: Array, lr: Array, loss: Array, warmup: float | None = None
) -> ScheduleFit:
    """Fit curves of several schedules: least squares on loss over the law's parameters and the response's two.

    Variable projection: for every response the law is fitted by the engine; a grid and a simplex search find the
    response.
    Each curve weighs the same, whatever its number of records. Residuals are correlated along a curve, so the
    covariance is clustered by eighths of curves.
    """
    peak = float(lr.max())
    names, ids = np.unique(curve, return_inverse=True)
    weight = 1.0 / np.bincount(ids)[ids]
    weight = weight / weight.mean()
    part = np.empty(len(step), dtype=int)
    for i in range(len(names)):
        rows = np.flatnonzero(ids == i)
        part[rows[np.argsort(step[rows])]] = np.arange(len(rows)) * BLOCKS_PER_CURVE // len(rows)

    def fitted(memory: float, gamma: float) -> AnnealedLoss:
        features = table_features(curve, step, lr, Response(memory, gamma), peak, warmup)
        law = AnnealedLoss()
        law.fit(features, loss, sample_weight=weight, groups=ids * BLOCKS_PER_CURVE + part)
        return law

    def cost(p: Array) -> float:
        return fitted(float(np.exp(p[0])), float(p[1])).cost_

    grid = [(m, g) for m in SEED_MEMORIES for g in SEED_GAMMAS]
    memory, gamma = min(grid, key=lambda p: fitted(*p).cost_)
    box = [(np.log(SEED_MEMORIES[0]), np.log(SEED_MEMORIES[-1])), (SEED_GAMMAS[0], 1.0)]
    options = {"maxfev": 40, "xatol": 1e-2}
    optimum = minimize(cost, [np.log(memory), gamma], method="Nelder-Mead", bounds=box, options=options)
    best = Response(float(np.exp(optimum.x[0])), float(optimum.x[1]))
    return ScheduleFit(law=fitted(best.memory, best.gamma), response=best, peak=peak, warmup=warmup)
