"""The chain's intervals against brute-force simulation, and their shape."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.stages import Chain, FLOPsToNLL, LossToError, NLLToAccuracy
from benchcast.stages.forecast.chain import Mixture, compose, loss_distribution
from scipy.stats import t as student


@pytest.fixture
def chain() -> Chain:
    rng = np.random.default_rng(4)
    flops = np.geomspace(1e18, 1e21, 12)
    nll = 2.72 - 0.09 * np.log10(flops) + rng.normal(0, 0.01, 12)
    loss = rng.uniform(0.6, 1.1, 30)
    accuracy = 0.25 + 0.75 / (1 + np.exp(9 * (loss - 0.75))) + rng.normal(0, 0.01, 30)
    first = FLOPsToNLL().fit(flops[:, None], nll)
    return Chain(first, NLLToAccuracy(0.25, 1.0).fit(loss[:, None], accuracy))


def test_the_forecast_is_the_composed_curve(chain: Chain) -> None:
    X = np.array([[1e22], [1e23]])
    by_hand = chain.second.predict(chain.first.predict(X)[:, None])
    np.testing.assert_allclose(chain.forecast(X).mean, by_hand)
    np.testing.assert_allclose(chain.predict(X), by_hand)


@pytest.mark.parametrize("flops", [1e22, 1e23, 1e25])
def test_interval_equals_a_monte_carlo_of_both_stages(chain: Chain, flops: float) -> None:
    """200,000 draws: the loss from stage one with its noise, the score from stage two at that loss with its noise."""
    rng = np.random.default_rng(0)
    first = chain.first.predict_distribution([[flops]])
    loss = first.mean[0] + first.std[0] * student.rvs(first.dof, size=200_000, random_state=rng)
    second = chain.second.predict_distribution(np.maximum(loss, 0)[:, None])
    score = second.mean + second.std * student.rvs(second.dof, size=len(loss), random_state=rng)
    low, high = np.quantile(np.clip(score, 0, 1), [0.05, 0.95])
    found = chain.forecast([[flops]], 0.9)
    assert found.low[0] == pytest.approx(low, abs=0.003)
    assert found.high[0] == pytest.approx(high, abs=0.003)


def test_the_band_lies_inside_the_interval_and_levels_nest(chain: Chain) -> None:
    X = np.geomspace(1e19, 1e25, 20)[:, None]
    wide, narrow = chain.forecast(X, 0.95), chain.forecast(X, 0.8)
    assert np.all(wide.low <= wide.curve_low + 1e-9)
    assert np.all(wide.curve_high <= wide.high + 1e-9)
    assert np.all(wide.low <= narrow.low)
    assert np.all(narrow.high <= wide.high)
    assert np.all((wide.low >= 0) & (wide.high <= 1))


def test_uncertainty_grows_with_extrapolation_and_is_asymmetric_near_the_ceiling(chain: Chain) -> None:
    near, far = chain.forecast([[2e21]]), chain.forecast([[1e30]])
    assert near.stderr[0] < chain.forecast([[1e23]]).stderr[0]
    assert far.mean[0] - far.low[0] > 1.2 * (far.high[0] - far.mean[0])


def test_an_error_chain_reports_accuracy(chain: Chain) -> None:
    loss = np.linspace(0.5, 1.2, 12)
    law = LossToError().fit(loss[:, None], 0.8 - 0.9 * np.exp(-1.5 * loss))
    composed = Chain(chain.first, law, complement=True)
    X = [[1e22]]
    np.testing.assert_allclose(composed.forecast(X).mean, 1 - law.predict(chain.first.predict(X)[:, None]))


@pytest.mark.parametrize("dof", [1.0, 4.0, 200.0])
@pytest.mark.parametrize("scale", [1e-4, 0.03, 0.5])
def test_quantiles_of_a_mixture_are_where_its_distribution_says(dof: float, scale: float) -> None:
    """Many narrow peaks, and mass beyond both ends, on SciPy's own distribution."""
    rng = np.random.default_rng(3)
    means, scales = rng.uniform(-0.2, 1.2, (8, 50)) ** 3, scale * rng.uniform(0.1, 5, (8, 50))

    def below(value: float, row: int) -> float:
        return float(student.cdf(value, dof, means[row], scales[row]).mean())

    mixture = Mixture(mean=means, scale=scales, dof=dof)
    for probability in (0.05, 0.1587, 0.5, 0.95):
        for row, found in enumerate(mixture.quantile(probability, 60)):
            # Between two peaks the distribution is flat: any place there is a quantile.
            assert found == 1.0 or below(found + 1e-8, row) >= probability - 1e-12
            assert found == 0.0 or below(found - 1e-8, row) <= probability + 1e-12
            assert 0 <= found <= 1


def test_the_two_standard_errors_are_of_one_mixture(chain: Chain) -> None:
    """The moments at many quantiles are the interval's stderr where tails are thin; nine of them cut the tails."""
    X = np.array([[1e22]])
    chain.first.dof_ = chain.second.dof_ = 1e4
    stderr = chain.forecast(X, quantiles=2000, steps=60).stderr[0]
    fine, coarse = (
        compose(loss_distribution(chain.first, X, quantiles), chain.second)[1].moment_std()[0]
        for quantiles in (2000, 9)
    )
    assert fine == pytest.approx(stderr, rel=0.01)
    assert 0.9 * fine < coarse < fine


def test_few_degrees_of_freedom_widen_the_interval_and_not_the_moments(chain: Chain) -> None:
    X = np.array([[1e22]])
    losses = loss_distribution(chain.first, X, 9)
    few, many = (
        Mixture(mean=m.mean, scale=m.scale, dof=dof) for dof in (3.0, 1e4) for m in [compose(losses, chain.second)[1]]
    )
    assert few.quantile(0.8413, 60)[0] > many.quantile(0.8413, 60)[0]
    assert few.moment_std() == many.moment_std()


def test_the_complement_of_a_mixture_mirrors_it() -> None:
    mixture = Mixture(mean=np.array([[0.2, 0.3]]), scale=np.array([[0.05, 0.1]]), dof=5.0)
    assert mixture.complement().quantile(0.1, 60)[0] == pytest.approx(1 - mixture.quantile(0.9, 60)[0], abs=1e-9)
    assert mixture.complement().moment_std()[0] == pytest.approx(mixture.moment_std()[0])
