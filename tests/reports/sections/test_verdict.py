"""The verdict on a tracked run: what its owner reads first."""

from __future__ import annotations

from typing import Any

import pytest
from benchcast.reports.records.nightly import BandColumns, Standing, Track, TrackedPoint, TrackedTask
from benchcast.reports.sections import verdict

BAND = BandColumns(tokens=(1e9, 2e10), forecast=(0.4, 0.6), low=(0.38, 0.57), high=(0.42, 0.63))


def point(step: float, value: float = 0.5, **flags: Any) -> TrackedPoint:
    """A checkpoint of a million tokens a step, in a band from 0.45 to 0.55."""
    alarm = any(flags.values())
    limits = {"low": 0.45, "forecast": 0.5, "high": 0.55}
    return TrackedPoint(tokens=1e6 * step, value=value, stderr=0.01, alarm=alarm, step=step, **limits, **flags)


def task(name: str, *points: TrackedPoint, **how: Any) -> TrackedTask:
    return TrackedTask(task=name, band=BAND, points=points, registered=None, refreshed=None, **how)


def track(*tasks: TrackedTask, **how: Any) -> Track:
    plan: dict[str, Any] = {"registered": "2026-11-26T22:59:00+00:00", "hash": "abc", "planned_tokens": 2e10}
    newest = max((p.tokens for t in tasks for p in t.points), default=None)
    return Track(target="big", run="7B", tasks=tasks, **{"late": False, "newest": newest, **plan, **how})


LOW = {"value": 0.40, "outside": -1}


@pytest.mark.parametrize(
    ("run", "standing", "text"),
    [
        (track(task("a")), Standing.WAITING, "waiting for its first scored checkpoint"),
        (
            track(task("a"), newest=2e8),
            Standing.EARLY,
            "too early to say: its newest score is at 200M tokens, and the band begins at 1B",
        ),
        (
            track(task("a", point(1000))),
            Standing.EARLY,
            "too early to say: one checkpoint is scored, and no rule speaks",
        ),
        (track(task("a", point(1000), point(2000))), Standing.ON_COURSE, "on course since step 1,000"),
        (
            track(task("a", point(1000), point(2000, **LOW), point(40000), point(41000))),
            Standing.ON_COURSE,
            "on course since step 40,000",
        ),
        (  # a mark at an earlier checkpoint of one task counts for the whole run
            track(task("a", point(1000), point(2000)), task("b", point(1000, **LOW), point(2000))),
            Standing.ON_COURSE,
            "on course since step 2,000",
        ),
        (
            track(
                task("recall", point(1000), point(2000, **LOW)),
                task("order", point(1000), point(2000, value=0.3, outside=-1)),
                task("cloze", point(1000), point(2000)),
                task("copy", point(1000), point(2000, value=0.51, drift=1)),
            ),
            Standing.ALARM,
            "left its band on 2 of 4 tasks: order (low), recall (low); drifts away from its forecast on 1 of 4 tasks: "
            "copy (high)",
        ),
        (  # what a rule said of other tasks before is not left out
            track(
                task("a", point(1000), point(2000, **LOW)),
                task("b", point(1000, **LOW), point(2000)),
                task("c", point(1000), point(2000)),
            ),
            Standing.ALARM,
            "left its band on 1 of 3 tasks: a (low); 1 more at an earlier checkpoint",
        ),
        (
            track(
                task("a", point(1000), point(2000, **LOW)),
                task("mean of the tasks", point(1000), point(2000, **LOW), is_mean=True),
            ),
            Standing.ALARM,
            "left its band on 1 of 1 task: a (low), and their mean (low)",
        ),
        (
            track(task("a", point(1000), point(2000)), task("m", point(2000, 0.49, drift=-1), is_mean=True)),
            Standing.ALARM,
            "drifts away from its forecast on the mean of the tasks (low)",
        ),
        (
            track(task("a", point(1000), point(2000, dropped=True))),
            Standing.ALARM,
            "fell since the checkpoint before on 1 of 1 task: a",
        ),
        (track(task("a", point(1000, **LOW))), Standing.ALARM, "left its band on 1 of 1 task: a (low)"),
        (
            track(task("a", point(1000, **LOW)), problem="scores are computed otherwise"),
            Standing.UNJUDGED,
            "cannot be judged: scores are computed otherwise",
        ),
        (
            track(task("a", point(1000, **LOW), problem="asks something else")),
            Standing.UNJUDGED,
            "cannot be judged: every task asks something else than when registered",
        ),
        (  # a task that changed neither alarms nor counts
            track(task("a", point(1000), point(2000)), task("b", point(1000, **LOW), problem="asks something else")),
            Standing.ON_COURSE,
            "on course since step 1,000",
        ),
    ],
)
def test_one_run(run: Track, standing: Standing, text: str) -> None:
    found = verdict.of_run(run)
    assert (found.standing, found.text) == (standing, text)


def test_tokens_stand_for_a_step_that_is_not_known() -> None:
    points = [point(n).model_copy(update={"step": None}) for n in (1000, 2000)]
    assert verdict.of_run(track(task("a", *points))).text == "on course since 1B tokens"


def test_the_detail_says_how_far_it_is_and_what_the_verdict_leaves_out() -> None:
    near = task("b", point(1000), point(2000, value=0.445))
    run = track(task("a", point(1000), point(2000)), near, task("c", point(1000), problem="changed"), late=True)
    assert verdict.of_run(run).detail == (
        "At step 2,000, 2B of 20B tokens (10 %), 2 checkpoints scored; 1 of 2 tasks inside the band. "
        "b is 0.5 points below its band, which sampling explains. "
        "Not compared: c (changed since it was registered). "
        "Its forecast was registered after it had begun: a weaker test."
    )


def test_many_tasks_are_counted() -> None:
    tasks = [task(f"t{n}", point(1000), point(2000, value=0.4 - n / 100, outside=-1)) for n in range(7)]
    assert verdict.of_run(track(*tasks)).text == (
        "left its band on 7 of 7 tasks: t6 (low), t5 (low), t4 (low), t3 (low), 3 more"
    )


def test_one_line_over_all_runs_names_those_that_are_not_on_course_first() -> None:
    well = verdict.of_run(track(task("a", point(1000), point(2000))))
    ill = verdict.of_run(track(task("a", point(1000, **LOW)))).model_copy(update={"run": "13B"})
    none = verdict.unregistered("big", "70B", "recipe auto gave no number for any task")
    assert verdict.overall([]) == "No run is tracked: reevaluate.track names none."
    assert verdict.overall([well]) == "7B: on course since step 1,000."
    assert verdict.overall([well, well]) == "All 2 tracked runs are on course."
    assert verdict.overall([none, well, ill]) == (
        "1 of 3 tracked runs are on course. 13B: left its band on 1 of 1 task: a (low); "
        "70B: no registered forecast: recipe auto gave no number for any task."
    )
    kept = verdict.plain([none, well, ill])
    assert (kept["standing"], [run["run"] for run in kept["runs"]]) == ("alarm", ["70B", "7B", "13B"])


def test_what_is_said_of_a_score_never_contradicts_the_rules() -> None:
    assert verdict.of_point(point(1)) == "inside"
    assert verdict.of_point(point(1, value=0.44)) == "1.0 below: sampling explains it"
    assert verdict.of_point(point(1, value=0.40, outside=-1)) == "ALARM: 5.0 below"
    assert verdict.of_point(point(1, value=0.5, drift=1)) == "ALARM: drifting up"
    assert verdict.of_point(point(1).model_copy(update={"alarm": True})) == "ALARM"  # of an earlier version
    assert verdict.of_point(point(1).model_copy(update={"low": None})) == "no band here"
