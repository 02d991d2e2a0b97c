"""What a nightly report says first: what changed since the pass before."""

from __future__ import annotations

from typing import Any

from benchcast.nightly.alerts.news import news


def forecast(task: str, value: float | None) -> dict[str, Any]:
    return {"recipe": "auto", "family": "mix", "task": task, "target": "big", "forecast": value}


THEN = {"time": "2026-11-24T03:00:09+00:00", "forecasts": [forecast(t, 0.5) for t in "abc"] + [forecast("d", None)]}
NOW = {
    "messages": ["alert: a, big: fell"],
    "scored": 12,
    "points": [{}] * 6,
    "config_edited": True,
    "forecasts": [forecast("a", 0.504), forecast("b", 0.52), forecast("c", None), forecast("d", 0.4)],
}


def test_messages_come_first_then_moves_by_size() -> None:
    found = news(NOW, [THEN], [])
    assert found["since"] == "2026-11-24 03:00"
    assert found["changes"] == [
        "alert: a, big: fell",
        "6 new scores of tracked runs",
        "the config was edited",
        "c of big (auto): no number any more, 50.0 % before",
        "d of big (auto): 40.0 %, where there was no number before",
        "b of big (auto): 50.0 to 52.0 %",  # a moved by less than half a point
    ]


def test_the_first_night_has_nothing_to_compare_with() -> None:
    assert news({"forecasts": NOW["forecasts"]}, [], [])["changes"] == ["This is the first forecast."]


def test_many_moves_are_counted() -> None:
    then = {"time": "t", "forecasts": [forecast(str(i), 0.5) for i in range(20)]}
    now = {"forecasts": [forecast(str(i), 0.6 + i / 100) for i in range(20)]}
    changes = news(now, [then, {"time": "t2"}], [])["changes"]  # the pass between had no forecast
    assert len(changes) == 9
    assert changes[0].startswith("19 of big")
    assert changes[-1] == "12 more forecasts moved"


def test_a_tracked_run_shows_its_newest_score() -> None:
    points = [{"tokens": t, "value": 0.4, "low": 0.3, "high": 0.5, "alarm": t > 1e9} for t in (1e9, 2e9)]
    tasks = [{"task": "a", "points": points}, {"task": "b", "points": []}]
    (row,) = news({}, [], [{"run": "1B", "tasks": tasks}])["tracking"]
    assert row == {
        "run": "1B",
        "task": "a",
        "tokens": 2e9,
        "measured": 0.4,
        "low": 0.3,
        "high": 0.5,
        "verdict": "an alarm stands",
    }


def test_one_score_outside_is_not_yet_an_alarm() -> None:
    def verdict(value: float, alarm: bool) -> str:
        point = {"tokens": 1e9, "value": value, "low": 0.3, "high": 0.5, "alarm": alarm}
        (row,) = news({}, [], [{"run": "1B", "tasks": [{"task": "a", "points": [point]}]}])["tracking"]
        return str(row["verdict"])

    assert verdict(0.4, False) == "inside"
    assert "no alarm" in verdict(0.2, False)
    assert verdict(0.2, True) == verdict(0.4, True) == "an alarm stands"  # drift shows inside the band too
