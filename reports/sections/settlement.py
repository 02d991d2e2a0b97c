"""The outcome of a settlement in sentences."""

from __future__ import annotations

from ..records.settlement import Settlement
from ..text.numbers import level, percent


def summary(settlement: Settlement) -> list[str]:
    """The outcome in sentences, the first for a reader of one."""
    every = settlement.settled
    rows = [s for s in every if not s.known] or [s for s in every if not s.fitted]
    if not rows:
        nothing = "No forecast has been settled: every score was in the table that its forecast was fitted on."
        return [nothing, *settlement.notes]
    stated = [s for s in rows if s.inside is not None]
    hit = sum(bool(s.inside) for s in stated)
    nominal = " / ".join(dict.fromkeys(level(s.level) for s in stated))
    inside = f"; {hit} of {len(stated)} measured scores lie in the {nominal} interval" if stated else ""
    miss = percent(settlement.mean_error)
    lines = [f"{len(rows)} forecasts have been settled: they miss by {miss} points on average{inside}."]
    dates = sorted(s.time[:10] for s in rows)
    when = f"Registered on {dates[0]}" + (f" to {dates[-1]}" if dates[-1] != dates[0] else "")
    lines.append(f"{when}. {settlement.refused} were refused, {settlement.open} have no measured score yet.")
    return [*lines, *settlement.notes]
