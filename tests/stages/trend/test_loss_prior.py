"""The loss law with priors, and effective compute: closed forms, scipy, and what the paper printed."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.stages.trend.effective_compute import GRID, EffectiveCompute, usual_multiplier
from benchcast.stages.trend.loss_prior import (
    EXPONENT,
    EXPONENT_STD,
    NOISE,
    NOISE_RUNS,
    PUBLISHED,
    TERM_SHARES,
    TERM_STDS,
    LossLaw,
    fit_loss_laws,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

SIZES, LENGTHS = np.geomspace(1e7, 1e10, 7), np.geomspace(1e9, 1e12, 7)
N, D = (grid.ravel() for grid in np.meshgrid(SIZES, LENGTHS))
PATH = LossLaw(theta=np.array([1.7, np.log(300.0), np.log(500.0), 0.3, 0.3]))  # one exponent: paths have closed forms


def test_the_published_constants_are_those_of_the_paper() -> None:
    """Hoffmann et al., equation 10: 1.69 + 406.4 / N^0.34 + 410.7 / D^0.28; Chinchilla itself is at 1.94."""
    law = LossLaw(theta=PUBLISHED)
    np.testing.assert_allclose(law.loss(N, D), 1.69 + 406.4 / N**0.34 + 410.7 / D**0.28)
    assert law.loss(np.array([70e9]), np.array([1.4e12]))[0] == pytest.approx(1.94, abs=0.005)
    assert not law.stderr(N, D).any()


@given(
    st.tuples(
        st.floats(1.2, 2.4), st.floats(0.25, 0.42), st.floats(0.25, 0.42), st.floats(0.3, 1.5), st.floats(0.3, 1.5)
    )
)
@settings(max_examples=20, deadline=None)
def test_with_many_runs_the_law_is_recovered(truth: tuple[float, ...]) -> None:
    """Forty-nine runs without noise: the loss a decade beyond in both to 1 %."""
    e, alpha, beta, a, b = truth

    def loss(n: np.ndarray, d: np.ndarray) -> np.ndarray:
        return e + a * (n / 1e8) ** -alpha + b * (d / 1e10) ** -beta

    (law,) = fit_loss_laws([(N, D, loss(N, D))])
    np.testing.assert_allclose(law.loss(N, D), loss(N, D), rtol=5e-3)
    n, d = np.array([1e11]), np.array([1e13])
    np.testing.assert_allclose(law.loss(n, d), loss(n, d), rtol=0.02)


@given(st.floats(0.5, 6.0), st.integers(1, 6))
def test_with_runs_that_tell_nothing_of_the_slopes_the_prior_speaks(loss: float, runs: int) -> None:
    """All at one size and length: the exponents and their errors are those of the prior, and the loss is fitted."""
    n, d = np.full(runs, 1e8), np.full(runs, 2e9)
    (law,) = fit_loss_laws([(n, d, np.full(runs, loss))])
    np.testing.assert_allclose(law.theta[3:], EXPONENT, atol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(law.covariance))[3:], EXPONENT_STD, rtol=1e-6)
    np.testing.assert_allclose(law.loss(n, d), loss, rtol=0.01)


def test_what_was_varied_is_learnt_and_what_was_not_is_the_prior() -> None:
    """Sizes alone: the exponent of the tokens stays where it was, that of the parameters moves to the truth."""
    n, d = np.geomspace(1e7, 1e10, 20), np.full(20, 1e11)
    (law,) = fit_loss_laws([(n, d, 1.5 + 2.0 * (n / 1e8) ** -0.5)])
    assert law.theta[4] == pytest.approx(EXPONENT, abs=1e-6)
    assert law.theta[3] == pytest.approx(0.5, abs=0.1)
    stderr = np.sqrt(np.diag(law.covariance))
    assert stderr[3] < 0.5 * EXPONENT_STD < stderr[4]


@pytest.mark.parametrize("runs", [3, 6, 49])
def test_the_fit_is_scipys_of_the_penalised_squares(runs: int) -> None:
    rng = np.random.default_rng(runs)
    chosen = rng.permutation(len(N))[:runs]
    n, d = N[chosen], D[chosen]
    loss = (1.7 + 300 / n**0.32 + 500 / d**0.3) * np.exp(rng.normal(0, 0.01, runs))
    (law,) = fit_loss_laws([(n, d, loss)])
    residual = np.log(loss) - np.log(law.loss(n, d))
    noise = np.sqrt((NOISE_RUNS * NOISE**2 + np.sum(residual**2)) / (NOISE_RUNS + runs))
    log_n, log_d = np.log(n) - np.log(n).mean(), np.log(d) - np.log(d).mean()
    prior = np.array([*np.log(TERM_SHARES * [loss.min(), loss.mean(), loss.mean()]), EXPONENT, EXPONENT])
    stds = np.array([*TERM_STDS, EXPONENT_STD, EXPONENT_STD])

    def residuals(t: np.ndarray) -> np.ndarray:
        curve = np.exp(t[0]) + np.exp(t[1] - t[3] * log_n) + np.exp(t[2] - t[4] * log_d)
        return np.concatenate([(np.log(loss) - np.log(curve)) / noise, (t - prior) / stds])

    t = least_squares(residuals, prior, xtol=1e-14, ftol=1e-14, gtol=1e-14).x
    far_n, far_d = np.array([1e7, 1e10, 1e11]), np.array([1e12, 1e12, 1e13])
    expected = (
        np.exp(t[0])
        + np.exp(t[1] - t[3] * (np.log(far_n) - np.log(n).mean()))
        + np.exp(t[2] - t[4] * (np.log(far_d) - np.log(d).mean()))
    )
    np.testing.assert_allclose(law.loss(far_n, far_d), expected, rtol=2e-3)


@given(st.floats(0.01, 100), st.integers(1, 12), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_unit_of_the_loss_and_the_order_of_the_runs_change_nothing(unit: float, runs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(N))[:runs]
    n, d = N[chosen], D[chosen]
    loss = LossLaw(theta=PUBLISHED).loss(n, d) * np.exp(rng.normal(0, 0.02, runs))
    plain, scaled, turned = fit_loss_laws([(n, d, loss), (n, d, unit * loss), (n[::-1], d[::-1], loss[::-1])])
    np.testing.assert_allclose(scaled.loss(N, D), unit * plain.loss(N, D), rtol=1e-3)
    np.testing.assert_allclose(turned.loss(N, D), plain.loss(N, D), rtol=1e-3)


def test_ladders_together_are_ladders_one_by_one_to_the_last_digit() -> None:
    rng = np.random.default_rng(0)
    ladders = []
    for runs in (1, 3, 8, 9, 30, 49):
        chosen = rng.permutation(len(N))[:runs]
        ladders.append((N[chosen], D[chosen], PATH.loss(N[chosen], D[chosen]) * np.exp(rng.normal(0, 0.01, runs))))
    for each, together in zip(ladders, fit_loss_laws(ladders), strict=True):
        (alone,) = fit_loss_laws([each])
        np.testing.assert_array_equal(alone.theta, together.theta)
        np.testing.assert_array_equal(alone.covariance, together.covariance)


def test_the_standard_error_is_the_delta_method() -> None:
    rng = np.random.default_rng(0)
    (law,) = fit_loss_laws([(N, D, PATH.loss(N, D) * np.exp(rng.normal(0, 0.01, len(N))))])
    steps = 1e-6 * np.maximum(np.abs(law.theta), 0.1)
    jac = np.column_stack(
        [
            (LossLaw(theta=law.theta + h).loss(N, D) - LossLaw(theta=law.theta - h).loss(N, D)) / (2 * h.sum())
            for h in np.diag(steps)
        ]
    )
    np.testing.assert_allclose(law.stderr(N, D), np.sqrt(np.diag(jac @ law.covariance @ jac.T)), rtol=1e-3)


def test_no_ladder_and_an_empty_one() -> None:
    assert fit_loss_laws([]) == []
    with pytest.raises(ValueError, match="at least one run"):
        fit_loss_laws([(N, D, PATH.loss(N, D)), (N[:0], D[:0], N[:0])])


# ---- effective compute ----


def on_path(loss: np.ndarray, multiplier: float) -> np.ndarray:
    """log10 FLOPs at which the law with one exponent reaches a loss: solved by hand."""
    height = 300 * multiplier**0.15 + 500 * multiplier**-0.15
    return np.log10(6 * ((loss - 1.7) / height) ** (-1 / 0.15))


@pytest.mark.parametrize("multiplier", [5.0, 20.0, 300.0])
def test_effective_compute_is_the_inverse_of_the_law_along_the_usual_path(multiplier: float) -> None:
    compute = EffectiveCompute(law=PATH, token_multiplier=multiplier)
    loss = np.linspace(1.9, 6.0, 50)
    np.testing.assert_allclose(compute.of_loss(loss), on_path(loss, multiplier), atol=1e-4)
    np.testing.assert_allclose(compute.of_model(N, D), on_path(PATH.loss(N, D), multiplier), atol=1e-4)
    usual = SIZES * multiplier
    np.testing.assert_allclose(compute.of_model(SIZES, usual), np.log10(6 * SIZES * usual), atol=1e-4)


@given(st.floats(7, 11), st.floats(0.3, 3.5), st.floats(0.5, 3.0))
def test_a_model_on_the_path_is_worth_its_compute_whatever_the_law(size: float, log_d: float, log_m: float) -> None:
    params = np.array([10**size])
    compute = EffectiveCompute(law=LossLaw(theta=PUBLISHED), token_multiplier=10**log_m)
    tokens = params * 10**log_m
    assert compute.of_model(params, tokens)[0] == pytest.approx(np.log10(6 * params * tokens)[0], abs=1e-3)
    more = compute.of_model(params, tokens * 10**log_d)[0] - np.log10(6 * params * tokens)[0]
    assert more > 0  # longer training is worth something


def test_a_loss_that_the_path_never_reaches_is_at_the_end_of_the_range() -> None:
    compute = EffectiveCompute(law=PATH, token_multiplier=20.0)
    np.testing.assert_array_equal(compute.of_loss(np.array([1.6, 1e9])), [GRID[-1], GRID[0]])


def test_published_constants_need_no_loss_and_take_the_ladders_usual_length() -> None:
    compute = EffectiveCompute.published(N, D)
    assert compute.token_multiplier == usual_multiplier(N, D) == pytest.approx(np.median(D / N))
    np.testing.assert_array_equal(compute.law.theta, PUBLISHED)
    assert not compute.stderr(N, D).any()


def test_the_error_of_a_place_is_that_of_its_loss_over_the_slope_of_the_path() -> None:
    rng = np.random.default_rng(0)
    (law,) = fit_loss_laws([(N, D, PATH.loss(N, D) * np.exp(rng.normal(0, 0.01, len(N))))])
    compute = EffectiveCompute(law=law, token_multiplier=20.0)
    n, d = np.array([1e9, 3e10]), np.array([1e11, 1e12])
    loss, step = law.loss(n, d), 1e-3
    slope = (compute.of_loss(loss - step) - compute.of_loss(loss + step)) / (2 * step)
    np.testing.assert_allclose(compute.stderr(n, d), law.stderr(n, d) * slope, rtol=0.02)
