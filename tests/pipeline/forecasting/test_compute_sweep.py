"""Forecasts along compute against the forecasts of planned runs, one at a time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchcast.core.config import Config, load
from benchcast.forecasting import run as forecast
from benchcast.forecasting.compute_sweep import multipliers, stops
from benchcast.forecasting.job import TargetRun
from benchcast.reports.records.answer import answer
from benchcast.reports.records.forecast import Result
from benchcast.stages.compute.budget import TrainingBudget
from worlds.commands import CONFIG, benchcast
from worlds.ladders import make_ladder


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    make_ladder(noise=0.003).to_csv(folder / "ladder.csv", index=False)
    (folder / "c.yaml").write_text(CONFIG + "  - auto\n")
    return folder / "c.yaml"


@pytest.fixture(scope="module")
def swept(config: Path) -> Result:
    return forecast.run(load(config, Config), config.parent, sweeping=True)


@pytest.fixture(scope="module")
def plain(config: Path) -> Result:
    return forecast.run(load(config, Config), config.parent)


def test_a_stop_is_the_forecast_of_that_planned_run(config: Path, swept: Result) -> None:
    settings, result = load(config, Config), swept
    assert {s.recipe for s in result.sweeps} == {"llama3", "overtraining", "ladder", "auto"}
    assert {s.token_multiplier for s in result.sweeps} == {20.0, 80.0}
    for index in (0, 7, -1):
        for multiplier in (20.0, 80.0):
            chosen = [s for s in result.sweeps if s.token_multiplier == multiplier]
            numbers = {"flops": chosen[0].flops[index], "token_multiplier": multiplier}
            alone = {f.recipe: f for f in forecast.run_planned(settings, numbers, config.parent).forecasts}
            for s in chosen:
                f = alone[s.recipe]
                assert f.flops == s.flops[index]
                for mine, theirs in ((s.forecast, f.forecast), (s.low, f.low), (s.high, f.high)):
                    assert mine[index] == pytest.approx(theirs, abs=1e-9)
                assert s.direct[index] == pytest.approx(f.baselines.direct, abs=1e-12)


def test_asking_for_sweeps_changes_nothing_else(swept: Result, plain: Result) -> None:
    assert swept.sweeps
    assert swept.model_copy(update={"sweeps": ()}) == plain.model_copy(update={"sweeps": ()})


def test_without_a_slider_the_graded_recipe_has_the_curve_of_its_figures(config: Path, plain: Result) -> None:
    settings, result = load(config, Config), plain
    (sweep,) = result.sweeps  # of page one's target only, and not of the recipes whose laws are drawn
    target = answer(result).rows[0]
    assert sweep.recipe == "auto"
    assert target.tokens is not None
    assert sweep.token_multiplier == pytest.approx(target.tokens / target.params, rel=0.05)
    assert sweep.flops[0] <= min(run.flops for run in result.ladder if run.role == "fit")
    assert sweep.flops[-1] >= target.flops
    around = np.interp(np.log(target.flops), np.log(sweep.flops), [v or np.nan for v in sweep.forecast])
    assert around == pytest.approx(target.forecast, abs=0.01)
    alone = settings.model_copy(update={"recipes": settings.recipes[:1]})
    assert forecast.run(alone, config.parent).sweeps
    assert forecast.run(alone.model_copy(update={"figures": 0}), config.parent).sweeps == ()


def test_stops_are_numbers_one_can_type() -> None:
    grid = stops(2.3e17, 3.8e25)
    assert grid == sorted(set(grid))
    assert grid[0] <= 2.3e17
    assert grid[-1] >= 3.8e25
    assert all(float(f"{c:.1e}") == c for c in grid)
    assert len(stops(1e13, 1e16)) == 31
    assert len(stops(1e3, 1e30)) <= 60


def test_curves_are_drawn_for_the_planned_run_whatever_else_is_a_target() -> None:
    def target(ratio: float, family: str) -> TargetRun:
        budget = TrainingBudget(flops=6e18 * ratio, params=1e9, tokens=1e9 * ratio)
        return TargetRun(name=f"{ratio}", budget=budget, family=family)

    measured = [target(ratio, "mix") for ratio in (5.0, 80.0, 160.0)]
    planned = [target(ratio, "") for ratio in (20.0, 10.0, 40.0)]
    assert 20.0 in multipliers([*measured, *planned])
    assert 20.0 in multipliers([*planned, *measured])
    assert 160.0 in multipliers(measured)  # none is planned: the largest


def test_the_command_line_forecasts_a_planned_run_only(config: Path) -> None:
    done = benchcast("forecast", config, "--flops", "3.2e20", "--token-multiplier", "40", "--json", "-")
    assert done.returncode == 0, done.stderr
    for f in json.loads(done.stdout)["forecasts"]:
        assert f["flops"] == 3.2e20
        assert f["tokens"] / f["params"] == pytest.approx(40)
        assert f["actual"] is None


@pytest.mark.parametrize("value", ["-1", "nan", "0"])
def test_flops_that_cannot_be_are_refused(config: Path, value: str) -> None:
    done = benchcast("forecast", config, "--flops", value)
    assert done.returncode == 2
    assert "--flops" in done.stderr
    assert "must be positive and finite" in done.stderr
    assert len(done.stderr.splitlines()) == 1
