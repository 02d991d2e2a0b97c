"""An average over tasks: the mean of the tasks' forecasts, with an interval that knows their errors move together.

Independent errors would average away; those of one ladder do not, since every task hangs on the same few runs and
often on the same loss. So the common correlation of the tasks' past errors is estimated from the backtest.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..fit.newton import Array
from .backtest import COLUMNS, BacktestForecasts
from .pathways import CARRY, ONE_STEP, ForecastPath
from .pooling import PooledForecasts

MEAN = ForecastPath(ONE_STEP, "mean of its tasks")
PRIOR = 0.5  # correlation of errors before anything was tested
PRIOR_COUNT = 5.0  # (cutoff, run) pairs' worth of evidence that it counts


def combine(
    trials: BacktestForecasts, pooled: PooledForecasts, members: Mapping[str, float], label: str
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
        A row per (cutoff, run) that every member was forecast for. Its forms are the mean of the members' pools, whose
        ``stderr`` takes errors to be independent, and carrying forward; the pool's spread has the correlation.

    Raises
    ------
    ValueError
        Where nothing was fitted.
    """
    rows = trials.rows
    carry = next((i for i, f in enumerate(trials.paths) if f.first == CARRY), None)
    if carry is None:
        raise ValueError("no form was fitted to any task: there is nothing to average")
    table = pd.DataFrame(
        {
            **rows[list(COLUMNS)],
            "said": pooled.mean,
            "spread": pooled.spread,
            "carried": trials.mean[:, carry],
        }
    )[rows["task"].isin(members).to_numpy()]
    table = _aligned(table)
    place = ["cutoff", "run", "target"]
    wide = {c: table.pivot(index=place, columns="task", values=c) for c in ("said", "spread", "carried", "actual")}
    full = wide["said"].notna().all(axis=1).to_numpy() & (wide["said"].shape[1] == len(members))
    weight = np.array([members[str(t)] for t in wide["said"].columns])
    said, spread, carried, actual = (wide[c].to_numpy(dtype=float)[full] for c in wide)
    merged = wide["said"].index[full].to_frame(index=False).assign(task=label, actual=actual @ weight)
    flops = rows.drop_duplicates("run").set_index("run")["flops"]
    merged["flops"] = merged["run"].map(flops)
    merged = merged.sort_values(["target", "cutoff"], kind="stable")
    order = merged.index.to_numpy()
    mean, shares = said[order] @ weight, spread[order] * weight
    independent = np.sqrt(np.sum(shares**2, axis=1))
    made = BacktestForecasts(
        merged[list(COLUMNS)].reset_index(drop=True),
        (MEAN, ForecastPath(ONE_STEP, CARRY)),
        np.column_stack([mean, carried[order] @ weight]),
        np.column_stack([independent, np.zeros(len(mean))]),
        np.zeros((len(mean), 2)),
    )
    rho = _correlations(made, shares, (said - actual)[order] * weight)
    joint = np.sqrt((1 - rho) * independent**2 + rho * np.sum(shares, axis=1) ** 2)
    return made, PooledForecasts(np.tile([1.0, 0.0], (len(mean), 1)), mean, joint)


def _aligned(table: pd.DataFrame) -> pd.DataFrame:
    """Targets as each member says last, whatever its largest run; they stand at the smallest of those runs."""
    target = table["target"].to_numpy(dtype=bool)
    last = table[target].sort_values("cutoff", kind="stable").groupby(["task", "run"], sort=False).tail(1)
    return pd.concat([table[~target], last.assign(cutoff=last["cutoff"].min())])


def _correlations(made: BacktestForecasts, shares: Array, errors: Array) -> Array:
    """Common correlation of the members' errors as known at every row's cutoff, (n,).

    From Var(sum e) = sum s_i² + rho (sum_{i≠j} s_i s_j), with the spreads s scaled to the errors' own size.
    """
    cutoffs = made.rows["cutoff"].to_numpy(dtype=float)
    rho = np.full(len(cutoffs), PRIOR)
    for cutoff in np.unique(cutoffs):
        known = made.known_at(cutoff)
        known = known[np.isfinite(errors[known]).all(axis=1)]
        if not len(known) or shares.shape[1] < 2:
            continue
        own = np.sum(errors[known] ** 2)
        size = own / max(float(np.sum(shares[known] ** 2)), 1e-300)
        cross = np.sum(np.sum(errors[known], axis=1) ** 2) - own
        most = size * (np.sum(np.sum(shares[known], axis=1) ** 2) - np.sum(shares[known] ** 2))
        found = float(np.clip(cross / max(most, 1e-300), 0.0, 1.0))
        count = len(known)
        rho[cutoffs == cutoff] = (count * found + PRIOR_COUNT * PRIOR) / (count + PRIOR_COUNT)
    return rho
