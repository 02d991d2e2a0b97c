"""Without recipes in the config: auto, and the published ones that the data allow; of the others a line on why not."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from benchcast.forecasting.run import run
from benchcast.reports.records.answer import answer
from benchcast.reports.records.forecast import Result
from worlds.ladders import make_ladder


def forecast(table: pd.DataFrame, **more: Any) -> Result:
    target = {"name": "next", "params": 2.5e9, "token_multiplier": 20}
    config = {"data": {"source": "table"}, "targets": [target], "figures": 0}
    return run(config | more, data=table, advising=True)


@pytest.fixture(scope="module")
def whole() -> Result:
    return forecast(make_ladder(noise=0.003))


def test_all_recipes_run_where_the_data_have_what_they_need(whole: Result) -> None:
    assert [f.recipe for f in whole.forecasts] == ["auto", "llama3", "overtraining", "ladder"]
    assert not whole.lacking
    assert answer(whole).recipe == "auto"
    assert "recipes" not in whole.provenance.config  # said again as it was given: the same config gives the same


def test_the_run_to_add_costs_no_more_than_the_largest_of_a_near_ladder(whole: Result) -> None:
    largest = max(run.flops for run in whole.ladder)
    assert whole.next_run is not None
    assert whole.next_run.flops <= whole.next_run.budget * 1.001
    assert whole.next_run.budget == largest > whole.forecasts[0].flops / 10
    assert 0 < whole.next_run.shrinks < 1
    assert whole.next_run.task == "quiz"


def test_what_a_recipe_lacks_spoils_nothing() -> None:
    table = make_ladder(noise=0.003)
    found = forecast(table[table["metric"].eq("acc")])
    assert [f.recipe for f in found.forecasts] == ["auto"]
    reasons = {one.recipe: str(one.reason) for one in found.lacking}
    assert list(reasons) == ["llama3", "overtraining", "ladder"]
    assert "validation loss" in reasons["overtraining"]
    assert all(one.tasks == ("quiz",) for one in found.lacking)


def test_of_several_validation_losses_none_is_chosen_in_silence() -> None:
    table = make_ladder(noise=0.003)
    second = table[table["metric"].eq("val_loss")].assign(task="other text")
    both = pd.concat([table, second], ignore_index=True)
    found = forecast(both, recipes=["overtraining"])  # a list is kept as it is: the failure is a forecast's
    (f,) = found.forecasts
    assert f.forecast is None
    assert any(note.code == "several-losses" and "other text" in note for note in f.notes)
    named = forecast(both, recipes=[{"name": "overtraining", "loss": "text"}])
    assert named.forecasts[0].forecast is not None
