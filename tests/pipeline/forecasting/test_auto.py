"""The recipe auto on ladders that lack something: an answer with an interval, or a refusal that says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.core.config import Config
from benchcast.data import schema
from benchcast.forecasting import run as forecast
from benchcast.forecasting.context import contexts_of
from benchcast.forecasting.jobs import jobs_of
from benchcast.reports.records.forecast import Forecast
from benchcast.stages.forecast.auto import AutoForecaster

SIZES, MULTIPLIERS = (1e7, 3e7, 1e8, 3e8, 1e9), (5.0, 20.0, 80.0)
BIG = {"params": 7e9, "token_multiplier": 20}


def truth(params: float, tokens: float) -> tuple[float, float]:
    loss = 0.4 + 40 / params**0.25 + 60 / tokens**0.25
    return loss, 0.25 + 0.65 / (1 + np.exp(5 * (loss - 1)))


def ladder(sizes: tuple[float, ...] = SIZES, multipliers: tuple[float, ...] = MULTIPLIERS) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for n in sizes:
        for m in multipliers:
            loss, accuracy = truth(n, n * m)
            run = {
                "run": f"{n:g}-{m:g}",
                "family": "f",
                "params": n,
                "tokens": n * m,
                "flops": 6 * n * n * m,
                "task": "t",
            }
            rows.append(run | {"metric": "acc", "value": accuracy + rng.normal(0, 0.004), "chance": 0.25})
            rows.append(run | {"metric": "nll", "value": loss})
    return pd.DataFrame(rows)


def ask(table: pd.DataFrame, target: dict[str, Any] | None = None, **more: Any) -> Forecast:
    plain = {"data": {"source": "table"}, "targets": [target or BIG], "recipes": ["auto"], "figures": 0}
    result = forecast.run(Config.model_validate(plain | more), Path(), table)
    assert result.model_dump_json()
    return result.forecasts[0]


def with_scores(table: pd.DataFrame, value: Any) -> pd.DataFrame:
    return table.assign(value=table["value"].where(table["metric"].ne("acc"), value))


def sound(f: Forecast) -> None:
    assert f.forecast is not None
    assert f.low is not None
    assert f.high is not None
    assert 0 <= f.low < f.forecast < f.high <= 1


@pytest.mark.parametrize("target", [BIG, {"flops": 6 * 7e9 * 7e9 * 20}])
def test_a_target_by_its_flops_alone_is_forecast_by_the_laws_that_need_no_more(target: dict[str, Any]) -> None:
    f = ask(ladder(), target)
    sound(f)
    assert (f.low or 0) <= truth(7e9, 7e9 * 20)[1] <= (f.high or 0)
    assert f.codes == ()
    assert any("N and D" in a.form for a in f.alternatives) == ("params" in target)


def test_accuracy_alone_is_enough() -> None:
    f = ask(ladder().query("metric == 'acc'"))
    sound(f)
    assert {a.form for a in f.alternatives} == {
        "direct law",
        "sigmoid in log C",
        "error in C",
        "error in C and M",
        "trend in log-odds",
        "largest carried forward",
    }


def test_one_run_is_no_ladder() -> None:
    f = ask(ladder((1e7,), (20.0,)))
    assert (f.status, f.grade, f.forecast) == ("failed", "D", None)
    assert "few-points" in f.codes
    assert f.notes


@pytest.mark.parametrize(
    ("runs", "times", "also"),
    [(2, 3, {"untested"}), (3, 3, {"untested"}), (4, 3, set()), (5, 3, set()), (5, 30, {"beyond-tested"})],
)
def test_few_runs_get_a_number_with_an_interval_that_holds_and_a_c(runs: int, times: float, also: set[str]) -> None:
    sizes = SIZES[:runs]
    f = ask(ladder(sizes, (20.0,)), {"params": times * sizes[-1], "token_multiplier": 20})
    sound(f)
    assert (f.low or 0) <= truth(times * sizes[-1], 20 * times * sizes[-1])[1] <= (f.high or 0)
    assert (f.status, f.grade) == ("warning", "C")
    assert {r.code for r in f.reasons} - {"expected-miss", "baseline-as-good"} == {"few-runs", *also}
    assert "few-points" in f.codes


def test_checkpoints_of_two_sizes_get_a_number_and_a_c() -> None:
    """They stand for shorter runs, which is said; they are no runs, and the grade counts two."""
    steps = [ladder(SIZES[:2], (m,)) for m in (1.0, 2.0, 5.0, 10.0, 20.0)]
    table = pd.concat([part.assign(step=i + 1) for i, part in enumerate(steps)])
    table["run"] = table["params"].map("{:g}".format)
    f = ask(table.sort_values(["run", "step"]), {"params": 1e8, "token_multiplier": 20})
    sound(f)
    assert (f.low or 0) <= truth(1e8, 2e9)[1] <= (f.high or 0)
    assert f.grade == "C"
    assert "only 2 runs" in f.reasons
    assert "checkpoints-stand-in" in f.codes


def test_what_is_refused_says_why_in_one_line() -> None:
    """Three runs that leap about: the interval is too wide for any use."""
    scores = ladder(SIZES[:3], (20.0,))
    f = ask(
        with_scores(scores, np.resize([0.3, np.nan, 0.9, np.nan, 0.4, np.nan], len(scores))),
        {"params": 1e13, "tokens": 1e15},
    )
    assert (f.status, f.grade, f.forecast) == ("refused", "D", None)
    assert [r.code for r in f.reasons] == ["wide-interval"]
    assert f.notes[0].startswith("not forecastable from this ladder: the interval is")
    assert "\n" not in f.notes[0]


def test_what_does_not_move_is_carried_forward_and_says_so() -> None:
    f = ask(with_scores(ladder(), 0.5))
    assert {"no-skill", "no-trend"} <= set(f.codes)
    assert f.grade == "C"
    assert f.forecast == pytest.approx(0.5, abs=0.005)
    assert "carried forward" in f.reasons[1]


def test_a_task_at_chance_stays_near_it_with_an_interval_and_a_c() -> None:
    table = ladder()
    noise = np.random.default_rng(1).normal(0.25, 0.005, len(table))
    f = ask(with_scores(table, noise))
    sound(f)
    assert (f.status, f.grade) == ("warning", "C")
    assert f.forecast == pytest.approx(0.25, abs=0.02)
    assert (f.low or 0) < 0.25 < (f.high or 0)
    assert "at-chance" in f.codes
    assert "stays-near-chance" in {r.code for r in f.reasons}


def test_inverse_scaling_is_named() -> None:
    table = ladder()
    f = ask(with_scores(table, 1 - table["value"]))
    assert "inverse-scaling" in f.codes


def test_replicas_at_one_budget_test_nothing() -> None:
    """There is a number, by the priors alone, and it is said that none like it was ever tested."""
    parts = [ladder((1e8,), (20.0,)).assign(run=f"seed {i}") for i in range(8)]
    f = ask(pd.concat(parts), {"params": 1e9, "token_multiplier": 20})
    sound(f)
    assert (f.status, f.grade) == ("warning", "C")
    assert "untested" in f.codes


def test_other_flops_are_named_and_six_n_d_is_known_without_a_name() -> None:
    table = ladder()
    assert "mixed-flops" not in ask(table).codes
    assert "mixed-flops" in ask(table.assign(flops=table["flops"] * 1.3)).codes


def test_few_documents_cap_the_grade_however_they_are_known() -> None:
    table = ladder().query("metric == 'acc'")
    few = ask(table.assign(n=50))
    assert few.reasons[-1] == "only 50 documents"
    error = np.sqrt(table["value"] * (1 - table["value"]) / 50)
    gap = table["run"].eq(table["run"].iloc[0])  # of one run it is not known
    assert ask(table.assign(stderr=error.mask(gap))).reasons[-1] == "only 50 documents"
    assert "documents" not in ask(table.assign(n=5000)).reasons[-1]


def test_the_largest_runs_choose_nothing_for_earlier_cutoffs() -> None:
    """Through the recipe itself: other scores of the dearest runs change no earlier forecast, weight or interval."""
    rng = np.random.default_rng(3)
    table = ladder()
    losses = [table[table["metric"].eq("acc")].assign(metric="val_loss", task=f"v{i}", chance=np.nan) for i in range(6)]
    table = pd.concat([table, *(part.assign(value=3 + rng.normal(0, 0.1, len(part))) for part in losses)])
    dear = table["flops"].ge(table["flops"].drop_duplicates().nlargest(4).min()) & table["metric"].eq("acc")
    made = []
    for each in (table, table.assign(value=table["value"].mask(dear, 0.3 + 0.4 * rng.random(len(table))))):
        config = Config.model_validate({"data": {"source": "table"}, "targets": [BIG], "recipes": ["auto"]})
        family, *_ = contexts_of(jobs_of(config, schema.validate(each, "t"))).values()
        pooled = family.pooled(AutoForecaster(), family.jobs[0].targets)
        rows = pooled.forecasts.rows
        unseen = table[dear].drop_duplicates("run")
        early = np.concatenate([here for place, here in pooled.forecasts.origins() if not place.sees(unseen).any()])
        assert not rows["target"].iloc[early].any()
        made.append((pooled.pooled.mean[early], pooled.pooled.weights[early], pooled.intervals(0.9).high[early]))
    assert len(made[0][0])
    for one, other in zip(*made, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_grade_does_not_depend_on_the_level_that_was_asked_for() -> None:
    far = {"name": "far", "flops": 3.8e25, "token_multiplier": 20}
    grades = {(f.grade, f.status) for f in (ask(ladder(), far, level=level) for level in (0.6, 0.9, 0.999))}
    assert len(grades) == 1
