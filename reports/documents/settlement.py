"""How registered forecasts fared, as PDF and JSON: the same input gives the same bytes. Reads results only."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..figures.calibration import calibration_figure
from ..sections.content import NAME, Table, recipe_name, table
from ..text import fonts
from ..text import wording as w
from . import forecast as document
from . import writing

Record = Mapping[str, Any]
MOST_ROWS = 400
TITLE = "How the registered forecasts fared"


def write(settlement: Record, out: Path) -> dict[str, Path]:
    """Write ``settlement.pdf`` and ``settlement.json`` into ``out``; return their paths by kind.

    ``settlement`` is ``Settlement.model_dump(mode="json")``.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with fonts.fonts_for(settlement):
        data, files = build(settlement)
        pdf = document.set_pages("settlement.typ", data, files)
    made = {out / "settlement.pdf": pdf, out / "settlement.json": document.json_bytes(settlement)}
    writing.write_all(made)
    return dict(zip(("pdf", "json"), made, strict=True))


def build(settlement: Record) -> tuple[dict[str, Any], document.Files]:
    """The template's data, and the figure it names."""
    rows = sorted(settlement["settled"], key=lambda s: -abs(w.finite(s["error"]) or 0.0))
    files: document.Files = {}
    figure = None
    stated = [s for s in rows if s["inside"] is not None]
    if settlement["calibration"] and stated:
        points = [(float(level), float(share)) for level, share in settlement["calibration"]]
        files["calibration.svg"] = calibration_figure(points, len(stated)).encode()
        caption = "Calibration: share of measured scores inside, by nominal level; band: what chance would allow."
        figure = {"file": "calibration.svg", "alt": f"Line plot. {caption}", "caption": caption}
    data = {
        "title": TITLE,
        "summary": summary(settlement),
        "groups": _groups(rows),
        "figure": figure,
        "settled": _settled(rows[:MOST_ROWS]),
        "more": max(0, len(rows) - MOST_ROWS),
    }
    return data, files


def summary(settlement: Record) -> list[str]:
    """The outcome in sentences, the first for a reader of one."""
    every = settlement["settled"]
    rows = [s for s in every if not s["known"]] or [s for s in every if not s.get("fitted")]
    if not rows:
        return [
            "No forecast has been settled: every score was in the table that its forecast was fitted on.",
            *settlement["notes"],
        ]
    stated = [s for s in rows if s["inside"] is not None]
    hit = sum(s["inside"] for s in stated)
    nominal = " / ".join(dict.fromkeys(w.level(s["level"]) for s in stated))
    inside = f"; {hit} of {len(stated)} measured scores lie in the {nominal} interval" if stated else ""
    lines = [
        f"{len(rows)} forecasts have been settled: they miss by {w.percent(settlement['mean_error'])} points on "
        f"average{inside}."
    ]
    dates = sorted(s["time"][:10] for s in rows)
    when = f"Registered on {dates[0]}" + (f" to {dates[-1]}" if dates[-1] != dates[0] else "")
    lines.append(f"{when}. {settlement['refused']} were refused, {settlement['open']} have no measured score yet.")
    return [*lines, *settlement["notes"]]


def _groups(rows: Sequence[Record]) -> Table:
    """Miss, coverage and score by recipe, and by grade where there are grades."""
    rows = [s for s in rows if not s.get("fitted")]
    cells = [["all", *_numbers(rows)]]
    recipes = list(dict.fromkeys(s["recipe"] for s in rows))
    for recipe in recipes if len(recipes) > 1 else ():
        cells.append([f"recipe {recipe_name(recipe)}", *_numbers([s for s in rows if s["recipe"] == recipe])])
    for grade in sorted({s["grade"] for s in rows if s["grade"]}):
        cells.append([f"grade {grade}", *_numbers([s for s in rows if s["grade"] == grade])])
    heads = [("Forecasts", "l", 2.0), ("n", "r", 0.7), ("Mean miss", "r", 1.2), ("Inside", "r", 1.2)]
    return table([*heads, ("Median width", "r", 1.3), ("Mean CRPS", "r", 1.2)], cells)


def _numbers(rows: Sequence[Record]) -> list[str]:
    misses = [abs(s["error"]) for s in rows if w.finite(s["error"]) is not None]
    stated = [s for s in rows if s["inside"] is not None]
    hit = sum(s["inside"] for s in stated)
    widths, scores = [s["high"] - s["low"] for s in stated], [s["crps"] for s in stated]
    return [
        str(len(rows)),
        w.percent(statistics.fmean(misses)) if misses else w.DASH,
        f"{hit} of {len(stated)}" if stated else w.DASH,
        w.percent(statistics.median(widths)) if widths else w.DASH,
        w.percent(statistics.fmean(scores)) if scores else w.DASH,
    ]


def _settled(rows: Sequence[Record]) -> Table:
    many = len({s["family"] for s in rows}) > 1
    columns = [("Registered", "l", 1.2), ("Recipe", "l", 1.3)] + [("Family", "l", 1.3)] * many
    columns += [("Task", "l", 2.2), ("Target", "l", 1.7), ("Grade", "c", 0.7), ("Forecast", "r", 1.0)]
    columns += [("Interval", "r", 1.3), ("Measured", "r", 1.0), ("Error", "r", 0.8), ("Inside?", "c", 0.8)]
    cells = []
    for s in rows:
        refused = w.finite(s["forecast"]) is None
        said = ["refused", w.DASH] if refused else [w.percent(s["forecast"]), w.interval(s["low"], s["high"])]
        error = w.finite(s["error"])
        ends = [w.percent(s["actual"]), w.DASH if error is None else w.minus(f"{100 * error:+.1f}")]
        names = [s["time"][:10], recipe_name(s["recipe"]), *[w.clean(s["family"], NAME)] * many]
        mark = {True: "in", False: "out", None: w.DASH}[s["inside"]]
        cells.append(
            [*names, w.clean(s["task"], NAME), w.clean(s["target"], NAME), s["grade"] or w.DASH, *said, *ends, mark]
        )
    return table(columns, cells)
