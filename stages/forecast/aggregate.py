"""An average over tasks: half what its own scores say, half the mean of its tasks' forecasts; one number.

An average is measured far more exactly than its tasks, so its own trend is clear; what bends a few tasks is seen in
theirs. On the backtests of two ladders neither way is always the better one, and half of each nearly is.

Independent errors would average away; those of one ladder do not, since every task hangs on the same few runs and
often on the same loss. So the common correlation of the tasks' past errors is estimated from the backtest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..fit.newton import Array
from .backtest import COLUMNS, FITTED, BacktestForecasts
from .pathways import CARRY, ONE_STEP, ForecastPath
from .pooling import PooledForecasts
from .rolling_origin import Horizon

PLACE = ["origin", "run", "target"]  # what an average is taken over the tasks at
ABOUT = [name for name in COLUMNS if name not in (*PLACE, "task", "actual")]
HOW = {name: "min" if name in ("cutoff", *FITTED) else "first" for name in ABOUT}  # no member was fitted farther
MEAN = ForecastPath(ONE_STEP, "mean of its tasks")
ITSELF = ForecastPath(ONE_STEP, "the average itself")


@dataclass(frozen=True, kw_only=True)
class AverageConstants:
    """A guess before anything was tested, halfway between independent and equal errors; any ladder overrules it."""

    prior_correlation: float = 0.5
    """Correlation of the tasks' errors before anything was tested."""

    prior_pairs: float = 5.0
    """(cutoff, run) pairs' worth of evidence that it counts."""

    own_share: float = 0.5
    """Share of the forecast that its own scores make, where it was forecast as a task."""


AVERAGES = AverageConstants()


def combine(
    forecasts: BacktestForecasts,
    pooled: PooledForecasts,
    members: Mapping[str, float],
    label: str,
    constants: AverageConstants = AVERAGES,
) -> tuple[BacktestForecasts, PooledForecasts]:
    """The average of some tasks as a backtest of its own, ready for ``calibrate``.

    Parameters
    ----------
    members : task to weight; the weights sum to 1.
    label : str
        Name of the average in the rows.

    Returns
    -------
    (BacktestForecasts, PooledForecasts)
        A row per (horizon, run) that every member was forecast for. Its paths are the mean of the members' pools, with
        the common correlation of their errors in its ``stderr``, the forecast from its own scores where ``label`` is a
        task of ``forecasts`` too, and carrying forward.

    Raises
    ------
    ValueError
        Where nothing was fitted.
    """
    rows = forecasts.rows
    carry = next((i for i, f in enumerate(forecasts.paths) if f.first == CARRY), None)
    if carry is None:
        raise ValueError("no path was fitted to any task: there is nothing to average")
    table = rows[["task", *PLACE]].assign(
        forecast=pooled.mean, std=pooled.std, carried=forecasts.mean[:, carry], actual=rows["actual"]
    )
    table = _aligned(table[rows["task"].isin(members).to_numpy()])
    wide = {c: table.pivot(index=PLACE, columns="task", values=c) for c in ("forecast", "std", "carried", "actual")}
    full = wide["forecast"].notna().all(axis=1).to_numpy() & (wide["forecast"].shape[1] == len(members))
    weight = np.array([members[str(t)] for t in wide["forecast"].columns])
    predicted, std, carried, actual = (wide[c].to_numpy(dtype=float)[full] for c in wide)
    merged = wide["forecast"].index[full].to_frame(index=False).assign(task=label, actual=actual @ weight)
    about = rows.loc[rows["task"].isin(members), [*PLACE, *ABOUT]].groupby(PLACE, as_index=False).agg(HOW)
    merged = merged.merge(about, on=PLACE, how="left").sort_values(["target", "cutoff"], kind="stable")
    order = merged.index.to_numpy()
    mean, shares = predicted[order] @ weight, std[order] * weight
    independent = np.sqrt(np.sum(shares**2, axis=1))
    own = (
        merged[PLACE].merge(_own(forecasts, pooled, label), on=PLACE, how="left")[["mean", "std"]].to_numpy(dtype=float)
    )
    average = BacktestForecasts(
        rows=merged[list(COLUMNS)].reset_index(drop=True),
        paths=(MEAN, ITSELF, ForecastPath(ONE_STEP, CARRY)),
        mean=np.column_stack([mean, own[:, 0], carried[order] @ weight]),
        stderr=np.column_stack([independent, own[:, 1], np.zeros(len(mean))]),
        at_bound=np.zeros((len(mean), 3)),
    )
    rho = _correlations(average, shares, (predicted - actual)[order] * weight, constants)
    average.stderr[:, 0] = np.sqrt((1 - rho) * independent**2 + rho * np.sum(shares, axis=1) ** 2)
    return average, _blended(average, constants)


def _own(forecasts: BacktestForecasts, pooled: PooledForecasts, label: str) -> pd.DataFrame:
    """What the average's own scores say: a row per place, with mean and std."""
    table = forecasts.rows[["task", *PLACE]].assign(mean=pooled.mean, std=pooled.std)
    return table[table["task"].eq(label)].drop(columns="task").drop_duplicates(PLACE, keep="last")


def _blended(average: BacktestForecasts, constants: AverageConstants) -> PooledForecasts:
    """Both ways together; their errors are taken to be the same, since both hang on the same runs."""
    share = np.where(np.isfinite(average.mean[:, 1]), constants.own_share, 0.0)
    weights = np.column_stack([1 - share, share, np.zeros(len(share))])
    ways, stds = np.nan_to_num(average.mean), np.nan_to_num(average.stderr)
    mean = np.sum(weights * ways, axis=1)
    variance = np.sum(weights * (stds**2 + (ways - mean[:, None]) ** 2), axis=1)
    return PooledForecasts(weights=weights, mean=mean, std=np.sqrt(variance))


def _aligned(table: pd.DataFrame) -> pd.DataFrame:
    """Of every target only what the whole ladder says, or the last horizon that a member was fitted at."""
    target = table["target"].to_numpy(dtype=bool)
    last = table[target].groupby(["task", "run"], sort=False).tail(1)
    return pd.concat([table[~target], last.assign(origin=Horizon().name)])


def _correlations(average: BacktestForecasts, shares: Array, errors: Array, constants: AverageConstants) -> Array:
    """Common correlation of the members' errors as known at every row's horizon, (n,).

    From Var(sum e) = sum s_i² + rho (sum_{i≠j} s_i s_j), with the standard deviations s scaled to the errors' own size.
    """
    rho = np.full(len(average.rows), constants.prior_correlation)
    for horizon, here in average.origins():
        known = average.known_at(horizon)
        known = known[np.isfinite(errors[known]).all(axis=1)]
        if not len(known) or shares.shape[1] < 2:
            continue
        squares = np.sum(errors[known] ** 2)
        size = squares / max(float(np.sum(shares[known] ** 2)), 1e-300)
        cross = np.sum(np.sum(errors[known], axis=1) ** 2) - squares
        most = size * (np.sum(np.sum(shares[known], axis=1) ** 2) - np.sum(shares[known] ** 2))
        estimate = float(np.clip(cross / max(most, 1e-300), 0.0, 1.0))
        count = len(known)
        prior = constants.prior_pairs * constants.prior_correlation
        rho[here] = (count * estimate + prior) / (count + constants.prior_pairs)
    return rho
