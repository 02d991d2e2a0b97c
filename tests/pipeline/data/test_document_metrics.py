from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
from benchcast.data import document_metrics
from benchcast.data.document_metrics import Document
from hypothesis import given
from hypothesis import strategies as st

LOGLIKS = st.lists(st.floats(-300, 0), min_size=2, max_size=6)


def test_a_document_by_hand() -> None:
    document = Document(logliks=(math.log(0.2), math.log(0.05)), gold=0, gold_bytes=4)
    assert document_metrics.gold_nll(document) == pytest.approx(-math.log(0.2) / 4)
    assert document_metrics.choice_nll(document) == pytest.approx(-math.log(0.2 / 0.25))


@given(LOGLIKS, st.integers(0, 1))
def test_choice_nll_is_scipys_log_softmax(logliks: list[float], gold: int) -> None:
    expected = -scipy.special.log_softmax(np.array(logliks))[gold]
    assert document_metrics.choice_nll(Document(logliks=tuple(logliks), gold=gold, gold_bytes=1)) == pytest.approx(
        expected, abs=1e-9
    )


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_mean_and_its_error_are_scipys(values: list[float]) -> None:
    found = document_metrics.mean(values)
    assert found.value == pytest.approx(np.mean(values), abs=1e-9)
    assert found.stderr == pytest.approx(scipy.stats.sem(values), abs=1e-9)


def test_one_document_has_no_error() -> None:
    assert math.isnan(document_metrics.mean([1.0]).stderr)


def test_losses_in_their_units() -> None:
    documents = [
        Document(logliks=(-4.0, -6.0), gold=0, gold_bytes=2),
        Document(logliks=(-9.0, -3.0, -5.0), gold=1, gold_bytes=3),
    ]
    found = document_metrics.losses(documents)
    assert found["nll"].value == pytest.approx((2.0 + 1.0) / 2)
    assert found["bits_per_byte"].value == pytest.approx(1.5 / math.log(2))
    assert found["bits_per_byte"].stderr == pytest.approx(found["nll"].stderr / math.log(2))
    assert document_metrics.chance(documents) == pytest.approx((1 / 2 + 1 / 3) / 2)


@given(st.lists(st.floats(0, 25), min_size=2, max_size=40))
def test_the_mean_probability_is_scipys_and_its_error_that_of_the_delta_method(nlls: list[float]) -> None:
    found = document_metrics.of_mean_probability(nlls)
    array = np.array(nlls)
    assert found.value == pytest.approx(np.log(len(nlls)) - scipy.special.logsumexp(-array), abs=1e-9)
    assert found.value <= array.mean() + 1e-9  # Jensen
    shares = np.exp(-(array - array.min()))
    assert found.stderr == pytest.approx(scipy.stats.sem(shares) / shares.mean(), abs=1e-9)


def test_the_error_of_the_mean_probability_is_that_of_resampling() -> None:
    rng = np.random.default_rng(0)
    nlls = rng.gamma(4.0, 0.5, 400)
    found = document_metrics.of_mean_probability(list(nlls))
    draws = rng.choice(nlls, (4000, len(nlls)))
    resampled = np.log(len(nlls)) - scipy.special.logsumexp(-draws, axis=1)
    assert found.stderr == pytest.approx(resampled.std(), rel=0.05)


def test_a_mean_probability_that_no_float_holds() -> None:
    assert document_metrics.of_mean_probability([1000.0, 1000.0]).value == pytest.approx(1000.0)


def test_a_single_answer_has_nothing_to_choose_from() -> None:
    documents = [Document(logliks=(-4.0,), gold=0, gold_bytes=2), Document(logliks=(-2.0,), gold=0, gold_bytes=2)]
    assert set(document_metrics.losses(documents)) == {"nll", "bits_per_byte", "nll_mean_prob"}
    assert math.isnan(document_metrics.chance(documents))


@pytest.mark.parametrize(("text", "length"), [("Paris", 5), (" Paris", 5), ("\n naïve ", 7), ("", 0), ("東京", 6)])
def test_the_space_before_an_answer_does_not_count(text: str, length: int) -> None:
    assert document_metrics.answer_bytes(text) == length


def test_several_golds_share_what_is_right() -> None:
    """Golds of 4 and 2 bytes with probabilities 0.2 and 0.1 of 0.4; one gold alone is the old definition."""
    logliks = tuple(math.log(p) for p in (0.2, 0.1, 0.1))
    both = Document(logliks=logliks, gold=0, gold_bytes=4, more_golds=((2, 2),))
    assert document_metrics.gold_nll(both) == pytest.approx((-math.log(0.2) / 4 - math.log(0.1) / 2) / 2)
    assert document_metrics.choice_nll(both) == pytest.approx(-math.log(0.3 / 0.4))
    assert document_metrics.chance([both, Document(logliks=logliks, gold=0, gold_bytes=1)]) == pytest.approx(0.5)
    every = Document(logliks=logliks, gold=0, gold_bytes=4, more_golds=((1, 1), (2, 2)))
    assert document_metrics.choice_nll(every) == 0


def test_the_error_of_a_ratio_is_that_of_its_residuals() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(50, 200, 400).astype(float)
    ratios = [document_metrics.ratio(2 * counts + rng.normal(0, 30, 400), counts) for _ in range(300)]
    assert np.mean([r.value for r in ratios]) == pytest.approx(2, abs=2e-3)
    assert np.mean([r.stderr for r in ratios]) == pytest.approx(np.std([r.value for r in ratios]), rel=0.15)
