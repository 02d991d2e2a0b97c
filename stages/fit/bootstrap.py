"""Resampling a fit: thousands of data sets through the same vectorised search as the fit itself.

Pairs (Efron, Ann. Statist. 7 (1979)), whole runs where observations of one run are not independent, or wild (Wu,
Ann. Statist. 14 (1986)): the residuals keep their place and change their sign.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .newton import BLOCK_SIZE, Array, Mask, Problem, SearchResults, search

Kind = Literal["pairs", "runs", "wild"]
OUTLIER_STDS = 2.0  # standard deviations from the median of all resamples at which an end is looked at again


@dataclass(frozen=True, kw_only=True)
class BootstrapResults:
    """Estimates of k resamples: ``theta`` (k, p) on the search scale, objective (k,), and what is left of the gradient.

    ``at_optimum`` (k,) says where the search converged; ``moved`` (k,) where it took a second start to get there.
    """

    theta: Array
    cost: Array
    gradient: Array
    at_optimum: Mask
    moved: Mask


def resample(
    problem: Problem,
    theta: Array,
    n: int = 1000,
    kind: Kind = "pairs",
    groups: NDArray[np.generic] | None = None,
    others: Array | None = None,
    seed: int = 0,
    counts: NDArray[np.generic] | None = None,
) -> BootstrapResults:
    """Refit ``problem`` on ``n`` resamples from its optimum ``theta`` (p,), or from ``others`` (m, p) if that fails.

    Parameters
    ----------
    groups : (n,), optional
        Runs: drawn whole by ``runs``, flipped together by ``wild``.
    counts : (k, n), optional
        How often each observation is drawn, instead of drawing here (to repeat somebody's resamples).
    """
    size = len(problem.observed)
    rng = np.random.default_rng(seed)
    ids = np.arange(size) if groups is None else np.unique(groups, return_inverse=True)[1]
    total = n if counts is None else len(counts)
    block = max(1, BLOCK_SIZE // size)
    best = _BestSearches(total, theta)
    doubts: list[tuple[NDArray[np.int64], Problem]] = []
    for first in range(0, total, block):
        rows = np.arange(first, min(first + block, total))
        if counts is not None:
            copy = replace(problem, weight=problem.weight * counts[rows].astype(float))
        elif kind == "wild":
            copy = _wild(problem, theta, ids, len(rows), rng)
        else:
            units = np.arange(size) if kind == "pairs" else ids
            copy = replace(problem, weight=problem.weight * _draw(units, len(rows), rng))
        best.keep(rows, search(copy, np.repeat(theta[None], len(rows), axis=0)))
        doubt = np.flatnonzero(~best.at_optimum[rows] | _far(best.theta[rows]))
        doubts.append((rows[doubt], copy.rows(doubt)))
    for start in () if others is None else others:
        _retry(best, doubts, start, block)
    return BootstrapResults(
        theta=best.theta, cost=best.cost, gradient=best.gradient, at_optimum=best.at_optimum, moved=best.moved
    )


class _BestSearches:
    """Ends of all resamples, filled block by block."""

    def __init__(self, n: int, theta: Array) -> None:
        self.theta = np.repeat(theta[None], n, axis=0)
        self.cost, self.gradient = np.full(n, np.inf), np.full(n, np.inf)
        self.at_optimum, self.moved = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)

    def keep(self, rows: NDArray[np.int64], ends: SearchResults) -> None:
        """Take what is lower, or equally low and converged where nothing had."""
        lower = ends.cost < self.cost[rows] * (1 - 1e-9)
        better = lower | (~self.at_optimum[rows] & ends.converged & (ends.cost <= self.cost[rows]))
        where = rows[better]
        self.moved[rows[lower]] |= np.isfinite(self.cost[rows[lower]])
        self.theta[where], self.cost[where] = ends.theta[better], ends.cost[better]
        self.gradient[where], self.at_optimum[where] = ends.gradient[better], ends.converged[better]


def _retry(best: _BestSearches, doubts: list[tuple[NDArray[np.int64], Problem]], start: Array, block: int) -> None:
    """Search the doubtful resamples from another start, gathered into blocks again.

    About one in a thousand is trapped in a second basin or stalls between two; those are the ones that did not converge
    or that lie far out among the others.
    """
    rows = np.concatenate([r for r, _ in doubts])
    if not len(rows):
        return
    parts = [p for r, p in doubts if len(r)]
    weight, observed = parts[0].weight, parts[0].observed
    if weight.ndim == 2:
        weight = np.concatenate([p.weight for p in parts])
    if observed.ndim == 2:
        observed = np.concatenate([p.observed for p in parts])
    gathered = replace(parts[0], weight=weight, observed=observed)
    for first in range(0, len(rows), block):
        here = np.arange(first, min(first + block, len(rows)))
        best.keep(rows[here], search(gathered.rows(here), np.repeat(start[None], len(here), axis=0)))


def _far(theta: Array) -> Mask:
    """Which ends lie far from the median of the others in any parameter."""
    spread = theta - np.median(theta, axis=0)
    return np.asarray(np.any(np.abs(spread) > OUTLIER_STDS * np.maximum(np.std(theta, axis=0), 1e-12), axis=1))


def _draw(units: NDArray[np.generic], k: int, rng: np.random.Generator) -> Array:
    """How often each observation is in each resample when whole units are drawn with replacement, (k, n)."""
    number = int(units.max()) + 1
    picked = rng.integers(0, number, (k, number)) + number * np.arange(k)[:, None]
    counts = np.bincount(picked.ravel(), minlength=k * number).reshape(k, number)
    return counts[:, units].astype(float)


def _wild(problem: Problem, theta: Array, ids: NDArray[np.generic], k: int, rng: np.random.Generator) -> Problem:
    """The fitted values plus the residuals, the signs of each run's drawn at random."""
    fitted = problem.value(theta[:, None, None], problem.x)[0]
    signs = rng.choice([-1.0, 1.0], (k, int(ids.max()) + 1))[:, ids]
    return replace(problem, observed=fitted + signs * (problem.observed - fitted))
