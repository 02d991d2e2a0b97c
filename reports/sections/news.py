"""What changed since the last pass: the first thing a nightly report says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..records.nightly import News, TrackedScore
from ..text.numbers import count, finite, interval, percent
from ..text.table import Column, Table, table
from ..text.wording import NAME, clean

NONE = "Nothing changed."
MOST_CHANGES = 12


@dataclass(frozen=True, kw_only=True)
class Latest:
    """What template and web page show of it, first on the page."""

    heading: str
    changes: tuple[str, ...]
    tracking: Table | None


def section(news: News) -> Latest:
    """The section of one pass."""
    changes = [clean(line) for line in news.changes]
    shown, left = changes[:MOST_CHANGES], len(changes) - MOST_CHANGES
    since = clean(news.since, NAME)
    more = [f"{left} more changes."] if left > 0 else []
    return Latest(
        heading=f"What changed since {since or 'last night'}",
        changes=tuple([*shown, *more] or [NONE]),
        tracking=_tracking(news.tracking),
    )


def _tracking(rows: Sequence[TrackedScore]) -> Table | None:
    """Measured scores of a run under way beside the band it was registered with."""
    if not rows:
        return None
    runs, tasks = any(row.run for row in rows), any(row.task for row in rows)
    columns: list[Column] = [("Run", "l", 2.0)] * runs + [("Task", "l", 2.0)] * tasks
    columns += [("Tokens so far", "r", 1.2), ("Measured", "r", 1.0), ("Registered band", "r", 1.4)]
    return table([*columns, ("Verdict", "l", 3.0)], [_row(row, runs, tasks) for row in rows])


def _row(row: TrackedScore, runs: bool, tasks: bool) -> list[str]:
    low, high, measured = finite(row.low), finite(row.high), finite(row.measured)
    out = low is not None and high is not None and measured is not None and not low <= measured <= high
    names = [clean(row.run, NAME)] * runs + [clean(row.task, NAME)] * tasks
    return [*names, count(row.tokens), percent(measured) + " ✗" * out, interval(low, high), clean(row.verdict)]
