"""What changed since the last pass: the first thing a nightly report says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..text import wording as w
from .content import NAME, Table, table

NONE = "Nothing changed."
MOST_CHANGES = 12


def section(news: Mapping[str, Any]) -> dict[str, Any]:
    """What template and web page show of it, first on the page.

    Parameters
    ----------
    news : mapping
        ``changes``: sentences, most important first. ``tracking``: rows of a run that is under way, each with
        ``tokens``, ``measured``, ``low``, ``high`` (fractions; the band it was registered with), ``verdict`` (words),
        and where they tell rows apart ``task`` and ``run``. ``since``: when the last pass was, as text. All optional.
    """
    changes = [w.clean(line) for line in news.get("changes", ())]
    shown, left = changes[:MOST_CHANGES], len(changes) - MOST_CHANGES
    since = w.clean(news.get("since") or "", NAME)
    return {
        "heading": f"What changed since {since or 'last night'}",
        "changes": [*shown, *([f"{left} more changes."] if left > 0 else [])] or [NONE],
        "tracking": _tracking(list(news.get("tracking", ()))),
    }


def _tracking(rows: list[Mapping[str, Any]]) -> Table | None:
    """Measured scores of a run under way beside the band it was registered with."""
    if not rows:
        return None
    named = [(key, head) for key, head in (("run", "Run"), ("task", "Task")) if any(row.get(key) for row in rows)]
    columns = [(head, "l", 2.0) for _, head in named]
    columns += [
        ("Tokens so far", "r", 1.2),
        ("Measured", "r", 1.0),
        ("Registered band", "r", 1.4),
        ("Verdict", "l", 3.0),
    ]
    cells = []
    for row in rows:
        low, high = row["low"], row["high"]
        known = all(w.finite(v) is not None for v in (low, high, row["measured"]))
        out = known and not low <= row["measured"] <= high
        numbers = [w.count(row["tokens"]), w.percent(row["measured"]) + " ✗" * out, w.interval(low, high)]
        cells.append([*(w.clean(row.get(key) or "", NAME) for key, _ in named), *numbers, w.clean(row["verdict"])])
    return table(columns, cells)
