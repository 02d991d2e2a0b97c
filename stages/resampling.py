"""Resampling a fit: thousands of data sets through the same vectorised search as the fit itself.

Pairs (Efron, Ann. Statist. 7 (1979)), whole runs where observations of one run are not independent, or wild (Wu,
Ann. Statist. 14 (1986)): the residuals keep their place and change their sign.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stages.fitting import Array, Ends, Mask, Problem, search

Kind = Literal["pairs", "runs", "wild"]
FAR = 3.0  # standard deviations from the median of all resamples at which an end is looked at again
BLOCK = 24_000  # observations times resamples searched at once: what fits the processor's cache


@dataclass(frozen=True)
class Resamples:
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
) -> Resamples:
    """Refit ``problem`` on ``n`` resamples from its optimum ``theta`` (p,), or from ``others`` (m, p) if that fails.

    Parameters
    ----------
    groups : (n,), optional
        Runs: drawn whole by ``runs``, flipped together by ``wild``.
    counts : (k, n), optional
        How often each observation is drawn, instead of drawing here (to repeat somebody's resamples).
    """
    drawn = counts is not None
    size = len(problem.observed)
    rng = np.random.default_rng(seed)
    ids = np.arange(size) if groups is None else np.unique(groups, return_inverse=True)[1]
    block = max(1, BLOCK // size)
    total = len(counts) if counts is not None else n
    starts = np.atleast_2d(theta) if others is None else np.vstack([theta, others])
    parts: list[tuple[Ends, Mask]] = []
    for first in range(0, total, block):
        k = min(block, total - first)
        if drawn:
            assert counts is not None
            copy = replace(problem, weight=problem.weight * counts[first : first + k].astype(float))
        elif kind == "wild":
            copy = _wild(problem, theta, ids, k, rng)
        else:
            units = np.arange(size) if kind == "pairs" else ids
            copy = replace(problem, weight=problem.weight * _draw(units, k, rng))
        parts.append(_best(copy, starts, k))
    ends = [e for e, _ in parts]
    return Resamples(
        np.concatenate([e.theta for e in ends]),
        np.concatenate([e.cost for e in ends]),
        np.concatenate([e.gradient for e in ends]),
        np.concatenate([e.converged for e in ends]),
        np.concatenate([m for _, m in parts]),
    )


def _best(problem: Problem, starts: Array, k: int) -> tuple[Ends, Mask]:
    """Where each of k data sets has its optimum: from both sides, and from every start where there is doubt.

    About one in a thousand is trapped in a second basin along the flattest direction, or stalls between two. Doubt is
    where the two sides disagree, where a search failed, and where an end lies far out among the others.
    """
    found = search(problem, np.repeat(starts[:1], k, axis=0))
    moved = np.zeros(k, dtype=bool)
    everyone = np.arange(k)
    _again(problem, found, moved, everyone, _opposite(found.theta))
    far = np.any(np.abs(_standardised(found.theta)) > FAR, axis=1)
    for start in starts[1:]:
        lost = np.flatnonzero(~found.converged | moved | far)
        if not len(lost):
            break
        _again(problem, found, moved, lost, np.repeat(start[None], len(lost), axis=0))
    return found, moved


def _again(problem: Problem, found: Ends, moved: Mask, rows: NDArray[np.int64], start: Array) -> None:
    """Search ``rows`` from ``start`` too, and keep what is better."""
    again = search(problem.rows(rows), start)
    lower = again.cost < found.cost[rows] * (1 - 1e-9)
    better = lower | (~found.converged[rows] & again.converged & (again.cost <= found.cost[rows]))
    for name in ("theta", "cost", "gradient", "converged"):
        getattr(found, name)[rows[better]] = getattr(again, name)[better]
    moved[rows[lower]] = True


def _opposite(theta: Array) -> Array:
    """For each of the ends (k, p) one from the other side of the cloud along its longest axis, (k, p)."""
    spread = _standardised(theta)
    along = spread @ np.linalg.svd(np.nan_to_num(spread), full_matrices=False)[2][0]
    order = np.argsort(along)
    low, high = theta[order[0]], theta[order[-1]]
    return np.asarray(np.where((along > np.median(along))[:, None], low, high))


def _standardised(theta: Array) -> Array:
    spread = theta - np.median(theta, axis=0)
    return np.asarray(spread / np.maximum(np.std(theta, axis=0), 1e-12))


def _draw(units: NDArray[np.generic], k: int, rng: np.random.Generator) -> Array:
    """How often each observation is in each resample when whole units are drawn with replacement, (k, n)."""
    number = int(units.max()) + 1
    picked = rng.integers(0, number, (k, number)) + number * np.arange(k)[:, None]
    counts = np.bincount(picked.ravel(), minlength=k * number).reshape(k, number)
    return counts[:, units].astype(float)


def _wild(problem: Problem, theta: Array, ids: NDArray[np.generic], k: int, rng: np.random.Generator) -> Problem:
    """The fitted values plus the residuals, the signs of each run's drawn at random."""
    fitted = problem.value(theta[:, None, None])[0]
    signs = rng.choice([-1.0, 1.0], (k, int(ids.max()) + 1))[:, ids]
    return replace(problem, observed=fitted + signs * (problem.observed - fitted))
