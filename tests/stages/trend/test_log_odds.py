"""The trend against the same posterior found another way: scipy's least squares over all unknowns, and integrals."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from benchcast.stages.trend.log_odds import (
    EDGE,
    FittedTrend,
    TrendData,
    TrendPriors,
    _covariance,
    _variance,
    fit_trends,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import least_squares
from scipy.special import expit, logit

ONE = TrendPriors(slopes=((0.3, 0.3),), scatters=(0.015,))
FLOORLESS = replace(ONE, floor_std=1e-9)  # with chance 0: the floor is zero, and known


def task(n: int, seed: int = 0, chance: float = 0.25, scatter: float = 0.01, slope: float = 1.0) -> TrendData:
    """Runs over three decades whose log-odds rise straight."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(18, 21, n))
    accuracy = chance + (1 - chance) * expit(slope * (x - 20.5)) + rng.normal(0, scatter, n)
    return TrendData(x=x, accuracy=accuracy, sampling=np.full(n, 0.01), runs=np.arange(n), chance=chance)


def fit(data: TrendData, priors: TrendPriors | None = None) -> FittedTrend:
    return fit_trends([data], priors)[0]


# ---- the prior ----


def wiener(u: float, v: float) -> float:
    """Covariance of an integrated Wiener process that starts at 0 and runs both ways, by its definition."""
    if u * v <= 0:
        return 0.0
    a, b = abs(u), abs(v)
    return quad(lambda s: (a - s) * (b - s), 0, min(a, b))[0]


PLACES = np.array([-2.5, -1.0, -0.4, 0.0, 0.3, 1.0, 2.2])


def test_the_kernel_is_a_level_a_line_and_an_integrated_wiener_process() -> None:
    priors, std = TrendPriors(), 0.4
    expected = [
        [priors.level_std**2 + std**2 * u * v + priors.wiggle**2 * wiener(u, v) for v in PLACES] for u in PLACES
    ]
    found = _covariance(PLACES[None], PLACES[None], np.array([std]), priors)[0]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(_variance(PLACES, np.array([std]), priors)[0], np.diag(expected))


def test_the_kernel_is_that_of_simulated_paths() -> None:
    """20,000 random walks whose sums are taken twice; the covariance to 3 % of the largest."""
    rng, step = np.random.default_rng(0), 0.02
    speed = np.cumsum(rng.normal(0, np.sqrt(step), (20_000, 100)), axis=1)
    paths = np.cumsum(speed, axis=1)[:, [24, 49, 99]] * step
    at = np.array([0.5, 1.0, 2.0])
    flat = TrendPriors(level_std=0.0, wiggle=1.0)
    kernel = _covariance(at[None], at[None], np.zeros(1), flat)[0]
    np.testing.assert_allclose(np.cov(paths.T), kernel, atol=0.03 * kernel.max())


# ---- the posterior ----


class Mode(NamedTuple):
    """Of one combination of priors: its log evidence (Laplace), and mean and covariance of (f at targets, floor)."""

    evidence: float
    mean: np.ndarray
    covariance: np.ndarray
    scatter: float


def mode(
    data: TrendData, at: np.ndarray, slope: tuple[float, float], scatter: float, at_chance: bool, priors: TrendPriors
) -> Mode:
    """All unknowns at once: level, line, Wiener process at runs and targets, floor; nothing is linearised by hand."""
    chance, floor_std = (data.chance, priors.floor_std) if at_chance else (0.0, 0.0)
    x = np.concatenate([data.x, at]) - data.x.max()
    n = len(data.x)
    share = np.clip((data.accuracy - chance) / (1 - chance), EDGE, 1 - EDGE)
    center = logit(share).mean() - slope[0] * x[:n].mean()
    root = np.linalg.cholesky(
        np.array([[priors.wiggle**2 * wiener(u, v) for v in x] for u in x]) + 1e-12 * np.eye(len(x))
    )
    same = data.runs[:, None] == data.runs
    sampling = priors.sampling_share * data.sampling**2
    weight = np.ones(n) if data.weight is None else data.weight
    noise = priors.run_share * scatter**2 * same
    noise = noise + np.diag((sampling + (1 - priors.run_share) * scatter**2) / weight)
    whiten = np.linalg.inv(np.linalg.cholesky(noise))

    def unknown(z: np.ndarray) -> tuple[np.ndarray, float]:
        level, steep = center + priors.level_std * z[0], slope[0] + slope[1] * z[1]
        return level + steep * x + root @ z[3:], chance + floor_std * z[2]

    def residuals(z: np.ndarray) -> np.ndarray:
        f, c = unknown(z)
        return np.concatenate([whiten @ (data.accuracy - c - (1 - c) * expit(f[:n])), z])

    found = least_squares(residuals, np.zeros(3 + len(x)), xtol=1e-14, ftol=1e-14, gtol=1e-14)
    spread = np.linalg.inv(found.jac.T @ found.jac)
    reads = np.zeros((len(at) + 1, len(found.x)))
    reads[:-1, 0], reads[:-1, 1], reads[:-1, 3:] = priors.level_std, slope[1] * x[n:], root[n:]
    reads[-1, 2] = floor_std
    f, c = unknown(found.x)
    evidence = -found.cost + np.linalg.slogdet(whiten)[1] + 0.5 * np.linalg.slogdet(spread)[1]
    return Mode(evidence, np.append(f[n:], c), reads @ spread @ reads.T, scatter)


def by_brute_force(data: TrendData, at: np.ndarray, priors: TrendPriors) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of new scores, from the modes of all combinations and 200,000 draws of each."""
    combinations = itertools.product(priors.slopes, priors.scatters, (True, False))
    modes = [mode(data, at, slope, scatter, floor, priors) for slope, scatter, floor in combinations]
    weights = np.exp([m.evidence - max(m.evidence for m in modes) for m in modes])
    weights /= weights.sum()
    rng, typical = np.random.default_rng(1), priors.sampling_share * np.median(data.sampling) ** 2
    means, squares = [], []
    for each in modes:
        drawn = rng.multivariate_normal(each.mean, each.covariance + 1e-15 * np.eye(len(each.mean)), 200_000)
        c = np.clip(drawn[:, -1:], 0, 1)
        score = c + (1 - c) * expit(drawn[:, :-1])
        means.append(score.mean(axis=0))
        squares.append((score**2).mean(axis=0) + each.scatter**2 + typical)
    mean = weights @ np.array(means)
    return mean, np.sqrt(weights @ np.array(squares) - mean**2)


@pytest.mark.parametrize(
    ("n", "chance", "slope"), [(1, 0.25, 1.0), (3, 0.25, 1.0), (7, 0.25, 0.7), (9, 0.0, 1.5), (6, 0.5, 0.0)]
)
def test_the_forecast_is_that_of_the_modes_of_all_unknowns(n: int, chance: float, slope: float) -> None:
    """On the ladder, at its end and far beyond; the mean to 0.3 points, the spread to 8 % (no second derivatives)."""
    data = replace(task(n, seed=n, chance=chance, slope=slope), runs=np.arange(n) // 2)
    at = np.array([data.x.min(), data.x.max(), data.x.max() + 1, data.x.max() + 2.5])
    mean, std = by_brute_force(data, at, TrendPriors())
    found = fit(data).predict(at)
    np.testing.assert_allclose(found[0], mean, atol=0.003)
    np.testing.assert_allclose(found[1], std, rtol=0.08)


def test_the_combinations_are_weighed_by_their_evidence() -> None:
    data, priors = task(8, seed=3), TrendPriors()
    modes = [
        mode(data, data.x[-1:], slope, scatter, floor, priors)
        for slope, scatter, floor in itertools.product(priors.slopes, priors.scatters, (True, False))
    ]
    expected = np.exp([m.evidence for m in modes] - np.max([m.evidence for m in modes]))
    expected = np.sort(expected / expected.sum())[::-1]
    found = np.sort(fit(data).weights)[::-1]
    np.testing.assert_allclose(found, expected[: len(found)], atol=0.01)


@pytest.mark.parametrize("score", [0.1, 0.5, 0.85])
def test_one_score_and_its_posterior_by_integration(score: float) -> None:
    """One unknown, the level: f ~ N(logit of the score, 1), a score with 3 points of error; no mode, no Gaussian."""
    priors = replace(FLOORLESS, scatters=(0.03,), wiggle=0.0)
    data = TrendData(
        x=np.array([20.0]), accuracy=np.array([score]), sampling=np.zeros(1), runs=np.zeros(1, int), chance=0
    )
    mean, std = fit(data, priors).predict(np.array([20.0]))
    f = np.linspace(-8, 8, 20_001)
    density = np.exp(-0.5 * (f - logit(score)) ** 2 - 0.5 * ((score - expit(f)) / 0.03) ** 2)
    density /= density.sum()
    expected = density @ expit(f)
    assert mean[0] == pytest.approx(expected, abs=0.011)
    assert std[0] ** 2 == pytest.approx(density @ (expit(f) - expected) ** 2 + 0.03**2, rel=0.1)


# ---- beyond the ladder ----


def test_beyond_the_ladder_the_trend_is_a_straight_line_whose_error_grows_with_distance_to_the_one_and_a_half() -> None:
    """A level and a slope that are known: what is left is the Wiener process."""
    priors = TrendPriors(slopes=((0.3, 1e-6),), scatters=(1e-4,), wiggle=0.02, floor_std=1e-9)
    n = 50
    data = TrendData(x=np.full(n, 20.0), accuracy=np.full(n, 0.4), sampling=np.zeros(n), runs=np.arange(n), chance=0.0)
    ahead = np.array([0.5, 1.0, 2.0, 3.0])
    mean, std = fit(data, priors).predict(20 + ahead)
    np.testing.assert_allclose(logit(mean), logit(0.4) + 0.3 * ahead, atol=1e-3)
    steep = mean * (1 - mean)
    np.testing.assert_allclose(std, steep * 0.02 * ahead**1.5 / np.sqrt(3), rtol=0.02)


def test_an_uncertain_place_costs_the_slope_times_its_error() -> None:
    data = task(12, slope=1.0, chance=0.0)
    trend, at = fit(data, FLOORLESS), data.x[-1:]
    mean, plain = trend.predict(at)
    _, unsure = trend.predict(at, np.array([0.1]))
    slope = float(trend.weights @ trend.slopes)
    assert np.sqrt(unsure**2 - plain**2)[0] == pytest.approx(mean[0] * (1 - mean[0]) * slope * 0.1, rel=0.05)


def test_the_slope_is_that_of_many_runs() -> None:
    """Sixty of them, and a trend that hardly bends."""
    data = replace(task(60, scatter=0.002, slope=0.8), sampling=np.zeros(60))
    trend = fit(data, replace(TrendPriors(), wiggle=0.01))
    assert trend.weights @ trend.slopes == pytest.approx(0.8, abs=0.05)


# ---- what the data decides ----


@pytest.mark.parametrize("scatter", TrendPriors().scatters)
def test_the_evidence_prefers_the_true_scatter(scatter: float) -> None:
    """Of forty tasks with twenty runs each, most choose the scatter that they were made with."""
    made = [replace(task(20, seed=s, scatter=scatter), sampling=np.zeros(20)) for s in range(40)]
    chosen = [np.sqrt(t.noise[np.argmax(t.weights)]) for t in fit_trends(made)]
    assert np.mean(np.isclose(chosen, scatter)) > 0.75


def test_a_task_without_a_trend_gets_a_flat_one_and_one_with_a_trend_does_not() -> None:
    flat, steep = fit_trends([task(15, slope=0.0, scatter=0.004), task(15, slope=1.0, scatter=0.004)])
    assert abs(flat.weights @ flat.slopes) < 0.1
    assert steep.weights[steep.prior[:, 0] > 0].sum() > 0.99


def test_checkpoints_of_one_run_count_less_than_as_many_runs() -> None:
    """Five scores at one compute: of five runs, of one, and a single score."""
    x, n = np.full(5, 20.0), 5
    common = {"accuracy": np.full(n, 0.4), "sampling": np.zeros(n), "chance": 0.0}
    runs = TrendData(x=x, runs=np.arange(n), **common)
    one = TrendData(x=x, runs=np.zeros(n, dtype=int), **common)
    single = TrendData(x=x[:1], accuracy=np.array([0.4]), sampling=np.zeros(1), runs=np.zeros(1, dtype=int), chance=0.0)
    for share in (0.2, 0.5, 1 - 1e-9):
        priors = replace(FLOORLESS, run_share=share, scatters=(0.05,), slopes=((0.3, 0.0),))
        of_runs, of_one, of_single = (fit(t, priors).predict(x[:1])[1][0] for t in (runs, one, single))
        if share < 0.9:
            assert of_runs < of_one < of_single
        else:  # all that they scatter is common: they are one score
            assert of_one == pytest.approx(of_single, rel=1e-5)


@pytest.mark.parametrize("run_share", [0.0, 0.5])
def test_a_weight_of_three_is_three_runs(run_share: float) -> None:
    """Whatever the combinations of priors: the evidence is that of three equal scores too."""
    data, priors = task(6), TrendPriors(run_share=run_share)
    thrice = {name: np.repeat(getattr(data, name), 3) for name in ("x", "accuracy", "sampling")}
    many = replace(data, **thrice, runs=np.arange(18))
    weighed = replace(data, weight=np.full(6, 3.0))
    at = data.x[-1] + np.array([0.0, 1.0, 3.0])
    for a, b in zip(fit(many, priors).predict(at), fit(weighed, priors).predict(at), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_weight_of_three_is_three_checkpoints_of_a_run_that_has_more() -> None:
    data = replace(task(6), runs=np.arange(6) // 2)
    thrice = {name: np.repeat(getattr(data, name), 3) for name in ("x", "accuracy", "sampling", "runs")}
    at = data.x[-1] + np.array([0.0, 1.0, 3.0])
    weighed = fit(replace(data, weight=np.full(6, 3.0))).predict(at)
    for a, b in zip(fit(replace(data, **thrice)).predict(at), weighed, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


# ---- together ----


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 99)), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None)
def test_tasks_together_are_tasks_one_by_one_to_the_last_digit(made: list[tuple[int, int]]) -> None:
    tasks = [task(n, seed, chance=(0.0, 0.25, 0.5)[seed % 3]) for n, seed in made]
    at = np.array([19.0, 21.0, 22.0, 24.0])
    for data, together in zip(tasks, fit_trends(tasks), strict=True):
        alone = fit(data)
        for a, b in zip(together.predict(at), alone.predict(at), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(together.predict(at[1:2])[0], alone.predict(at)[0][1:2])


@given(st.integers(1, 12), st.floats(0, 0.9), st.lists(st.floats(0, 1), min_size=12, max_size=12))
@settings(max_examples=40, deadline=None)
def test_whatever_the_scores_a_forecast_is_an_accuracy_with_an_error(
    n: int, chance: float, scores: list[float]
) -> None:
    data = replace(task(n), accuracy=np.array(scores[:n]), chance=chance)
    mean, std = fit(data).predict(np.array([18.0, 21.0, 23.0, 30.0]))
    assert ((mean >= 0) & (mean <= 1)).all()
    assert ((std > 0) & (std < 0.6)).all()


def test_the_order_of_the_scores_and_the_zero_of_the_axis_change_nothing() -> None:
    data = task(9)
    order = np.random.default_rng(0).permutation(9)
    shuffled = replace(data, x=data.x[order], accuracy=data.accuracy[order])
    moved = replace(data, x=data.x - 20)
    at = data.x[-1] + np.array([0.0, 2.0])
    for other, there in ((shuffled, at), (moved, at - 20)):
        for a, b in zip(fit(data).predict(at), fit(other).predict(there), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_task_without_a_score_is_refused() -> None:
    empty = np.array([])
    none = TrendData(x=empty, accuracy=empty, sampling=empty, runs=empty.astype(int), chance=0.25)
    with pytest.raises(ValueError, match="at least one score"):
        fit_trends([task(3), none])
