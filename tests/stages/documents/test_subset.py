"""Which documents are asked, and what they say about all of them."""

import numpy as np
import pytest
from benchcast.stages.documents.subset import Estimate, choose, estimate, evenly
from hypothesis import given, settings
from hypothesis import strategies as st

DOCUMENTS, COUNT = 600, 80
LEVEL_90 = 1.645


def ladder(
    runs: int, checkpoints: int, seed: int, *, noise: float = 0.15, ability: float = 0.0
) -> dict[str, np.ndarray]:
    """Losses and right or wrong of documents that differ in difficulty and in how fast they are learnt."""
    rng = np.random.default_rng(seed)
    documents = np.random.default_rng(1)
    level, slope = documents.gamma(4, 0.5, DOCUMENTS), documents.uniform(0.2, 1.8, DOCUMENTS)
    progress = ability + np.repeat(rng.uniform(0, 1, runs), checkpoints) + np.tile(np.linspace(0, 1, checkpoints), runs)
    nll = level * np.exp(-0.4 * slope * progress[:, None]) + noise * rng.standard_normal((len(progress), DOCUMENTS))
    right = rng.random(nll.shape) < 1 / (1 + np.exp(8 * (nll - 1.2)))
    return {"nll": nll, "acc": right.astype(float)}


def names(runs: int, checkpoints: int) -> list[str]:
    return [f"run{r}" for r in range(runs) for _ in range(checkpoints)]


def simple(values: np.ndarray) -> float:
    """The error of the mean of a simple random sample."""
    return float(np.sqrt(np.mean(values.var(axis=1)) * (1 / COUNT - 1 / DOCUMENTS)))


@pytest.fixture(scope="module")
def chosen():
    return choose(ladder(5, 3, 0), names(5, 3), COUNT)


def test_even_distances_weigh_the_same_and_err_as_a_simple_sample_does():
    subset = evenly(DOCUMENTS, COUNT)
    values = np.random.default_rng(0).normal(2, 1, COUNT)
    found = estimate(subset, values)
    assert found.value == pytest.approx(values.mean())
    # Sampling k of n and then n of all there could be is sampling k: s/sqrt(k), nearly.
    assert found.stderr == pytest.approx(values.std(ddof=1) / np.sqrt(COUNT), rel=0.01)


def test_new_checkpoints_beyond_the_ladder_are_estimated_well_and_no_better_than_is_said(chosen):
    """Runs and progress that the choice has not seen; errors are compared with those of a simple random sample."""
    new = ladder(40, 1, 7, ability=0.8)
    for name, gain in (("nll", 3.0), ("acc", 1.1)):
        full = new[name].mean(axis=1)
        found = [estimate(chosen, row[chosen.documents], name) for row in new[name]]
        missed = np.array([f.value for f in found]) - full
        stated = np.array([f.estimation for f in found])
        assert np.sqrt(np.mean(missed**2)) * gain < simple(new[name])
        assert 0.8 < np.mean(np.abs(missed) < LEVEL_90 * stated) <= 1.0
        assert np.sqrt(np.mean((missed / stated) ** 2)) > 0.5  # nor much worse


def test_what_is_said_of_all_documents_is_their_own_sampling_error(chosen):
    new = ladder(1, 1, 3)["acc"][0]
    found = estimate(chosen, new[chosen.documents], "acc")
    assert found.sampling == pytest.approx(new.std() / np.sqrt(DOCUMENTS), rel=0.2)
    assert found.stderr**2 == pytest.approx(found.sampling**2 + found.estimation**2)


def test_the_choice_is_the_same_every_time(chosen):
    again = choose(ladder(5, 3, 0), names(5, 3), COUNT)
    assert np.array_equal(again.documents, chosen.documents)
    assert np.array_equal(again.weights, chosen.weights)
    assert len(set(chosen.documents.tolist())) == COUNT


def test_history_that_tells_nothing_gives_even_distances_and_says_so():
    """Every run's documents are drawn anew: no other run tells about them."""
    rng = np.random.default_rng(2)
    values = np.repeat(rng.gamma(4, 0.5, (4, DOCUMENTS)), 2, axis=0)
    # Even distances are exact here, so that the choice must lose.
    values[:, evenly(DOCUMENTS, COUNT).documents] = values.mean(axis=1, keepdims=True)
    subset = choose({"nll": values}, names(4, 2), COUNT)
    assert subset.method == "even"
    assert "no better" in subset.remark
    assert np.array_equal(subset.documents, evenly(DOCUMENTS, COUNT).documents)


@pytest.mark.parametrize("checkpoints", [1, 4])
def test_one_run_is_enough_to_choose_but_not_to_test_the_errors(checkpoints):
    subset = choose(ladder(1, checkpoints, 0), names(1, checkpoints), COUNT)
    assert subset.method == "informed"
    assert "not tested" in subset.remark
    new = ladder(20, 1, 9)["nll"]
    missed = [estimate(subset, row[subset.documents]).value - row.mean() for row in new]
    assert np.sqrt(np.mean(np.square(missed))) < 0.5 * simple(new)


@settings(max_examples=20, deadline=None)
@given(
    shift=st.floats(-5, 5),
    scale=st.floats(-4, 4).filter(lambda x: abs(x) > 0.01),
    runs=st.integers(1, 4),
    count=st.integers(2, 60),
)
def test_an_estimate_follows_its_unit(shift, scale, runs, count):
    """Weights add up to 1, errors are in the unit of the values; for every number of documents and runs."""
    full = ladder(runs, 2, 4)
    subset = choose({name: table[:, :120] for name, table in full.items()}, names(runs, 2), count)
    assert subset.weights.sum() == pytest.approx(1)
    assert len(subset.documents) == len(set(subset.documents.tolist())) == count
    values = full["nll"][0, subset.documents]
    one, other = estimate(subset, values), estimate(subset, shift + scale * values)
    assert other.value == pytest.approx(shift + scale * one.value, abs=1e-8)
    assert other.estimation == pytest.approx(abs(scale) * one.estimation, rel=1e-6, abs=1e-9)
    assert other.sampling == pytest.approx(abs(scale) * one.sampling, rel=1e-6, abs=1e-9)


def test_documents_that_were_all_alike_leave_no_error(chosen):
    found = estimate(chosen, np.ones(COUNT))
    assert found == Estimate(value=pytest.approx(1), sampling=pytest.approx(0), estimation=pytest.approx(0, abs=1e-9))


@pytest.mark.parametrize("count", [1, DOCUMENTS, DOCUMENTS + 1])
def test_a_number_that_is_no_choice_is_refused(count):
    with pytest.raises(ValueError, match="can choose from 2 to 599"):
        evenly(DOCUMENTS, count)
    with pytest.raises(ValueError, match="can choose from 2 to 599"):
        choose(ladder(1, 1, 0), ["a"], count)


def test_values_that_are_not_known_are_refused(chosen):
    with pytest.raises(ValueError, match="finite value for each of its 80"):
        estimate(chosen, np.full(COUNT, np.nan))
    with pytest.raises(ValueError, match="must be finite"):
        choose({"nll": np.full((2, 5), np.nan)}, ["a", "b"], 3)
    with pytest.raises(ValueError, match="a run each"):
        choose(ladder(2, 1, 0), ["a"], 3)
