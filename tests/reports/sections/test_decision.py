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
from benchcast.reports.sections import decision, trust
from benchcast.reports.sections.content import Content
from benchcast.reports.text.numbers import scientific
from benchcast.stages.forecast.grading import GRADING
from worlds.ladders import ROOT
from worlds.reports import FORMS, REFUSED, as_record, make_graded

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
            said = f"{100 * f['forecast']:.1f} ({100 * f['low']:.0f}–{100 * f['high']:.0f})"
            row = f"{f['task']} {said} {f['grade']} {carried}"
        assert row in text[0]
    assert "1 A, 1 B, 1 C, 1 D" in text[0]
    assert f"No number for piqa: {REFUSED}." in text[0]
    assert "For 1 of 4 no number is given" in text[0]


def test_page_one_names_what_could_be_wrong(text: list[str]) -> None:
    wrong = text[0].split("What could make this wrong")[1]
    assert "than any forecast of the backtest (beyond-tested): mmlu." in wrong
    assert decision.UNCOVERED in wrong
    assert "not forecastable" not in wrong  # said once, as the reason


def test_what_lowered_a_grade_is_a_danger(graded: dict[str, Any]) -> None:
    rows = [dict(f) for f in graded["forecasts"]]
    rows[0]["reasons"] = ["expected to miss by 1.0 points", "missed by 3.1 points in the backtest, copying by 2.0"]
    rows[1]["reasons"] = ["expected to miss by 1.0 points", "81x beyond the ladder, tested up to 18x"]
    rows[2]["reasons"] = rows[1]["reasons"]  # its code says so already
    lines = decision.dangers(Content(as_record(graded | {"forecasts": rows})))
    assert "Missed by some points in the backtest, copying by some: hellaswag." in lines
    assert "The target is farther beyond the ladder than the backtest reached: arc_challenge." in lines


def test_cost_is_the_ladders_sum(graded: dict[str, Any], text: list[str]) -> None:
    spent = sum(run["flops"] for run in graded["ladder"] if run["role"] == "fit")
    target = max(f["flops"] for f in graded["forecasts"])
    assert f"took {scientific(spent)} FLOPs together" in text[0]
    assert f"{target / spent:.0f} times that" in text[0]


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (None, "Registered: not looked up"),
        ({"count": 0, "hash": "", "time": ""}, "Registered: no."),
        ({"count": 4, "hash": HASH, "time": DATE}, "Registered: yes, on 2026-11-25 (record 3fa93fa93fa9)"),
        ({"count": 3, "hash": HASH, "time": DATE}, "Registered: 3 of 4 forecasts, on 2026-11-25"),
    ],
)
def test_registered_or_not(graded: dict[str, Any], record: Any, says: str) -> None:
    assert any(line.startswith(says) for line in decision.facts(Content(as_record(graded | {"registered": record}))))


def test_grades_mean_what_the_science_says() -> None:
    said = [float(number) for number in re.findall(r"at most (\d+)", " ".join(decision.GRADES.values()))]
    assert said == [100 * GRADING.a_within, 100 * GRADING.b_within]


def test_many_answers_stand_in_two_columns_and_the_rest_in_the_appendix() -> None:
    many = make_graded(tuple(f"task_{i:02}" for i in range(50)))
    answers = decision.answers(Content(as_record(many)))
    assert answers is not None
    assert [len(t.rows) for t in answers.tables] == [22, 22]
    assert answers.more == 6
    shown = pages(document.pdf_bytes(as_record(many)))
    assert "6 more are in the full table" in shown[0]
    assert "What could make this wrong" in shown[0]
    assert "task_49" not in shown[0]
    assert "task_49" in shown[-1]


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


def test_recipes_without_grades_keep_their_page(graded: dict[str, Any]) -> None:
    plain = graded | {"forecasts": [f | {"grade": None, "recipe": "ladder"} for f in graded["forecasts"]]}
    assert decision.answers(Content(as_record(plain))) is None
    assert "What could make this wrong" not in pages(document.pdf_bytes(as_record(plain)))[0]


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    names = ("<script>alert(1)</script>", "#set page(width: 1cm)", "../../x", "阅读理解", "قراءة", "$x$ *b*")
    paths = write(as_record(make_graded(names, ("7B-4T", "13B-5T"))), tmp_path / "out", html=True)
    first = pages(paths["pdf"].read_bytes())[0]
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
