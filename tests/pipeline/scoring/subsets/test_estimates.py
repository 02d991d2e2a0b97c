"""Rows of all documents from the values of some: what is a mean is estimated, and nothing else."""

import math

import numpy as np
import pandas as pd
import pytest
from benchcast.scoring.measure.base import Measured
from benchcast.scoring.measure.estimates import NOT_MEANS, estimated
from benchcast.scoring.requests.chosen import ChosenDocuments
from benchcast.stages.documents.subset import choose, estimate

TOTAL, COUNT = 50, 20
RIGHT = (np.arange(COUNT) % 3 == 0).astype(float)
LOGLIKS = -np.linspace(1, 6, COUNT)


@pytest.fixture(scope="module")
def chosen() -> ChosenDocuments:
    history = np.random.default_rng(0).gamma(4, 0.5, (6, TOTAL)) + np.linspace(0, 3, TOTAL)
    subset = choose({"nll": history, "nll_mean_prob": np.exp(-history)}, list("aabbcc"), COUNT)
    return ChosenDocuments(subset=subset, whole="w", digest="d", chance=0.3)


def measured(**rows: float) -> Measured:
    """Written answers of the chosen documents, each with its reference's loss; ``rows`` are metric to value."""
    documents = pd.DataFrame({"doc_id": np.arange(COUNT), "answer": "x", "score exact_match": RIGHT})
    documents = documents.assign(gold_loglik=LOGLIKS, gold_bytes=2)
    found = [{"task": "t", "metric": m, "value": v, "stderr": 0.1, "n": COUNT, "chance": 0.0} for m, v in rows.items()]
    return Measured(rows=found, results={}, documents=documents)


def test_each_row_is_its_own_estimate_with_its_error(chosen: ChosenDocuments) -> None:
    nll = -LOGLIKS / 2
    values = {"nll": nll.mean(), "bits_per_byte": nll.mean() / math.log(2), "exact_match": RIGHT.mean()}
    values["nll_mean_prob"] = -math.log(np.exp(-nll).mean())
    out = estimated(chosen, measured(**values))
    rows = {row["metric"]: row for row in out.rows}
    assert set(rows) == set(values)
    for name, documents, unit in (("nll", nll, 1), ("bits_per_byte", nll / math.log(2), 1), ("exact_match", RIGHT, 1)):
        expected = estimate(chosen.subset, documents, "nll" if name == "bits_per_byte" else name)
        assert rows[name]["value"] == pytest.approx(np.clip(expected.value, documents.min(), documents.max()) * unit)
        assert rows[name]["stderr"] == pytest.approx(expected.stderr)
    probability = estimate(chosen.subset, np.exp(-nll), "nll_mean_prob")
    assert rows["nll_mean_prob"]["value"] == pytest.approx(-math.log(probability.value))
    assert rows["nll_mean_prob"]["stderr"] == pytest.approx(probability.stderr / probability.value)
    assert {row["n"] for row in out.rows} == {COUNT}
    assert {row["chance"] for row in out.rows} == {0.0}  # of what is written
    assert out.documents["doc_id"].tolist() == chosen.subset.documents.tolist()
    assert not out.aside


def test_what_is_no_mean_of_its_documents_has_no_row_and_is_told(chosen: ChosenDocuments) -> None:
    out = estimated(chosen, measured(exact_match=RIGHT.mean() + 0.01, f1=0.5, nll=float((-LOGLIKS / 2).mean())))
    assert [row["metric"] for row in out.rows] == ["nll"]
    assert out.aside == {NOT_MEANS: "exact_match, f1"}


def test_the_score_of_guessing_is_that_of_all_documents(chosen: ChosenDocuments) -> None:
    given = measured(exact_match=RIGHT.mean())
    given.rows[0]["chance"] = 0.25  # of those that were asked
    assert estimated(chosen, given).rows[0]["chance"] == 0.3
