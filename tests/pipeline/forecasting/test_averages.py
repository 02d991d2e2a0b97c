"""Averages over tasks: weights, the direct task, and an interval that knows how errors move together."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchcast.core.config import Config
from benchcast.core.errors import InputError
from benchcast.data.ingest import demo as demo_ladder
from benchcast.forecasting import questions
from benchcast.forecasting import run as forecast
from benchcast.stages.forecast.aggregate import combine
from benchcast.stages.forecast.backtest import BacktestForecasts
from benchcast.stages.forecast.conformal import calibrate
from benchcast.stages.forecast.pathways import CARRY, ONE_STEP, ForecastPath
from benchcast.stages.forecast.pooling import PooledForecasts
from worlds.backtests import forecasts

TASKS = 20


def made_up(correlation: float, seed: int, cutoffs: int = 12) -> tuple[BacktestForecasts, PooledForecasts]:
    """Forecasts whose errors have standard deviation .02 and a common correlation, stated truly."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    means = []
    for c in range(cutoffs):
        for r in range(c + 1, cutoffs + 1):
            shared = rng.normal()
            error = 0.02 * (np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.normal(size=TASKS))
            for t in range(TASKS):
                target = r == cutoffs and c == cutoffs - 1
                rows.append({"task": f"t{t}", "cutoff": 10.0**c, "run": f"r{r}", "flops": 10.0**r, "target": target})
                means.append(0.5 + error[t])
    mean = np.array(means)
    trials = forecasts(rows, mean[:, None], (ForecastPath(ONE_STEP, CARRY),))
    return trials, PooledForecasts(weights=np.ones((len(mean), 1)), mean=mean, std=np.full(len(mean), 0.02))


@pytest.mark.parametrize(("correlation", "expected"), [(0.0, 0.02 / np.sqrt(TASKS)), (1.0, 0.02), (0.5, 0.0145)])
def test_the_spread_of_a_mean_is_between_independent_and_equal_errors(correlation: float, expected: float) -> None:
    """Closed form: s sqrt((1 - rho) / n + rho)."""
    weights = dict.fromkeys([f"t{t}" for t in range(TASKS)], 1 / TASKS)
    spreads = []
    for seed in range(8):
        _, joint = combine(*made_up(correlation, seed), weights, "mean")
        spreads.append(joint.std[-1])
    # The last cutoff has seen dozens of pairs; what is left of the prior widens the independent case a little.
    assert np.mean(spreads) == pytest.approx(expected, rel=0.25 if correlation else 0.7)


@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.9])
def test_the_interval_of_a_mean_covers(correlation: float) -> None:
    weights = dict.fromkeys([f"t{t}" for t in range(TASKS)], 1 / TASKS)
    hits = []
    for seed in range(12):
        trials, joint = combine(*made_up(correlation, seed), weights, "mean")
        found = calibrate(trials, joint)
        late = (trials.rows["cutoff"] >= 1e4).to_numpy()
        hits.append(((found.low <= 0.5) & (found.high >= 0.5))[late].mean())
    assert 0.84 <= np.mean(hits) <= 0.995


def test_no_peeking_and_every_member_is_needed() -> None:
    trials, pooled = made_up(0.5, 0)
    weights = {"t0": 0.75, "t1": 0.25}
    made, joint = combine(trials, pooled, weights, "pair")
    rows = trials.rows
    for i in (0, 7, len(made.rows) - 1):
        here = made.rows.iloc[i]
        same = (rows["cutoff"] == here["cutoff"]) & (rows["run"] == here["run"])
        each = {t: pooled.mean[np.flatnonzero(same & rows["task"].eq(t))[0]] for t in weights}
        assert joint.mean[i] == pytest.approx(sum(weights[t] * each[t] for t in weights))
    late = rows["flops"] > 1e6
    changed = replace(trials, rows=rows.assign(actual=rows["actual"].where(~late, 0.9)))
    _, other = combine(changed, pooled, weights, "pair")
    early = (made.rows["cutoff"] < 1e6).to_numpy()
    np.testing.assert_array_equal(joint.std[early], other.std[early])
    fewer = trials.rows["task"].ne("t1") | trials.rows["cutoff"].lt(1e3)
    kept = np.flatnonzero(fewer.to_numpy())
    part = BacktestForecasts(
        rows=rows.iloc[kept].reset_index(drop=True),
        paths=trials.paths,
        mean=trials.mean[kept],
        stderr=trials.stderr[kept],
        at_bound=trials.at_bound[kept],
    )
    some, _ = combine(
        part,
        PooledForecasts(weights=pooled.weights[kept], mean=pooled.mean[kept], std=pooled.std[kept]),
        weights,
        "pair",
    )
    assert some.rows["cutoff"].max() < 1e3


def demo(**more: object) -> Config:
    plain = {"data": {"source": "demo"}, "targets": [{"run": "1.3M-10x"}], "recipes": ["auto"], "metric": "acc"}
    plain |= {"figures": 0, "documents": False}  # neither has a part in an average, and both take time
    return Config.model_validate(plain | more)


def test_half_of_an_average_is_what_its_own_scores_say() -> None:
    """Where it was forecast as a task too; the half of its spread that is apart from the other is in the whole."""
    trials, pooled = made_up(0.5, 0)
    at = trials.rows["task"].eq("t2").to_numpy()
    members = {"t0": 0.75, "t1": 0.25}
    alone, _ = combine(trials, pooled, members, "pair")
    rows = trials.rows.assign(task=trials.rows["task"].mask(at, "pair"))
    made, joint = combine(replace(trials, rows=rows), pooled, members, "pair")
    tasks = alone.mean[:, 0]
    own = pooled.mean[at][_order(made, trials, at)]
    np.testing.assert_allclose(joint.mean, (tasks + own) / 2)
    apart = ((tasks - own) / 2) ** 2
    np.testing.assert_allclose(joint.std**2, (made.stderr[:, 0] ** 2 + 0.02**2) / 2 + apart)


def _order(made: BacktestForecasts, trials: BacktestForecasts, at: np.ndarray) -> list[int]:
    """Where the rows of an average stand among those of one of its tasks."""
    places = {key: i for i, key in enumerate(trials.rows[at][["origin", "run"]].itertuples(index=False, name=None))}
    return [places[key] for key in made.rows[["origin", "run"]].itertuples(index=False, name=None)]


def test_an_average_is_forecast_once_from_its_own_scores_and_from_its_tasks() -> None:
    config = demo(tasks=["recall", "cloze_*"], averages={"words": {"recall": 2, "cloze_*": 1}, "all": ["*"]})
    result = forecast.run(config, Path())
    by = {f.task: f for f in result.forecasts}
    tasks = {"recall": 0.5, "cloze_content": 0.25, "cloze_function": 0.25}
    assert sorted(f.task for f in result.forecasts) == sorted([*tasks, "words", "all"])
    words = by["words"]
    ways = {a.form: a for a in words.alternatives if a.weight}
    assert {form: a.weight for form, a in ways.items()} == {"mean of its tasks": 0.5, "the average itself": 0.5}
    assert ways["mean of its tasks"].forecast == pytest.approx(sum(w * (by[t].forecast or 0) for t, w in tasks.items()))
    assert words.forecast == pytest.approx(np.mean([a.forecast for a in ways.values()]))
    assert any("half from its own scores" in note for note in words.notes)
    assert words.actual == pytest.approx(sum(w * (by[t].actual or 0) for t, w in tasks.items()))
    assert words.baselines.carry_forward == pytest.approx(
        sum(w * (by[t].baselines.carry_forward or 0) for t, w in tasks.items())
    )
    assert words.chance == pytest.approx(sum(w * (by[t].chance or 0) for t, w in tasks.items()))
    # Narrower than the widest member, wider than if its members' errors were independent.
    half = {t: ((by[t].high or 0) - (by[t].low or 0)) / 2 for t in tasks}
    own = ((words.high or 0) - (words.low or 0)) / 2
    assert np.sqrt(sum((w * half[t]) ** 2 for t, w in tasks.items())) < own < max(half.values())


def test_a_member_without_the_largest_runs_counts_as_it_stands_now() -> None:
    """The mean of its tasks is the mean of what the tasks' own forecasts say, each from the runs it has."""
    table = demo_ladder().table
    few = table["task"].eq("recall") & table["run"].isin(["640K-5x", "332K-20x", "332K-10x", "182K-40x"])
    result = forecast.run(demo(tasks=["recall", "word_order"], averages={"both": ["*"]}), Path(), table[~few])
    by = {f.task: f for f in result.forecasts}
    (mean,) = (a.forecast for a in by["both"].alternatives if a.form == "mean of its tasks")
    assert mean == pytest.approx(((by["recall"].forecast or 0) + (by["word_order"].forecast or 0)) / 2)


def test_twice_the_same_plan_is_refused() -> None:
    with pytest.raises(InputError, match="a name of its own"):
        forecast.run(demo(targets=[{"flops": 1e16}, {"flops": 1e16}]), Path())


def test_solve_answers_for_an_average() -> None:
    config = demo(tasks=["recall", "word_order"], averages={"both": ["*"]})
    found = questions.solve(config, Path(), None, "both", 0.75, 20.0)
    assert [n.task for n in found] == ["both"]
    assert found[0].flops
    with pytest.raises(InputError, match="matches no task"):
        questions.solve(config, Path(), None, "bth", 0.75, 20.0)


def test_fixed_recipes_forecast_averages_too() -> None:
    result = forecast.run(demo(recipes=["llama3"], averages={"all": ["*"]}), Path())
    assert "all" in {f.task for f in result.forecasts if f.forecast is not None}


@pytest.mark.parametrize(
    ("averages", "said"),
    [({"recall": ["*"]}, "averages.recall: a task of the table"), ({"x": ["nothing*"]}, "averages.x: 'nothing*'")],
)
def test_wrong_averages_are_named(averages: dict[str, list[str]], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        forecast.run(demo(averages=averages), Path())
