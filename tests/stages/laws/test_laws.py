"""Laws against closed forms, finite differences, known truth and other people's estimators."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.stages import (
    BrokenPower,
    FLOPsToAccuracy,
    FLOPsToNLL,
    LossToError,
    NLLToAccuracy,
    PurePower,
    TaskLoss,
)
from scipy.optimize import curve_fit
from scipy.stats import linregress
from scipy.stats import t as student

FLOPS = np.geomspace(1e17, 1e21, 14)
SIZES = np.repeat([1.9e8, 3.7e8, 7.6e8, 1.3e9], 4)
TOKENS = SIZES * np.tile([20.0, 40.0, 100.0, 200.0], 4)


def test_linear_law_is_ordinary_least_squares() -> None:
    """Estimates, standard errors and both bands against scipy's regression and the textbook formulas."""
    rng = np.random.default_rng(3)
    y = 2.7 - 0.09 * np.log10(FLOPS) + rng.normal(0, 0.01, len(FLOPS))
    law = FLOPsToNLL().fit(FLOPS[:, None], y)
    x = np.log10(FLOPS)
    peer = linregress(x, y)
    assert law.estimates_["b"] == pytest.approx(peer.slope, rel=1e-9)
    assert law.estimates_["a"] == pytest.approx(peer.intercept, rel=1e-9)
    assert law.stderrs_["b"] == pytest.approx(peer.stderr, rel=1e-6)
    assert law.stderrs_["a"] == pytest.approx(peer.intercept_stderr, rel=1e-6)
    n, x0 = len(x), 23.0
    s = np.sqrt(np.sum((y - peer.intercept - peer.slope * x) ** 2) / (n - 2))
    leverage = 1 / n + (x0 - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2)
    t = student.ppf(0.95, n - 2)
    low, high = law.interval([[10**x0]], 0.9)
    assert high[0] - low[0] == pytest.approx(2 * t * s * np.sqrt(1 + leverage), rel=1e-6)
    low, high = law.interval([[10**x0]], 0.9, new_observation=False)
    assert high[0] - low[0] == pytest.approx(2 * t * s * np.sqrt(leverage), rel=1e-6)


def test_error_law_agrees_with_scipy() -> None:
    rng = np.random.default_rng(1)
    loss = np.linspace(2.0, 4.5, 12)
    error = 0.86 - 2.2 * np.exp(-0.75 * loss) + rng.normal(0, 0.003, 12)
    law = LossToError().fit(loss[:, None], error)
    found, covariance = curve_fit(lambda x, e, k, g: e - k * np.exp(-g * x), loss, error, p0=[0.9, 2.0, 0.7])
    np.testing.assert_allclose(list(law.estimates_.values()), found, rtol=1e-4)
    np.testing.assert_allclose(list(law.stderrs_.values()), np.sqrt(np.diag(covariance)), rtol=2e-3)


def test_sigmoid_stays_between_its_bounds() -> None:
    rng = np.random.default_rng(0)
    loss = np.linspace(0.3, 1.4, 30)
    y = 0.2 + 0.75 / (1 + np.exp(8 * (loss - 0.8))) + rng.normal(0, 0.01, 30)
    law = NLLToAccuracy(floor=0.25, ceiling=(0.5, 0.9)).fit(loss[:, None], y)
    assert law.estimates_["floor"] == pytest.approx(0.25, abs=1e-8)
    assert law.estimates_["ceiling"] <= 0.9
    assert law.status_ == "bound hit"
    assert any("ceiling" in note for note in law.notes_)


def test_huber_ignores_an_outlier_that_pulls_least_squares() -> None:
    X = np.column_stack([SIZES, TOKENS])
    truth = 30 / SIZES**0.23 + 100 / TOKENS**0.24 + 0.45
    spoiled = truth.copy()
    spoiled[5] *= 1.2
    target = np.array([[1.3e10, 5e12]])
    right = 30 / 1.3e10**0.23 + 100 / 5e12**0.24 + 0.45
    robust = abs(TaskLoss().fit(X, spoiled).predict(target)[0] - right)
    plain = abs(TaskLoss(huber=None).fit(X, spoiled).predict(target)[0] - right)
    assert robust < 0.1 * plain


def test_too_few_points_give_no_interval_but_say_so() -> None:
    law = LossToError().fit([[2.0], [3.0], [4.0]], [0.5, 0.6, 0.65])
    assert law.status_ == "abnormal"
    assert any("its error is unknown" in note for note in law.notes_)
    assert np.isnan(law.interval([[2.5]])[0]).all()


def test_inverse_scaling_is_named() -> None:
    loss = np.linspace(2.0, 4.0, 8)
    law = LossToError().fit(loss[:, None], 0.5 + 0.1 * np.exp(-loss))
    assert any("inverse" in note for note in law.notes_)


def test_clustered_errors_are_wider_than_independent_ones() -> None:
    """Ten near-copies of a point per run are not ten observations."""
    rng = np.random.default_rng(5)
    run = np.repeat(np.arange(8), 10)
    loss = np.repeat(np.linspace(0.4, 1.3, 8), 10) + rng.normal(0, 0.01, 80)
    y = 0.25 + 0.7 / (1 + np.exp(8 * (loss - 0.8))) + np.repeat(rng.normal(0, 0.02, 8), 10)
    law = NLLToAccuracy()
    alone = law.fit(loss[:, None], y).predict_distribution([[0.5]]).curve_stderr[0]
    clustered = law.fit(loss[:, None], y, groups=run).predict_distribution([[0.5]]).curve_stderr[0]
    assert clustered > 1.5 * alone


def test_negative_inputs_and_nonpositive_losses_are_errors() -> None:
    with pytest.raises(ValueError, match="Negative"):
        FLOPsToNLL().fit([[-1.0], [2.0], [3.0]], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="positive"):
        TaskLoss().fit(np.column_stack([SIZES, TOKENS]), np.zeros(16))


def test_a_pure_power_is_a_plane_through_logarithms() -> None:
    """Estimates and standard errors against scikit-learn's regression and the textbook formula."""
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(2)
    X = np.column_stack([SIZES, TOKENS])
    loss = 40 * SIZES**-0.07 * TOKENS**-0.05 * np.exp(rng.normal(0, 0.01, len(SIZES)))
    law = PurePower().fit(X, loss)
    peer = LinearRegression().fit(np.log(X), np.log(loss))
    assert -law.estimates_["alpha"] == pytest.approx(peer.coef_[0], rel=1e-8)
    assert -law.estimates_["beta"] == pytest.approx(peer.coef_[1], rel=1e-8)
    design = np.column_stack([np.ones(len(X)), np.log(X)])
    left = np.log(loss) - peer.predict(np.log(X))
    covariance = left @ left / (len(X) - 3) * np.linalg.inv(design.T @ design)
    assert law.stderrs_["alpha"] == pytest.approx(np.sqrt(covariance[1, 1]), rel=1e-6)


def test_a_broken_power_has_its_two_exponents_far_from_the_break() -> None:
    theta = np.array([0.0, 0.1, -0.06, np.log(1e18)])
    far = np.array([[1e8], [1e9], [1e27], [1e28]])
    log_loss = np.log10(BrokenPower()._curve(theta, far))
    assert log_loss[1] - log_loss[0] == pytest.approx(-0.1, abs=1e-6)
    assert log_loss[3] - log_loss[2] == pytest.approx(-0.04, abs=1e-6)


def test_a_sigmoid_in_log_c_agrees_with_scipy_and_never_leaves_its_range() -> None:
    rng = np.random.default_rng(5)
    decades = np.log10(FLOPS)
    score = 0.25 + 0.75 / (1 + np.exp(-0.9 * (decades - 19.5))) + rng.normal(0, 0.01, len(FLOPS))
    law = FLOPsToAccuracy(0.25).fit(FLOPS[:, None], score)

    def curve(x: np.ndarray, a: float, k: float) -> np.ndarray:
        return 0.25 + 0.75 / (1 + np.exp(-(a + k * x)))

    found, covariance = curve_fit(curve, decades, score, p0=[-17, 0.9])
    assert law.estimates_["k"] == pytest.approx(found[1], rel=1e-5)
    assert law.stderrs_["k"] == pytest.approx(np.sqrt(covariance[1, 1]), rel=1e-3)
    ends = law.predict([[1.0], [1e40]])
    assert 0.25 - 1e-6 <= ends[0] < 0.26
    assert 0.999 < ends[1] <= 1
