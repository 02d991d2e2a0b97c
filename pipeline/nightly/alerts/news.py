"""What changed since the pass before, as the first section of a nightly report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchcast.reports.records.nightly import News, Track, TrackedPoint, TrackedScore
from benchcast.reports.text.numbers import percent

Entry = Mapping[str, Any]
LEAST_MOVE = 0.005  # of accuracy: smaller moves of a forecast are no news
MOST_MOVES = 8  # of forecasts, told one by one; the others are counted


def news(entry: Entry, history: Sequence[Entry], tracks: Sequence[Track]) -> News:
    """What comes first in the report.

    ``entry`` is this pass's line of the history, ``history`` the lines before it, ``tracks`` the tracked runs.
    """
    last: Entry = history[-1] if history else {}
    # Not what this very process scored: a pass that was killed leaves some of that to the next, and the same report.
    fresh = len(entry.get("points", ()))
    changes = [*entry.get("messages", ()), *([f"{fresh} new scores of tracked runs"] if fresh else [])]
    if entry.get("config_edited"):
        changes.append("the config was edited")
    before = next((e["forecasts"] for e in reversed(history) if e.get("forecasts")), None)
    moves = list(_moves(before, entry.get("forecasts", ()))) if before is not None else ["This is the first forecast."]
    more = [f"{len(moves) - MOST_MOVES} more forecasts moved"] if len(moves) > MOST_MOVES else []
    return News(
        since=str(last.get("time", ""))[:16].replace("T", " "),
        changes=(*changes, *moves[:MOST_MOVES], *more),
        tracking=tuple(row for track in tracks for row in _rows(track)),
    )


def _moves(before: Sequence[Entry], now: Sequence[Entry]) -> Iterator[str]:
    """Forecasts that moved, appeared or went, largest move first."""
    keys = ("recipe", "family", "task", "target")
    then = {tuple(f[k] for k in keys): f for f in before}
    moves = []
    for f in now:
        old = then.get(tuple(f[k] for k in keys))
        was, value = (old or {}).get("forecast"), f["forecast"]
        name = f"{f['task']} of {f['target']} ({f['recipe']})"
        if was is None and value is not None:
            moves.append((math.inf, f"{name}: {percent(value)} %, where there was no number before"))
        elif value is None and was is not None:
            moves.append((math.inf, f"{name}: no number any more, {percent(was)} % before"))
        elif value is not None and was is not None and abs(value - was) >= LEAST_MOVE:
            moves.append((abs(value - was), f"{name}: {percent(was)} to {percent(value)} %"))
    yield from (text for _, text in sorted(moves, key=lambda item: -item[0]))


def _rows(track: Track) -> Iterator[TrackedScore]:
    """The newest score of every task of a tracked run, beside the band at its tokens."""
    for task in track.tasks:
        if task.points:
            point = task.points[-1]
            yield TrackedScore(
                run=track.run,
                task=task.task,
                tokens=point.tokens,
                measured=point.value,
                low=point.low,
                high=point.high,
                verdict=_verdict(point),
            )


def _verdict(point: TrackedPoint) -> str:
    """What the rules say; one score outside is none of their alarms, as often as chance allows it."""
    if point.alarm:
        return "an alarm stands"
    if point.low is None or point.high is None:
        return "no band"
    return "inside" if point.low <= point.value <= point.high else "outside, as chance allows: no alarm"
