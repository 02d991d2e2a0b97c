"""IsoFLOP analysis: at each compute budget the loss has a minimum in model size; the minima follow a power law in C.

The published procedure is a parabola in log N per budget (Chinchilla, arXiv 2203.15556, approach 2; Llama 3, arXiv
2407.21783, section 3.2.1). An Akima spline through the points (as in arXiv 2406.19146) does not assume symmetry.
Noise draws give every minimum its interval. The power law weighs them by the inverse of their variance, to which the
scatter about the law is added where noise does not explain it (DerSimonian and Laird, Control. Clin. Trials 7 (1986)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import Akima1DInterpolator, CubicSpline

from ..fit import checks
from ..fit.errors import NotASweepError
from ..fit.intervals import central_interval
from ..fit.newton import Array

CurveKind = Literal["akima", "parabola", "cubic"]
CURVES: tuple[CurveKind, ...] = ("akima", "parabola", "cubic")
GRID_POINTS = 301  # points on which a budget's curve is evaluated between its smallest and largest model
NOISE_WINDOW = 0.1  # log loss above a budget's minimum up to which its runs tell the noise: the flanks curve too much


@dataclass(frozen=True, kw_only=True)
class SweepBudget:
    """One budget: FLOPs, and log N and log loss of its runs, (n,) each, by growing N."""

    flops: float
    log_n: Array
    log_loss: Array

    @property
    def centre(self) -> float:
        """Middle of the sweep in log N."""
        return float(self.log_n[0] + self.log_n[-1]) / 2

    @property
    def half_width(self) -> float:
        """Half of what the sweep spans in log N."""
        return float(self.log_n[-1] - self.log_n[0]) / 2


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """A power law y = exp(intercept) C^slope and its draws, (k,) each."""

    slope: float
    intercept: float
    slopes: Array
    intercepts: Array

    def at(self, flops: float | Array) -> Array:
        """The estimate at ``flops``."""
        return np.asarray(np.exp(self.intercept + self.slope * np.log(flops)))

    def draws_at(self, flops: float) -> Array:
        """Its draws at one budget, (k,)."""
        return np.asarray(np.exp(self.intercepts + self.slopes * np.log(flops)))


@dataclass(frozen=True, kw_only=True)
class IsoFLOP:
    """The minima of a sweep, their power laws, and how flat the loss is around them.

    ``minima`` (b,) are N* in parameters per budget, ``losses`` (b,) the loss there, ``draws`` (b, k) noise draws of N*,
    ``inside`` (b,) whether the minimum lies between the smallest and the largest model. ``optimal_params`` and
    ``optimal_tokens`` are the power laws N*(C) and D*(C). ``flat`` maps a share (0.001 for 0.1 %) to the range of N
    within it: (b, 2), and ``growth`` to the growth of its width (a factor in N) per factor e of C. ``noise`` is the
    standard deviation of log loss.
    """

    curve: CurveKind
    budgets: tuple[SweepBudget, ...]
    minima: Array
    losses: Array
    draws: Array
    inside: NDArray[np.bool_]
    optimal_params: PowerLaw
    optimal_tokens: PowerLaw
    flat: dict[float, Array]
    growth: dict[float, tuple[float, float, float]]
    noise: float


def group_budgets(flops: Array, tolerance: float = 0.05) -> NDArray[np.int64]:
    """Number of the budget that each run belongs to, (n,): a gap of more than ``tolerance`` in C starts a new one."""
    order = np.argsort(flops, kind="stable")
    steps = np.diff(np.log(flops[order])) > np.log1p(tolerance)
    labels = np.empty(len(flops), dtype=np.int64)
    labels[order] = np.concatenate([[0], np.cumsum(steps)])
    return labels


def sweep_budgets(flops: Array, params: Array, loss: Array, tolerance: float = 0.05) -> tuple[SweepBudget, ...]:
    """Budgets of at least three model sizes; runs of the same size are averaged.

    A chain of runs that reaches further in C than twice the tolerance is not a budget (checkpoints of training curves).

    Raises
    ------
    NotASweepError
        When fewer than two budgets have three sizes.
    """
    labels = group_budgets(flops, tolerance)
    budgets = []
    for label in range(int(labels.max()) + 1):
        rows = labels == label
        if np.ptp(np.log(flops[rows])) > 2 * np.log1p(tolerance):
            continue
        sizes, where = np.unique(np.log(params[rows]), return_inverse=True)
        if len(sizes) >= 3:
            mean = np.bincount(where, np.log(loss[rows])) / np.bincount(where)
            budgets.append(SweepBudget(flops=float(np.exp(np.mean(np.log(flops[rows])))), log_n=sizes, log_loss=mean))
    if len(budgets) < 2:
        raise NotASweepError(
            f"{len(budgets)} budget(s) have three or more model sizes, two are needed; budgets whose FLOPs differ by "
            f"less than {100 * tolerance:g} % are taken as one (raise the tolerance if yours scatter more)"
        )
    return tuple(budgets)


def isoflop(
    budgets: tuple[SweepBudget, ...],
    curve: CurveKind = "akima",
    draws: int = 1000,
    noise: float | None = None,
    shares: tuple[float, ...] = (0.001, 0.005),
    seed: int = 0,
    level: float = 0.9,
) -> IsoFLOP:
    """Minima, power laws and flatness of a sweep, with intervals of nominal coverage ``level`` from noise draws.

    ``noise`` is the standard deviation of log loss; estimated from the smoothness of the sweep when left out.

    Raises
    ------
    ValueError
        For an unknown curve, draws that are not a whole number above zero, or a noise that is not positive.
    """
    if curve not in CURVES:
        raise ValueError(f"curve must be one of {', '.join(CURVES)}; got {curve!r}")
    checks.count("draws", draws)
    checks.threshold("isoflop", "noise", noise)
    sigma = noise_level(budgets) if noise is None else noise
    rng = np.random.default_rng(seed)
    minima = [_sample_minimum(budget, curve, sigma, draws, rng) for budget in budgets]
    log_c = np.log([b.flops for b in budgets])
    place, drawn = np.array([m.place[0] for m in minima]), np.array([m.place[1:] for m in minima])
    inside = np.array([bool(b.log_n[0] < at < b.log_n[-1]) for b, at in zip(budgets, place, strict=True)])
    usable = inside if inside.sum() >= 2 else np.ones(len(budgets), dtype=bool)
    variance = np.maximum(drawn.var(axis=1), 1e-12)
    excess = _scatter(log_c[usable], place[usable], variance[usable])
    weight = usable / (variance + excess)
    scattered = drawn + np.sqrt(excess) * rng.normal(size=drawn.shape)
    pairs = log_c - np.log(6)  # log N D, by C = 6 N D
    ranges = {s: np.array([_range(m.grid, m.curves, m.value, np.log1p(s)) for m in minima]) for s in shares}
    return IsoFLOP(
        curve=curve,
        budgets=budgets,
        minima=np.exp(place),
        losses=np.exp(np.array([m.value[0] for m in minima])),
        draws=np.exp(drawn),
        inside=inside,
        optimal_params=_line(log_c, place, scattered, weight),
        optimal_tokens=_line(log_c, pairs - place, pairs[:, None] - scattered, weight),
        flat={share: np.exp(w[:, 0]) for share, w in ranges.items()},
        growth={share: _growth(log_c, w, level) for share, w in ranges.items()},
        noise=sigma,
    )


class _Minimum(NamedTuple):
    """Place in log N and value in log loss (k,) of the minimum of k curves through one budget: their values (g, k)
    on a grid (g,).
    """

    place: Array
    value: Array
    grid: Array
    curves: Array


def _sample_minimum(
    budget: SweepBudget, curve: CurveKind, noise: float, draws: int, rng: np.random.Generator
) -> _Minimum:
    """The minimum of the curve through a budget's losses, and through ``draws`` of them with noise: k = 1 + draws."""
    errors = noise * rng.normal(size=(len(budget.log_n), draws))
    losses = budget.log_loss[:, None] + np.hstack([np.zeros((len(budget.log_n), 1)), errors])
    return _minimum(curve, budget.log_n, losses)


def _minimum(curve: CurveKind, x: Array, y: Array) -> _Minimum:
    """The minimum of the curve through each column of y (n, k) at x (n,)."""
    if curve == "parabola" or len(x) < 4:
        centre, scale = x.mean(), max(float(np.ptp(x)) / 2, 1e-9)
        z = (x - centre) / scale
        c = np.linalg.lstsq(np.stack([np.ones_like(z), z, z**2], axis=1), y, rcond=None)[0]
        # A parabola that opens downwards has no minimum: the end of the sweep that is lower stands for it.
        bend = np.where(c[2] > 0, c[2], np.nan)
        place = np.where(c[2] > 0, -c[1] / (2 * bend), np.where(y[0] < y[-1], -1.0, 1.0))
        place = np.clip(place, -4.0, 4.0)
        line = np.linspace(-3.0, 3.0, GRID_POINTS)
        values = c[0] + np.outer(line, c[1]) + np.outer(line**2, c[2])
        return _Minimum(centre + scale * place, c[0] + c[1] * place + c[2] * place**2, centre + scale * line, values)
    grid = np.linspace(x[0], x[-1], GRID_POINTS)
    spline = Akima1DInterpolator(x, y) if curve == "akima" else CubicSpline(x, y)
    values = spline(grid)
    at = np.clip(values.argmin(axis=0), 1, GRID_POINTS - 2)
    columns = np.arange(y.shape[1])
    left, lowest, right = (values[at + i, columns] for i in (-1, 0, 1))
    bend = np.maximum(left - 2 * lowest + right, 1e-300)
    shift = np.clip((left - right) / (2 * bend), -1.0, 1.0)
    place = grid[at] + shift * (grid[1] - grid[0])
    return _Minimum(place, lowest - (left - right) ** 2 / (8 * bend), grid, values)


def _range(grid: Array, values: Array, lowest: Array, room: float) -> Array:
    """Lowest and highest log N whose log loss is within ``room`` of the minimum, for every curve: (k, 2)."""
    below = values <= lowest + room
    first, last = below.argmax(axis=0), len(grid) - 1 - below[::-1].argmax(axis=0)
    return np.stack([grid[first], grid[last]], axis=1)


def _growth(log_c: Array, ranges: Array, level: float) -> tuple[float, float, float]:
    """Exponent with which the width of the near-optimal range (a factor in N) grows with C, and its interval."""
    width = ranges[:, :, 1] - ranges[:, :, 0]
    line = _line(log_c, width[:, 0], width[:, 1:], np.ones(len(log_c)))
    return line.slope, *central_interval(line.slopes, level)


def _scatter(x: Array, y: Array, variance: Array) -> float:
    """Variance of the minima about their power law beyond what the noise explains (the curve does not fit)."""
    if len(x) < 3:
        return 0.0
    residual = y - np.polyval(np.polyfit(x, y, 1), x)
    return max(0.0, float(residual @ residual) / (len(x) - 2) - float(np.mean(variance)))


def _line(log_c: Array, y: Array, drawn: Array, weight: Array) -> PowerLaw:
    """Weighted straight line through y (b,), and through every draw (b, k)."""
    design = np.stack([np.ones_like(log_c), log_c - log_c.mean()], axis=1)
    solve = np.linalg.pinv(design * np.sqrt(weight)[:, None]) * np.sqrt(weight)
    at = solve @ np.hstack([y[:, None], drawn])
    intercept = at[0] - at[1] * log_c.mean()
    return PowerLaw(slope=float(at[1, 0]), intercept=float(intercept[0]), slopes=at[1, 1:], intercepts=intercept[1:])


def noise_level(budgets: tuple[SweepBudget, ...]) -> float:
    """Standard deviation of log loss, from how well four neighbours predict a run near the minimum by a cubic.

    It contains what a cubic cannot follow, so it is too large rather than too small.
    """
    misses = []
    for budget in budgets:
        x, y = budget.log_n, budget.log_loss
        for i in range(2, len(x) - 2):
            if y[i] - y.min() > NOISE_WINDOW:
                continue
            others = x[[i - 2, i - 1, i + 1, i + 2]]
            weights = np.array(
                [np.prod([(x[i] - b) / (a - b) for k, b in enumerate(others) if k != j]) for j, a in enumerate(others)]
            )
            miss = y[i] - weights @ y[[i - 2, i - 1, i + 1, i + 2]]
            misses.append(miss / np.sqrt(1 + weights @ weights))
    return float(np.median(np.abs(misses)) / 0.6745) if len(misses) >= 3 else 1e-3
