"""Compute-optimal allocation: how a budget is split between model and data, and what it costs to miss the split.

Every function takes parameters as arrays (k,), one entry per draw of an estimate's distribution, so that an answer and
its interval come from the same line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from ..fit import checks
from ..fit.newton import Array

ParameterDraws = Mapping[str, Array]  # parameters by the paper's name, each (k,)


@dataclass(frozen=True)
class Split:
    """The optimum of each draw: model size N (parameters, or FLOPs per token), tokens D, and the loss there; (k,)."""

    size: Array
    tokens: Array
    loss: Array

    def interval(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """Central intervals over the draws, by quantity; tokens per parameter too."""
        values = {
            "size": self.size,
            "tokens": self.tokens,
            "loss": self.loss,
            "token_multiplier": self.tokens / self.size,
        }
        return {name: central_interval(v, level) for name, v in values.items()}


# Far from every run a term may be beyond all numbers: the answer is then infinite or NaN, and shown as none.
quiet = np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore")


def central_interval(values: Array, level: float = 0.9) -> tuple[float, float]:
    """Central interval of draws; NaN where they are not finite. ValueError for a level that is not between 0 and 1."""
    checks.level(level)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


@quiet
def chinchilla_loss(p: ParameterDraws, size: Array, tokens: Array) -> Array:
    """L(N, D) = E + A / N^alpha + B / D^beta (arXiv 2203.15556, equation 2)."""
    return np.asarray(p["E"] + p["A"] * size ** -p["alpha"] + p["B"] * tokens ** -p["beta"])


@quiet
def chinchilla_split(p: ParameterDraws, flops: float, per_pair: float = 6.0) -> Split:
    """The least loss under C = per_pair N D, in closed form (arXiv 2203.15556, equation 4).

    N* = G (C/6)^a, D* = (C/6)^b / G with G = (alpha A / (beta B))^(1/(alpha+beta)), a = beta/(alpha+beta), b = 1 - a.
    ``per_pair`` is 1 for DeepSeek's C = M D.
    """
    total = p["alpha"] + p["beta"]
    g = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / total)
    size = g * (flops / per_pair) ** (p["beta"] / total)
    tokens = flops / per_pair / size
    return Split(size, tokens, chinchilla_loss(p, size, tokens))


def chinchilla_exponents(p: ParameterDraws) -> tuple[Array, Array]:
    """Exponents of N*(C) and D*(C): a = beta / (alpha + beta) and 1 - a; each (k,)."""
    a = np.asarray(p["beta"] / (p["alpha"] + p["beta"]))
    return a, 1 - a


@quiet
def kaplan_loss(p: ParameterDraws, size: Array, tokens: Array) -> Array:
    """L(N, D) of arXiv 2001.08361, equation 1.5."""
    inner = (p["N_c"] / size) ** (p["alpha_N"] / p["alpha_D"]) + p["D_c"] / tokens
    return np.asarray(inner ** p["alpha_D"])


@quiet
def kaplan_split(p: ParameterDraws, flops: float, per_pair: float = 6.0) -> Split:
    """The least loss of Kaplan's L(N, D) under C = 6 N D, in closed form.

    With r = alpha_N / alpha_D the sum (N_c/N)^r + 6 D_c N / C is least at N^(r+1) = r N_c^r C / (6 D_c).
    """
    r = p["alpha_N"] / p["alpha_D"]
    size = (r * p["N_c"] ** r * flops / (per_pair * p["D_c"])) ** (1 / (r + 1))
    tokens = flops / per_pair / size
    return Split(size, tokens, kaplan_loss(p, size, tokens))


def kaplan_frontier_exponent(alpha_n: Array, alpha_s: Array, alpha_b: Array) -> tuple[Array, Array, Array, Array]:
    """How N, batch, steps and data grow with optimally spent compute (arXiv 2001.08361, equations 1.7 and 1.8).

    alpha_C = 1 / (1/alpha_S + 1/alpha_B + 1/alpha_N); N ~ C^(alpha_C/alpha_N), B ~ C^(alpha_C/alpha_B),
    S ~ C^(alpha_C/alpha_S), D = B S. The paper's constants give 10x compute -> 5.5x parameters, 1.8x tokens.
    """
    alpha_c = 1 / (1 / alpha_s + 1 / alpha_b + 1 / alpha_n)
    batch, steps = alpha_c / alpha_b, alpha_c / alpha_s
    return alpha_c / alpha_n, batch, steps, batch + steps


@quiet
def overtrained_loss(p: ParameterDraws, size: Array, tokens: Array) -> Array:
    """L(C, M) of arXiv 2403.08540, equation 4, at C = 6 N D and M = D / N."""
    flops, ratio = 6 * size * tokens, tokens / size
    return np.asarray(p["E"] + (p["a"] * ratio ** p["eta"] + p["b"] * ratio ** -p["eta"]) * flops ** -p["eta"])


@quiet
def overtrained_split(p: ParameterDraws, flops: float, per_pair: float = 6.0) -> Split:
    """The least loss of the over-training law: a M^eta + b M^-eta is least at M = (b/a)^(1/(2 eta)) for every C."""
    ratio = (p["b"] / p["a"]) ** (1 / (2 * p["eta"]))
    size = np.sqrt(flops / (per_pair * ratio))
    return Split(size, size * ratio, overtrained_loss(p, size, size * ratio))


LOSSES = {"chinchilla": chinchilla_loss, "kaplan": kaplan_loss, "overtrained": overtrained_loss}
SPLITS = {"chinchilla": chinchilla_split, "kaplan": kaplan_split, "overtrained": overtrained_split}


@quiet
def deviation(form: str, p: ParameterDraws, flops: float, factors: Array, per_pair: float = 6.0) -> tuple[Array, Array]:
    """What training a model ``factors`` (m,) times the optimal size costs at the same compute.

    Returns
    -------
    extra : (k, m)
        Loss above the minimum, nats/token.
    waste : (k, m)
        The compute that was wasted, as a share: 1 - C'/C where C' buys the same loss at its own optimum.
    """
    best = SPLITS[form](p, flops, per_pair)
    size = best.size[:, None] * np.asarray(factors)
    columns = {name: np.asarray(value)[:, None] for name, value in p.items()}
    loss = LOSSES[form](columns, size, flops / per_pair / size)
    waste = np.empty_like(loss)
    for i in range(len(best.size)):
        own = {name: np.asarray(value)[i : i + 1] for name, value in p.items()}
        waste[i] = [1 - _compute_for(form, own, target, flops, per_pair) / flops for target in loss[i]]
    return loss - best.loss[:, None], waste


def _compute_for(form: str, p: ParameterDraws, loss: float, flops: float, per_pair: float) -> float:
    """Compute whose optimal loss is ``loss``, FLOPs; at most ``flops``."""

    def gap(log_c: float) -> float:
        return float(SPLITS[form](p, float(np.exp(log_c)), per_pair).loss[0]) - loss

    high = float(np.log(flops))
    if gap(high) >= 0:
        return flops
    low = high - np.log(1e12)
    return float(np.exp(brentq(gap, low, high))) if gap(low) > 0 else float(np.exp(low))


@quiet
def near_optimal(
    form: str, p: ParameterDraws, flops: float, share: float, per_pair: float = 6.0
) -> tuple[Array, Array]:
    """Model sizes whose loss at ``flops`` is within ``share`` (0.001 for 0.1 %) of the minimum: low and high, (k,).

    Bisection on log N on either side of the optimum; the loss is unimodal in log N for all the forms here.
    """
    best = SPLITS[form](p, flops, per_pair)
    limit = best.loss * (1 + share)
    ends = []
    for direction in (-1.0, 1.0):
        inside, outside = np.log(best.size), np.log(best.size) + direction * np.log(1e9)
        for _ in range(60):
            middle = (inside + outside) / 2
            loss = LOSSES[form](p, np.exp(middle), flops / per_pair / np.exp(middle))
            below = loss <= limit
            inside, outside = np.where(below, middle, inside), np.where(below, outside, middle)
        ends.append(np.exp(inside))
    return ends[0], ends[1]


def contour(form: str, p: ParameterDraws, loss: float, size: Array) -> Array:
    """Tokens at which a model of ``size`` (m,) reaches ``loss``, one draw: (m,); NaN where it never does."""
    one = {name: np.asarray(value).reshape(-1)[:1] for name, value in p.items()}
    low, high = np.zeros(len(size)), np.full(len(size), np.log(1e30))
    with np.errstate(all="ignore"):
        reachable = LOSSES[form](one, size, np.exp(high)) <= loss
        for _ in range(80):
            middle = (low + high) / 2
            above = LOSSES[form](one, size, np.exp(middle)) > loss
            low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(reachable, np.exp(high), np.nan)
