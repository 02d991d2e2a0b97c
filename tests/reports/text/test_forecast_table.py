"""The table of forecasts, cell by cell against what a person would write for the same numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest
from benchcast.reports.records.forecast import Forecast
from benchcast.reports.text import forecast_table
from benchcast.stages.notices import grading, recipes
from worlds.reports import as_record, make_graded, make_result

BASE = as_record(make_graded()).forecasts[0]


def forecast(**changes: Any) -> Forecast:
    numbers = {"forecast": 0.6123, "low": 0.582, "high": 0.64, "actual": None, "grade": None, "status": "ok"}
    return BASE.model_copy(update=numbers | changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "61.2 (58–64)"),
        ({"grade": "B"}, "61.2 (58–64) B"),
        ({"grade": "B", "status": "warning"}, "61.2 (58–64) B*"),
        ({"actual": 0.7}, "61.2 (58–64) !"),
        ({"actual": 0.6, "status": "warning"}, "61.2 (58–64) *"),
        ({"forecast": None, "low": None, "high": None, "grade": "D", "status": "refused"}, "– D*"),
    ],
)
def test_a_cell(changes: dict[str, Any], text: str) -> None:
    assert forecast_table.cell(forecast(**changes)).rstrip() == text


def test_marks_keep_the_columns_aligned() -> None:
    cells = [forecast_table.cell(forecast(grade="B", status=status)) for status in ("ok", "warning")]
    assert len({len(cell) for cell in cells}) == 1
    assert forecast_table.cell(None) == "–"


@pytest.mark.parametrize(
    ("actual", "expected"), [(0.6, True), (0.7, False), (None, None), (math.nan, None), (0.582, True)]
)
def test_inside(actual: float | None, expected: bool | None) -> None:
    assert forecast_table.inside(forecast(actual=actual)) is expected


def test_one_recipe_with_two_settings_is_two_columns() -> None:
    result = as_record(make_result(tasks=("mmlu",), targets=("7B-4T",)))
    twice = result.model_copy(update={"forecasts": (*result.forecasts, result.forecasts[0])})
    head = forecast_table.headline(twice).head
    recipes = ("llama3", "overtraining", "ladder", "llama3 (2)")
    assert head == ("task", "target", *recipes, "direct", "carried forward", "measured")


def test_rows_beyond_the_most_are_counted() -> None:
    result = as_record(make_result(tasks=tuple(f"task{i}" for i in range(forecast_table.MOST_ROWS + 3))))
    lines = forecast_table.as_text(result).splitlines()
    assert lines[0] == result.title
    assert "… and 66 more rows" in lines
    assert sum(line.startswith("task") for line in lines) == forecast_table.MOST_ROWS + 1  # the head among them


def test_why_there_is_no_number_stands_below_in_one_line_for_each_cause() -> None:
    wide, bad = grading.WIDE_INTERVAL(points=93.0), grading.BACKTEST_MISS(points=31.0)
    none = {"forecast": None, "low": None, "high": None, "grade": "D", "status": "refused"}

    def notes(*forecasts: Forecast) -> list[str]:
        result = as_record(make_graded()).model_copy(update={"forecasts": forecasts})
        return [line for line in forecast_table.footnotes(result) if line.startswith("no number")]

    refused = [forecast(task=task, reasons=(why,), **none) for task, why in (("a", wide), ("b", bad), ("c", wide))]
    assert notes(*refused, forecast(task="d")) == [f"no number for a, c: {wide}", f"no number for b: {bad}"]
    failed = forecast(task="e", reasons=(), notes=(recipes.NO_FORECAST(why="too little data"),), **none)
    assert notes(failed) == [f"no number for e: {failed.notes[0]}"]
    many = [forecast(task=f"t{i}", reasons=(grading.WIDE_INTERVAL(points=81.0 + i),), **none) for i in range(9)]
    assert len(notes(*many)) == forecast_table.MOST_CAUSES + 1
    assert notes(*many)[-1] == "no number: 3 more causes, see the report"
    assert notes(forecast()) == []


def test_how_many_held_out_scores_are_inside_is_told_recipe_by_recipe() -> None:
    made = [forecast(recipe=r, actual=a) for r, a in (("auto", 0.6), ("auto", 0.7), ("ladder", 0.6), ("ladder", None))]
    result = as_record(make_graded()).model_copy(update={"forecasts": made})
    assert any("inside their interval: auto 1 of 2, ladder 1 of 1" in line for line in forecast_table.footnotes(result))
