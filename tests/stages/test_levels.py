"""Every function that gives an interval, at three levels; those of the calibrated pool are in test_conformal.py."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from benchcast.stages import Chain, FLOPsToNLL, NLLToAccuracy, StepsLoss
from benchcast.stages.fit.intervals import central_interval
from benchcast.stages.forecast.scoring_rules import interval_score
from benchcast.stages.laws.surface import Split
from benchcast.stages.planning.critical_batch import CriticalBatchFit
from benchcast.stages.planning.envelope import envelope
from benchcast.stages.planning.isoflop import SweepBudget, isoflop
from scipy.stats import linregress, norm
from scipy.stats import t as student

LEVELS = (0.5, 0.8, 0.95)
AT = pytest.mark.parametrize("level", LEVELS)
RANK = (np.arange(100_000) + 0.5) / 100_000  # of draws without chance


@AT
def test_of_draws_it_is_what_their_quantiles_are(level: float) -> None:
    low, high = central_interval(norm.ppf(RANK), level)
    assert (low, high) == pytest.approx((norm.ppf(0.5 - level / 2), norm.ppf(0.5 + level / 2)), abs=1e-4)


@AT
@pytest.mark.parametrize("new_observation", [True, False])
def test_of_a_linear_law_it_is_the_textbooks(level: float, new_observation: bool) -> None:
    """s sqrt(1/n + (x - mean)² / Sxx), and the observation's own variance, times Student's quantile."""
    rng = np.random.default_rng(0)
    flops = np.geomspace(1e18, 1e21, 12)
    y = 2.7 - 0.09 * np.log10(flops) + rng.normal(0, 0.01, 12)
    x, at = np.log10(flops), np.array([21.5, 23.0])
    line = linregress(x, y)
    predicted = line.intercept + line.slope * at
    s2 = np.sum((y - line.intercept - line.slope * x) ** 2) / 10
    variance = s2 * (new_observation + 1 / 12 + (at - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2))
    half = student.ppf(0.5 + level / 2, 10) * np.sqrt(variance)
    low, high = FLOPsToNLL().fit(flops[:, None], y).interval(10 ** at[:, None], level, new_observation)
    np.testing.assert_allclose(low, predicted - half, rtol=1e-6)
    np.testing.assert_allclose(high, predicted + half, rtol=1e-6)


@AT
def test_of_a_chain_it_is_that_of_a_simulation(level: float) -> None:
    """100,000 draws: a loss with its noise, then a score at that loss with its noise."""
    rng = np.random.default_rng(4)
    flops = np.geomspace(1e18, 1e21, 12)
    loss = rng.uniform(0.6, 1.1, 30)
    accuracy = 0.25 + 0.75 / (1 + np.exp(9 * (loss - 0.75))) + rng.normal(0, 0.01, 30)
    first = FLOPsToNLL().fit(flops[:, None], 2.72 - 0.09 * np.log10(flops) + rng.normal(0, 0.01, 12))
    second = NLLToAccuracy(0.25, 1.0).fit(loss[:, None], accuracy)
    reached = first.predict_distribution([[1e23]])
    drawn = reached.mean[0] + reached.std[0] * student.rvs(reached.dof, size=len(RANK), random_state=rng)
    scored = second.predict_distribution(np.maximum(drawn, 0)[:, None])
    score = scored.mean + scored.std * student.rvs(scored.dof, size=len(RANK), random_state=rng)
    made = Chain(first, second).forecast([[1e23]], level)
    expected = np.quantile(np.clip(score, 0, 1), [0.5 - level / 2, 0.5 + level / 2])
    np.testing.assert_allclose([made.low[0], made.high[0]], expected, atol=0.004)


@AT
def test_a_miss_outside_costs_two_over_what_the_level_leaves(level: float) -> None:
    np.testing.assert_allclose(interval_score([0.4], [0.6], [0.5], level), 0.2)
    np.testing.assert_allclose(interval_score([0.4], [0.6], [0.37], level), 0.2 + 2 / (1 - level) * 0.03)


@AT
def test_of_a_split_it_is_that_of_its_draws(level: float) -> None:
    split = Split(params=1e9 * np.exp(norm.ppf(RANK)), tokens=np.full(len(RANK), 2e10), loss=1 + RANK)
    made = split.interval(level)
    ends = np.exp([norm.ppf(0.5 - level / 2), norm.ppf(0.5 + level / 2)])
    assert made["params"] == pytest.approx(1e9 * ends, rel=1e-3)
    assert made["token_multiplier"] == pytest.approx(20 / ends[::-1], rel=1e-3)
    assert made["tokens"] == (2e10, 2e10)
    assert made["loss"] == pytest.approx((1.5 - level / 2, 1.5 + level / 2), rel=1e-4)


@AT
def test_of_a_critical_batch_it_is_that_of_its_draws(level: float) -> None:
    """B* is log-normal about 1e8 tokens, and the exponent is 2: at a loss of 2, a fourth of B*."""
    draws = np.column_stack([np.log(1e8) + 0.3 * norm.ppf(RANK), np.full(len(RANK), 2.0)])
    fit = CriticalBatchFit(
        contours=pd.DataFrame(), b_star=1e8, inverse_alpha_b=2.0, draws=draws, law=StepsLoss(), notes=()
    )
    ends = norm.ppf([0.5 - level / 2, 0.5 + level / 2])
    assert fit.critical_batch_interval(2.0, level) == pytest.approx(1e8 / 4 * np.exp(0.3 * ends), rel=1e-3)


def test_levels_of_a_sweep_nest() -> None:
    rng = np.random.default_rng(0)
    sizes = np.log(1e8 * np.geomspace(0.25, 4, 7))
    budgets = tuple(
        SweepBudget(
            flops=c,
            log_n=sizes + 0.5 * i,
            log_loss=1 + 0.05 * (sizes - sizes.mean()) ** 2 + rng.normal(0, 1e-3, 7),
        )
        for i, c in enumerate((1e18, 1e19, 1e20))
    )
    nested([isoflop(budgets, draws=300, level=level).growth[0.001][1:] for level in LEVELS])


def test_levels_of_an_envelope_nest() -> None:
    rng = np.random.default_rng(0)
    params = np.repeat(np.geomspace(1e7, 1e9, 16), 20)
    flops = 6 * params * np.tile(np.geomspace(1e8, 1e11, 20), 16)
    loss = (1.8 + 480 / params**0.35 + 2000 / (flops / 6 / params) ** 0.37) * np.exp(rng.normal(0, 1e-3, len(params)))
    nested([envelope(params, params, flops, loss, draws=200, level=level).interval for level in LEVELS])


def nested(intervals: list[tuple[float, float]]) -> None:
    """Each lies inside the next, and is narrower."""
    for (low, high), (lower, higher) in pairwise(intervals):
        assert lower < low < high < higher
