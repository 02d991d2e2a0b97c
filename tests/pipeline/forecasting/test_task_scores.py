"""Scores that are not an accuracy: which are forecast, what they are called, and what becomes of them on the way."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import benchcast
import numpy as np
import pandas as pd
import pytest
from benchcast.core.config import Config
from benchcast.core.errors import InputError
from benchcast.data import schema
from benchcast.forecasting.job import matching_scores
from benchcast.forecasting.task_scores import SCORE, named_scores, not_forecast, scores_of, unmatched
from benchcast.nightly.tracking.points import points_of_table
from benchcast.registry import register
from benchcast.registry.settle import settle
from benchcast.reports.documents.forecast import csv_bytes
from benchcast.reports.documents.page import page_bytes
from benchcast.reports.records.forecast import Result
from benchcast.reports.sections.content import Content
from benchcast.reports.text.metric_names import common_name, error_axis, score_axis, score_name, short_tasks
from worlds.ladders import generative_ladder, gold_to_exact_match, make_ladder

STRICT, FLEXIBLE = "gsm8k exact_match,strict-match", "gsm8k exact_match,flexible-extract"
BIG = {"name": "big", "params": 1e10, "tokens": 8e11}


def config(**more: Any) -> Config:
    plain = {"data": {"source": "table"}, "targets": [BIG], "recipes": ["auto"], "figures": 0}
    return Config.model_validate(plain | more)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """A generative task with two filters, and one of choices with an accuracy and an F1."""
    quiz = make_ladder(noise=0.01)
    f1 = quiz[quiz["metric"].eq("acc")].assign(metric="f1", chance=0.0)
    both = generative_ladder(filters=("strict-match", "flexible-extract"))
    return schema.validate(pd.concat([both, quiz, f1], ignore_index=True))


@pytest.fixture(scope="module")
def result(table: pd.DataFrame) -> Result:
    """All recipes that go through a gold loss, on the generative task alone, its largest run held out."""
    wanted = config(recipes=["auto", "llama3", "ladder"], tasks=["gsm8k"], targets=[BIG, {"run": "2e+09-80x"}])
    return benchcast.run(wanted, data=table)


def names(wanted: Config, table: pd.DataFrame) -> set[str]:
    return set(scores_of(wanted, table)[SCORE])


def test_auto_takes_every_score_of_a_task_without_an_accuracy(table: pd.DataFrame) -> None:
    assert names(config(), table) == {STRICT, FLEXIBLE, "quiz"}
    (note,) = not_forecast(config(), table)
    assert str(note).startswith("quiz: has scores that are not forecast: f1")
    assert not_forecast(config(tasks=["gsm8k*"]), table) == []


@pytest.mark.parametrize(
    ("metric", "wanted"),
    [
        ("acc", {"quiz"}),
        ("exact_match", {STRICT, FLEXIBLE}),
        ("*strict*", {STRICT}),
        (["acc", "f1"], {"quiz", "quiz f1"}),
        (["auto", "f1"], {STRICT, FLEXIBLE, "quiz", "quiz f1"}),
    ],
)
def test_patterns_choose_metrics(table: pd.DataFrame, metric: str | list[str], wanted: set[str]) -> None:
    assert names(config(metric=metric), table) == wanted
    assert not_forecast(config(metric=["*"]), table) == []


def test_patterns_of_tasks_that_match_no_score_are_found(table: pd.DataFrame) -> None:
    """In a YAML list without quotes the comma of a name parts it."""
    assert unmatched(config(tasks=["gsm8k exact_match", "strict-match", "quiz"]), table) == [
        "gsm8k exact_match",
        "strict-match",
    ]
    assert unmatched(config(tasks=[STRICT, "gsm8k", "quiz*"]), table) == []


def test_a_task_asked_about_by_its_name_means_all_its_scores() -> None:
    labels = [STRICT, FLEXIBLE, "quiz", "quiz f1", "gsm8k_cot exact_match,strict-match"]
    assert matching_scores(labels, "gsm8k") == [STRICT, FLEXIBLE]
    assert matching_scores(labels, "quiz") == ["quiz"]
    assert matching_scores(labels, "gsm") == []


def test_a_metric_that_is_not_there_or_none_is_a_fault(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"metric: 'pass@1' matches no score of the table .it has exact_match,strict"):
        scores_of(config(metric="pass@1"), table)
    with pytest.raises(ValueError, match="did you mean 'pass@1'"):
        config(metric="pass1")
    with pytest.raises(ValueError, match="'nll' is a loss"):
        config(metric=["acc", "nll"])


def test_the_config_of_before_is_the_same_to_the_digest() -> None:
    assert config(metric="acc").model_dump(mode="json")["metric"] == "acc"
    assert config().metric == "auto"


def test_recipes_go_through_the_gold_loss_to_a_score_that_is_zero_on_small_runs(result: Result) -> None:
    truth = gold_to_exact_match(30 / 1e10**0.25 + 40 / 8e11**0.25 + 0.4)
    rows = {(f.recipe, f.task, f.target): f for f in result.forecasts}
    assert {f.task for f in result.forecasts} == {STRICT, FLEXIBLE}
    for name in (STRICT, FLEXIBLE):
        auto, ladder = rows["auto", name, "big"], rows["ladder", name, "big"]
        assert auto.metric == ladder.metric == name.removeprefix("gsm8k ")
        assert auto.chance == 0
        assert auto.low is not None
        assert auto.high is not None
        assert auto.low <= truth <= auto.high
        through = {a.form.split(" → ")[1] for a in auto.alternatives if a.form.count(" → ") == 2}
        assert through >= {"bits_per_byte", "nll_mean_prob"}
        held = rows["ladder", name, "2e+09-80x"]
        assert held.middle == pytest.approx(held.middle_actual, rel=0.03)  # bits per byte
        assert rows["llama3", name, "2e+09-80x"].middle_actual == pytest.approx(held.middle_actual * np.log(2))
        # What the gold loss will be is said beside it.
        assert auto.middle == pytest.approx((30 / 1e10**0.25 + 40 / 8e11**0.25 + 0.4) / np.log(2), rel=0.03)
        assert any(note.code == "gold-loss" for note in auto.notes)
        assert "u-shaped" not in auto.codes  # zeros that begin to rise have fallen nowhere


def test_a_score_that_no_run_has_is_refused_and_its_gold_loss_forecast(table: pd.DataFrame) -> None:
    zero = generative_ladder("zero").assign(task="math")
    rising = table[table["task"].eq("gsm8k")]
    alone = benchcast.run(config(tasks=["gsm8k *strict*"]), data=rising)
    both = benchcast.run(
        config(metric="*strict*", averages={"mean": ["gsm8k", "math"]}, targets=[BIG, {"run": "2e+09-80x"}]),
        data=pd.concat([rising, zero]),
    )
    refused = [f for f in both.forecasts if f.task == "math exact_match,strict-match"]
    for f in refused:
        assert (f.status, f.grade, f.forecast) == ("refused", "D", None)
        assert [reason.code for reason in f.reasons] == ["never-right"]
    held = next(f for f in refused if f.target == "2e+09-80x")
    assert held.actual == 0
    assert held.middle == pytest.approx(held.middle_actual, rel=0.03)
    # An average with it is forecast from its own scores.
    assert all(f.forecast is not None for f in both.forecasts if f.task == "mean")
    # Forecasts of zero that came true make no other interval narrower.
    fewer = benchcast.run(config(tasks=["gsm8k *strict*", "math *"]), data=pd.concat([rising, zero]))
    ends = [[(f.low, f.high) for f in r.forecasts if f.task == STRICT] for r in (alone, fewer)]
    assert ends[0] == ends[1]


def test_settlement_finds_the_score_by_its_name(result: Result, table: pd.DataFrame, tmp_path: Path) -> None:
    record = register.register(result, tmp_path / "register.jsonl")
    end = table[table["run"].eq("2e+09-80x")].assign(run="now", params=1e10, tokens=8e11, flops=4.8e22)
    truth = pd.concat([table, end.assign(value=end["value"].where(~end["metric"].str.startswith("exact"), 0.25))])
    settled = settle([record], truth, {"big": "now"})
    known = {(s.recipe, s.task): s.actual for s in settled.settled if s.target == "big"}
    assert known == {(f.recipe, f.task): 0.25 for f in result.forecasts if f.target == "big"}


def test_nightly_points_are_called_as_forecasts_are(table: pd.DataFrame) -> None:
    points = points_of_table(table, "2e+09-80x", ("auto",), {("", "gsm8k"): "cell"})
    assert {(p.task, p.metric, p.cell) for p in points} == {
        (STRICT, "exact_match,strict-match", "cell"),
        (FLEXIBLE, "exact_match,flexible-extract", "cell"),
    }
    first = points_of_table(table, "1e+07-5x", ("exact_match",), {})[0]
    assert (first.value, first.stderr) == (0.0, pytest.approx(1 / 1319, rel=1e-3))  # one document more or less
    acc_norm = table[table["metric"].eq("acc")].assign(metric="acc_norm")
    of_quiz = points_of_table(pd.concat([table, acc_norm]), "6e+08-80x", ("auto",), {})
    assert {(p.task, p.metric) for p in of_quiz if p.task == "quiz"} == {("quiz", "acc_norm")}
    assert set(named_scores(table)[SCORE]) == {STRICT, FLEXIBLE, "quiz", "quiz f1"}


def test_an_average_names_which_of_several_metrics(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"averages.mean: 'gsm8k' matches 'gsm8k', forecast by several metrics"):
        benchcast.run(config(averages={"mean": ["gsm8k", "quiz"]}), data=table)


def test_pages_call_a_score_by_its_metric(result: Result) -> None:
    strict = result.model_copy(update={"forecasts": tuple(f for f in result.forecasts if f.task == STRICT)})
    assert Content(strict).score == "Exact match (strict-match)"
    assert Content(result).score == "Score"
    page = page_bytes(result).decode()
    for name in ("exact match (strict-match)", "exact match (flexible-extract)"):
        assert f'"score":"{name}"' in page.replace('": "', '":"')
    rows = pd.read_csv(io.BytesIO(csv_bytes(result)))
    assert set(zip(rows["task"], rows["metric"], strict=True)) == {
        (name, name.removeprefix("gsm8k ")) for name in (STRICT, FLEXIBLE)
    }


@pytest.mark.parametrize(
    ("metric", "said", "axis"),
    [
        ("acc_norm", "accuracy", "accuracy (acc_norm)"),
        ("", "accuracy", "accuracy"),
        ("exact_match,strict-match", "exact match (strict-match)", "exact match (strict-match)"),
        ("pass@1,create_test", "pass@1 (create_test)", "pass@1 (create_test)"),
        ("pass_at_10", "pass@10", "pass@10"),
        ("f1", "F1", "F1"),
    ],
)
def test_metrics_in_words(metric: str, said: str, axis: str) -> None:
    assert score_name(metric) == said
    assert score_axis(metric) == axis
    assert error_axis(metric).endswith(metric + ")" if metric == "acc_norm" else said)


def test_scores_of_several_metrics_are_scores() -> None:
    assert common_name(["acc", "acc_norm", ""]) == "accuracy"
    assert common_name(["acc", "f1"]) == "score"


def test_names_that_do_not_fit_lose_what_tells_nothing_apart() -> None:
    """The middle of "mmlu_pro_law exact_match,custom-extract" was lost where many names share their end."""
    gsm8k = [(f"gsm8k exact_match,{name}", f"exact_match,{name}") for name in ("strict-match", "flexible-extract")]
    law = ("mmlu_pro_law exact_match,custom-extract (5-shot)", "exact_match,custom-extract")
    apart = [("drop em", "em"), ("drop f1", "f1"), ("arc", "acc"), ("arc exact_match", "exact_match")]
    short = short_tasks([*gsm8k, law, *apart])
    assert set(short.values()) == {"gsm8k strict-match", "gsm8k flexible-extract", "mmlu_pro_law (5-shot)"}
    assert not set(short) & {name for name, _ in apart}
