"""``AutoForecaster``: fitted once, asked often; the same numbers as all steps by hand; a table of its backtest."""

from __future__ import annotations

import doctest
import logging
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.stages import TaskLoss
from benchcast.stages.fit.errors import FitError
from benchcast.stages.forecast import auto, chain
from benchcast.stages.forecast.auto import AutoConstants, AutoForecaster
from benchcast.stages.forecast.backtest import backtest
from benchcast.stages.forecast.conformal import CalibrationConstants, calibrate
from benchcast.stages.forecast.pathways import CARRY, FitName, ForecastPath, fit_paths
from benchcast.stages.forecast.pooled import POOL, PooledBacktest
from benchcast.stages.forecast.pooling import PoolingConstants, pool
from benchcast.stages.forecast.task_data import TaskData
from scipy.special import logit
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from worlds.doc_blocks import blocks
from worlds.ladders import ROOT, ladder, make_ladder

HELD = 2  # runs, the dearest, that are forecast
CHANCE = {"t0": 0.25, "t1": 0.25}


def tables() -> dict[str, pd.DataFrame]:
    return {f"t{seed}": ladder(seed)[:-HELD] for seed in range(2)}


def targets() -> pd.DataFrame:
    return ladder(0)[-HELD:][["run", "params", "tokens"]]


@pytest.fixture(scope="module")
def forecaster() -> AutoForecaster:
    return AutoForecaster(max_cutoffs=3).fit(tables(), chance=CHANCE)


def test_a_forecast_is_what_the_steps_give_one_by_one(forecaster: AutoForecaster) -> None:
    tasks = {t: TaskData(finals=rows, loss_names=("bits_per_byte",), chance=0.25) for t, rows in tables().items()}
    asked = ladder(0)[-HELD:].assign(actual=np.nan)
    by_hand = backtest(tasks, dict.fromkeys(tasks, asked), min_runs=6, max_cutoffs=3)
    pooled = pool(by_hand)
    for level in (0.5, 0.8, 0.95):
        said = forecaster.predict(targets(), level).set_index(["task", "run"])
        intervals = calibrate(by_hand, pooled, level)
        for task, run in said.index:
            rows = by_hand.rows
            here = rows["task"].eq(task) & rows["run"].eq(run) & rows["target"]
            at = rows["cutoff"][here & rows["axis"].eq("")].idxmax()
            row = said.loc[(task, run)]
            assert (row["mean"], row["low"], row["high"]) == (pooled.mean[at], intervals.low[at], intervals.high[at])


def test_a_forecast_depends_on_no_other_target_and_on_no_order(forecaster: AutoForecaster) -> None:
    both = forecaster.predict(targets()).set_index(["task", "run"])
    for i in reversed(range(HELD)):
        alone = forecaster.predict(targets().iloc[[i]]).set_index(["task", "run"])
        pd.testing.assert_frame_equal(alone, both.loc[alone.index])


@pytest.mark.parametrize("levels", [(0.5, 0.8), (0.8, 0.95)])
def test_intervals_of_higher_levels_hold_the_lower_ones_and_a_grade_has_no_level(
    forecaster: AutoForecaster, levels: tuple[float, float]
) -> None:
    narrow, wide = (forecaster.predict(targets(), level) for level in levels)
    assert (wide["low"] <= narrow["low"]).all()
    assert (wide["high"] >= narrow["high"]).all()
    assert (narrow["low"] < narrow["mean"]).all()
    assert wide["grade"].tolist() == narrow["grade"].tolist() == forecaster.grade(targets())["grade"].tolist()


def test_the_backtest_is_a_tidy_table(forecaster: AutoForecaster) -> None:
    """A row per task, origin, run and form: from enough runs within the horizon, for every run beyond it."""
    frame = forecaster.cross_validation(level=0.8)
    assert list(frame.columns) == ["task", "origin", "cutoff", "run", "actual", "forecast", "low", "high", "form"]
    assert not frame.duplicated(["task", "origin", "run", "form"]).any()
    own = frame[frame["form"].eq(POOL)]
    finals = tables()["t0"].set_index("run")
    assert set(own["origin"].str.split().str[0]) >= {"flops", "params"}
    for (task, origin), part in own.groupby(["task", "origin"]):
        axis, limit = origin.split()
        seen = finals[axis] <= float(limit) * 1.0001
        assert seen.sum() >= 6
        assert part["cutoff"].unique().tolist() == [finals["flops"][seen].max()]
        assert set(part["run"]) == set(finals.index[~seen])
        assert part["actual"].tolist() == tables()[str(task)].set_index("run").loc[part["run"], "accuracy"].tolist()
        carried = frame[
            frame["form"].eq("largest carried forward") & frame["task"].eq("t0") & frame["origin"].eq(origin)
        ]
        assert set(carried["forecast"]) == {finals["accuracy"][seen].iloc[-1]}
    assert ((own["actual"] >= own["low"]) & (own["actual"] <= own["high"])).mean() > 0.7


def test_weights_without_a_target_are_weights(forecaster: AutoForecaster) -> None:
    weights = forecaster.weights_
    assert weights.index.tolist() == ["t0", "t1"]
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert (weights.to_numpy() >= 0).all()
    assert (weights["largest carried forward"] < 1 / weights.shape[1]).all()


def test_weights_of_a_task_that_has_no_forecast_of_its_own() -> None:
    """Three runs of one task beside a long ladder of another: the suite's record is all there is."""
    rows = {"t0": ladder(0)[:-HELD], "short": ladder(1)[:3]}
    weights = AutoForecaster(max_cutoffs=1).fit(rows, chance={"t0": 0.25}).weights_
    assert weights.index.tolist() == ["t0", "short"]
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)


def test_a_chance_that_is_not_a_number_is_not_known() -> None:
    """As a table says it, whose column chance is empty."""
    rows = {"t": ladder(0)[:-HELD]}
    empty, unsaid = (AutoForecaster(max_cutoffs=1).fit(rows, chance=c).predict(targets()) for c in ({"t": np.nan}, {}))
    pd.testing.assert_frame_equal(empty, unsaid)


def test_one_table_of_all_tasks_is_the_tables_of_each(forecaster: AutoForecaster) -> None:
    whole = pd.concat([rows.assign(task=task) for task, rows in tables().items()])
    again = clone(forecaster).fit(whole, chance=CHANCE)
    pd.testing.assert_frame_equal(again.predict(targets()), forecaster.predict(targets()))


def test_constants_reach_the_procedure() -> None:
    """A carried score that counts nothing, and a prior twice as wide that no record outweighs."""
    rows = {"t": ladder(0)[:-HELD]}

    def made(**constants: Any) -> PooledBacktest:
        forecaster = AutoForecaster(max_cutoffs=1, constants=AutoConstants(**constants))
        return forecaster.fit(rows, chance={"t": 0.25}).backtest_

    plain = made(pooling=PoolingConstants(carry_weight=0.0))
    at = [path.first == CARRY for path in plain.forecasts.paths]
    assert (plain.pooled.weights[:, at] == 0).all()
    assert (made().pooled.weights[:, at] > 0).all()
    wide = made(calibration=CalibrationConstants(prior_multiple=3.8, prior_forecasts=1e9))
    np.testing.assert_allclose(wide.intervals(0.9).inflation, 3.8)


def test_a_law_that_refuses_the_data_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its paths are out, the others go on, and it is said which and why."""

    def refuses(*_: object) -> None:
        raise FitError("these runs are too much alike")

    monkeypatch.setattr(TaskLoss, "_prepare", refuses)
    rows = ladder(0)[:-HELD]
    with caplog.at_level(logging.DEBUG, logger="benchcast"):
        made = AutoForecaster(max_cutoffs=1).fit({"t": rows}, chance={"t": 0.25})
    at_last = made.dropped_[made.dropped_["cutoff"].eq(rows["flops"].max())]
    assert at_last[["task", "fit", "reason"]].to_numpy().tolist() == [
        ["t", "N and D to bits_per_byte", "these runs are too much alike"]
    ]
    assert "N and D to bits_per_byte, 13 runs: not used" in caplog.text
    assert made.pool(made_targets()).facts["t"].failures == {
        "N and D to bits_per_byte": "these runs are too much alike"
    }
    assert np.isfinite(made.predict(targets())["mean"]).all()


def made_targets() -> pd.DataFrame:
    return ladder(0)[-HELD:][["run", "flops", "params", "tokens", "token_multiplier"]]


def test_a_ladder_too_short_says_nothing_and_why() -> None:
    short = AutoForecaster().fit({"t": ladder(0)[:1]})
    row = short.predict(targets()).iloc[0]
    assert np.isnan(row["mean"])
    assert row["grade"] == "D"
    assert short.cross_validation().empty


def test_it_is_an_estimator() -> None:
    made = AutoForecaster(min_runs=8, extended=True)
    assert made.get_params()["min_runs"] == 8
    assert clone(made).set_params(max_cutoffs=2).get_params() == {**made.get_params(), "max_cutoffs": 2}
    with pytest.raises(NotFittedError):
        made.predict(targets())


@pytest.mark.parametrize(
    ("change", "says"),
    [({"min_runs": 1}, "min_runs"), ({"max_cutoffs": 0}, "max_cutoffs"), ({"average_last": 0.5}, "average_last")],
)
def test_wrong_settings_are_named(change: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        AutoForecaster(**change).fit(tables())  # type: ignore[arg-type]


def test_wrong_tables_levels_and_targets_are_named(forecaster: AutoForecaster) -> None:
    with pytest.raises(ValueError, match="no column params"):
        AutoForecaster().fit({"t": ladder(0).drop(columns="params")})
    with pytest.raises(ValueError, match="no task"):
        AutoForecaster().fit({})
    with pytest.raises(ValueError, match="no column accuracy"):
        AutoForecaster().fit(ladder(0).drop(columns="accuracy"))  # without a column task it is one task's table
    with pytest.raises(ValueError, match="level"):
        forecaster.predict(targets(), level=90)
    with pytest.raises(ValueError, match="give flops"):
        forecaster.predict(pd.DataFrame({"run": ["big"], "params": [1e9]}))


def test_paths_are_fitted_without_targets_and_predict_alone() -> None:
    """The same laws, asked about one row at a time and about all at once."""
    rows = ladder(3)
    fitted = fit_paths([TaskData(finals=rows[:-HELD], loss_names=("bits_per_byte",), chance=0.25)])[0]
    whole = fitted.predict(rows)
    assert fitted.paths == whole.paths
    for i in (0, len(rows) - 1):
        np.testing.assert_array_equal(fitted.predict(rows.iloc[[i]]).mean[:, 0], whole.mean[:, i])
    path = ForecastPath("bits_per_byte", "N and D", "sigmoid to 1")
    first = fitted.laws[FitName("first", "bits_per_byte", "N and D")]
    second = fitted.laws[FitName("second", "bits_per_byte", "sigmoid to 1")]
    by_hand = second.predict(first.predict(rows[["params", "tokens"]].to_numpy())[:, None])
    np.testing.assert_allclose(whole.mean[whole.paths.index(path)], by_hand)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_an_interval_is_as_wide_as_its_inflation_says(forecaster: AutoForecaster, level: float) -> None:
    pooled = forecaster.pool(made_targets())
    forecast = pooled.forecast("t0", str(made_targets()["run"].iloc[-1]), level)
    assert forecast is not None
    intervals = pooled.intervals(level)
    at = int(np.flatnonzero(pooled.pooled.mean == forecast.mean)[0])
    half = forecast.inflation * intervals.scale[at]
    np.testing.assert_allclose(logit([forecast.low, forecast.high]), logit(forecast.mean) + half * np.array([-1, 1]))


def test_the_example_of_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = (block for block in blocks(ROOT / "docs" / "methods" / "auto.md") if block.kind == "python")
    exec(example.body, {})
    assert "quiz" in capsys.readouterr().out


@pytest.mark.parametrize("module", [auto, chain])
def test_examples_in_docstrings(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)
    assert (failed, bool(tried)) == (0, True)


def test_one_task_is_a_frame_whose_columns_are_found_by_name() -> None:
    table = make_ladder(noise=0.003)
    wide = table[table["task"].eq("quiz")].pivot_table(
        index=["run", "family", "params", "tokens", "flops"], columns="metric", values="value"
    )
    frame = wide.reset_index().rename(columns={"acc": "accuracy", "nll": "bits_per_byte"})
    target = pd.DataFrame({"params": [2e9], "tokens": [4e10]})
    plain = frame[["run", "params", "tokens", "flops", "accuracy", "bits_per_byte"]]
    whole = AutoForecaster().fit({"task": plain}).predict(target)
    # Names, another score and the FLOPs by 6ND change nothing; nor does the order of the columns.
    other = frame.assign(acc_norm=frame["accuracy"]).drop(columns="flops")
    named = AutoForecaster().fit(other[other.columns[::-1]]).predict(target[["tokens", "params"]])
    pd.testing.assert_frame_equal(named, whole)
