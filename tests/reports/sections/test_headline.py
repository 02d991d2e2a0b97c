"""The first line of a report: what, how sure, how far beyond the ladder; or why there is no number."""

from __future__ import annotations

from typing import Any

import pytest
from benchcast.reports.records.answer import answer
from benchcast.reports.sections.headline import headline
from benchcast.stages.notices import grading
from scipy.stats import norm
from worlds.reports import as_record, make_graded, make_result


def planned(result: dict[str, Any], name: str = "next") -> dict[str, Any]:
    """The same with one more target, not trained yet, after the others."""
    rows = [dict(f) for f in result["forecasts"]]
    more = [f | {"target": name, "actual": None, "flops": 3 * f["flops"]} for f in rows if f["target"] == "7B-4T"]
    return result | {"forecasts": [*rows, *more]}


def said(result: dict[str, Any]) -> str:
    return headline(as_record(result))


def test_the_planned_run_is_the_answer_wherever_it_is_listed() -> None:
    found = answer(as_record(planned(make_graded(targets=("7B-4T", "13B-5T")))))
    assert found.targets == ("next",)
    assert {f.target for f in found.others} == {"7B-4T", "13B-5T"}
    assert answer(as_record(make_graded(targets=("7B-4T", "13B-5T")))).targets == ("13B-5T",)  # the largest


def test_auto_is_the_answer_where_it_ran_else_the_first_recipe() -> None:
    published, graded = make_result(), make_graded(("hellaswag", "arc_challenge", "mmlu"))
    both = published | {"forecasts": published["forecasts"] + graded["forecasts"]}
    assert answer(as_record(both)).recipe == "auto"
    assert answer(as_record(published)).recipe == "llama3"
    assert "by the recipe Llama 3" in said(published)


def test_the_sentence_has_score_interval_distance_and_rank() -> None:
    one = planned(make_graded(("hellaswag",)))
    (f,) = answer(as_record(one)).rows
    largest = max(run["flops"] for run in one["ladder"] if run["role"] == "fit")
    assert f.forecast is not None
    assert f.low is not None
    assert f.high is not None
    text = said(one)
    assert text.startswith(
        f"next, {f.flops / largest:.0f} times the compute of the ladder's largest run, is forecast to"
    )
    assert f"score {100 * f.forecast:.0f} % on hellaswag ({100 * f.low:.0f} to {100 * f.high:.0f} with 90 % con" in text
    measured = one["scores"][0]["accuracy"]
    below = sum(value < f.low for value in measured)
    assert 0 < below < 14  # the two that are held out are measured too
    assert text.endswith(f" Its whole interval lies above {below} of the 14 runs measured.")


@pytest.mark.parametrize(
    ("low", "end"),
    [
        (0.22, "Its whole interval lies above none of the 14 runs measured."),
        (0.24, "It is likely to score above all 14 runs measured (2 chances in 3 or more)."),
        (0.255, "Its whole interval lies above all 14 runs measured."),
    ],
)
def test_better_than_all_measured_is_claimed_by_the_interval(low: float, end: str) -> None:
    """A flat ladder at chance: a forecast a point above 25 % is noise where the interval is wide."""
    one = planned(make_graded(("hellaswag",)))
    one["scores"] = [s | {"accuracy": [0.25] * len(s["accuracy"])} for s in one["scores"]]
    one["forecasts"] = [f | {"forecast": 0.26, "low": low, "high": 0.28} for f in one["forecasts"]]
    assert said(one).endswith(end)


def test_likely_is_two_chances_in_three_of_the_lower_half_of_the_interval() -> None:
    """Against the normal distribution whose central 90 % is the interval."""
    one = planned(make_graded(("hellaswag",)))
    threshold = norm.ppf(1 / 3, loc=0.5, scale=0.1 / norm.ppf(0.95))
    for best, likely in ((threshold - 1e-6, True), (threshold + 1e-6, False)):
        at = one | {"scores": [s | {"accuracy": [best] * len(s["accuracy"])} for s in one["scores"]]}
        at["forecasts"] = [f | {"forecast": 0.5, "low": 0.4, "high": 0.7} for f in one["forecasts"]]
        assert ("likely" in said(at)) is likely


def test_of_several_tasks_that_one_is_told_which_gains_most() -> None:
    rows = planned(make_graded())
    best = max(
        (f for f in rows["forecasts"] if f["target"] == "next" and f["forecast"]),
        key=lambda f: f["forecast"] - f["baselines"]["carry_forward"],
    )
    assert f"% on {best['task']} (" in said(rows)
    assert "where it gains most, and" in said(rows)
    assert "the 2 other tasks" in said(rows)
    assert said(rows).endswith("For 1 of 4 tasks no number is given.")


def test_an_average_comes_before_all_tasks() -> None:
    rows = planned(make_graded())
    rows["forecasts"] = [f | {"members": {"hellaswag": 1.0}} if f["task"] == "mmlu" else f for f in rows["forecasts"]]
    assert "on the average “mmlu” (" in said(rows)
    assert "on the 2 single tasks" in said(rows)


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        (str(grading.STAYS_NEAR_CHANCE()), "Add larger runs, or measure"),
        (str(grading.FEW_RUNS(runs=4)), "Add runs to the ladder"),
    ],
)
def test_no_number_at_all_says_why_and_what_to_do(reason: str, advice: str) -> None:
    rows = make_graded()
    nothing = dict.fromkeys(("forecast", "low", "high", "stderr")) | {"status": "refused", "grade": "D"}
    rows["forecasts"] = [f | nothing | {"reasons": [reason]} for f in rows["forecasts"]]
    assert said(rows).startswith("No number is given for 7B-4T on any of 4 tasks: ")
    assert advice in said(rows)


def test_nothing_forecast_is_said() -> None:
    assert said(make_result() | {"forecasts": []}) == "Nothing was forecast."


def test_a_gain_inside_the_interval_is_not_what_the_sentence_is_about() -> None:
    rows = planned(make_graded(("hellaswag", "mmlu")))
    for f in rows["forecasts"]:
        gain = 0.05 if f["task"] == "mmlu" else -0.01
        f |= {"forecast": 0.5 + gain, "low": 0.4, "high": 0.7, "status": "ok", "grade": "C"}
        f["baselines"] = f["baselines"] | {"carry_forward": 0.5}
    assert "score 49 % on hellaswag" in said(rows)
    assert "gains most" not in said(rows)
