"""Optimal learning rate and batch size: published laws, the surfaces of a sweep, and the regret of following a law.

The loss is flat around its optimum, so exponents are poorly identified while the choice itself hardly matters: laws are
judged by their regret, the loss lost by following them, not by their exponents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..fit.errors import NotASweepError
from ..fit.newton import Array
from .published import rounding

# eta = c N^n D^d C^f and B = c N^n D^d C^f; B in tokens, N in parameters without embeddings, D in tokens, C in FLOPs.
Term = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class HyperparameterLaw:
    """Learning rate and batch size (tokens) as products of powers, constants as printed."""

    name: str
    lr: Term
    batch: Term
    source: str

    def at(self, params: Array, tokens: Array, flops: Array, draws: int = 0, seed: int = 0) -> tuple[Array, Array]:
        """Learning rate and batch size in tokens; with ``draws``, that many within the rounding of the constants."""
        rng = np.random.default_rng(seed)
        return tuple(  # type: ignore[return-value]
            _power(term, params, tokens, flops, rng if draws else None, draws) for term in (self.lr, self.batch)
        )


def _power(
    term: Term, params: Array, tokens: Array, flops: Array, rng: np.random.Generator | None, draws: int
) -> Array:
    shake = {k: rounding(v) * rng.uniform(-1, 1, draws) if rng else 0.0 for k, v in term.items()}
    p = {k: float(v) + shake[k] for k, v in term.items()}
    log = np.log(p["c"]) + p.get("N", 0.0) * np.log(params) + p.get("D", 0.0) * np.log(tokens)
    return np.asarray(np.exp(log + p.get("C", 0.0) * np.log(flops)))


PUBLISHED_RULES = {
    law.name: law
    for law in (
        HyperparameterLaw(
            name="deepseek",
            lr={"c": "0.3118", "C": "-0.1250"},
            batch={"c": "0.2920", "C": "0.3271"},
            source="DeepSeek LLM (arXiv 2401.02954), equation 1; C = M D with attention",
        ),
        HyperparameterLaw(
            name="steplaw",
            lr={"c": "1.79", "N": "-0.713", "D": "0.307"},
            batch={"c": "0.58", "D": "0.571"},
            source="Step Law (arXiv 2503.04715); N without embeddings",
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Surface:
    """The loss of one (N, D) over log learning rate and log batch, a quadratic fitted near the best runs.

    log L = c . (1, x, y, x^2, x y, y^2) with x, y the logarithms less ``centre``. ``reach`` is the box of the sweep,
    ``best`` the lowest loss that was measured, ``optimum`` (2,) the minimum of the quadratic within the sweep (learning
    rate, batch in tokens), and ``residual`` the standard deviation of log loss about it.
    """

    params: float
    tokens: float
    centre: Array
    coefficients: Array
    reach: Array
    best: float
    optimum: Array
    residual: float

    def loss(self, lr: Array, batch: Array) -> Array:
        """Loss at points inside the sweep; outside, at the nearest edge (a lower bound of what it would cost)."""
        at = np.stack([np.log(lr), np.log(batch)], axis=-1)
        z = np.clip(at, self.reach[0], self.reach[1]) - self.centre
        return np.asarray(np.exp(_basis(z) @ self.coefficients))


def _basis(z: Array) -> Array:
    x, y = z[..., 0], z[..., 1]
    return np.stack([np.ones_like(x), x, y, x**2, x * y, y**2], axis=-1)


def fit_surface(params: float, tokens: float, lr: Array, batch: Array, loss: Array, window: float = 0.03) -> Surface:
    """Fit one group's surface to the runs within ``window`` (a share) of its best loss, better runs counting more.

    Raises
    ------
    NotASweepError
        When the group has fewer than eight runs to fit.
    """
    best = float(loss.min())
    gap = loss / best - 1
    while np.sum(gap <= window) < 12 and window < 0.3:
        window *= 1.3
    near = gap <= window
    if near.sum() < 8:
        raise NotASweepError(
            f"N = {params:.3g}, D = {tokens:.3g}: {int(near.sum())} runs near the optimum, a surface needs 8"
        )
    points = np.stack([np.log(lr), np.log(batch)], axis=1)
    centre = points[near].mean(axis=0)
    weight = np.sqrt(np.exp(-gap[near] / (window / 2)))
    c = np.linalg.lstsq(_basis(points[near] - centre) * weight[:, None], np.log(loss[near]) * weight, rcond=None)[0]
    residual = float(np.sqrt(np.average((_basis(points[near] - centre) @ c - np.log(loss[near])) ** 2)))
    reach = np.array([points.min(axis=0), points.max(axis=0)])
    lines = [np.linspace(reach[0, i], reach[1, i], 121) for i in (0, 1)]
    grid = np.stack(np.meshgrid(lines[0], lines[1], indexing="ij"), axis=-1)
    values = _basis(grid - centre) @ c
    optimum = np.exp(grid.reshape(-1, 2)[values.argmin()])
    return Surface(
        params=params,
        tokens=tokens,
        centre=centre,
        coefficients=c,
        reach=reach,
        best=best,
        optimum=optimum,
        residual=residual,
    )


def fit_surfaces(params: Array, tokens: Array, lr: Array, batch: Array, loss: Array) -> list[Surface]:
    """One surface per group of equal (N, D); batch in tokens."""
    groups = sorted(set(zip(params.tolist(), tokens.tolist(), strict=True)))
    fitted = []
    for n, d in groups:
        rows = (params == n) & (tokens == d)
        fitted.append(fit_surface(n, d, lr[rows], batch[rows], loss[rows]))
    return fitted


@dataclass(frozen=True)
class FittedHyperparameterLaw:
    """log eta = l . (1, log N, log D), log B = b . (1, log N, log D): Step Law's form fitted to optima."""

    lr: Array
    batch: Array

    def at(self, params: Array, tokens: Array) -> tuple[Array, Array]:
        """Learning rate and batch size in tokens."""
        design = np.stack([np.ones_like(np.asarray(params, float)), np.log(params), np.log(tokens)], axis=-1)
        return np.exp(design @ self.lr), np.exp(design @ self.batch)


def fit_law(surfaces: Sequence[Surface], batch_on_size: bool = False) -> FittedHyperparameterLaw:
    """Step Law's form by least squares on the optima of surfaces; its batch depends on D alone unless told
    otherwise.
    """
    n, d = np.log([s.params for s in surfaces]), np.log([s.tokens for s in surfaces])
    best = np.log([s.optimum for s in surfaces])
    design = np.stack([np.ones_like(n), n, d], axis=1)
    lr = np.linalg.lstsq(design, best[:, 0], rcond=None)[0]
    used = [0, 1, 2] if batch_on_size else [0, 2]
    batch = np.zeros(3)
    batch[used] = np.linalg.lstsq(design[:, used], best[:, 1], rcond=None)[0]
    return FittedHyperparameterLaw(lr, batch)


def regret(surfaces: Sequence[Surface], lr: Array, batch: Array) -> Array:
    """Share of the loss that is lost in each group by using ``lr`` and ``batch`` (g,) instead of its optimum, (g,)."""
    at = [float(s.loss(np.array(a), np.array(b))) for s, a, b in zip(surfaces, lr, batch, strict=True)]
    low = [float(s.loss(s.optimum[0], s.optimum[1])) for s in surfaces]
    return np.asarray(np.maximum(np.array(at) / np.array(low) - 1, 0.0))


def leave_one_size_out(surfaces: Sequence[Surface]) -> Array:
    """Regret in every group of a law fitted without any group of its model size, (g,)."""
    sizes = np.array([s.params for s in surfaces])
    lost = np.empty(len(surfaces))
    for size in np.unique(sizes):
        held = np.flatnonzero(sizes == size).tolist()
        law = fit_law([s for s in surfaces if s.params != size])
        rows = [surfaces[i] for i in held]
        lost[held] = regret(rows, *law.at(sizes[held], np.array([s.tokens for s in rows])))
    return lost
