"""Fits that are shared: one forecaster for all who ask the same ladder, another for another ladder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from benchcast.core.config import Config
from benchcast.data import ingest
from benchcast.forecasting.context import FittedLadders, contexts_of
from benchcast.forecasting.jobs import jobs_of
from benchcast.forecasting.run import run
from benchcast.stages.fit.errors import FitError
from benchcast.stages.forecast import auto
from benchcast.stages.forecast.auto import AutoForecaster
from benchcast.stages.laws.loss.task_loss import TaskLoss
from worlds.ladders import make_ladder

BIG = {"name": "big", "params": 7e9, "token_multiplier": 20}


def config(**more: Any) -> Config:
    return Config.model_validate({"data": {"source": "table"}, "targets": [BIG], "recipes": ["auto"]} | more)


def read(table: pd.DataFrame) -> pd.DataFrame:
    return ingest.read_data(config().data, Path(), table).table


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tasks each call of ``fit_history`` was for."""
    calls: list[int] = []
    real = auto.fit_history

    def counted(tasks: Any, *rest: Any) -> Any:
        calls.append(len(tasks))
        return real(tasks, *rest)

    monkeypatch.setattr(auto, "fit_history", counted)
    return calls


def test_a_run_and_its_sweep_fit_once(fits: list[int]) -> None:
    assert run(config(), Path(), make_ladder(noise=0.003), sweeping=True).sweeps
    assert fits == [1]


def test_other_targets_levels_and_refusals_need_no_fit_but_another_digit_does(fits: list[int]) -> None:
    ladders, table = FittedLadders(), make_ladder(noise=0.003)
    first = run(config(), Path(), table, ladders=ladders)
    again = config(targets=[BIG, {"flops": 1e22}], level=0.8, recipes=[{"name": "auto", "refuse": False}])
    second = run(again, Path(), table, ladders=ladders)
    assert fits == [1]
    alone = run(again, Path(), table)
    assert second == alone
    assert first.forecasts[0].forecast == second.forecasts[0].forecast
    run(config(), Path(), table.assign(value=table["value"] + 1e-12), ladders=ladders)
    assert fits == [1, 1, 1]


def test_another_chance_or_other_settings_are_another_ladder() -> None:
    jobs = jobs_of(config(), read(make_ladder(noise=0.003)))
    ladders = FittedLadders()
    one = ladders.forecaster(jobs, AutoForecaster(max_cutoffs=1))
    assert ladders.forecaster(jobs, AutoForecaster(max_cutoffs=1)) is one
    assert ladders.forecaster(jobs, AutoForecaster(max_cutoffs=2)) is not one
    other_chance = [replace(job, chance=0.5) for job in jobs]
    assert ladders.forecaster(other_chance, AutoForecaster(max_cutoffs=1)) is not one


def test_every_family_has_its_own_context() -> None:
    both = make_ladder(noise=0.003)
    other = make_ladder(noise=0.003, seed=1)
    other = other.assign(family="other", run="o" + other["run"])
    jobs = jobs_of(config(), read(pd.concat([both, other], ignore_index=True)))
    contexts = contexts_of(jobs)
    assert list(contexts) == ["known", "other"]
    assert all(context.is_first(context.jobs[0]) for context in contexts.values())


def test_a_law_that_refuses_the_data_is_in_the_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise FitError("these runs are too much alike")

    monkeypatch.setattr(TaskLoss, "_prepare", refuses)
    f = run(config(), Path(), make_ladder(noise=0.003)).forecasts[0]
    assert "N and D to bits_per_byte: could not be fitted: these runs are too much alike" in f.notes
    assert f.forecast is not None
    assert not any(a.form.startswith("N and D →") for a in f.alternatives)
