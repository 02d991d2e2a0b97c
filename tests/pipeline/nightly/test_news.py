"""What a nightly report says first: what changed since the pass before."""

from __future__ import annotations

from typing import Any

from benchcast.nightly.alerts.news import news
from benchcast.reports.records.nightly import Track, TrackedPoint, TrackedScore, TrackedTask


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
    assert found.since == "2026-11-24 03:00"
    assert list(found.changes) == [
        "alert: a, big: fell",
        "6 new scores of tracked runs",
        "the config was edited",
        "c of big (auto): no number any more, 50.0 % before",
        "d of big (auto): 40.0 %, where there was no number before",
        "b of big (auto): 50.0 to 52.0 %",  # a moved by less than half a point
    ]


def test_the_first_night_has_nothing_to_compare_with() -> None:
    assert news({"forecasts": NOW["forecasts"]}, [], []).changes == ("This is the first forecast.",)


def test_many_moves_are_counted() -> None:
    then = {"time": "t", "forecasts": [forecast(str(i), 0.5) for i in range(20)]}
    now = {"forecasts": [forecast(str(i), 0.6 + i / 100) for i in range(20)]}
    changes = news(now, [then, {"time": "t2"}], []).changes  # the pass between had no forecast
    assert len(changes) == 9
    assert changes[0].startswith("19 of big")
    assert changes[-1] == "12 more forecasts moved"


def point(value: float, alarm: bool, tokens: float = 1e9) -> TrackedPoint:
    return TrackedPoint(tokens=tokens, value=value, stderr=0.01, low=0.3, forecast=0.4, high=0.5, alarm=alarm)


def track(points: dict[str, list[TrackedPoint]]) -> Track:
    """A tracked run with these points of each task."""
    tasks = tuple(
        TrackedTask(task=task, band=None, points=tuple(own), registered=None, refreshed=None)
        for task, own in points.items()
    )
    return Track(target="big", run="1B", registered="t", hash="h", planned_tokens=1e12, tasks=tasks, late=False)


def test_a_tracked_run_shows_its_newest_score() -> None:
    points = [point(0.4, tokens > 1e9, tokens) for tokens in (1e9, 2e9)]
    (row,) = news({}, [], [track({"a": points, "b": []})]).tracking
    assert row == TrackedScore(
        run="1B", task="a", tokens=2e9, measured=0.4, low=0.3, high=0.5, verdict="an alarm stands"
    )


def test_one_score_outside_is_not_yet_an_alarm() -> None:
    def verdict(value: float, alarm: bool) -> str:
        (row,) = news({}, [], [track({"a": [point(value, alarm)]})]).tracking
        return row.verdict

    assert verdict(0.4, False) == "inside"
    assert "no alarm" in verdict(0.2, False)
    assert verdict(0.2, True) == verdict(0.4, True) == "an alarm stands"  # drift shows inside the band too
