"""The benchmark of trust: its figures by hand, and that no target is in what it must not see."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchcast.forecasting import run as forecast
from benchcast.stages.forecast.auto import AutoForecaster
from worlds.ladders import TESTBEDS, published

from benchmarks.trials import backtests, gemstones, suites, thin
from benchmarks.trials.marks import Marks, forecasts_of


def test_marks_by_hand() -> None:
    rows = pd.DataFrame(
        {
            "said": [0.50, 0.60, np.nan],
            "carry": [0.40, 0.40, 0.40],
            "actual": [0.52, 0.70, 0.50],
            "low": [0.40, 0.58, np.nan],
            "high": [0.60, 0.62, np.nan],
        }
    )
    marks = Marks.of(rows)
    assert marks.miss == pytest.approx(100 * (0.02 + 0.10 + 0.10) / 3)  # the third is refused: its carry
    assert marks.carry == pytest.approx(100 * (0.12 + 0.30 + 0.10) / 3)
    assert (marks.n, marks.inside, marks.refused) == (3, 0.5, pytest.approx(1 / 3))
    assert marks.width == pytest.approx(12.0)
    assert marks.score == pytest.approx(100 * (0.20 + 0.04 + 20 * 0.08) / 2)  # a miss of 8 points costs 2 / 0.1 times 8


def test_the_first_cutoff_is_left_out_of_each_axis() -> None:
    rows = pd.DataFrame({"axis": ["flops", "flops", "params", "params"], "limit": [1e18, 1e19, 1e7, 1e8]})
    assert list(backtests.later(rows).index) == [1, 3]


def test_a_suite_has_no_row_of_a_target() -> None:
    suite = suites.Suite.read("demo", TESTBEDS)
    runs = set(suite.data.table["run"])
    assert runs
    assert not [run for run in runs if run == "640K-10x" or run.startswith("1.3M-")]
    seen = {run for context in suite.contexts().values() for job in context.jobs for run in job.rows["run"]}
    assert seen == runs


def test_thin_ladders_are_the_cheapest_runs_and_what_they_forecast_the_others() -> None:
    suite = suites.Suite.read("demo", TESTBEDS)
    runs = suite.runs("debian-prose")
    flops = suite.data.table.groupby("run")["flops"].max()
    assert sorted(flops[runs]) == list(flops[runs])
    rows = thin.forecasts(suite, "debian-prose", 3)
    assert set(rows["target"]) == set(runs[3:])
    last = suite.data.table[suite.data.table["run"].eq(runs[2]) & suite.data.table["metric"].eq("acc")]
    carried = last.sort_values("tokens").groupby("task")["value"].last()
    assert rows.groupby("task")["carry"].first().to_dict() == pytest.approx(carried[rows["task"].unique()].to_dict())


def test_outcomes_know_how_far_each_run_lies_along_what_was_cut() -> None:
    context = next(iter(suites.Suite.read("demo", TESTBEDS).contexts().values()))
    rows = backtests.outcomes(context.forecaster(AutoForecaster(workers=1, max_cutoffs=2)).backtest_)
    assert {"flops", "params", "tokens"} >= set(rows["axis"]) >= {"flops"}
    assert not rows["said"].isna().any()
    for axis, part in rows.groupby("axis"):
        assert (part[axis] > part["limit"] * 0.999).all()
        assert part["ratio"].to_numpy() == pytest.approx(np.maximum(part[axis] / part[f"fitted_{axis}"], 1.0))


def test_five_checkpoints_span_a_run() -> None:
    tokens = np.arange(1, 36) * 1e10
    rows = pd.DataFrame({"run": "r", "tokens": tokens, "step": np.arange(1, 36), "task": "q"})
    both = pd.concat([rows, rows.assign(task="p")], ignore_index=True)
    kept = gemstones.five(both)
    assert kept.groupby("task")["tokens"].apply(list).to_dict() == {
        task: pytest.approx([1e10, 9e10, 18e10, 27e10, 35e10], rel=0.06) for task in "pq"
    }
    assert gemstones.taken_for_runs(kept)["run"].nunique() == 5


def test_nothing_inside_the_ladder_of_gemstones_is_a_target() -> None:
    assert all(most <= gemstones.LARGEST_FITTED < gemstones.TARGETS[0] for _, (_, most) in gemstones.cuts(inside=True))


def test_the_published_recipe_in_the_backtest_is_the_recipe() -> None:
    """At a horizon it says what ``benchcast run`` says when the runs below it are the ladder."""
    published("gadre2024")
    suite, family, task = suites.Suite.read("gadre2024", TESTBEDS), "rpj", "average_17"
    job = next(job for job in suite.contexts()[family].jobs if job.task == task)
    ends = job.finals(1, ["accuracy"]).sort_values("flops")
    limit = float(ends["flops"].iloc[9])
    below, beyond = ends[ends["flops"] <= limit], ends[ends["flops"] > limit]
    rows = beyond[["run", "flops", "params", "tokens"]].assign(axis="flops", limit=limit)
    said = backtests.published(suite.contexts()[family], task, rows).set_index("run")["said"]
    config = suites.config_of(
        "gadre2024",
        recipes=[{"name": "overtraining", "loss": backtests.LOSS}],
        tasks=[task],
        runs={"fit": list(below["run"]), "exclude": ()},
        targets=[{"run": run} for run in beyond["run"]],
    )
    told = forecasts_of(forecast.run(config, suites.CONFIGS, suite.data)).set_index("target")["said"]
    assert len(told) > 5
    assert said[told.index].to_numpy() == pytest.approx(told.to_numpy(), abs=1e-6)
