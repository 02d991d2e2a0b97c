"""``DocumentForecaster`` on documents from a known item response law: what it forecasts is known there."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.stages.documents.flips import expected_flips
from benchcast.stages.documents.forecaster import DocumentForecaster
from benchcast.stages.documents.matrix import DocumentMatrix
from benchcast.stages.fit.errors import FitError
from sklearn.base import clone
from worlds.documents import CHANCE, LARGER, World

WORLD = World.of()
LADDER, ACCURACY = WORLD.ladder()
TRUTH = WORLD.accuracy(LARGER["params"].to_numpy(), LARGER["tokens"].to_numpy())
FORMS = ["clusters", "factors"]


def with_choices() -> DocumentMatrix:
    """Right or wrong drawn from the law; the margin agrees with it in sign."""
    rng = np.random.default_rng(3)
    params, tokens = (LADDER.places[c].to_numpy() for c in ("params", "tokens"))
    strength = 1.5 * (2.2 - WORLD.nll(params, tokens)) + 0.5
    margin = strength + rng.logistic(0, 1, strength.shape)
    return replace(LADDER, margin=margin.astype(np.float32))


@pytest.mark.parametrize("form", FORMS)
def test_it_goes_on_where_the_law_that_made_the_documents_goes(form: str) -> None:
    mean, std = DocumentForecaster(form=form).fit(LADDER, ACCURACY, CHANCE).predict(LARGER)
    assert TRUTH[0] > ACCURACY.max() + 0.05  # it is an extrapolation
    assert np.abs(mean - TRUTH).max() < 0.05
    assert (np.abs(mean - TRUTH) < 3 * std).all()
    assert std[1] > std[0] > 0


@pytest.mark.parametrize("form", FORMS)
def test_margins_give_the_link_that_right_and_wrong_show(form: str) -> None:
    params, tokens = (LARGER[c].to_numpy() for c in ("params", "tokens"))
    truth = 1 / (1 + np.exp(-(1.5 * (2.2 - WORLD.nll(params, tokens)) + 0.5)))
    matrix = with_choices()
    assert matrix.margin is not None
    forecaster = DocumentForecaster(form=form).fit(matrix, (matrix.margin > 0).mean(axis=1), CHANCE)
    mean, _ = forecaster.predict(LARGER)
    assert np.abs(mean - truth.mean(axis=1)).max() < 0.05
    each = forecaster.document_probabilities(LARGER)
    assert np.corrcoef(each[0], truth[0])[0, 1] > 0.75  # each margin's own noise is as large as the signal


@pytest.mark.parametrize("form", FORMS)
def test_the_documents_add_up_to_the_task(form: str) -> None:
    forecaster = DocumentForecaster(form=form).fit(LADDER, ACCURACY, CHANCE)
    each = forecaster.document_probabilities(LARGER)
    np.testing.assert_allclose(each.mean(axis=1), forecaster.predict(LARGER)[0], atol=2e-3)
    params, tokens = (LARGER[c].to_numpy() for c in ("params", "tokens"))
    assert np.corrcoef(each[0], WORLD.probability(params, tokens)[0])[0, 1] > 0.9


@pytest.mark.parametrize("form", FORMS)
def test_intervals_hold_over_worlds(form: str) -> None:
    inside = []
    for seed in range(25):
        world = World.of(200, seed)
        matrix, accuracy = world.ladder(noise=0.1, seed=100 + seed)
        mean, std = DocumentForecaster(form=form).fit(matrix, accuracy, CHANCE).predict(LARGER)
        truth = world.accuracy(LARGER["params"].to_numpy(), LARGER["tokens"].to_numpy())
        inside.append(np.abs(mean - truth) < 1.645 * std)
    assert np.mean(inside) >= 0.85


@pytest.mark.parametrize("form", FORMS)
def test_three_runs_suffice(form: str) -> None:
    matrix, accuracy = WORLD.ladder(sizes=3)
    mean, std = DocumentForecaster(form=form).fit(matrix, accuracy, CHANCE).predict(LARGER)
    assert (np.abs(mean - TRUTH) < 3 * std).all()


def test_documents_beat_the_chain_through_their_mean() -> None:
    """Where documents differ in reach a mean tells too little: the same laws and link, on one document, miss more."""
    one = DocumentMatrix(places=LADDER.places, nll=LADDER.mean_nll()[:, None].astype(np.float32))
    chain, _ = DocumentForecaster().fit(one, ACCURACY, CHANCE).predict(LARGER)
    documents, _ = DocumentForecaster().fit(LADDER, ACCURACY, CHANCE).predict(LARGER)
    assert np.abs(documents - TRUTH).mean() < np.abs(chain - TRUTH).mean()


@pytest.mark.parametrize("form", FORMS)
def test_gaps_are_filled_and_hardly_known_documents_left_out(form: str) -> None:
    matrix, accuracy = WORLD.ladder(gaps=0.1)
    nll = matrix.nll.copy()
    nll[5:, 7] = np.nan
    nll[3] = np.nan
    accuracy[4] = np.nan
    whole = DocumentForecaster(form=form).fit(LADDER, ACCURACY, CHANCE)
    holes = DocumentForecaster(form=form).fit(replace(matrix, nll=nll), accuracy, CHANCE)
    np.testing.assert_allclose(holes.predict(LARGER)[0], whole.predict(LARGER)[0], atol=0.03)
    assert np.flatnonzero(~holes.used_).tolist() == [7]
    assert np.isnan(holes.document_probabilities(LARGER)[:, 7]).all()


@pytest.mark.parametrize("form", FORMS)
def test_the_same_documents_give_the_same_numbers_in_any_order(form: str) -> None:
    first, again = (DocumentForecaster(form=form).fit(LADDER, ACCURACY, CHANCE).predict(LARGER) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    order = np.random.default_rng(0).permutation(len(ACCURACY))
    shuffled = DocumentForecaster(form=form).fit(LADDER.of_rows(order), ACCURACY[order], CHANCE).predict(LARGER)
    np.testing.assert_allclose(shuffled, first, atol=0.01)


def test_flips_are_those_of_the_law() -> None:
    forecaster = DocumentForecaster(form="factors").fit(LADDER, ACCURACY, CHANCE)
    table = expected_flips(forecaster, LADDER, LARGER.iloc[:1])
    assert list(table.columns) == ["document", "now", "at_target", "change", "move", "right_now"]
    assert table["at_target"].sum() == pytest.approx(600 * forecaster.predict(LARGER.iloc[:1])[0][0], rel=5e-3)
    place = LADDER.places.iloc[[-1]]
    now = WORLD.probability(place["params"].to_numpy(), place["tokens"].to_numpy())[0]
    then = WORLD.probability(LARGER["params"].to_numpy(), LARGER["tokens"].to_numpy())[0]
    named = table.set_index("document").loc[LADDER.names]
    assert np.corrcoef(named["change"], then - now)[0, 1] > 0.9
    crossed = (now < 0.5) & (then >= 0.5)
    assert ((named["move"] == "gained").to_numpy() == crossed).mean() > 0.9
    assert set(table["move"]) <= {"gained", "lost", "stays right", "stays wrong", "open"}
    assert table["right_now"].isna().all()
    assert table["change"].abs().is_monotonic_decreasing


def test_flips_say_what_was_right_where_choices_are_known() -> None:
    matrix = with_choices()
    assert matrix.margin is not None
    forecaster = DocumentForecaster().fit(matrix, ACCURACY, CHANCE)
    table = expected_flips(forecaster, matrix, LARGER.iloc[:1]).set_index("document").loc[matrix.names]
    np.testing.assert_array_equal(table["right_now"].to_numpy(dtype=bool), matrix.margin[-1] > 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"form": "tree"}, "form must be one of clusters, factors"),
        ({"clusters": 0}, "clusters"),
        ({"rank": 1.5}, "rank"),
    ],
)
def test_what_cannot_be_set_is_said(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DocumentForecaster(**changed).fit(LADDER, ACCURACY, CHANCE)


def test_what_cannot_be_fitted_is_said() -> None:
    with pytest.raises(FitError, match="at least 2 runs and 3 checkpoints are needed; there are 1 and 5"):
        DocumentForecaster().fit(LADDER.of_runs(["0"]), ACCURACY[:5], CHANCE)
    with pytest.raises(FitError, match="no checkpoint with documents has an accuracy"):
        DocumentForecaster().fit(LADDER, np.full(30, np.nan), CHANCE)
    with pytest.raises(ValueError, match="a value per checkpoint, 30"):
        DocumentForecaster().fit(LADDER, ACCURACY[:5], CHANCE)
    with pytest.raises(ValueError, match="chance"):
        DocumentForecaster().fit(LADDER, ACCURACY, 25)
    with pytest.raises(ValueError, match="the target must be one model"):
        expected_flips(DocumentForecaster().fit(LADDER, ACCURACY, CHANCE), LADDER, LARGER)
    with pytest.raises(ValueError, match=r"between 0\.5 and 1"):
        expected_flips(DocumentForecaster().fit(LADDER, ACCURACY, CHANCE), LADDER, LARGER.iloc[:1], sure=80)


def test_it_is_cloned_like_any_estimator() -> None:
    assert clone(DocumentForecaster(form="factors", rank=2)).get_params()["rank"] == 2


@pytest.mark.parametrize("form", FORMS)
def test_ten_thousand_documents_of_five_hundred_checkpoints_take_seconds(form: str) -> None:
    """10 s are asked for; here a fifth of the checkpoints, to keep the suite quick."""
    world = World.of(10_000)
    matrix, accuracy = world.ladder(sizes=20)
    started = time.process_time()
    DocumentForecaster(form=form).fit(matrix, accuracy, CHANCE).predict(LARGER)
    assert time.process_time() - started < 6


def test_places_may_be_a_part_of_a_table() -> None:
    odd = LADDER.places.set_index(pd.Index(range(100, 130)))
    again = DocumentForecaster().fit(replace(LADDER, places=odd), ACCURACY, CHANCE).predict(LARGER)
    np.testing.assert_array_equal(again, DocumentForecaster().fit(LADDER, ACCURACY, CHANCE).predict(LARGER))
