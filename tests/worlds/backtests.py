"""Backtests written by hand: a few forecasts, where each was made from, and what came true."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from benchcast.stages.forecast.backtest import BacktestForecasts
from benchcast.stages.forecast.pathways import ForecastPath
from benchcast.stages.forecast.rolling_origin import AXES, Horizon

A, B = ForecastPath("loss", "a"), ForecastPath("loss", "b")
# A run of the ladder, forecast from a tenth of its compute, and a target, forecast from a ladder that ends there.
PAST, TARGET = {"cutoff": 1.0, "flops": 10.0, "target": False}, {"cutoff": 10.0, "flops": 100.0, "target": True}


def beyond(params: float, tokens: float, **more: Any) -> dict[str, Any]:
    """A run so many decades beyond a ladder whose largest run has one parameter, one token, six FLOPs."""
    n, d = 10.0**params, 10.0**tokens
    return {"cutoff": 6.0, "flops": 6 * n * d, "params": n, "tokens": d, "fitted": (6.0, 1.0, 1.0)} | more


def forecasts(
    rows: list[dict[str, Any]], mean: Any, paths: tuple[ForecastPath, ...] = (A, B), stderr: Any = 0.0
) -> BacktestForecasts:
    """A row per forecast: cutoff and flops at least; 20 tokens per parameter, and 0.5 came true, unless a row says.

    A ladder's own run was forecast from a ladder that was cut at ``cutoff`` FLOPs, a target from the whole of it.
    """
    table = pd.DataFrame([_row(i, row) for i, row in enumerate(rows)])
    values = np.array(mean, dtype=float)
    spread = np.broadcast_to(np.asarray(stderr, dtype=float), values.shape).copy()
    return BacktestForecasts(rows=table, paths=paths, mean=values, stderr=spread, at_bound=np.zeros_like(values))


def _row(i: int, row: dict[str, Any]) -> dict[str, Any]:
    row = dict(row)
    fitted = row.pop("fitted", (row["cutoff"], *_usual(row["cutoff"])))
    params, tokens = _usual(row["flops"])
    place = row.pop("horizon", Horizon() if row["target"] else Horizon.below("flops", row["cutoff"]))
    known = {"task": "t", "run": f"r{i}", "model": f"r{i}", "params": params, "tokens": tokens, "actual": 0.5}
    known |= {"origin": place.name, "axis": place.axis or ""}
    known |= {f"limit_{axis}": getattr(place, axis) for axis in AXES}
    return known | {f"fitted_{axis}": value for axis, value in zip(AXES, fitted, strict=True)} | row


def _usual(flops: float) -> tuple[float, float]:
    """Parameters and tokens of a run with 20 tokens per parameter."""
    params = math.sqrt(flops / (6 * 20))
    return params, 20 * params
