"""What is wrong with an isoFLOP analysis: checks on the sweep, and its bias on a surface that is known.

A parabola finds the minimum of a symmetric curve from points spread evenly around it. Grids that are off-centre, drift
with C or are wide, and an asymmetric curve, shift it systematically. How far follows from running the same estimator
on noise-free losses of a fitted L(N, D) at the same points.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import t as student

from ..fit.newton import Array
from ..notices import Notice
from ..notices import planning as notices
from .isoflop import CurveKind, IsoFLOP, SweepBudget, isoflop

# Thresholds of the warnings, by judgement; what each kind of sweep does to the exponent is tested on a known surface in
# tests/stages/planning/test_isoflop.py.
OFF_CENTRE = 0.35  # of the half width: beyond it a third of the sweep lies on one side only
DRIFT = 0.5  # change of the off-centre share over the range of budgets
WIDE = 8.0  # largest model over the optimum: beyond it a parabola sees the flanks, not the minimum
SHIFT = 0.05  # relative shift of N* between parabola and cubic that counts as asymmetry


def diagnose(sweep: IsoFLOP) -> tuple[Notice, ...]:
    """Everything about the sweep that biases its minima; empty for a centred sweep of a symmetric curve."""
    log_c = np.log([b.flops for b in sweep.budgets])
    place = np.log(sweep.minima)
    off = np.array([(p - b.centre) / max(b.half_width, 1e-9) for p, b in zip(place, sweep.budgets, strict=True)])
    findings = []
    outside = int(np.sum(~sweep.inside))
    if outside:
        findings.append(notices.OUTSIDE_SWEEP(outside=outside, budgets=len(place)))
    if abs(np.mean(off)) > OFF_CENTRE:
        side = "above" if np.mean(off) > 0 else "below"
        findings.append(notices.OFF_CENTRE(percent=100 * float(abs(np.mean(off))), side=side))
    slope, error = _slope(log_c, off)
    change = slope * float(np.ptp(log_c))
    if abs(change) > DRIFT and abs(slope) > error:
        findings.append(notices.WANDERING(percent=100 * abs(change)))
    width = float(np.exp(np.median([b.half_width for b in sweep.budgets])))
    if sweep.curve == "parabola" and width > WIDE:
        findings.append(notices.WIDE_SWEEP(factor=width))
    shift = asymmetry(sweep.budgets)
    if abs(shift) > SHIFT:
        findings.append(notices.ASYMMETRIC(percent=100 * shift))
    return tuple(findings)


def _slope(x: Array, y: Array) -> tuple[float, float]:
    """Slope of a line and the half width of its 90 % interval (zero width below three points)."""
    design = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    theta, rest, *_ = np.linalg.lstsq(design, y, rcond=None)
    if len(x) < 3 or not len(rest):
        return float(theta[1]), 0.0
    error = np.sqrt(rest[0] / (len(x) - 2) / np.sum(design[:, 1] ** 2))
    return float(theta[1]), float(error * student.ppf(0.95, len(x) - 2))


def asymmetry(budgets: tuple[SweepBudget, ...]) -> float:
    """Median relative shift of N* when the parabola gets a cubic term."""
    shifts = []
    for b in budgets:
        if len(b.log_n) < 5:
            continue
        z = (b.log_n - b.centre) / max(b.half_width, 1e-9)
        square = np.polynomial.polynomial.polyfit(z, b.log_loss, 2)
        cube = np.polynomial.polynomial.polyfit(z, b.log_loss, 3)
        inner = cube[2] ** 2 - 3 * cube[3] * cube[1]
        if square[2] <= 0 or inner <= 0:
            continue
        # The root of the cubic's slope at which it curves upwards, in a form that survives a vanishing cubic term.
        place = -cube[1] / (cube[2] + np.sqrt(inner))
        shifts.append((place + square[1] / (2 * square[2])) * b.half_width)
    return float(np.expm1(np.median(shifts))) if shifts else 0.0


def bias(
    budgets: tuple[SweepBudget, ...],
    curve: CurveKind,
    loss: Callable[[Array, Array], Array],
    optimum: Callable[[float], float],
    flops: float,
    per_pair: float = 6.0,
) -> float:
    """Relative error in N* at ``flops`` that the estimator makes on noise-free losses of a known surface.

    ``loss`` is L(N, D) in nats, ``optimum`` its N*(C); the sweep keeps its own budgets and sizes, with
    C = ``per_pair`` N D.
    """
    clean = tuple(
        SweepBudget(
            flops=b.flops, log_n=b.log_n, log_loss=np.log(loss(np.exp(b.log_n), b.flops / per_pair / np.exp(b.log_n)))
        )
        for b in budgets
    )
    estimate = isoflop(clean, curve, draws=20, noise=1e-6)
    return float(estimate.optimal_params.at(flops) / optimum(flops) - 1)
