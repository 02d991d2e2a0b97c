"""What changed since the pass before, as the first section of a nightly report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchcast.reports.records.nightly import Alert, News, Track, TrackedScore, Verdict
from benchcast.reports.sections import verdict
from benchcast.reports.text.numbers import percent

from . import conditions, grouping

Entry = Mapping[str, Any]
NOW = "9999"  # later than any day
LEAST_MOVE = 0.005  # of accuracy: smaller moves of a forecast are no news
MOST_MOVES = 8  # of forecasts, told one by one; the others are counted


def news(
    entry: Entry,
    history: Sequence[Entry],
    tracks: Sequence[Track] = (),
    verdicts: Sequence[Verdict] = (),
    folder: str = "",
) -> News:
    """What comes first in the report.

    ``entry`` is this pass's line of the history, ``history`` the lines before it, ``tracks`` the tracked runs with
    their ``verdicts``, ``folder`` where the report will be.
    """
    last: Entry = history[-1] if history else {}
    return News(
        since=str(last.get("time", ""))[:16].replace("T", " "),
        verdict=verdict.overall(verdicts),
        verdicts=tuple(verdicts),
        alerts=tuple(_alerts(entry, history)),
        changes=tuple(_changes(entry, history)),
        tracking=tuple(row for track in tracks for row in _rows(track)),
        tracks=tuple(tracks),
        report=folder,
    )


def _changes(entry: Entry, history: Sequence[Entry]) -> Iterator[str]:
    """What is new since the pass before, but for what is wrong."""
    yield from (message for message in entry.get("messages", ()) if str(message).startswith("cleared: "))
    # Not what this very process scored: a pass that was killed leaves some of that to the next, and the same report.
    points = entry.get("points", ())
    if points:
        checkpoints = len({(p.get("run"), p.get("tokens")) for p in points})
        yield f"{len(points)} new scores of {checkpoints} checkpoint" + "s" * (checkpoints != 1) + " of tracked runs."
    if entry.get("config_edited"):
        yield "The config was edited."
    before = next((e["forecasts"] for e in reversed(history) if e.get("forecasts")), None)
    moves = list(_moves(before, entry.get("forecasts", ()))) if before is not None else ["This is the first forecast."]
    yield from moves[:MOST_MOVES]
    if len(moves) > MOST_MOVES:
        yield f"{len(moves) - MOST_MOVES} more forecasts moved"


def _alerts(entry: Entry, history: Sequence[Entry]) -> Iterator[Alert]:
    """What is wrong after this pass, cause by cause, the new ones first."""
    found: list[Alert] = []
    for group in grouping.causes(conditions.read(entry.get("conditions", ()))):
        rule, _, text = grouping.line(group).partition(": ")
        since = min((_since(conditions.key(condition), history) or NOW for condition in group), default=NOW)
        found.append(Alert(rule=rule, text=text, since="" if since == NOW else since))
    yield from sorted(found, key=lambda alert: bool(alert.since))


def _since(key: tuple[str, str], history: Sequence[Entry]) -> str:
    """The day of the first of the passes, without a gap up to the last, that found a condition; empty for none."""
    day = ""
    for entry in reversed(history):
        if key not in {(c["rule"], c["subject"]) for c in entry.get("conditions", ())}:
            break
        day = str(entry["time"])[:10]
    return day


def _moves(before: Sequence[Entry], now: Sequence[Entry]) -> Iterator[str]:
    """Forecasts that moved, appeared or went, largest move first."""
    keys = ("recipe", "family", "task", "target")
    then = {tuple(f[k] for k in keys): f for f in before}
    moves = []
    for f in now:
        old = then.get(tuple(f[k] for k in keys))
        was, value = (old or {}).get("forecast"), f["forecast"]
        name = f"Forecast of {f['target']} on {f['task']} ({f['recipe']})"
        if was is None and value is not None:
            moves.append((math.inf, f"{name}: {percent(value)} %, where there was no number before"))
        elif value is None and was is not None:
            moves.append((math.inf, f"{name}: no number any more, {percent(was)} % before"))
        elif value is not None and was is not None and abs(value - was) >= LEAST_MOVE:
            moves.append((abs(value - was), f"{name}: {percent(was)} to {percent(value)} %"))
    yield from (text for _, text in sorted(moves, key=lambda item: -item[0]))


def _rows(track: Track) -> Iterator[TrackedScore]:
    """The newest score of every task of a tracked run, beside the band at its tokens and the forecasts of the end."""
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
                verdict="not compared: the task changed" if task.problem else verdict.of_point(point),
                registered=task.registered,
                refreshed=task.refreshed,
            )
