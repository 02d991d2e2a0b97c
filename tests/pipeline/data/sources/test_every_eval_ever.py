"""Every Eval Ever records: units, identity, other files beside them, and what a record says twice."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from benchcast.core.errors import FaultsError
from benchcast.data.sources.every_eval_ever import reader as every_eval_ever
from benchcast.reports.records.account import Account
from worlds.results.every_eval_ever import put, record, result


def taken(folder: Path) -> tuple[list[dict[str, Any]], str]:
    account = Account()
    rows = every_eval_ever.read_every_eval_ever(folder, account).to_dict("records")
    return rows, "\n".join(account.record().told())


def refused(folder: Path) -> str:
    with pytest.raises(FaultsError) as caught:
        every_eval_ever.read_every_eval_ever(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("score", "config", "value"),
    [
        (31.2, {"metric_unit": "percent"}, 0.312),
        (31.2, {"metric_unit": "%", "max_score": 100}, 0.312),
        (31.2, {"max_score": 100}, 0.312),
        (3.12, {"metric_unit": "points", "max_score": 10}, 0.312),
        (0.312, {"metric_unit": "proportion", "max_score": 1}, 0.312),
        (0.312, {}, 0.312),
        (0, {"metric_unit": "percent"}, 0.0),
    ],
)
def test_a_score_is_read_in_the_unit_the_record_says(
    score: float, config: dict[str, Any], value: float, tmp_path: Path
) -> None:
    rows, _ = taken(put(tmp_path / "in", a=record(result(score, **config))))
    assert rows[0]["value"] == pytest.approx(value)


def test_a_score_below_one_percent_is_one_where_other_scores_show_percent(tmp_path: Path) -> None:
    small, other = (result(s, t, max_score=100) for s, t in ((0.8, "quiz"), (44.0, "riddles")))
    rows, _ = taken(put(tmp_path / "in", a=record(small, other)))
    assert [row["value"] for row in rows] == pytest.approx([0.008, 0.44])
    assert "below one percent" in refused(put(tmp_path / "alone", a=record(small)))


@pytest.mark.parametrize(
    ("score", "config", "says"),
    [
        (0.312, {"metric_unit": "percent", "max_score": 1}, "contradict each other"),
        (0.312, {"metric_unit": "proportion", "max_score": 100}, "contradict each other"),
        (31.2, {"metric_unit": "points"}, "is it a percentage"),
        (31.2, {}, "is it a percentage"),
        (0.5, {"max_score": 0.4}, "above its own max_score"),
        (0.5, {"min_score": -1}, "not a share of documents"),
        (0.5, {"lower_is_better": True}, "lower_is_better is true"),
        (float("nan"), {}, "nan is not a number"),
        ("0.5", {}, "'0.5' is not a number"),
        (True, {}, "True is not a number"),
        (-0.1, {}, "-0.1 is outside 0 to 1, the range of acc"),
    ],
)
def test_a_unit_that_is_not_clear_is_a_fault_with_file_model_task_and_metric(
    score: Any, config: dict[str, Any], says: str, tmp_path: Path
) -> None:
    told = refused(put(tmp_path / "in", a=record(result(score, **config))))
    assert says in told
    assert all(part in told for part in ("a.json", "'lab/m'", "'quiz'", "'acc'"))
    assert "row" not in told


def test_two_records_of_one_model_and_task(tmp_path: Path) -> None:
    one, other = record(result(0.5)), record(result(0.6))
    rows, told = taken(put(tmp_path / "equal", a=one, b=copy.deepcopy(one)))
    assert len(rows) == 1
    assert "left out 1: scores repeated with the same value" in told
    told = refused(put(tmp_path / "differ", a=one, b=other))
    assert "b.json: acc of quiz, run lab/m is 0.6, in" in told
    assert "a.json it is 0.5" in told
    rows, told = taken(put(tmp_path / "part", a=one, b=record(result(0.9, n=10))))
    assert [row["value"] for row in rows] == [0.5]
    assert "scores of fewer documents than another record of the same score: acc of quiz, run lab/m (n 10)" in told


def test_a_revision_or_a_precision_is_another_model(tmp_path: Path) -> None:
    one, two = record(result(0.5), revision="step1"), record(result(0.6), revision="step2")
    assert "they differ in revision (step1 and step2)" in refused(put(tmp_path / "in", a=one, b=two))
    half = record(result(0.6), quantization="4bit")
    assert "quantization (not told and 4bit)" in refused(put(tmp_path / "q", a=record(result(0.5)), b=half))
    places = {
        f"lab/m@step{i}": {"run": "m", "family": "mix", "step": i, "params": 1e8, "tokens": i * 1e9} for i in (1, 2)
    }
    (tmp_path / "in" / "ladder.yaml").write_text(json.dumps(places))
    rows, told = taken(tmp_path / "in")
    assert [(row["step"], row["value"]) for row in rows] == [(1, 0.5), (2, 0.6)]
    assert "lab/m@step1: ladder.yaml says tokens 1e+09, its record 2e+09; ladder.yaml is used" in told


def test_what_is_no_accuracy_and_other_files_are_left_out_with_a_line(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "in",
        a=record(result(), result(metric="bleu"), result(task="average")),
        b=record(result(metric="bleu")),
        c={"results": {}},
        d="{",
        e=[1],
    )
    os.mkfifo(folder / "pipe.json")
    rows, told = taken(folder)
    assert len(rows) == 1
    assert "scores that are not accuracies: bleu of quiz in a.json, bleu of quiz in b.json" in told
    assert "averages over tasks, not benchmarks: average in a.json" in told
    assert "records without an accuracy: b.json" in told
    assert "JSON files that are not Every Eval Ever records: c.json, d.json, e.json" in told
    assert "pipe.json (is a FIFO, no file)" in told
    assert "cannot be read" in refused(put(tmp_path / "cut", a=json.dumps(record(result()))[:-20]))


def test_scores_of_generated_answers_are_called_by_metric_and_filter(tmp_path: Path) -> None:
    """lm-eval's, by the filter at the end of their name; what other tools call an exact match may be of a choice."""
    of_lm_eval = record(
        result(0.2, "gsm8k/strict-match", "exact_match"), result(0.3, "drop/none", "f1"), result(0.1, "he", "pass@1")
    )
    of_helm = record(result(0.4, "mmlu", "exact_match"), model="lab/n") | {"eval_library": {"name": "helm"}}
    rows, told = taken(put(tmp_path / "in", a=of_lm_eval, b=of_helm))
    assert [(row["task"], row["metric"], row["value"]) for row in rows] == [
        ("gsm8k", "exact_match,strict-match", 0.2),
        ("drop", "f1", 0.3),
        ("he", "pass@1", 0.1),
        ("mmlu", "acc", 0.4),
    ]
    assert "exact_match of Every Eval Ever records is read as acc" in told


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"params": "0.1"}, "cannot be a language model's; are they in billions?"),
        ({"tokens": "2"}, "are the tokens in billions?"),
        ({"tokens": "2B"}, "'2B' is not a count (has a suffix"),
        ({"flops": "1.2e9"}, "no way of counting gives"),
        ({"flops": "2e18", "flops_convention": "6ND"}, "are not 6·params·tokens"),
    ],
)
def test_a_place_that_cannot_be_is_a_fault(told: dict[str, str], says: str, tmp_path: Path) -> None:
    assert says in refused(put(tmp_path / "in", a=record(result(), **told)))


def test_tokens_that_fall_while_steps_grow_are_a_fault(tmp_path: Path) -> None:
    states = [
        record(result(), model="m@1", run="m", step="1000", tokens="2e9"),
        record(result(), model="m@2", run="m", step="2000", tokens="1e9"),
    ]
    told = refused(put(tmp_path / "in", a=states[0], b=states[1]))
    assert "run 'm' has 1e+09 tokens at step 2000, fewer than 2e+09 at step 1000" in told
