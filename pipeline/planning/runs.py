"""The runs that a plan is fitted on: tokens and FLOPs filled in, and whether they can answer the question at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account, listed
from benchcast.reports.text.numbers import count, significant
from benchcast.stages.fit.newton import Array
from benchcast.stages.notices import Notice, readers
from benchcast.stages.notices import planning as notices

from ..core.errors import Fault, FaultsError, InputError
from . import table as plan_table
from .config import PlanConfig

SAME = 0.05  # share by which ratios or sizes may differ and still be one
FAR = 10.0  # robust standard deviations off the law, and
FAR_LOSS = 0.1  # so much of the loss: what no noise does
OFF = 0.02  # FLOPs this far from 6·params·tokens are counted otherwise


def read(config: PlanConfig, base: Path, data: Path | None, account: Account) -> tuple[pd.DataFrame | None, str]:
    """The runs to fit and their file's name; None without data. Tokens or FLOPs that are not there follow from C = 6ND.

    ``attrs["per_pair"]`` is what a parameter and a token cost, FLOPs: 6, or what the table's own FLOPs say.

    Raises
    ------
    InputError
        For faults of the table, or FLOPs without tokens that are not counted as 6ND.
    """
    settings = config.data
    path = data or (base / settings.path if settings and settings.path else None)
    if path is None:
        if settings is not None:
            raise InputError("data.path: is missing (give the table here, or with --data)")
        return None, "none: published constants"
    columns, where = (settings.columns, settings.where) if settings else ({}, {})
    optional = ("tokens", "flops", "step", "flops_per_token")
    table = plan_table.read_plan_table(path, ("params", "loss"), optional, columns, where, account)
    if "tokens" not in table:
        table["tokens"] = _tokens(table, path, columns.get("tokens", "tokens"), account)
        plan_table.check_units(table, path)
    table.attrs |= {"given": "flops" in table, "per_pair": 6.0}
    if "flops" not in table:
        table["flops"] = 6 * table["params"] * table["tokens"]
    factor = table["flops"] / (6 * table["params"] * table["tokens"])
    if ((factor - 1).abs() > OFF).any():
        middle = float(factor.median())
        table.attrs["per_pair"] = 6 * middle
        account.note(readers.OTHER_FLOPS(path.name, low=float(factor.min()), high=float(factor.max()), median=middle))
    return table.drop(columns="flops_convention", errors="ignore"), path.name


def _tokens(table: pd.DataFrame, path: Path, name: str, account: Account) -> pd.Series:
    """D = C / 6N, where nothing says that FLOPs are counted otherwise."""
    if "flops" not in table:
        what = f"has no column {name!r}, and no flops that it could follow from"
        raise FaultsError([Fault(str(path), what, f"it has {listed(table.columns, 12)}; map yours with columns")])
    conventions = sorted(set(table.get("flops_convention", pd.Series(dtype=str))) - {""})
    if other := [convention for convention in conventions if not plan_table.six(convention)]:
        what = f"has no tokens, and its FLOPs are counted as {other[0]!r}: C / 6N would not be the tokens"
        raise FaultsError([Fault(str(path), what, "give a column tokens")])
    account.note(readers.NO_TOKENS(file=path.name) if conventions else readers.NO_TOKENS(table=path.name))
    return table["flops"] / (6 * table["params"])


def check_spread(table: pd.DataFrame) -> None:
    """Whether the runs differ in what the plan divides.

    Raises
    ------
    FaultsError
        Where all have one number of tokens per parameter, one size or one length: no optimum can be read off them.
    """
    ratio = table["tokens"] / table["params"]
    for values, what, show, fix in (
        (table["params"], "model size ({} parameters)", count, "add runs of other sizes"),
        (table["tokens"], "training length ({} tokens)", count, "add runs of other lengths"),
        (ratio, "number of tokens per parameter ({})", significant, "add runs at other ratios"),
    ):
        if values.max() <= values.min() * (1 + SAME):
            constant = what.format(show(float(values.median())))
            raise FaultsError(
                [
                    Fault(
                        "data",
                        f"all {len(table)} runs have one {constant}: they cannot say how to divide compute between "
                        "parameters and tokens",
                        f"{fix}, or plan by a published law: leave the data out",
                    )
                ]
            )


def diverged(table: pd.DataFrame, fitted: Array) -> list[Notice]:
    """Runs that lie so far above the fitted losses (n,) that they probably diverged, in a note."""
    miss = np.log(table["loss"].to_numpy()) - np.log(fitted)
    scatter = 1.4826 * float(np.median(np.abs(miss - np.median(miss))))
    far = np.flatnonzero(miss > max(FAR * scatter, FAR_LOSS))
    if not 0 < len(far) <= len(miss) / 4:
        return []
    rows = listed(f"row {table.index[i]} (loss {table['loss'].iloc[i]:.4g}, the law says {fitted[i]:.4g})" for i in far)
    return [notices.DIVERGED(diverged=len(far), runs=len(miss), rows=rows)]
