"""From a ladder's validation losses to the best size for a budget, and to isoFLOP curves where the ladder is a sweep.

Approaches 3 and 2 of Hoffmann et al. (arXiv 2203.15556, sections 3.3 and 3.2), on the runs that may be fitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from benchcast.reports.records.optimum import Frontier, IsoFLOPCurves, Optimum, SizeCurve
from benchcast.reports.records.plan import BudgetCurve, Estimate
from benchcast.stages.fit.errors import FitError
from benchcast.stages.fit.estimate import FitStatus
from benchcast.stages.fit.intervals import central_interval
from benchcast.stages.fit.newton import Array
from benchcast.stages.laws.loss.chinchilla import ChinchillaLoss
from benchcast.stages.planning.isoflop import isoflop, sweep_budgets

LOSS = "val_loss"
LEAST = 3  # sizes, numbers of tokens per parameter, and budgets, below which there is nothing to fit
FEWEST = 8  # runs: three more than the law has parameters
DRAWN = 30  # points of the frontier that a figure needs
DRAWS = 100  # resamples: an interval of 90 % in a figure needs no more


def optima(table: pd.DataFrame, roles: pd.Series, level: float, planned: Iterable[float]) -> tuple[Optimum, ...]:
    """What every family's validation losses say of the best size; nothing of a family whose runs cannot tell.

    Parameters
    ----------
    table : DataFrame
        The ladder table.
    roles : Series
        Role of each run, by name: held-out runs are left out.
    planned : FLOPs
        Budgets at which the frontier is asked for, beside those of the runs.
    """
    fitted = table[table["run"].map(roles).eq("fit") & table["metric"].eq(LOSS)]
    budgets = [flops for flops in planned if np.isfinite(flops)]
    found = (_optimum(str(family), rows, level, budgets) for family, rows in fitted.groupby("family", sort=False))
    return tuple(each for each in found if each is not None)


def _optimum(family: str, rows: pd.DataFrame, level: float, budgets: list[float]) -> Optimum | None:
    """By the ends of the runs, on the text that most of them were measured on."""
    text = rows.groupby("task", sort=False)["run"].nunique().idxmax()
    ends = rows[rows["task"].eq(text)].sort_values("tokens").groupby("run", sort=False).tail(1)
    sweep, frontier = _isoflop(ends, level), _frontier(ends, level, budgets)
    if sweep is None and frontier is None:
        return None
    return Optimum(family=family, loss=str(text), curves=tuple(_curves(ends)), frontier=frontier, isoflop=sweep)


def _curves(ends: pd.DataFrame) -> Iterator[SizeCurve]:
    """Loss over compute of every size."""
    for params, part in ends.sort_values("flops").groupby("params"):
        flops, loss = (tuple(map(float, part[name])) for name in ("flops", "value"))
        yield SizeCurve(params=float(params), flops=flops, loss=loss)


def _frontier(ends: pd.DataFrame, level: float, budgets: list[float]) -> Frontier | None:
    """Chinchilla's law through the ends of the runs, and the size that it says is best at every budget."""
    params, tokens, loss, flops = (ends[c].to_numpy(dtype=float) for c in ("params", "tokens", "value", "flops"))
    ratios = len(set(np.round(np.log2(tokens / params))))
    if len(ends) < FEWEST or len(set(params)) < LEAST or ratios < LEAST:
        return None
    X = np.column_stack([params, tokens])
    try:
        law = ChinchillaLoss().fit(X, loss)
        drawn = law.natural(law.resample(X, loss, DRAWS).theta)
    except FitError:
        return None
    if law.status_ == FitStatus.ABNORMAL:
        return None
    per_pair = float(np.median(flops / (params * tokens)))
    values = {name: np.array([value]) for name, value in law.estimates_.items()}
    grid = np.unique([*np.geomspace(flops.min(), max([flops.max(), *budgets]), DRAWN), *budgets])
    with np.errstate(all="ignore"):
        best = [law.optimum_at(values, float(c), per_pair) for c in grid]
        spread = [central_interval(law.optimum_at(drawn, float(c), per_pair).params, level) for c in grid]
        exponent = _of_draws(_exponent(values), _exponent(drawn), level)
    center = np.array([float(b.params[0]) for b in best])
    if not np.isfinite([center, *np.transpose(spread)]).all() or exponent.value is None:
        return None
    return Frontier(
        law=type(law).__name__,
        per_pair=per_pair,
        flops=tuple(map(float, grid)),
        loss=tuple(float(b.loss[0]) for b in best),
        params=tuple(map(float, center)),
        low=tuple(min(float(low), n) for (low, _), n in zip(spread, center, strict=True)),
        high=tuple(max(float(high), n) for (_, high), n in zip(spread, center, strict=True)),
        exponent=exponent,
        runs=len(ends),
    )


def _exponent(p: dict[str, Array]) -> Array:
    """Of N* ~ C^exponent: beta / (alpha + beta) (Hoffmann et al., equation 4)."""
    return np.asarray(p["beta"] / (p["alpha"] + p["beta"]))


def _isoflop(ends: pd.DataFrame, level: float) -> IsoFLOPCurves | None:
    flops, params, loss = (ends[name].to_numpy(dtype=float) for name in ("flops", "params", "value"))
    try:
        budgets = sweep_budgets(flops, params, loss)
    except (FitError, ValueError):
        return None
    if len(budgets) < LEAST:
        return None
    fitted = isoflop(budgets, "parabola", DRAWS, level=level)
    if fitted.inside.sum() < LEAST - 1:
        return None
    curves = (
        BudgetCurve(
            flops=b.flops,
            params=tuple(np.exp(b.log_n).tolist()),
            loss=tuple(np.exp(b.log_loss).tolist()),
            minimum=_of_draws(fitted.minima[i : i + 1], fitted.draws[i], level),
            minimum_loss=float(fitted.losses[i]),
            inside=bool(fitted.inside[i]),
        )
        for i, b in enumerate(budgets)
    )
    line = fitted.optimal_params
    exponent = _of_draws(np.array([line.slope]), line.slopes, level)
    return IsoFLOPCurves(budgets=tuple(curves), exponent=exponent, prefactor=float(np.exp(line.intercept)))


def _of_draws(value: Array, draws: Array, level: float) -> Estimate:
    """A value (1,) with the interval of its draws; null for what is not finite."""
    low, high = central_interval(draws, level)
    ends = (min(low, float(value[0])), float(value[0]), max(high, float(value[0])))
    low_, value_, high_ = (float(v) if np.isfinite(v) else None for v in ends)
    return Estimate(value=value_, low=low_, high=high_)
