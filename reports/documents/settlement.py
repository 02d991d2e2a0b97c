"""How registered forecasts fared, as PDF and JSON: the same input gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..figures.calibration import calibration_figure
from ..records.settlement import Settlement
from ..sections.picture import Files, Picture, picture
from ..text import settlement_table
from ..text.numbers import finite, level, percent
from ..text.table import Table
from .typesetting import write_pdf_and_json

MOST_ROWS = 400
TITLE = "How the registered forecasts fared"


@dataclass(frozen=True, kw_only=True)
class SettlementPages:
    """All that ``settlement.typ`` sets."""

    title: str
    summary: list[str]
    groups: Table
    figure: Picture | None
    settled: Table
    more: int


def write(settlement: Settlement, out: Path) -> dict[str, Path]:
    """Write ``settlement.pdf`` and ``settlement.json`` into ``out``; return their paths by kind.

    Raises
    ------
    ReportError
        When it cannot be typeset.
    OSError
        When the place cannot be written.
    """
    return write_pdf_and_json(settlement, Path(out), "settlement", build)


def build(settlement: Settlement) -> tuple[SettlementPages, Files]:
    """The template's data, and the figure it names."""
    rows = sorted(settlement.settled, key=lambda s: -abs(finite(s.error) or 0.0))
    files: Files = {}
    pages = SettlementPages(
        title=TITLE,
        summary=summary(settlement),
        groups=settlement_table.groups(rows),
        figure=_calibration(settlement, files),
        settled=settlement_table.every_page(rows[:MOST_ROWS]),
        more=max(0, len(rows) - MOST_ROWS),
    )
    return pages, files


def _calibration(settlement: Settlement, files: Files) -> Picture | None:
    stated = sum(s.inside is not None for s in settlement.settled)
    if not settlement.calibration or not stated:
        return None
    files["calibration.svg"] = calibration_figure(settlement.calibration, stated).encode()
    caption = "Calibration: share of measured scores inside, by nominal level; band: what chance would allow."
    return picture("calibration.svg", "Line plot.", caption)


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
