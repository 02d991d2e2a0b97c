"""From a ladder's validation losses to the frontier of loss over compute, and to isoFLOP curves where it is a sweep.

Approaches 1 and 2 of Hoffmann et al. (arXiv 2203.15556, sections 3.1 and 3.2), on the runs that may be fitted.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from benchcast.reports.records.optimum import Frontier, IsoFLOPCurves, Optimum, SizeCurve
from benchcast.reports.records.plan import BudgetCurve, Estimate
from benchcast.stages.fit.errors import FitError
from benchcast.stages.fit.intervals import central_interval
from benchcast.stages.fit.newton import Array
from benchcast.stages.planning.envelope import envelope
from benchcast.stages.planning.isoflop import isoflop, sweep_budgets

LOSS = "val_loss"
LEAST = 3  # sizes of two or more runs that make a frontier, and budgets of three or more sizes that make a sweep
DRAWN = 40  # points of the frontier that a figure needs
DRAWS = 400


def optima(table: pd.DataFrame, roles: pd.Series, level: float) -> tuple[Optimum, ...]:
    """What every family's validation losses say of the best size; nothing of a family whose runs cannot tell.

    Parameters
    ----------
    table : DataFrame
        The ladder table.
    roles : Series
        Role of each run, by name: held-out runs are left out.
    """
    fitted = table[table["run"].map(roles).eq("fit") & table["metric"].eq(LOSS)]
    found = (_optimum(str(family), rows, level) for family, rows in fitted.groupby("family", sort=False))
    return tuple(each for each in found if each is not None)


def _optimum(family: str, rows: pd.DataFrame, level: float) -> Optimum | None:
    """Of the text that most runs were measured on."""
    text = rows.groupby("task", sort=False)["run"].nunique().idxmax()
    ordered = rows[rows["task"].eq(text)].sort_values("tokens")
    ends = ordered.groupby("run", sort=False).tail(1)
    sweep = _isoflop(ends, level)
    # Finished runs first: before the learning rate has come down a checkpoint's loss is too high for its compute.
    for points, within in ((ends, False), (ordered, True)):
        frontier = _frontier(points, level)
        if frontier is not None:
            curves = tuple(_curves(points))
            return Optimum(
                family=family, loss=str(text), within_runs=within, curves=curves, frontier=frontier, isoflop=sweep
            )
    if sweep is None:
        return None
    return Optimum(family=family, loss=str(text), within_runs=False, curves=(), frontier=None, isoflop=sweep)


def _curves(points: pd.DataFrame) -> Iterator[SizeCurve]:
    """Loss over compute of every size that has two or more points."""
    for params, part in points.sort_values("flops").groupby("params"):
        if len(part) > 1:
            flops, loss = (tuple(map(float, part[name])) for name in ("flops", "value"))
            yield SizeCurve(params=float(params), flops=flops, loss=loss)


def _frontier(points: pd.DataFrame, level: float) -> Frontier | None:
    if points.groupby("params").size().ge(2).sum() < LEAST:
        return None
    try:
        made = envelope(
            points["params"].to_numpy(),
            *(points[name].to_numpy(dtype=float) for name in ("params", "flops", "value")),
            draws=DRAWS,
            level=level,
        )
    except FitError:  # a grid of sizes that does not bracket the best one
        return None
    kept = np.unique(np.linspace(0, len(made.flops) - 1, DRAWN).round().astype(int))
    low, high = made.interval
    series = {name: tuple(map(float, getattr(made, name)[kept])) for name in ("flops", "loss", "params")}
    return Frontier(
        **series,
        exponent=_estimate(made.exponent, low, high),
        prefactor=float(np.exp(made.intercept)),
        sizes=made.sizes,
    )


def _isoflop(ends: pd.DataFrame, level: float) -> IsoFLOPCurves | None:
    flops, params, loss = (ends[name].to_numpy(dtype=float) for name in ("flops", "params", "value"))
    try:
        budgets = sweep_budgets(flops, params, loss)
    except (FitError, ValueError):
        return None
    if len(budgets) < LEAST:
        return None
    fitted = isoflop(budgets, "parabola", DRAWS, level=level)
    if fitted.inside.sum() < 2:
        return None
    curves = (
        BudgetCurve(
            flops=b.flops,
            params=tuple(np.exp(b.log_n).tolist()),
            loss=tuple(np.exp(b.log_loss).tolist()),
            minimum=_of_draws(float(fitted.minima[i]), fitted.draws[i], level),
            minimum_loss=float(fitted.losses[i]),
            inside=bool(fitted.inside[i]),
        )
        for i, b in enumerate(budgets)
    )
    line = fitted.optimal_params
    exponent, prefactor = _of_draws(line.slope, line.slopes, level), float(np.exp(line.intercept))
    return IsoFLOPCurves(budgets=tuple(curves), exponent=exponent, prefactor=prefactor)


def _of_draws(value: float, draws: Array, level: float) -> Estimate:
    return _estimate(value, *central_interval(draws, level))


def _estimate(value: float, low: float, high: float) -> Estimate:
    ends = (min(low, value), value, max(high, value))
    low_, value_, high_ = (float(v) if np.isfinite(v) else None for v in ends)
    return Estimate(value=value_, low=low_, high=high_)
