"""Calibrated intervals against what their formula gives by hand, at three levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchcast.stages.forecast.conformal import CALIBRATION, CalibratedIntervals, calibrate
from benchcast.stages.forecast.pooling import PooledForecasts
from benchcast.stages.forecast.rolling_origin import Horizon
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm
from worlds.backtests import PAST, TARGET, A, beyond, forecasts

LEVELS = pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
MEAN, STD = 0.5, 0.04
SCALE = np.sqrt(STD**2 + CALIBRATION.least_std**2) / 0.25  # on log-odds


BEFORE = Horizon(axis="flops", flops=6.0)
AWAY = {"size": {"params": 1.0, "tokens": 0.0}, "length": {"params": 0.0, "tokens": 1.0}}


def intervals(rows: list[dict[str, Any]], level: float, mean: float = MEAN, std: float = STD) -> CalibratedIntervals:
    """Of forecasts that all say the same; ``actual`` is unknown unless a row tells it."""
    n = len(rows)
    made = forecasts([{"actual": np.nan} | row for row in rows], np.full((n, 1), mean), (A,), std)
    return calibrate(made, PooledForecasts(weights=np.ones((n, 1)), mean=np.full(n, mean), std=np.full(n, std)), level)


def prior(level: float) -> float:
    """1.645 standard deviations for 90 %, and in proportion to a normal's quantiles for another level."""
    return float(1.645 * norm.ppf(0.5 + level / 2) / norm.ppf(0.95))


def missed(multiple: float) -> float:
    """A score so many scales above the forecast."""
    return float(expit(multiple * SCALE))


@LEVELS
def test_before_anything_is_tested_the_prior_makes_the_interval(level: float) -> None:
    made = intervals([TARGET], level)
    assert made.inflation[0] == pytest.approx(prior(level))
    half = prior(level) * SCALE
    np.testing.assert_allclose([made.low[0], made.high[0]], expit([-half, half]))
    assert np.isnan(made.tested[0]).all()


@LEVELS
def test_one_past_miss_counts_one_against_fifteen(level: float) -> None:
    made = intervals([PAST | {"actual": 0.6}, TARGET], level)
    miss = logit(0.6) / SCALE
    assert made.score[0] == pytest.approx(miss)
    assert made.inflation[1] == pytest.approx((miss + 15 * prior(level)) / 16)
    np.testing.assert_allclose(made.tested[1], [1.0, 0.5, 0.5])  # decades of compute, size and length
    assert made.inflation[0] == pytest.approx(prior(level))  # made before it was known


@LEVELS
def test_beyond_what_was_tested_the_miss_grows_with_the_fourth_root_of_the_distance(level: float) -> None:
    """The spread grows with the distance by itself; twice as far as was tested, the past misses by 2^(1/4)."""
    made = intervals([PAST | {"actual": 0.6}, TARGET | {"flops": 1000.0}], level)
    assert made.inflation[1] == pytest.approx((2**0.25 * logit(0.6) / SCALE + 15 * prior(level)) / 16)


@pytest.mark.parametrize(("level", "place"), [(0.5, 1), (0.8, 3), (0.95, 3)])
def test_of_four_past_misses_the_levels_quantile_counts(level: float, place: int) -> None:
    actual = [0.52, 0.45, 0.58, 0.38]
    made = intervals([PAST | {"actual": a} for a in actual] + [TARGET], level)
    quantile = np.sort(np.abs(logit(actual)))[place] / SCALE
    assert made.inflation[-1] == pytest.approx((4 * quantile + 15 * prior(level)) / 19)


def test_checkpoints_of_one_run_are_one_piece_of_evidence() -> None:
    """Four forecasts of one model from one horizon count one against the prior, of four models four."""
    for models, count in ((1, 1), (2, 2), (4, 4)):
        past = [PAST | {"actual": 0.6, "model": f"m{i % models}"} for i in range(4)]
        miss = logit(0.6) / SCALE
        assert intervals([*past, TARGET], 0.9).inflation[-1] == pytest.approx(
            (count * miss + 15 * 1.645) / (count + 15)
        )


def record(multiple: float, **place: Any) -> list[dict[str, Any]]:
    """Sixty runs, forecast from one place, all missed by as many scales."""
    return [beyond(**place, target=False, actual=missed(multiple), horizon=BEFORE) for _ in range(60)]


@pytest.mark.parametrize("axis", AWAY)
def test_the_misses_along_the_targets_own_axis_count(axis: str) -> None:
    """Good where the ladder grew in one coordinate, bad in the other, at one distance in compute."""
    other = next(each for each in AWAY if each != axis)
    rows = record(3.0, **AWAY[axis]) + record(0.5, **AWAY[other])
    made = intervals([*rows, beyond(**AWAY[axis], target=True)], 0.9)
    assert made.inflation[-1] == pytest.approx((120 * 3.0 + 15 * 1.645) / 135)
    made = intervals([*rows, beyond(**AWAY[other], target=True)], 0.9)
    assert made.inflation[-1] == pytest.approx((120 * 0.5 + 15 * 1.645) / 135)


def test_a_target_that_tells_only_its_compute_takes_all_misses_at_its_distance() -> None:
    rows = record(3.0, **AWAY["size"]) + record(0.5, **AWAY["length"])
    unknown = beyond(1.0, 0.0, target=True) | {"params": np.nan, "tokens": np.nan}
    made = intervals([*rows, unknown], 0.9)
    assert made.inflation[-1] == pytest.approx((120 * 3.0 + 15 * 1.645) / 135)  # the 0.9 quantile of both halves
    assert intervals([*rows, unknown], 0.4).inflation[-1] == pytest.approx((120 * 0.5 + 15 * prior(0.4)) / 135)


def test_nearness_is_a_normal_kernel_of_half_a_decade() -> None:
    """Three misses at 0, one and two bandwidths: their weights are 1, exp(-1/2) and exp(-2), as is the quantile."""
    away = [(1.0, 0.0, 1.0), (1.0, 0.5, 2.0), (1.0, 1.0, 3.0)]
    rows = [
        beyond(n, d, target=False, actual=missed(multiple), horizon=BEFORE, task=f"t{i}")
        for i, (n, d, multiple) in enumerate(away)
    ]
    share = np.cumsum([1.0, np.exp(-0.5), np.exp(-2.0)])
    share /= share[-1]
    for level, multiple in ((share[0] - 0.01, 1.0), (share[0] + 0.01, 2.0), (share[1] + 0.01, 3.0)):
        asked = beyond(1.0, 0.0, target=True, task="new")
        found = intervals([*rows, asked], level).inflation[-1]
        assert found == pytest.approx((3 * multiple + 15 * prior(level)) / 18)


def test_an_old_miss_counts_half_after_half_a_decade() -> None:
    """Misses of an older and of a newer horizon, alike otherwise: two shares to three thirds of the level."""
    step = 10**0.5
    older = PAST | {"actual": missed(2.0), "task": "a"}
    newer = {"cutoff": step, "flops": 10 * step, "target": False, "actual": missed(1.0), "task": "b"}
    target = {"cutoff": 10 * step, "flops": 100 * step, "target": True, "task": "c"}
    weights = np.array([0.5 ** (1.5 / 0.5), 0.5 ** (1.0 / 0.5)])
    border = weights[1] / weights.sum()
    assert border == pytest.approx(2 / 3)
    for level, multiple in ((border - 0.01, 1.0), (border + 0.01, 2.0)):
        found = intervals([older, newer, target], level).inflation[-1]
        assert found == pytest.approx((2 * multiple + 15 * prior(level)) / 17)


def with_two_tasks(hers: float, his: float, runs: int) -> tuple[float, float]:
    """Multiples of two tasks that missed by so many scales, over that of a task that is new."""
    past = [
        PAST | {"actual": missed(multiple), "task": task}
        for task, multiple in (("hers", hers), ("his", his))
        for _ in range(runs)
    ]
    made = intervals([*past, *(TARGET | {"task": task} for task in ("hers", "his", "new"))], 0.9)
    return made.inflation[-3] / made.inflation[-1], made.inflation[-2] / made.inflation[-1]


def test_a_tasks_own_factor_is_shrunk_to_one_by_forty_forecasts() -> None:
    """Root of its mean square over the suite's, in logarithms n / (n + 40) of it."""
    suite = np.sqrt((1.0 + 4.0) / 2)
    for runs in (1, 10, 200):
        share = runs / (runs + 40)
        found = with_two_tasks(1.0, 2.0, runs)
        np.testing.assert_allclose(found, [(1 / suite) ** share, (2 / suite) ** share])


@settings(deadline=None)  # on a busy machine a fifth of a second is no long time
@given(st.floats(0.2, 3), st.floats(0.2, 3), st.integers(1, 60))
def test_a_factor_lies_between_one_and_the_tasks_own_ratio_and_more_runs_bring_it_nearer(
    hers: float, his: float, runs: int
) -> None:
    few, more = (np.log(with_two_tasks(hers, his, n)) for n in (runs, 2 * runs))
    raw = np.log(np.array([hers, his]) / np.sqrt((hers**2 + his**2) / 2))
    assert (np.sign(few) * np.sign(raw) >= -1e-9).all()
    assert (np.abs(few) <= np.abs(more) + 1e-9).all()
    assert (np.abs(more) <= np.abs(raw) + 1e-9).all()


def test_one_wild_miss_makes_no_task_wild() -> None:
    """Beyond four times the suite's quantile a miss tells no more of its task."""
    past = [PAST | {"actual": missed(1.0), "task": "calm"} for _ in range(40)]
    found = [
        intervals([*past, PAST | {"actual": missed(wild), "task": "wild"}, TARGET | {"task": "wild"}], 0.9).inflation[
            -1
        ]
        for wild in (4.0, 8.0)
    ]
    assert found[0] == pytest.approx(found[1])


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
