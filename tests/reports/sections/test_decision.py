"""Page one of a graded result, its backtest and its specification curve, read back from the PDF."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pypdf
import pytest
from benchcast.reports.documents import forecast as document
from benchcast.reports.documents.forecast import write
from benchcast.reports.figures import backtest as trust_figures
from benchcast.reports.records.forecast import Result
from benchcast.reports.sections import decision, published, questions, trust
from benchcast.reports.sections.content import Content, notes
from benchcast.reports.text.numbers import scientific
from benchcast.stages.forecast.grading import GRADING
from benchcast.stages.notices import grading, laws
from worlds.ladders import ROOT
from worlds.reports import FORMS, REFUSED, as_record, make_graded, make_result

DATE, HASH = "2026-11-25T01:02:03+00:00", "3fa9" * 16


def pages(pdf: bytes) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


@pytest.fixture(scope="module")
def graded() -> dict[str, Any]:
    return make_graded()


@pytest.fixture(scope="module")
def text(graded: dict[str, Any]) -> list[str]:
    return pages(document.pdf_bytes(as_record(graded)))


def test_the_fixture_is_a_result(graded: dict[str, Any]) -> None:
    again = Result.model_validate(graded).model_dump(mode="json", by_alias=True)
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(graded))


def test_every_answer_stands_with_its_grade(graded: dict[str, Any], text: list[str]) -> None:
    for f in graded["forecasts"]:
        carried = f"{100 * f['baselines']['carry_forward']:.1f}"
        if f["grade"] == "D":
            row = f"{f['task']} none D {carried}"
        else:
            said = f"{100 * f['forecast']:.1f} {100 * f['low']:.0f} to {100 * f['high']:.0f}"
            row = f"{f['task']} {said} {f['grade']} {carried}"
        assert row in text[0]
    assert f"No number for piqa: {REFUSED}." in text[0]
    assert "For 1 of 4 tasks no number is given" in text[0]


def test_page_one_names_what_could_be_wrong(text: list[str]) -> None:
    wrong = text[0].split("Could be wrong")[1].split("What next")[0]
    assert "than any forecast of the backtest (mmlu)." in wrong  # without its code, which the notes have
    assert questions.UNCOVERED in wrong
    assert "not forecastable" not in wrong  # said once, as the reason


@pytest.mark.parametrize(("outside", "warned"), [(1, False), (3, True)])
def test_held_out_scores_outside_too_often_are_a_danger(graded: dict[str, Any], outside: int, warned: bool) -> None:
    """Of 3 scores in 90 % intervals, one or more lie outside with 27 %, all three with 0.1 %."""
    rows = [f for f in graded["forecasts"] if f["grade"] != "D"]
    rows = [f | {"actual": f["high"] + 0.1 if i < outside else f["forecast"]} for i, f in enumerate(rows)]
    lines = questions.dangers(Content(as_record(graded | {"forecasts": rows})))
    assert any(f"{outside} of 3 held-out scores" in line for line in lines) is warned


def test_what_lowered_a_grade_is_a_danger(graded: dict[str, Any]) -> None:
    rows = [dict(f) for f in graded["forecasts"]]
    rows[0]["reasons"] = ["expected to miss by 1.0 points", "missed by 3.1 points in the backtest, copying by 2.0"]
    rows[1]["reasons"] = ["expected to miss by 1.0 points", "81x beyond the ladder, tested up to 18x"]
    rows[2]["reasons"] = rows[1]["reasons"]  # its code says so already
    lines = questions.dangers(Content(as_record(graded | {"forecasts": rows})))
    assert "Missed by some points in the backtest, copying by some (hellaswag)." in lines
    assert any("(arc_challenge" in line for line in lines)


def test_cost_is_the_ladders_sum(graded: dict[str, Any], text: list[str]) -> None:
    spent = sum(run["flops"] for run in graded["ladder"] if run["role"] == "fit")
    target = max(f["flops"] for f in graded["forecasts"])
    assert f"{target / spent:.0f} times what the 12 runs of the ladder took together ({scientific(spent)})" in text[0]


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (None, "Not looked up"),
        ({"count": 0, "hash": "", "time": ""}, "No. Nothing shows"),
        ({"count": 4, "hash": HASH, "time": DATE}, "Yes, since 2026-11-25 (record 3fa93fa93fa9)"),
        ({"count": 3, "hash": HASH, "time": DATE}, "3 of 4 forecasts, since 2026-11-25"),
    ],
)
def test_registered_or_not(graded: dict[str, Any], record: Any, says: str) -> None:
    (block,) = [b for b in asked(graded | {"registered": record}) if b.name == questions.ON_RECORD]
    assert block.lines[0].startswith(says)


def asked(result: dict[str, Any]) -> list[questions.Block]:
    return questions.blocks(Content(as_record(result)))


def planned(result: dict[str, Any]) -> dict[str, Any]:
    """The same with its target not trained yet: no run of the table, and no score."""
    forecasts = [f | {"actual": None, "target": "next"} for f in result["forecasts"]]
    ladder = [run for run in result["ladder"] if run["role"] == "fit"]
    return result | {"forecasts": forecasts, "ladder": ladder}


def test_the_record_is_told_also_when_nothing_is_held_out(graded: dict[str, Any]) -> None:
    (block,) = [b for b in asked(planned(graded)) if b.name == "How sure"]
    rows = [(f, a) for t in graded["trials"] for f, a in zip(t["forecast"], t["actual"], strict=True)]
    miss = 100 * sum(abs(f - a) for f, a in rows) / len(rows)
    assert len(block.lines) == 1
    assert block.lines[0].startswith(f"In {len(rows)} forecasts of the ladder's own runs from cheaper ones")
    assert f"missed by {miss:.1f} points on average, carrying forward by 7.1" in block.lines[0]


def test_what_next_says_only_what_was_computed(graded: dict[str, Any]) -> None:
    plan = planned(graded)
    far = plan["forecasts"][0]["flops"]
    (block,) = [b for b in asked(plan) if b.name == "What next"]
    assert block.lines == (
        f"A run of at least {scientific(far / 17.5)} FLOPs (6 % of the target's) would bring next as near to the "
        "ladder as the backtest has tested.",
    )
    plan["forecasts"] = [f | {"tested_ratio": 500.0} for f in plan["forecasts"]]
    (block,) = [b for b in asked(plan) if b.name == "What next"]
    assert block.lines == (questions.SUGGEST,)
    flops = plan["forecasts"][0]["flops"] / 10
    run = {"family": "dolma", "task": "mmlu", "target": "next", "params": 2e9, "tokens": 4e10, "flops": flops}
    found = plan | {"next_run": run | {"budget": flops, "shrinks": 0.31}}
    found["forecasts"][0]["reasons"] = [grading.BEYOND_TESTED(ratio=5.4, axis="parameters", tested=3.0)]
    (block,) = [b for b in asked(found) if b.name == "What next"]
    assert block.lines[0].startswith(f"A run of at least {6.9 / 3:.3g}B parameters would bring next as near")
    assert "2B parameters on 40B tokens" in block.lines[1]
    assert "10 % of the target's" in block.lines[1]
    assert "31 % off the standard error of the least sure forecast, mmlu" in block.lines[1]


def test_grades_mean_what_the_science_says() -> None:
    said = [float(number) for number in re.findall(r"at most (\d+)", " ".join(decision.GRADES.values()))]
    assert said == [100 * GRADING.a_within, 100 * GRADING.b_within]


def test_many_answers_stand_on_page_one_and_the_rest_in_the_appendix() -> None:
    many = make_graded(tuple(f"task_{i:02}" for i in range(54)))
    c = Content(as_record(many))
    page = decision.page_one(c, files := {})
    assert page.answers is not None
    assert len(page.answers.rows) == 54 - 13  # a fourth is refused: many, and counted
    assert "answer.svg" in files
    assert any(line.startswith("13 tasks without a number are not listed") for line in page.below)


def test_averages_come_first_with_a_line_below(graded: dict[str, Any]) -> None:
    rows = [f | {"members": {"a": 1.0}} if f["task"] == "mmlu" else f for f in graded["forecasts"]]
    page = decision.page_one(Content(as_record(graded | {"forecasts": rows})), {})
    assert page.answers is not None
    assert [row[0] for row in page.answers.rows] == ["mmlu", "hellaswag", "arc_challenge", "piqa"]
    assert page.answers.rules == (1,)


@pytest.mark.parametrize("most", [12, 20, 31])
def test_long_names_keep_their_ends(graded: dict[str, Any], most: int) -> None:
    name = "bigbench_a_very_long_name_of_a_task_multiple_choice_the_end"
    rows = [f | {"task": name} for f in graded["forecasts"][:1]]
    c = Content(as_record(graded | {"forecasts": rows}))
    shown = c.row_name(c.answer.rows[0], most)
    assert len(shown) <= most
    assert shown.startswith(name[:4])
    assert shown.endswith(name[-4:])


def test_the_backtest_has_its_numbers(graded: dict[str, Any], text: list[str]) -> None:
    rows = [(f, a) for t in graded["trials"] for f, a in zip(t["forecast"], t["actual"], strict=True)]
    miss = 100 * sum(abs(f - a) for f, a in rows) / len(rows)
    inside = 100 * sum(abs(f - a) <= 0.03 for f, a in rows) / len(rows)
    everything = " ".join(text)
    assert f"({len(rows)} forecasts): missed by {miss:.1f} points" in everything
    assert f"{inside:.1f} % of the measured scores lay in the 90 % interval" in everything
    assert re.search(rf"all tasks any {len(rows)} {miss:.1f} 7.1 {inside:.1f} 6.0 8.0", everything)
    assert "Recipe auto" in everything


def test_the_backtest_figure_has_a_mark_per_forecast(graded: dict[str, Any]) -> None:
    c = Content(as_record(graded))
    svg = trust_figures.backtest_figure(c.result.trials, trust.merged(trust.bins(c)), 0.9).decode()
    first = svg.split('id="axes_2"')[0]
    assert first.count("<use ") - _ticks(first) >= sum(len(t["run"]) for t in graded["trials"])


def _ticks(svg: str) -> int:
    return len(re.findall(r'id="[xy]tick_', svg))


def test_the_specification_curve_shows_every_form(graded: dict[str, Any], text: list[str]) -> None:
    c = Content(as_record(graded))
    curves = trust.specifications(c)
    assert [f.task for f in curves] == ["hellaswag", "arc_challenge", "mmlu"]  # the refused task has none
    svg = trust_figures.specification_figure([(f.task, f) for f in curves], "90 %").decode()
    assert svg.count('id="PathCollection_') == len(curves)
    everything = " ".join(text)
    for form in FORMS:
        assert form in everything
    assert "40.0" in everything.split("Mean weight")[1][:120]


def test_a_published_recipe_has_its_page_one_and_says_how_to_get_a_grade(graded: dict[str, Any]) -> None:
    plain = graded | {"forecasts": [f | {"grade": None, "recipe": "ladder"} for f in graded["forecasts"]]}
    page = decision.page_one(Content(as_record(plain | {"backtests": [], "trials": []})), {})
    told = {block.name: block.lines for block in page.blocks}
    assert page.answers is not None
    assert "Grade" not in page.answers.head
    assert "by the recipe Model ladder" in page.headline
    assert "has no grade" in told["How sure"][0].replace("have", "has")
    assert questions.ADD_AUTO in told["What next"]


def test_what_the_data_do_not_allow_is_a_line(graded: dict[str, Any]) -> None:
    lack = {"recipe": "llama3", "reason": "the table has no nll for this task", "tasks": ["mmlu"]}
    part = published.section(Content(as_record(graded | {"lacking": [lack]})))
    assert part is not None
    assert part.about == ("Llama 3 gives no number (mmlu): the table has no nll for this task.",)
    alone = published.section(Content(as_record(graded)))
    assert alone is not None
    assert "run beside auto: Llama 3, Over-training, Model ladder" in alone.about[0]


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    names = ("<script>alert(1)</script>", "#set page(width: 1cm)", "../../x", "阅读理解", "قراءة", "$x$ *b*")
    paths = write(as_record(make_graded(names, ("7B-4T", "13B-5T"))), tmp_path / "out", html=True)
    first = " ".join(pages(paths["pdf"].read_bytes()))  # what is cut on page one is whole on a later page
    for name in (*names[:4], names[5]):
        assert name in first
    written = sorted(p.name for p in tmp_path.rglob("*"))
    assert written == ["forecasts.csv", "out", "report.html", "report.pdf", "result.json"]
    assert "<script>alert" not in paths["html"].read_text("utf-8")


def test_the_same_bytes_whatever_the_hash_seed() -> None:
    code = (
        "import hashlib; from worlds.reports import as_record, make_graded\n"
        "from benchcast.reports.documents import forecast as document, page\n"
        "r = as_record(make_graded(('b', 'a', 'd', 'c', 'e'), ('7B-4T', '13B-5T')))\n"
        "print([hashlib.sha256(f(r)).hexdigest() for f in (document.pdf_bytes, page.page_bytes)])"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env=env | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_notes_say_what_a_law_does_not_how_its_class_is_called(graded: dict[str, Any]) -> None:
    note = str(laws.AT_BOUND("NLLToAccuracy", parameters="k"))
    fit = {"law": "NLLToAccuracy", "x_unit": "loss", "y_unit": "accuracy"}
    rows = [f | {"notes": [note], "status": "warning"} for f in graded["forecasts"][:1]]
    c = Content(as_record(graded | {"forecasts": rows, "laws": [law | fit for law in make_result()["laws"][:1]]}))
    assert any("step from loss to accuracy: the fit stopped" in line for line in notes(c))
    assert "NLLToAccuracy" not in " ".join([*notes(c), *questions.dangers(c)])


def test_forecasts_below_the_largest_run_of_a_rising_ladder_are_a_danger(graded: dict[str, Any]) -> None:
    """The one-step law goes up from a largest run of 50 %: forecasts of 45 % on most tasks need a word."""
    bases = {"carry_forward": 0.5, "direct": 0.6}
    for forecast, warned in ((0.45, True), (0.55, False)):
        changed = {"baselines": graded["forecasts"][0]["baselines"] | bases, "forecast": forecast}
        rows = [f | changed for f in graded["forecasts"] if f["forecast"]]
        lines = questions.dangers(Content(as_record(graded | {"forecasts": rows})))
        assert any("lies below the score" in line for line in lines) is warned
