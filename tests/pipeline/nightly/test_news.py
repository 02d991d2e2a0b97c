"""What a nightly report says first: what changed since the pass before."""

from __future__ import annotations

from typing import Any

from benchcast.nightly.alerts.news import news
from benchcast.reports.records.nightly import Ends, Track, TrackedPoint, TrackedScore, TrackedTask


def forecast(task: str, value: float | None) -> dict[str, Any]:
    return {"recipe": "auto", "family": "mix", "task": task, "target": "big", "forecast": value}


THEN = {"time": "2026-11-24T03:00:09+00:00", "forecasts": [forecast(t, 0.5) for t in "abc"] + [forecast("d", None)]}
NOW = {
    "messages": ["alert: outside: big, a: fell", "cleared: gone: 1B"],
    "conditions": [{"rule": "outside", "subject": "big, a", "text": "fell"}],
    "scored": 12,
    "points": [{"run": "1B", "tokens": 1e9 * (i // 3)} for i in range(6)],
    "config_edited": True,
    "forecasts": [forecast("a", 0.504), forecast("b", 0.52), forecast("c", None), forecast("d", 0.4)],
}


def test_messages_come_first_then_moves_by_size() -> None:
    found = news(NOW, [THEN], [])
    assert found.since == "2026-11-24 03:00"
    assert list(found.changes) == [
        "cleared: gone: 1B",  # what is wrong stands under the alerts
        "6 new scores of 2 checkpoints of tracked runs.",
        "The config was edited.",
        "Forecast of big on c (auto): no number any more, 50.0 % before",
        "Forecast of big on d (auto): 40.0 %, where there was no number before",
        "Forecast of big on b (auto): 50.0 to 52.0 %",  # a moved by less than half a point
    ]


def test_the_first_night_has_nothing_to_compare_with() -> None:
    assert news({"forecasts": NOW["forecasts"]}, [], []).changes == ("This is the first forecast.",)


def test_many_moves_are_counted() -> None:
    then = {"time": "t", "forecasts": [forecast(str(i), 0.5) for i in range(20)]}
    now = {"forecasts": [forecast(str(i), 0.6 + i / 100) for i in range(20)]}
    changes = news(now, [then, {"time": "t2"}], []).changes  # the pass between had no forecast
    assert len(changes) == 9
    assert changes[0].startswith("Forecast of big on 19 ")
    assert changes[-1] == "12 more forecasts moved"


def test_an_alert_is_new_or_stands_since_the_first_of_the_nights_that_had_it_without_a_gap() -> None:
    def wrong(*tasks: str) -> dict[str, Any]:
        return {"conditions": [{"rule": "outside", "subject": f"big, {task}", "text": "fell"} for task in tasks]}

    nights = [
        {"time": "2026-11-20T03:00:00+00:00", **wrong("a")},
        {"time": "2026-11-21T03:00:00+00:00"},
        {"time": "2026-11-22T03:00:00+00:00", **wrong("a")},
        {"time": "2026-11-23T03:00:00+00:00", **wrong("a")},
    ]
    [alert] = news(wrong("a", "b"), nights).alerts
    assert (alert.rule, alert.since) == ("outside", "2026-11-22")
    assert alert.text == "big: 2 scores are outside the registered band: a, b"  # whose numbers are of other sentences
    new = {"conditions": [*wrong("a")["conditions"], {"rule": "gone", "subject": "1B", "text": "was there"}]}
    assert [(a.rule, a.since) for a in news(new, nights).alerts] == [("gone", ""), ("outside", "2026-11-22")]


def test_a_tracked_run_shows_its_newest_score_and_both_forecasts_of_its_end() -> None:
    def point(tokens: float, alarm: bool = False) -> TrackedPoint:
        low = -1 if alarm else 0
        return TrackedPoint(
            tokens=tokens, value=0.29, stderr=0.01, low=0.3, forecast=0.4, high=0.5, alarm=alarm, outside=low
        )

    ends = {"registered": Ends(forecast=0.6, low=0.5, high=0.7), "refreshed": Ends(forecast=0.5, low=0.4, high=0.6)}
    tasks = (
        TrackedTask(task="a", band=None, points=(point(1e9), point(2e9, True)), **ends),
        TrackedTask(task="b", band=None, points=(), registered=None, refreshed=None),
    )
    run = Track(target="big", run="1B", registered="t", hash="h", planned_tokens=1e12, tasks=tasks, late=False)
    (row,) = news({}, [], [run]).tracking
    assert row == TrackedScore(
        run="1B", task="a", tokens=2e9, measured=0.29, low=0.3, high=0.5, verdict="ALARM: 1.0 below", **ends
    )
