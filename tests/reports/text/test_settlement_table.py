"""Settled forecasts in a table, each cell against what a person would write."""

from __future__ import annotations

from typing import Any

from benchcast.reports.records.settlement import SettledForecast, Settlement
from benchcast.reports.text import settlement_table


def settled(**changes: Any) -> SettledForecast:
    values: dict[str, Any] = {
        "record": "ab" * 6,
        "time": "2026-11-01T00:00:00+00:00",
        "recipe": "auto",
        "family": "f",
        "task": "mmlu",
        "target": "7B-4T",
        "grade": "B",
        "forecast": 0.6123,
        "low": 0.582,
        "high": 0.64,
        "level": 0.9,
        "actual": 0.57,
        "error": 0.0423,
        "inside": False,
        "interval_score": 0.3,
        "log_score": 1.0,
        "crps": 0.0312,
    }
    return SettledForecast(**values | changes)


REFUSED = settled(grade="D", forecast=None, low=None, high=None, error=-0.0131, inside=None, crps=None)


def test_a_row_for_a_terminal() -> None:
    outcome = Settlement(
        settled=(settled(), REFUSED),
        open=0,
        refused=1,
        mean_error=0.03,
        coverage=0.0,
        interval_score=None,
        calibration=(),
    )
    rows = settlement_table.every(outcome, most=2).rows
    names = ["2026-11-01", "auto", "mmlu", "7B-4T"]
    assert rows[0] == [*names, "61.2 (58–64)", "57.0", "+4.2", "no", "3.1"]
    assert rows[1] == [*names, "– refused", "57.0", "−1.3", "–", "–"]
    assert len(settlement_table.every(outcome, most=1).rows) == 1


def test_a_row_for_the_page() -> None:
    rows = settlement_table.every_page([settled(), REFUSED]).rows
    names = ["2026-11-01", "Auto", "mmlu", "7B-4T"]
    assert rows[0] == [*names, "B", "61.2", "58.2–64.0", "57.0", "+4.2", "out"]
    assert rows[1] == [*names, "D", "refused", "–", "57.0", "−1.3", "–"]


def test_groups_have_means_of_their_own_rows() -> None:
    inside = settled(grade="A", error=-0.0023, inside=True, crps=0.01, low=0.5, high=0.6)
    fitted = settled(fitted=True, error=0.5)
    rows = {row[0]: row[1:] for row in settlement_table.groups([settled(), inside, REFUSED, fitted]).rows}
    assert rows["all"] == ["3", "1.9", "1 of 2", "7.9", "2.1"]  # (4.23 + 0.23 + 1.31) / 3; medians of 5.8 and 10
    assert rows["grade A"] == ["1", "0.2", "1 of 1", "10.0", "1.0"]
    assert rows["grade D"] == ["1", "1.3", "–", "–", "–"]
