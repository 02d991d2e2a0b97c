"""Approach 1: the envelope of training curves. At every compute the lowest curve names the model to train.

Hoffmann et al., arXiv 2203.15556, section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..fit.errors import NotASweepError
from ..fit.intervals import central_interval
from ..fit.newton import Array

GRID_POINTS = 200  # budgets, evenly in log C, at which the lowest curve is looked for


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """The frontier on a grid of compute: FLOPs, best model size and loss (m,), and the power law N* ~ C^exponent.

    ``interval`` is of the exponent, by leaving out whole runs (drawn with replacement). ``sizes`` counts the different
    models on the frontier: with few of them the exponent rests on where they take over from each other.
    """

    flops: Array
    params: Array
    loss: Array
    exponent: float
    intercept: float
    interval: tuple[float, float]
    sizes: int


def envelope(
    run: NDArray[np.generic],
    params: Array,
    flops: Array,
    loss: Array,
    draws: int = 500,
    level: float = 0.9,
    seed: int = 0,
) -> Envelope:
    """Frontier of training curves, one point per (run, checkpoint); curves are joined in log loss over log C.

    Raises
    ------
    NotASweepError
        When fewer than three runs have two or more checkpoints, or no model between the smallest and the largest ever
        has the lowest loss.
    """
    names, ids = np.unique(run, return_inverse=True)
    curves = []
    for i in range(len(names)):
        rows = np.flatnonzero(ids == i)
        rows = rows[np.argsort(flops[rows])]
        if len(rows) >= 2:
            curves.append((np.log(flops[rows]), np.log(loss[rows]), float(params[rows[0]])))
    if len(curves) < 3:
        raise NotASweepError(
            f"an envelope needs three or more training curves of two or more checkpoints; got {len(curves)}"
        )
    # Only where a smaller model could still have won: from the second-shortest curve's end on, and to the last.
    low = max(np.sort([c[0][0] for c in curves])[1], np.min([c[0][-1] for c in curves]))
    grid = np.linspace(low, max(c[0][-1] for c in curves), GRID_POINTS)
    table = np.array([np.interp(grid, x, y, left=np.inf, right=np.inf) for x, y, _ in curves])
    sizes = np.log([c[2] for c in curves])
    best = table.argmin(axis=0)
    usable = _between(sizes, table)
    if usable.sum() < 3:
        raise NotASweepError(
            "the envelope passes from the smallest model straight to the largest: more sizes are needed"
        )
    exponent, intercept = _line(grid, sizes[best], usable)
    rng = np.random.default_rng(seed)
    slopes = []
    for _ in range(draws):
        picked = np.unique(rng.integers(0, len(curves), len(curves)))
        part, usable_here = table[picked], _between(sizes[picked], table[picked])
        if usable_here.sum() > 2:
            slopes.append(_line(grid, sizes[picked][part.argmin(axis=0)], usable_here)[0])
    return Envelope(
        flops=np.exp(grid),
        params=np.exp(sizes[best]),
        loss=np.exp(table.min(axis=0)),
        exponent=exponent,
        intercept=intercept,
        interval=central_interval(np.array(slopes), level),
        sizes=len(np.unique(sizes[best])),
    )


def _between(sizes: Array, table: Array) -> NDArray[np.bool_]:
    """Where the lowest curve is neither of the smallest nor of the largest model: beyond, the sweep says nothing."""
    best = sizes[table.argmin(axis=0)]
    return np.asarray(np.isfinite(table.min(axis=0)) & (best > sizes.min()) & (best < sizes.max()))


def _line(x: Array, y: Array, usable: NDArray[np.bool_]) -> tuple[float, float]:
    slope, intercept = np.polyfit(x[usable], y[usable], 1)
    return float(slope), float(intercept)
