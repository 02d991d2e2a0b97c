"""The link from levels to accuracy: against its own formula, finite differences, scikit-learn, and known worlds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchcast.stages.documents.link import Cells, LinkPriors, _Problem, fit_link
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

RNG = np.random.default_rng(0)
LEVELS = np.linspace(4, 1.5, 12)[:, None] + np.linspace(-2, 2, 30)[None, :]
SHARES = np.full(30, 1 / 30)
WORTH = np.full(12, 1000.0)
WIDE = LinkPriors(steepness_spread=10.0, floor_spread=0.0)


def truth(levels: Any, floor: float = 0.25, middle: float = 2.5, steep: float = 1.6, sign: float = 1.0) -> Any:
    return floor + (1 - floor) * expit(sign * steep * (middle - levels))


@pytest.mark.parametrize("known", ["how many", "which"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_curve_comes_back(known: str, sign: float) -> None:
    right = truth(LEVELS, sign=sign)
    cells = Cells(levels=LEVELS, shares=SHARES, right=right @ SHARES if known == "how many" else right, worth=WORTH)
    link = fit_link(cells, 0.25, sign, WIDE)
    np.testing.assert_allclose(link.theta, [2.5, np.log(1.6), 0.25], atol=0.02)
    np.testing.assert_allclose(link.accuracy(LEVELS - 1, SHARES)[0], truth(LEVELS - 1, sign=sign) @ SHARES, atol=2e-3)


def test_where_documents_are_known_it_is_logistic_regression() -> None:
    """Floor 0 and wide priors: scikit-learn's, without a penalty, on the same documents."""
    right = RNG.uniform(size=LEVELS.shape) < truth(LEVELS, floor=0.0)
    cells = Cells(levels=LEVELS, shares=SHARES, right=right.astype(float), worth=np.full(12, 30.0))
    link = fit_link(cells, 0.0, 1.0, WIDE)
    theirs = LogisticRegression(C=1e8).fit(LEVELS.reshape(-1, 1), right.ravel())
    steep = -theirs.coef_[0, 0]
    np.testing.assert_allclose(link.theta[:2], [theirs.intercept_[0] / steep, np.log(steep)], atol=5e-3)


@pytest.mark.parametrize("known", ["how many", "which"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_derivatives_are_those_of_finite_differences(known: str, sign: float) -> None:
    right = RNG.uniform(0.2, 0.8, LEVELS.shape)
    cells = Cells(levels=LEVELS, shares=SHARES, right=right @ SHARES if known == "how many" else right, worth=WORTH)
    problem = _Problem.of(cells, 0.25, sign, LinkPriors())
    theta = np.array([2.7, 0.2, 0.24])
    gradient, _ = problem.derivatives(theta)
    steps = np.eye(3) * 1e-5
    numeric = [(problem.cost(theta + h) - problem.cost(theta - h)) / 2e-5 for h in steps]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-4)


def test_slopes_of_the_accuracy_are_those_of_finite_differences() -> None:
    link = fit_link(Cells(levels=LEVELS, shares=SHARES, right=truth(LEVELS) @ SHARES, worth=WORTH), 0.25, 1.0)
    slopes = link.accuracy(LEVELS[:1], SHARES)[1]
    numeric = [
        (link.accuracy(LEVELS[:1] + h, SHARES)[0] - link.accuracy(LEVELS[:1] - h, SHARES)[0])[0] / 2e-6
        for h in np.eye(30) * 1e-6
    ]
    np.testing.assert_allclose(slopes[0], numeric, rtol=1e-4)


def test_the_links_error_is_as_wide_as_refits_of_drawn_accuracies_scatter() -> None:
    p = truth(LEVELS) @ SHARES
    ahead = LEVELS[-1:] - 0.5
    said, seen = [], []
    for _ in range(80):
        right = RNG.binomial(1000, p) / 1000
        link = fit_link(Cells(levels=LEVELS, shares=SHARES, right=right, worth=WORTH), 0.25, 1.0, WIDE)
        value, _, error = link.accuracy(ahead, SHARES)
        said.append(error[0])
        seen.append(value[0])
    assert np.std(seen) == pytest.approx(np.mean(said), rel=0.3)


def test_a_ladder_at_chance_stays_there_and_the_slope_is_the_priors() -> None:
    cells = Cells(levels=LEVELS[:6] + 20, shares=SHARES, right=np.full(6, 0.25), worth=WORTH[:6])
    link = fit_link(cells, 0.25, 1.0)
    assert link.accuracy(LEVELS[5:6] + 20, SHARES)[0][0] == pytest.approx(0.25, abs=0.01)
    assert np.isfinite(link.covariance).all()


def test_scatter_is_that_of_the_accuracies_around_the_curve() -> None:
    right = truth(LEVELS) @ SHARES + np.tile([0.02, -0.02], 6)
    link = fit_link(Cells(levels=LEVELS, shares=SHARES, right=right, worth=WORTH), 0.25, 1.0, WIDE)
    assert link.scatter == pytest.approx(0.02 * np.sqrt(12 / 10), rel=0.1)
