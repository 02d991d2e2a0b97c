"""The sigmoid with reference models: shared shape, an offset per family, and what the prior of the offsets does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from benchcast.stages import FLOPsToNLL, NLLToAccuracy, ReferenceSigmoid
from benchcast.stages.fit.errors import FitError
from benchcast.stages.forecast.chain import Chain
from benchcast.stages.laws.accuracy.reference_sigmoid import PER_SHIFT, join_references
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, least_squares
from scipy.stats import t as student

SHAPE = {"floor": 0.25, "ceiling": 0.95, "k": 7.0, "L0": 0.8}
OFFSETS = {"delta[old]": 0.06, "delta[other mix]": -0.04}
FAMILIES = ["old", "other mix"]


def marked(n: int = 30) -> np.ndarray:
    """Losses of the ladder and, in every third row each, of two families: X of the law."""
    loss, turn = np.linspace(0.35, 1.4, n), np.arange(n) % 3
    return np.column_stack([loss, turn == 1, turn == 2]).astype(float)


def truth(X: np.ndarray) -> np.ndarray:
    """The formula, written once more."""
    loss = X[:, 0] + X[:, 1:] @ np.array(list(OFFSETS.values()))
    return SHAPE["floor"] + (SHAPE["ceiling"] - SHAPE["floor"]) / (1 + np.exp(SHAPE["k"] * (loss - SHAPE["L0"])))


def test_recovers_shape_and_offsets() -> None:
    X = marked()
    law = ReferenceSigmoid(FAMILIES).fit(X, truth(X))
    assert law.status_ == "converged"
    for name, value in (SHAPE | OFFSETS).items():
        assert law.estimates_[name] == pytest.approx(value, rel=2e-2), name  # the prior draws a little
    own = X[X[:, 1:].sum(axis=1) == 0]
    np.testing.assert_allclose(law.predict(own[:, :1]), truth(own), atol=5e-4)
    assert law.inverse([0.6])[0] == pytest.approx(0.8, abs=1e-3)


def test_without_families_it_is_the_sigmoid() -> None:
    X = marked()[:, :1]
    y = truth(marked()) + np.random.default_rng(1).normal(0, 0.01, len(X))
    plain, law = NLLToAccuracy().fit(X, y), ReferenceSigmoid().fit(X, y)
    assert law.estimates_ == pytest.approx(plain.estimates_, rel=1e-9)
    np.testing.assert_allclose(law.covariance_, plain.covariance_, rtol=1e-7)


def test_the_same_optimum_as_a_general_least_squares_solver() -> None:
    X = marked()
    y = truth(X) + np.random.default_rng(2).normal(0, 0.02, len(X))
    law = ReferenceSigmoid(FAMILIES).fit(X, y)

    def residuals(p: np.ndarray) -> np.ndarray:
        floor, ceiling, log_k, midpoint, *offsets = p
        curve = floor + (ceiling - floor) / (1 + np.exp(np.exp(log_k) * (X[:, 0] + X[:, 1:] @ offsets - midpoint)))
        return np.append(curve - y, PER_SHIFT * np.exp(log_k) * np.array(offsets))

    peer = least_squares(residuals, [0.2, 0.9, np.log(5), 0.9, 0, 0], xtol=1e-14, ftol=1e-14, gtol=1e-14)
    assert law.cost_ == pytest.approx(peer.cost, rel=1e-8)
    np.testing.assert_allclose(law.theta_, peer.x, rtol=1e-4, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 31))
def test_the_jacobian_with_offsets_and_priors_is_the_derivative(seed: int, row: int) -> None:
    rng = np.random.default_rng(seed)
    law = ReferenceSigmoid(FAMILIES)
    x = np.vstack([marked(), [[0, -1, 0], [0, 0, -1]]])[[row]]
    theta = np.array([0.25, 0.9, np.log(6), 0.8, 0.1, -0.1]) + rng.normal(0, 0.1, 6)
    numeric = approx_fprime(theta, lambda p: law._curve(p, x)[0], 1e-7)
    np.testing.assert_allclose(law._jacobian(theta, x)[0], numeric, atol=2e-6)


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(30)), st.booleans())
def test_the_order_of_rows_and_families_does_not_matter(order: list[int], turned: bool) -> None:
    X = marked()
    y = truth(X) + np.random.default_rng(3).normal(0, 0.01, len(X))
    one = ReferenceSigmoid(FAMILIES).fit(X, y)
    families, columns = (FAMILIES[::-1], [0, 2, 1]) if turned else (FAMILIES, [0, 1, 2])
    other = ReferenceSigmoid(families).fit(X[order][:, columns], y[order])
    assert other.estimates_ == pytest.approx(one.estimates_, rel=1e-4, abs=1e-6)


def test_a_family_costs_no_degree_of_freedom_beyond_its_offset() -> None:
    X = marked()
    y = truth(X) + np.random.default_rng(4).normal(0, 0.01, len(X))
    law = ReferenceSigmoid(FAMILIES).fit(X, y)
    assert law.n_points_ == len(X)
    assert law.dof_ == len(X) - 4  # an offset and its prior for each family
    runs = np.repeat(np.arange(10), 3)
    assert ReferenceSigmoid(FAMILIES).fit(X, y, groups=runs).dof_ == 10 - 4


def test_one_model_of_a_family_is_drawn_towards_the_ladder() -> None:
    """Its offset lies between none, and the one that would put it on the curve of the others."""
    own = np.linspace(0.4, 1.4, 15)
    X = np.vstack([np.column_stack([own, 0 * own]), [[0.5, 1.0]]])
    shape = NLLToAccuracy(0.25, 1.0)
    y = shape._curve(np.array([0.25, 1.0, np.log(6.0), 0.9]), np.append(own, 0.5 + 0.1)[:, None])
    offset = ReferenceSigmoid(["far"], 0.25, 1.0).fit(X, y).estimates_["delta[far]"]
    assert 0.05 < offset < 0.1


def test_standard_errors_cover_the_offsets() -> None:
    """Nominal 90 %: 300 samples of 30 models, noise of one point."""
    X, rng, inside = marked(), np.random.default_rng(5), 0
    for _ in range(300):
        law = ReferenceSigmoid(FAMILIES).fit(X, truth(X) + rng.normal(0, 0.01, len(X)))
        half = student.ppf(0.95, law.dof_) * law.stderrs_["delta[old]"]
        inside += abs(law.estimates_["delta[old]"] - OFFSETS["delta[old]"]) < half
    assert 0.85 < inside / 300 < 0.95


def test_weights_act_like_repeated_rows() -> None:
    """Up to the prior, which counts as much as an observation of the mean weight."""
    X = marked(60)
    rng = np.random.default_rng(6)
    y, weight = truth(X) + rng.normal(0, 0.005, len(X)), rng.integers(1, 3, len(X))
    weighted = ReferenceSigmoid(FAMILIES).fit(X, y, sample_weight=weight).predict(X)
    repeated = ReferenceSigmoid(FAMILIES).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).predict(X)
    np.testing.assert_allclose(weighted, repeated, atol=2e-4)


@pytest.mark.parametrize("kind", ["pairs", "runs", "wild"])
def test_resamples_spread_as_the_standard_error_says(kind: str) -> None:
    X = marked(60)
    y = truth(X) + np.random.default_rng(7).normal(0, 0.01, len(X))
    law = ReferenceSigmoid(FAMILIES, floor=(0.2, 0.3), ceiling=1.0).fit(X, y)
    drawn = law.resample(X, y, 200, kind, groups=np.arange(len(X)) if kind == "runs" else None)
    spread = np.std(law.natural(drawn.theta)["delta[old]"])
    assert 0.6 < spread / law.stderrs_["delta[old]"] < 1.6


def test_serves_as_the_second_law_of_a_chain() -> None:
    flops = np.geomspace(1e18, 1e22, 30)
    X = marked()
    X[:, 0] = 1.5 - 0.25 * (np.log10(flops) - 18)
    law = ReferenceSigmoid(FAMILIES).fit(X, truth(X) + np.random.default_rng(8).normal(0, 0.005, 30))
    first = FLOPsToNLL().fit(flops[:, None], X[:, 0] + np.random.default_rng(9).normal(0, 0.01, 30))
    forecast = Chain(first, law).forecast([[1e22]], 0.9)
    expected = truth(np.array([[0.5, 0.0, 0.0]]))[0]
    assert forecast.low[0] < expected < forecast.high[0]


def test_what_cannot_be_is_told() -> None:
    X = marked()
    for families in (["a", "a"], "old", [1], ["loss"]):
        with pytest.raises(ValueError, match="families"):
            ReferenceSigmoid(families).fit(X, truth(X))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="column of loss and one for each"):
        ReferenceSigmoid(FAMILIES).fit(X[:, :2], truth(X))
    with pytest.raises(ValueError, match="1 in the column"):
        ReferenceSigmoid(FAMILIES).fit(X + 0.5, truth(X))
    with pytest.raises(FitError):
        ReferenceSigmoid(FAMILIES).fit(-X, truth(X))


def test_tables_are_joined_family_by_family() -> None:
    own = pd.DataFrame({"run": ["a", "a", "b"], "bits_per_byte": [1.0, 0.9, 0.8], "accuracy": [0.3, 0.35, 0.4]})
    others = pd.DataFrame(
        {
            "run": ["a", "c", "d", "e"],
            "family": ["old", "mix", "old", "lost"],
            "bits_per_byte": [0.7, 0.6, 0.0, 0.5],
            "accuracy": [0.5, 0.6, 0.7, np.nan],
        }
    )
    joined = join_references(own, others, "bits_per_byte")
    assert joined.families == ("old", "mix")  # no measurement of a loss, or of an accuracy: not there
    expected = [[1.0, 0, 0], [0.9, 0, 0], [0.8, 0, 0], [0.7, 1, 0], [0.6, 0, 1]]
    np.testing.assert_array_equal(joined.X, expected)
    assert list(joined.y) == [0.3, 0.35, 0.4, 0.5, 0.6]
    assert list(joined.runs) == ["a", "a", "b", "old: a", "mix: c"]  # a name of its own
    assert join_references(own.assign(nll_choice=1.0), others, "nll_choice").families == ()
