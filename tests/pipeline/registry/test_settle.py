"""Settling registered plans: what is the truth of a forecast, what is not, and what was known before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchcast import run
from benchcast.core.errors import BenchcastError, InputError
from benchcast.data.ingest import demo
from benchcast.registry import register as records
from benchcast.registry.settle import settle


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return demo().table


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> tuple[records.Record, pd.DataFrame]:
    """The largest run as a plan, with an average, and the table in which it was measured as ``final``."""
    kept = table[table["task"].isin(["word_order", "recall", "validation"])]
    row = kept[kept["run"].eq("1.3M-10x")].iloc[-1]
    result = run(
        {
            "data": {"source": "table"},
            "targets": [{"name": "big", "params": row["params"], "tokens": row["tokens"]}],
            "recipes": ["llama3"],
            "averages": {"both": ["word_order", "recall"]},
            "metric": "acc",
        },
        data=kept[~kept["run"].str.startswith("1.3M")],
    )
    path = tmp_path_factory.mktemp("planned") / "r.jsonl"
    return records.register(result, path), kept.replace({"run": {"1.3M-10x": "final"}})


def test_a_plan_settles_with_its_averages_and_counts_a_claim_once(
    planned: tuple[records.Record, pd.DataFrame],
) -> None:
    record, truth = planned
    found = settle([record, record], truth, {"big": "final"})
    assert {s.task for s in found.settled} == {"word_order", "recall", "both"}
    by = {s.task: s.actual for s in found.settled}
    assert by["both"] == pytest.approx((by["word_order"] + by["recall"]) / 2)
    assert (found.known, found.open) == (0, 0)


def test_what_is_not_the_planned_run_does_not_settle_it(planned: tuple[records.Record, pd.DataFrame]) -> None:
    record, truth = planned
    unfinished = truth[truth["run"].ne("final") | truth["tokens"].lt(truth["tokens"].max() / 2)]
    with pytest.raises(InputError, match=r"final has 0\.\d+ times the tokens of 'big' as forecast"):
        settle([record], unfinished, {"big": "final"})
    for alias, said in (({"bgi": "final"}, "no registered target"), ({"big": "nope"}, "no run of the table")):
        with pytest.raises(InputError, match=said):
            settle([record], truth, alias)
    with pytest.raises(InputError, match="the register is empty"):
        settle([], truth, {})
    two_ways = pd.concat([truth, truth.assign(num_fewshot=5.0)])
    # The record says that it was asked without shots: that way settles it, another does not.
    other_way = truth.assign(value=truth["value"] / 2, num_fewshot=5.0)
    mixed = settle([record], pd.concat([truth, other_way]), {"big": "final"})
    assert mixed.settled == settle([record], truth, {"big": "final"}).settled
    with pytest.raises(InputError, match=r"recall \(0-shot\) was forecast, the table has recall \(5-shot\)"):
        settle([record], other_way[other_way["task"].eq("recall")], {"big": "final"})
    # Nor does another way that was measured by another metric only.
    scored = truth["metric"].isin(["acc", "acc_norm"])
    by_metric = pd.concat(
        [truth[truth["metric"].ne("acc")], truth[scored & truth["metric"].eq("acc")].assign(num_fewshot=5.0)]
    )
    with pytest.raises(InputError, match=r"was forecast, the table has .* \(5-shot\)"):
        settle([record], by_metric, {"big": "final"})
    # A record that does not say how it was asked cannot tell two ways apart.
    silent = record.model_copy(
        update={"forecasts": tuple(f.model_copy(update={"asked": {}}) for f in record.forecasts)}
    )
    with pytest.raises(InputError, match="measured in 2 ways"):
        settle([silent], two_ways, {"big": "final"})
    any_metric = record.model_copy(
        update={"forecasts": tuple(f.model_copy(update={"metric": ""}) for f in record.forecasts)}
    )
    otherwise = truth.assign(num_fewshot=truth["num_fewshot"].mask(truth["metric"].eq("acc_norm"), 5.0))
    by = {s.task: s.actual for s in settle([any_metric], otherwise, {"big": "final"}).settled}
    assert by == {s.task: s.actual for s in settle([record], truth, {"big": "final"}).settled}
    # Forecast as it is asked with five shots: the score without any is of another task.
    shots = record.model_copy(
        update={
            "forecasts": tuple(
                f.model_copy(update={"task": f"{f.task} (5-shot)", "members": {}, "asked": {}})
                for f in record.forecasts
            )
        }
    )
    with pytest.raises(InputError, match="no registered target has a score"):
        settle([shots], truth.assign(num_fewshot=0.0), {"big": "final"})
    assert {s.task for s in settle([shots], two_ways, {"big": "final"}).settled} == {
        "recall (5-shot)",
        "word_order (5-shot)",
    }
    # Of two families with a forecast for the plan, the run settles its own.
    other = record.model_copy(
        update={
            "forecasts": (
                *record.forecasts,
                *(f.model_copy(update={"family": "other", "forecast": 0.1}) for f in record.forecasts),
            )
        }
    )
    assert {s.family for s in settle([other], truth, {"big": "final"}).settled} == {record.forecasts[0].family}


def test_a_score_known_when_registered_proves_nothing(planned: tuple[records.Record, pd.DataFrame]) -> None:
    record, truth = planned
    peeked = record.model_copy(
        update={"forecasts": tuple(f.model_copy(update={"actual": 0.5, "recipe": "ladder"}) for f in record.forecasts)}
    )
    both = settle([record, peeked], truth, {"big": "final"})
    assert (len(both.settled), both.known) == (6, 3)
    assert both.mean_error == settle([record], truth, {"big": "final"}).mean_error
    assert "tests nothing" in settle([peeked], truth, {"big": "final"}).notes[0]


def test_a_register_does_not_run_backwards(tmp_path: Path, planned: tuple[records.Record, pd.DataFrame]) -> None:
    """A record dated before the one it follows would claim to be older than it is."""
    result = run(
        {"data": {"source": "demo"}, "targets": [{"run": "1.3M-10x"}], "recipes": ["llama3"], "tasks": ["recall"]}
    )
    path = tmp_path / "r.jsonl"
    today = datetime(2026, 3, 2, 12, tzinfo=UTC)
    records.register(result, path, today)
    before = path.read_bytes()
    with pytest.raises(BenchcastError, match="the clock says 2026-03-01"):
        records.register(result, path, today - timedelta(days=1))
    assert path.read_bytes() == before
    records.register(result, path, today)
    assert len(records.read(path)) == 2


def test_a_forecast_says_how_its_task_was_asked(table: pd.DataFrame) -> None:
    """Also where another metric was asked otherwise, which makes the label no longer; and where nothing is known."""
    mixed = table.assign(num_fewshot=table["num_fewshot"].mask(table["metric"].eq("acc_norm"), 5.0))
    for data, asked in ((mixed, {"recall": "recall (0-shot)"}), (table.assign(num_fewshot=np.nan), {})):
        made = run(
            {
                "data": {"source": "table"},
                "targets": [{"run": "1.3M-10x"}],
                "recipes": ["llama3"],
                "tasks": ["recall"],
                "metric": "acc",
            },
            data=data,
        )
        assert [f.asked for f in made.forecasts] == [asked]
        assert [f.task for f in made.forecasts] == ["recall"]
