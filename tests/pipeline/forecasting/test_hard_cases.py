"""Ladders and targets that once crashed a run or quietly gave a wrong number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchcast.core.config import Config
from benchcast.core.errors import FaultsError, InputError
from benchcast.data import schema
from benchcast.forecasting import run as forecast
from benchcast.reports.records.forecast import Result
from worlds.ladders import make_ladder

HELD_OUT = [{"run": "6e+08-80x"}]


def _run(table: pd.DataFrame, tmp_path: Path, **changes: object) -> Result:
    table.to_csv(tmp_path / "ladder.csv", index=False)
    given = {"data": {"source": "table", "path": "ladder.csv"}, "targets": HELD_OUT, "recipes": ["llama3"]}
    return forecast.run(Config.model_validate(given | changes), tmp_path)


def test_two_overtraining_recipes_keep_their_own_loss_laws(tmp_path: Path) -> None:
    table = make_ladder(noise=0.003)
    other = table[table["metric"].eq("val_loss")].assign(task="other")
    both = pd.concat([table, other.assign(value=other["value"] + 1)])
    recipes = [{"name": "overtraining", "loss": name} for name in ("text", "other")]
    first, second = _run(both, tmp_path, recipes=recipes).forecasts
    (alone,) = _run(both, tmp_path, recipes=recipes[1:]).forecasts
    assert second.forecast == pytest.approx(alone.forecast)
    assert second.middle == pytest.approx(first.middle + 1, abs=0.05)  # type: ignore[operator]


def test_a_target_so_far_that_the_line_falls_below_zero_costs_no_other(tmp_path: Path) -> None:
    targets = [*HELD_OUT, {"name": "absurd", "flops": 1e60}]
    near, far = _run(make_ladder(noise=0.003), tmp_path, targets=targets).forecasts
    assert near.forecast is not None
    assert far.middle == 0
    assert any("reaches zero before the target" in note for note in far.notes)


def test_other_flop_conventions_are_named(tmp_path: Path) -> None:
    table = make_ladder(noise=0.003)
    table["flops"] *= 1.4
    table["flops_convention"] = "attention"
    (planned,) = _run(table, tmp_path, targets=[{"name": "x", "params": 1e9, "tokens": 2e10}]).forecasts
    assert any("6ND" in note and "attention" in note for note in planned.notes)


def test_no_chance_in_the_table_is_said(tmp_path: Path) -> None:
    (found,) = _run(make_ladder(noise=0.003).drop(columns="chance"), tmp_path).forecasts
    assert any("no score of guessing" in note for note in found.notes)


def test_an_isoflop_sweep_of_two_budgets_is_fitted(tmp_path: Path) -> None:
    table = make_ladder(noise=0.003)
    table["flops_convention"] = "given"
    table["flops"] = np.where(table["params"] < 1e8, 1e16, 1e18)
    found = _run(table, tmp_path, targets=[{"name": "x", "flops": 1e20}])
    assert found.forecasts[0].forecast is not None


def test_the_metric_most_runs_have_is_forecast(tmp_path: Path) -> None:
    table = make_ladder(noise=0.003)
    extra = table[table["metric"].eq("acc") & table["run"].eq("6e+08-80x")].assign(metric="acc_norm")
    (found,) = _run(pd.concat([table, extra]), tmp_path).forecasts
    assert found.forecast is not None


def test_runs_with_bits_per_byte_and_runs_with_nll_are_one_ladder(tmp_path: Path) -> None:
    table = make_ladder(noise=0.003)
    some = table["metric"].eq("nll") & table["params"].gt(1e8)
    mixed = table.copy()
    mixed.loc[some, "metric"] = "bits_per_byte"
    mixed.loc[some, "value"] /= np.log(2)
    (whole,), (found,) = (_run(t, tmp_path).forecasts for t in (table, mixed))
    assert found.forecast == pytest.approx(whole.forecast)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"targets": [{"name": "1e+07-5x", "flops": 1e22}]}, "is used already"),
        ({"targets": [{"name": "a", "flops": 1e22}, {"name": "a", "flops": 1e23}]}, "is used already"),
        ({"runs": {"fit": ["*"]}}, "none is left to forecast"),
        ({"runs": {"exclude": ["6e+08-80x"]}}, "none is left to forecast"),
        ({"tasks": ["nothing"]}, "no task"),
    ],
)
def test_nothing_to_forecast_is_an_error(changes: dict[str, object], says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        _run(make_ladder(), tmp_path, **changes)


def test_names_with_brackets_and_tasks_asked_in_several_ways(tmp_path: Path) -> None:
    table = make_ladder(noise=0.003)
    table["run"] = table["run"] + "[v2]"
    five = table[table["metric"].ne("val_loss")].assign(num_fewshot=5)
    both = pd.concat([table.assign(num_fewshot=np.where(table["metric"].eq("val_loss"), np.nan, 0)), five])
    found = _run(both, tmp_path, targets=[{"run": "6e+08-80x[v2]"}], tasks=["quiz"]).forecasts
    assert {f.task for f in found} == {"quiz (0-shot)", "quiz (5-shot)"}
    assert all(f.forecast is not None for f in found)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [("run", "   ", "is empty"), ("params", True, "not a number")],
)
def test_holes_the_schema_once_had(column: str, value: object, says: str) -> None:
    table = make_ladder().astype(object)
    table.loc[1, column] = value
    with pytest.raises(FaultsError, match=says):
        schema.validate(table)


def test_one_checkpoint_has_one_step_and_one_flops() -> None:
    table = make_ladder().assign(step=1.0)
    table.loc[1, "step"] = 2.0
    with pytest.raises(FaultsError, match="several steps or FLOPs"):
        schema.validate(table)


def test_a_validation_text_cannot_take_a_columns_name() -> None:
    table = make_ladder()
    table.loc[table["metric"].eq("val_loss"), "task"] = "accuracy"
    with pytest.raises(FaultsError, match="cannot name a validation loss"):
        schema.validate(table)


def test_a_loss_of_exactly_zero_is_left_out_and_named(tmp_path: Path) -> None:
    table = make_ladder(noise=0.003)
    table.loc[table["metric"].eq("nll") & table["run"].eq("2e+08-20x"), "value"] = 0.0
    recipe = {"name": "ladder", "last": 1, "smooth": 1, "huber": None}
    (found,) = _run(table, tmp_path, recipes=[recipe]).forecasts
    assert found.forecast is not None
    assert any("2e+08-20x: its mean loss is zero or less" in note for note in found.notes)


@pytest.mark.parametrize("recipe", ["llama3", "ladder", {"name": "overtraining", "loss": "nowhere"}])
def test_a_recipe_without_its_loss_says_so_beside_the_baselines(recipe: object, tmp_path: Path) -> None:
    table = make_ladder(noise=0.003)
    (found,) = _run(table[table["metric"].eq("acc")], tmp_path, recipes=[recipe]).forecasts
    assert found.status == "failed"
    assert found.forecast is None
    assert found.baselines.direct is not None
    assert any("the table has no" in note for note in found.notes)
