"""What it costs to miss the compute-optimal split of a budget between model and data, for any law that has one.

Every function takes a law's class and parameters as arrays (k,), one entry per draw of an estimate's distribution, so
that an answer and its interval come from the same line.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from ..fit.newton import Array
from ..laws.surface import LossSurface, ParameterDraws, ignore_overflow

MOST_WASTE = 1e12  # a deviation's loss is looked for at budgets down to C over this
RANGE_FACTOR = 1e9  # the near-optimal range is looked for within this factor of the best size
RANGE_STEPS = 60  # bisections of log N in it: to a part in 1e17


@ignore_overflow
def deviation(
    law: type[LossSurface], draws: ParameterDraws, flops: float, factors: Array, flops_per_pair: float = 6.0
) -> tuple[Array, Array]:
    """What training a model ``factors`` (m,) times the optimal size costs at the same compute.

    Returns
    -------
    extra : (k, m)
        Loss above the minimum, in the law's ``y_unit``.
    waste : (k, m)
        The compute that was wasted, as a share: 1 - C'/C where C' buys the same loss at its own optimum.
    """
    best = law.optimum_at(draws, flops, flops_per_pair)
    params = best.params[:, None] * np.asarray(factors)
    stacked = {name: np.asarray(value)[:, None] for name, value in draws.items()}
    loss = law.loss_at(stacked, params, flops / flops_per_pair / params)
    waste = np.empty_like(loss)
    for i in range(len(best.params)):
        one = {name: np.asarray(value)[i : i + 1] for name, value in draws.items()}
        waste[i] = [1 - _compute_for(law, one, target, flops, flops_per_pair) / flops for target in loss[i]]
    return loss - best.loss[:, None], waste


def _compute_for(
    law: type[LossSurface], draw: ParameterDraws, loss: float, flops: float, flops_per_pair: float
) -> float:
    """Compute whose optimal loss is ``loss``, FLOPs; at most ``flops``."""

    def gap(log_c: float) -> float:
        return float(law.optimum_at(draw, float(np.exp(log_c)), flops_per_pair).loss[0]) - loss

    high = float(np.log(flops))
    if gap(high) >= 0:
        return flops
    low = high - np.log(MOST_WASTE)
    return float(np.exp(brentq(gap, low, high))) if gap(low) > 0 else float(np.exp(low))


@ignore_overflow
def near_optimal(
    law: type[LossSurface], draws: ParameterDraws, flops: float, share: float, flops_per_pair: float = 6.0
) -> tuple[Array, Array]:
    """Model sizes whose loss at ``flops`` is within ``share`` (0.001 for 0.1 %) of the minimum: low and high, (k,).

    Bisection on log N on either side of the optimum; the loss is unimodal in log N for every law that has an optimum.
    """
    best = law.optimum_at(draws, flops, flops_per_pair)
    limit = best.loss * (1 + share)
    ends = []
    for direction in (-1.0, 1.0):
        inside, outside = np.log(best.params), np.log(best.params) + direction * np.log(RANGE_FACTOR)
        for _ in range(RANGE_STEPS):
            midpoint = (inside + outside) / 2
            loss = law.loss_at(draws, np.exp(midpoint), flops / flops_per_pair / np.exp(midpoint))
            below = loss <= limit
            inside, outside = np.where(below, midpoint, inside), np.where(below, outside, midpoint)
        ends.append(np.exp(inside))
    return ends[0], ends[1]
