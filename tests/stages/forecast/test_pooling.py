"""Weights of the pool against what its formula gives by hand on a few rows."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.stages.forecast.forms import trend
from benchcast.stages.forecast.pathways import CARRY, FORMS, ONE_STEP, ForecastPath
from benchcast.stages.forecast.pooling import POOLING, pool
from worlds.backtests import PAST, TARGET, A, B, forecasts

UNTESTED = POOLING.error_floor**2 + POOLING.untested_error**2  # 0.0034
TREND = ForecastPath(ONE_STEP, trend.FORM.name)  # a form with a spread of its own


def test_what_was_never_tested_is_a_plain_mean() -> None:
    pooled = pool(forecasts([TARGET], [[0.4, 0.6]]))
    np.testing.assert_allclose(pooled.weights, [[0.5, 0.5]])
    np.testing.assert_allclose([pooled.mean[0], pooled.std[0]], [0.5, 0.1])  # the paths' disagreement


def test_every_intermediate_loss_counts_the_same_and_no_change_a_fourth() -> None:
    three = (A, B, ForecastPath("other loss", "a"))
    np.testing.assert_allclose(pool(forecasts([TARGET], [[0.5] * 3], three)).weights, [[0.25, 0.25, 0.5]])
    two = (ForecastPath(ONE_STEP, CARRY), ForecastPath(ONE_STEP, "direct law"))
    np.testing.assert_allclose(pool(forecasts([TARGET], [[0.5] * 2], two)).weights, [[0.2, 0.8]])


def test_a_path_that_calls_itself_unsure_loses_weight_and_its_error_is_in_the_spread() -> None:
    pooled = pool(forecasts([TARGET], [[0.5, 0.5]], stderr=[[0.0, 0.1]]))
    unsure = 1 / (UNTESTED + 0.25 * 0.1**2)
    share = unsure / (unsure + 1 / UNTESTED)
    np.testing.assert_allclose(pooled.weights, [[1 - share, share]])
    np.testing.assert_allclose(pooled.std, np.sqrt(share) * 0.1)


def test_a_path_that_could_not_be_fitted_has_no_weight() -> None:
    pooled = pool(forecasts([TARGET], [[np.nan, 0.6]]))
    np.testing.assert_allclose(pooled.weights, [[0.0, 1.0]])
    assert pooled.mean[0] == pytest.approx(0.6)


def test_half_of_the_sampling_variance_of_the_score_to_come_is_added() -> None:
    pooled = pool(forecasts([TARGET | {"sampling": 0.02}], [[0.4, 0.6]]))
    assert pooled.std[0] == pytest.approx(np.sqrt(0.1**2 + 0.02**2 / 2))


def test_with_one_task_a_weight_is_one_over_the_squared_error() -> None:
    """Misses of 1 and 20 points, and 3 points that count as none: 0.001 against 0.0409."""
    pooled = pool(forecasts([PAST, TARGET], [[0.51, 0.70], [0.5, 0.5]]))
    np.testing.assert_allclose(pooled.weights[1], np.array([0.0409, 0.001]) / 0.0419)
    np.testing.assert_allclose(pooled.weights[0], [0.5, 0.5])  # made before anything was known


def test_a_record_of_one_cutoff_is_shrunk_eleven_times_towards_the_suites() -> None:
    """Two tasks with opposite records: the suite prefers neither path, and a task has one cutoff against its ten."""
    rows = [row | {"task": task} for row in (PAST, TARGET) for task in "st"]
    pooled = pool(forecasts(rows, [[0.51, 0.70], [0.70, 0.51], [0.5, 0.5], [0.5, 0.5]]))
    odds = (0.0409 / 0.001) ** (1 / 11)
    np.testing.assert_allclose(pooled.weights[2:], np.array([[odds, 1], [1, odds]]) / (1 + odds))


def test_an_old_miss_counts_half_after_a_fourth_of_a_decade() -> None:
    """Two cutoffs a fourth of a decade apart, with misses of the first path at the older one only."""
    step = 10**0.25
    older = {"cutoff": 1.0, "flops": 10.0, "target": False}
    newer = {"cutoff": step, "flops": 10.0 * step, "target": False}  # as far an extrapolation
    target = {"cutoff": 10.0 * step, "flops": 1e3, "target": True}
    pooled = pool(forecasts([older, newer, target], [[0.7, 0.5], [0.5, 0.5], [0.5, 0.5]]))
    missed = 0.2**2 / 3 + POOLING.error_floor**2
    np.testing.assert_allclose(
        pooled.weights[2], np.array([POOLING.error_floor**2, missed]) / (missed + POOLING.error_floor**2)
    )


def test_a_form_counts_as_much_as_all_paths_of_laws_together() -> None:
    """Carrying forward is no law: where nothing else is there, the form counts 1 and it a fourth."""
    assert FORMS[TREND.first].weight == 1
    with_carry = (A, B, ForecastPath(ONE_STEP, CARRY), TREND)
    pooled = pool(forecasts([TARGET], [[0.5] * 4], with_carry))
    np.testing.assert_allclose(pooled.weights, [np.array([0.5, 0.5, 0.25, 1.0]) / 2.25])
    alone = pool(forecasts([TARGET], [[0.5] * 2], (ForecastPath(ONE_STEP, CARRY), TREND)))
    np.testing.assert_allclose(alone.weights, [[0.2, 0.8]])


def test_the_spread_is_that_of_the_form_that_has_one() -> None:
    """The trend's own error and its distance from the mean: neither what laws say of theirs nor how they disagree."""
    for laws, errors in (([0.4, 0.6], [0.0, 0.0]), ([0.49, 0.51], [0.2, 0.2])):
        mean, stderr = [[*laws, 0.52]], [[*errors, 0.03]]
        pooled = pool(forecasts([TARGET | {"sampling": 0.02}], mean, (A, B, TREND), stderr))
        assert pooled.mean[0] == pytest.approx(pooled.weights[0] @ mean[0])
        assert pooled.std[0] == pytest.approx(np.hypot(0.03, 0.52 - pooled.mean[0]))


def test_where_the_form_could_not_be_fitted_the_laws_make_the_spread() -> None:
    pooled = pool(forecasts([TARGET], [[0.4, 0.6, np.nan]], (A, B, TREND), [[0.0, 0.0, np.nan]]))
    np.testing.assert_allclose([pooled.mean[0], pooled.std[0]], [0.5, 0.1])


def test_the_record_counts_far_forecasts_more() -> None:
    """A miss of 10 points a decade away beside a hit two decades away: 0.01 / 3, and 3 points that count as none."""
    near, far = PAST, PAST | {"flops": 100.0}
    target = TARGET | {"cutoff": 100.0, "flops": 1000.0}
    pooled = pool(forecasts([near, far, target], [[0.6, 0.5], [0.5, 0.5], [0.5, 0.5]]))
    floor = POOLING.error_floor**2
    odds = (0.1**2 / 3 + floor) / floor
    np.testing.assert_allclose(pooled.weights[2], np.array([1, odds]) / (1 + odds))
