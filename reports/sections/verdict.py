"""The verdict on a tracked run, in words: is it on the course that was forecast before it started?

One function for all who say it: the nightly report, the messages, the terminal and the index of nights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..records.nightly import Standing, Track, TrackedPoint, TrackedTask, Verdict
from ..text.numbers import count, finite, points
from ..text.wording import NAME, clean

FEWEST = 2  # checkpoints: one alone, inside its band, says little of a course
MOST_NAMED = 4  # tasks by name in one sentence
NO_RUN = "No run is tracked: reevaluate.track names none."
SIDES = {-1: "low", 1: "high"}


def of_run(track: Track) -> Verdict:
    """The verdict on one run, by its newest scored checkpoint."""
    run = _Run(track)
    standing, text, detail = run.said()
    return Verdict(target=track.target, run=track.run, standing=standing, text=text, detail=" ".join(detail))


def unregistered(target: str, run: str, why: str) -> Verdict:
    """The verdict on a run whose forecast is not on the record."""
    said = f"no registered forecast: {clean(why)}"
    return Verdict(target=target, run=run, standing=Standing.UNREGISTERED, text=said)


def overall(verdicts: Sequence[Verdict]) -> str:
    """One line over all tracked runs; that of the run where there is one."""
    if not verdicts:
        return NO_RUN
    if len(verdicts) == 1:
        return f"{verdicts[0].line}."
    order = list(Standing)
    ordered = sorted(verdicts, key=lambda v: order.index(v.standing))
    urgent = [v for v in ordered if v.standing is not Standing.ON_COURSE]
    well = len(verdicts) - len(urgent)
    if not urgent:
        return f"All {well} tracked runs are on course."
    lines = [v.line for v in urgent[:MOST_NAMED]]
    more = [f"{len(urgent) - MOST_NAMED} more are not on course"] if len(urgent) > MOST_NAMED else []
    return f"{well} of {len(verdicts)} tracked runs are on course. " + "; ".join([*lines, *more]) + "."


def plain(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """As the history of passes keeps them: the line over all, the most urgent standing, and every run."""
    standings = [v.standing for v in verdicts]
    return {
        "text": overall(verdicts),
        "standing": next((s.value for s in Standing if s in standings), ""),
        "runs": [v.model_dump(mode="json") for v in verdicts],
    }


@dataclass(frozen=True, kw_only=True)
class _At:
    """One checkpoint: its tokens, and its step where that is known."""

    tokens: float
    step: float | None

    def __str__(self) -> str:
        return f"{count(self.tokens)} tokens" if self.step is None else f"step {self.step:,.0f}"


class _Run:
    def __init__(self, track: Track) -> None:
        self._track = track
        self._judged = [task for task in track.tasks if task.points and not task.problem]
        self._tasks = [task for task in self._judged if not task.is_mean]
        every = {p.tokens: p.step for task in self._judged for p in task.points}
        self._checkpoints = [_At(tokens=tokens, step=every[tokens]) for tokens in sorted(every)]

    def said(self) -> tuple[Standing, str, list[str]]:
        """Standing, text and details."""
        track = self._track
        if track.problem:
            return Standing.UNJUDGED, f"cannot be judged: {clean(track.problem)}", []
        if not self._tasks:
            return self._without_scores()
        if found := self._alarms():
            return Standing.ALARM, found, [self._where(), *self._cautions()]
        if len(self._checkpoints) < FEWEST:
            say = "too early to say: one checkpoint is scored, and no rule speaks"
            return Standing.EARLY, say, [self._where(), *self._near_misses(), *self._cautions()]
        return Standing.ON_COURSE, f"on course since {self._since()}", self._details()

    def _without_scores(self) -> tuple[Standing, str, list[str]]:
        track = self._track
        changed = [task for task in track.tasks if task.problem]
        if changed and len(changed) == sum(not task.is_mean for task in track.tasks):
            return Standing.UNJUDGED, "cannot be judged: every task asks something else than when registered", []
        if track.newest is not None:
            begins = min((task.band.tokens[0] for task in track.tasks if task.band and task.band.tokens), default=None)
            return (
                Standing.EARLY,
                f"too early to say: its newest score is at {count(track.newest)} tokens, "
                f"and the band begins at {count(begins)}",
                self._cautions(),
            )
        return Standing.WAITING, "waiting for its first scored checkpoint", self._cautions()

    # ---- alarms ----

    def _alarms(self) -> str:
        """What the rules say of the newest scores; empty when they say nothing."""
        left = {task.task: task.points[-1].outside for task in self._newest() if task.points[-1].outside}
        drifted = {
            task.task: task.points[-1].drift
            for task in self._newest()
            if task.points[-1].drift and task.task not in left
        }
        fell = {task.task: 0 for task in self._newest() if task.points[-1].dropped and task.task not in left}
        parts = [
            self._named("left its band on", left),
            self._named("drifts away from its forecast on", drifted),
            self._named("fell since the checkpoint before on", fell),
        ]
        said = [part for part in parts if part]
        before = self._earlier({*left, *drifted, *fell}) if said else 0
        return "; ".join([*said, *([f"{before} more at an earlier checkpoint"] if before else [])])

    def _earlier(self, named: set[str]) -> int:
        """Tasks, beside those named, that a rule spoke of before."""
        return sum(any(p.alarm for p in task.points) for task in self._tasks if task.task not in named)

    def _newest(self) -> list[TrackedTask]:
        """Tasks, the largest deviation from the forecast first."""
        return sorted(self._judged, key=lambda task: -abs(_deviation(task.points[-1])))

    def _named(self, what: str, found: dict[str, int]) -> str:
        means = {task.task for task in self._judged if task.is_mean}
        tasks = {task: side for task, side in found.items() if task not in means}
        on_mean = [f"and their mean{_side(side)}" for task, side in found.items() if task in means]
        if not tasks:
            return f"{what} the mean of the tasks{_side(found[next(iter(found))])}" if on_mean else ""
        names = [f"{clean(task, NAME)}{_side(side)}" for task, side in tasks.items()]
        more = [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
        listed = ", ".join([*names[:MOST_NAMED], *more, *on_mean])
        return f"{what} {len(tasks)} of {_tasks(len(self._tasks))}: {listed}"

    # ---- where it stands ----

    def _since(self) -> str:
        """The first checkpoint after the last one that a rule spoke at."""
        alarmed = {p.tokens for task in self._judged for p in task.points if p.alarm}
        last = max((i for i, at in enumerate(self._checkpoints) if at.tokens in alarmed), default=-1)
        # No rule speaks at the newest score of any task, but another task's newest may lie before it.
        return str(self._checkpoints[min(last + 1, len(self._checkpoints) - 1)])

    def _details(self) -> list[str]:
        alarmed = [(p.tokens, p.step) for task in self._judged for p in task.points if p.alarm]
        before = [f"A rule last spoke at {_At(tokens=max(alarmed)[0], step=max(alarmed)[1])}."] if alarmed else []
        return [self._where(), *self._near_misses(), *before, *self._cautions()]

    def _where(self) -> str:
        newest, planned = self._checkpoints[-1], finite(self._track.planned_tokens)
        inside = sum(_inside(task.points[-1]) for task in self._tasks)
        at = count(newest.tokens) + ("" if planned is None else f" of {count(planned)}") + " tokens"
        share = f" ({100 * newest.tokens / planned:.0f} %)" if planned else ""
        step = "" if newest.step is None else f"step {newest.step:,.0f}, "
        scored = _counted(len(self._checkpoints), "checkpoint")
        return f"At {step}{at}{share}, {scored} scored; {inside} of {_tasks(len(self._tasks))} inside the band."

    def _near_misses(self) -> Iterator[str]:
        """Scores beyond the edge of their bands by no more than sampling explains."""
        for task in self._tasks:
            point = task.points[-1]
            if not _inside(point) and not point.alarm and (gap := beyond(point)) is not None:
                yield (
                    f"{clean(task.task, NAME)} is {points(abs(gap)).lstrip('+')} points "
                    f"{'below' if gap < 0 else 'above'} its band, which sampling explains."
                )

    def _cautions(self) -> list[str]:
        changed = [clean(task.task, NAME) for task in self._track.tasks if task.problem]
        lines = [f"Not compared: {', '.join(changed)} (changed since it was registered)."] if changed else []
        late = ["Its forecast was registered after it had begun: a weaker test."] if self._track.late else []
        return [*lines, *late]


def of_point(point: TrackedPoint) -> str:
    """What the rules say of one score."""
    said = [words for words, speaks in _spoken(point) if speaks]
    gap = beyond(point)
    if said or point.alarm:  # the records of an earlier version say only that there is one
        return ", ".join(said) or "ALARM"
    if gap is None:
        return "no band here"
    return f"{_gap(gap)}: sampling explains it" if gap else "inside"


def _spoken(point: TrackedPoint) -> Iterator[tuple[str, bool]]:
    gap = beyond(point)
    yield f"ALARM: {_gap(gap) if gap else 'outside'}", bool(point.outside)
    yield f"ALARM: drifting {'down' if point.drift < 0 else 'up'}", bool(point.drift) and not point.outside
    yield "ALARM: fell since the checkpoint before", point.dropped and not point.outside


def _gap(gap: float) -> str:
    return f"{points(abs(gap)).lstrip('+')} {'below' if gap < 0 else 'above'}"


def beyond(point: TrackedPoint) -> float | None:
    """How far a score lies outside its band, negative below it; 0 inside, None without a band."""
    low, high = finite(point.low), finite(point.high)
    if low is None or high is None:
        return None
    return min(point.value - low, 0.0) or max(point.value - high, 0.0)


def _inside(point: TrackedPoint) -> bool:
    return beyond(point) == 0


def _deviation(point: TrackedPoint) -> float:
    middle = finite(point.forecast)
    return 0.0 if middle is None else point.value - middle


def _side(sign: int) -> str:
    return f" ({SIDES[sign]})" if sign else ""


def _tasks(number: int) -> str:
    return _counted(number, "task")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + "s" * (number != 1)
