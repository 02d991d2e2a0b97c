"""Calibrated intervals against what their formula gives by hand, at three levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.stages.forecast.backtest import BacktestForecasts
from benchcast.stages.forecast.conformal import CALIBRATION, CalibratedIntervals, calibrate
from benchcast.stages.forecast.pathways import ForecastPath
from benchcast.stages.forecast.pooling import PooledForecasts
from scipy.special import expit, logit
from scipy.stats import norm

LEVELS = pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
MEAN, STD = 0.5, 0.04
SCALE = np.sqrt(STD**2 + CALIBRATION.least_std**2) / 0.25  # on log-odds
PAST, TARGET = {"cutoff": 1.0, "flops": 10.0, "target": False}, {"cutoff": 10.0, "flops": 100.0, "target": True}


def intervals(rows: list[dict[str, Any]], level: float, mean: float = MEAN, std: float = STD) -> CalibratedIntervals:
    """Of forecasts that all say the same; ``actual`` is unknown unless a row tells it."""
    table = pd.DataFrame([{"task": "t", "run": f"r{i}", "actual": np.nan} | row for i, row in enumerate(rows)])
    n = len(table)
    means, stds, zeros = (np.full((n, 1), v) for v in (mean, std, 0.0))
    paths = (ForecastPath("a", "b"),)
    made = BacktestForecasts(rows=table, paths=paths, mean=means, stderr=stds, at_bound=zeros)
    return calibrate(made, PooledForecasts(weights=np.ones((n, 1)), mean=np.full(n, mean), std=np.full(n, std)), level)


def prior(level: float) -> float:
    """Twice the standard deviation for 90 %, and in proportion to a normal's quantiles for another level."""
    return float(2 * norm.ppf(0.5 + level / 2) / norm.ppf(0.95))


@LEVELS
def test_before_anything_is_tested_the_prior_makes_the_interval(level: float) -> None:
    made = intervals([TARGET], level)
    assert made.inflation[0] == pytest.approx(prior(level))
    half = prior(level) * SCALE
    np.testing.assert_allclose([made.low[0], made.high[0]], expit([-half, half]))
    assert np.isnan(made.tested[0])


@LEVELS
def test_one_past_miss_counts_one_against_ten(level: float) -> None:
    made = intervals([PAST | {"actual": 0.6}, TARGET], level)
    miss = logit(0.6) / SCALE
    assert made.score[0] == pytest.approx(miss)
    assert made.inflation[1] == pytest.approx((miss + 10 * prior(level)) / 11)
    assert made.tested[1] == pytest.approx(1.0)
    assert made.inflation[0] == pytest.approx(prior(level))  # made before it was known


@LEVELS
def test_beyond_what_was_tested_the_miss_grows_with_the_decades(level: float) -> None:
    made = intervals([PAST | {"actual": 0.6}, TARGET | {"flops": 1000.0}], level)
    assert made.inflation[1] == pytest.approx((2 * logit(0.6) / SCALE + 10 * prior(level)) / 11)


@pytest.mark.parametrize(("level", "place"), [(0.5, 1), (0.8, 3), (0.95, 3)])
def test_of_four_past_misses_the_levels_quantile_counts(level: float, place: int) -> None:
    actual = [0.52, 0.45, 0.58, 0.38]
    made = intervals([PAST | {"actual": a} for a in actual] + [TARGET], level)
    quantile = np.sort(np.abs(logit(actual)))[place] / SCALE
    assert made.inflation[-1] == pytest.approx((4 * quantile + 10 * prior(level)) / 14)


@LEVELS
@pytest.mark.parametrize("mean", [0.02, 0.3, 0.98])
def test_levels_nest_inside_zero_and_one(mean: float, level: float) -> None:
    rows = [PAST | {"actual": mean}, TARGET]
    inner, outer = (intervals(rows, at, mean, 0.2) for at in (level, (1 + level) / 2))
    assert ((outer.low < inner.low) | (inner.low == 0)).all()
    assert ((outer.high > inner.high) | (inner.high == 1)).all()
    assert ((outer.low >= 0) & (inner.low < mean) & (mean < inner.high) & (outer.high <= 1)).all()


def test_an_interval_holds_its_ends() -> None:
    made = intervals([TARGET], 0.9)
    assert made.holds(made.low).all()
    assert made.holds(made.high).all()
    assert not made.holds(made.high + 1e-9).any()
