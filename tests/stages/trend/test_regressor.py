"""The trend as a regressor: scikit-learn's contract, and what its arguments mean."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from benchcast.stages.trend import regressor
from benchcast.stages.trend.log_odds import TrendPriors
from benchcast.stages.trend.regressor import LogOddsTrend
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

X = np.linspace(18, 21, 10)[:, None]
Y = 0.25 + 0.75 * expit(X[:, 0] - 20.5)
FAR = np.array([[21.0], [22.0], [24.0]])


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks provoke warnings on purpose
@parametrize_with_checks([LogOddsTrend()])
def test_scikit_learn_contract(estimator, check) -> None:
    check(estimator)


def test_a_clone_has_the_same_settings_and_the_same_forecast() -> None:
    trend = LogOddsTrend(chance=0.25, priors=TrendPriors(scatters=(0.01,))).fit(X, Y)
    again = clone(trend)
    assert again.get_params() == trend.get_params()
    with pytest.raises(NotFittedError):
        again.predict(FAR)
    np.testing.assert_array_equal(again.fit(X, Y).predict(FAR), trend.predict(FAR))


def test_it_continues_the_line_and_says_how_unsure_it_is() -> None:
    trend = LogOddsTrend(chance=0.25).fit(X, Y)
    said = trend.predict_distribution(FAR)
    truth = 0.25 + 0.75 * expit(FAR[:, 0] - 20.5)
    assert (np.abs(said.mean - truth) < 2 * said.std).all()
    assert said.std[1] > said.std[0]
    np.testing.assert_array_equal(said.mean, trend.predict(FAR))
    assert trend.slope_ == pytest.approx(1.0, abs=0.25)


def test_a_weight_of_zero_leaves_a_score_out() -> None:
    wrong = np.append(Y, 0.0)
    weight = np.append(np.ones(len(Y)), 0.0)
    more = LogOddsTrend(chance=0.25).fit(np.vstack([X, [[19.0]]]), wrong, weight)
    np.testing.assert_array_equal(more.predict(FAR), LogOddsTrend(chance=0.25).fit(X, Y).predict(FAR))


def test_scores_of_few_questions_and_checkpoints_of_one_run_say_less() -> None:
    exact = LogOddsTrend(chance=0.25).fit(X, Y).predict_distribution(FAR[:1]).std
    few = LogOddsTrend(chance=0.25).fit(X, Y, stderr=np.full(10, 0.05)).predict_distribution(FAR[:1]).std
    assert few > np.hypot(exact, 0.05 / 2)
    priors = TrendPriors(scatters=(0.04,), slopes=((0.3, 0.3),), run_share=0.9)
    noisy = Y + np.random.default_rng(0).normal(0, 0.03, 10)
    runs, one = (
        LogOddsTrend(chance=0.25, priors=priors).fit(X, noisy, groups=groups).predict_distribution(FAR[:1]).std
        for groups in (None, ["a"] * 10)
    )
    assert one > runs


@pytest.mark.parametrize("chance", [-0.1, 1.0, 25])
def test_a_chance_that_is_no_fraction_is_named(chance: float) -> None:
    with pytest.raises(ValueError, match="chance"):
        LogOddsTrend(chance=chance).fit(X, Y)


def test_no_score_with_a_weight_is_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match=r"(?i)sample.weight"):
        LogOddsTrend().fit(X, Y, np.zeros(10))


def test_examples_in_docstrings() -> None:
    failed, tried = doctest.testmod(regressor)
    assert (failed, bool(tried)) == (0, True)
