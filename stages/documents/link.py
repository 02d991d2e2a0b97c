"""From documents' levels to a task's accuracy: one logistic curve for all documents of a task.

A document at level l (its NLL, or its margin) is answered right with probability

    p(l) = floor + (1 - floor)·logistic(s·(midpoint - l)·exp(steepness))

where s is 1 for an NLL and -1 for a margin. A task's accuracy is the mean over its documents. Where it is only known
how many documents were right, the curve is fitted to that (binomial likelihood); where it is known which, to that.
Weak priors hold what a ladder near chance cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ..fit.newton import Array

STEEPEST, FLATTEST = 8.0, 0.02  # per spread of levels: beyond these a curve is a step or a constant


@dataclass(frozen=True, kw_only=True)
class LinkPriors:
    """Priors of the curve; chosen on ladders' backtests."""

    steepness: float = 3.0
    """Typical slope of the curve, per standard deviation of the levels, over groups and checkpoints."""

    steepness_spread: float = 2.0
    """Standard deviation of its logarithm."""

    floor_spread: float = 0.01
    """Standard deviation of the floor around chance; 0 fixes it there."""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Groups of documents at checkpoints: what a link is fitted to.

    Attributes
    ----------
    levels : (m, B)
        Mean level of a group's documents.
    shares : (B,)
        Each group's share of the documents; they sum to 1.
    right : (m, B) or (m,)
        Share answered right: of every group, or of the task.
    worth : (m,)
        Documents that a checkpoint counts for: fewer than it has, since a run's checkpoints tell of one run.
    """

    levels: Array
    shares: Array
    right: Array
    worth: Array


@dataclass(frozen=True, kw_only=True)
class Link:
    """A fitted link: midpoint, log steepness, floor; their covariance; and the scatter of accuracies around it."""

    theta: Array
    covariance: Array
    scatter: float
    sign: float

    def probability(self, levels: Array) -> Array:
        """Probability that documents at these levels are answered right; the shape of ``levels``."""
        return _curve(self.theta, levels, self.sign)

    def accuracy(self, levels: Array, shares: Array) -> tuple[Array, Array, Array]:
        """Accuracy (t,) of groups at ``levels`` (t, B), its slopes in the levels (t, B), its error by the link (t,)."""
        value = self.probability(levels) @ shares
        floor, steep = self.theta[2], np.exp(self.theta[1])
        s = expit(self.sign * steep * (self.theta[0] - levels))
        gradient = -(1 - floor) * self.sign * steep * s * (1 - s) * shares
        jacobian = np.stack([slope @ shares for slope in _slopes(self.theta, levels, self.sign)], axis=1)
        return value, gradient, np.sqrt(np.einsum("tp,pq,tq->t", jacobian, self.covariance, jacobian))


def fit_link(cells: Cells, chance: float, sign: float, priors: LinkPriors | None = None) -> Link:
    """The curve of greatest posterior, by Fisher scoring with step halving from a few starts; deterministic."""
    problem = _Problem.of(cells, chance, sign, priors or LinkPriors())
    theta = min((problem.search(start) for start in problem.starts()), key=problem.cost)
    information = problem.derivatives(theta)[1]
    residual = problem.residual(theta)
    freedom = max(len(residual) - 2, 1)
    return Link(
        theta=theta,
        covariance=np.asarray(np.linalg.inv(information), dtype=float),
        scatter=float(np.sqrt((residual**2).sum() / freedom)),
        sign=sign,
    )


@dataclass(frozen=True, kw_only=True)
class _Problem:
    cells: Cells
    sign: float
    centre: Array  # prior mean of theta
    precision: Array  # of the prior, (3,)
    low: Array
    high: Array

    @classmethod
    def of(cls, cells: Cells, chance: float, sign: float, priors: LinkPriors) -> _Problem:
        middle = float(cells.levels.mean(axis=0) @ cells.shares)
        spread = max(float(np.sqrt(((cells.levels - middle) ** 2).mean(axis=0) @ cells.shares)), 1e-6)
        floor_spread = max(priors.floor_spread, 1e-6)
        spreads = np.array([20 * spread, priors.steepness_spread, floor_spread])
        return cls(
            cells=cells,
            sign=sign,
            centre=np.array([middle, np.log(priors.steepness / spread), chance]),
            precision=spreads**-2.0,
            low=np.array([middle - 60 * spread, np.log(FLATTEST / spread), max(chance - 5 * floor_spread, 0.0)]),
            high=np.array([middle + 60 * spread, np.log(STEEPEST / spread), min(chance + 3 * floor_spread, 0.95)]),
        )

    def starts(self) -> list[Array]:
        spread = self.precision[0] ** -0.5 / 20
        return [
            np.clip(self.centre + np.array([-self.sign * away * spread, steeper, 0.0]), self.low, self.high)
            for away in (0.0, 1.5, 3.0)
            for steeper in (-0.5, 0.7)
        ]

    def modelled(self, theta: Array) -> Array:
        """The shares that should be right, in the shape in which they are known."""
        p = _curve(theta, self.cells.levels, self.sign)
        return p @ self.cells.shares if self.cells.right.ndim == 1 else p

    def worth(self) -> Array:
        worth = self.cells.worth
        return worth if self.cells.right.ndim == 1 else worth[:, None] * self.cells.shares

    def residual(self, theta: Array) -> Array:
        """Of the task's accuracy, (m,)."""
        known = self.cells.right if self.cells.right.ndim == 1 else self.cells.right @ self.cells.shares
        return np.asarray(known - _curve(theta, self.cells.levels, self.sign) @ self.cells.shares)

    def cost(self, theta: Array) -> float:
        """Minus the log posterior."""
        p = np.clip(self.modelled(theta), 1e-9, 1 - 1e-9)
        right = self.cells.right
        likelihood = self.worth() * (right * np.log(p) + (1 - right) * np.log1p(-p))
        return float(-likelihood.sum() + 0.5 * (self.precision * (theta - self.centre) ** 2).sum())

    def derivatives(self, theta: Array) -> tuple[Array, Array]:
        """Gradient (3,) of the cost, and Fisher information (3, 3) with the prior's."""
        p = np.clip(self.modelled(theta), 1e-9, 1 - 1e-9)
        slopes = _slopes(theta, self.cells.levels, self.sign)
        if self.cells.right.ndim == 1:
            slopes = [slope @ self.cells.shares for slope in slopes]
        jacobian = np.stack([slope.ravel() for slope in slopes], axis=1)
        weight = (self.worth() / (p * (1 - p))).ravel()
        gradient = -jacobian.T @ (weight * (self.cells.right - p).ravel()) + self.precision * (theta - self.centre)
        return gradient, jacobian.T @ (weight[:, None] * jacobian) + np.diag(self.precision)

    def search(self, theta: Array) -> Array:
        cost = self.cost(theta)
        for _ in range(60):
            gradient, information = self.derivatives(theta)
            free = ~((theta <= self.low) & (gradient > 0) | (theta >= self.high) & (gradient < 0))
            step = np.zeros(3)
            step[free] = -np.linalg.solve(information[np.ix_(free, free)], gradient[free])
            for _ in range(30):
                nearer = np.clip(theta + step, self.low, self.high)
                new = self.cost(nearer)
                if new <= cost:
                    break
                step = step / 2
            else:
                break
            gain, theta, cost = cost - new, nearer, new
            if gain < 1e-8 * (1 + abs(cost)):
                break
        return theta


def _curve(theta: Array, levels: Array, sign: float) -> Array:
    return np.asarray(theta[2] + (1 - theta[2]) * expit(sign * np.exp(theta[1]) * (theta[0] - levels)))


def _slopes(theta: Array, levels: Array, sign: float) -> list[Array]:
    """Derivatives of the curve in midpoint, log steepness and floor, each the shape of ``levels``."""
    steep = sign * np.exp(theta[1])
    s = expit(steep * (theta[0] - levels))
    slope = (1 - theta[2]) * s * (1 - s)
    return [slope * steep, slope * steep * (theta[0] - levels), 1 - s]
