"""The tables of settled forecasts: worded here once, for the PDF and a terminal."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from ..records.settlement import SettledForecast, Settlement
from .numbers import DASH, brief, finite, interval, percent, points
from .table import Column, Row, Table, table
from .wording import NAME, clean, recipe_name


def groups(rows: Sequence[SettledForecast]) -> Table:
    """Miss, coverage and score by recipe, and by grade where there are grades."""
    rows = [s for s in rows if not s.fitted]
    cells = [["all", *_means(rows)]]
    recipes = list(dict.fromkeys(s.recipe for s in rows))
    for recipe in recipes if len(recipes) > 1 else ():
        cells.append([f"recipe {recipe_name(recipe)}", *_means([s for s in rows if s.recipe == recipe])])
    for grade in sorted({s.grade for s in rows if s.grade}):
        cells.append([f"grade {grade}", *_means([s for s in rows if s.grade == grade])])
    heads: list[Column] = [("Forecasts", "l", 2.0), ("n", "r", 0.7), ("Mean miss", "r", 1.2), ("Inside", "r", 1.2)]
    return table([*heads, ("Median width", "r", 1.3), ("Mean CRPS", "r", 1.2)], cells)


def _means(rows: Sequence[SettledForecast]) -> list[str]:
    misses = [abs(s.error) for s in rows if finite(s.error) is not None]
    stated = [s for s in rows if s.inside is not None]
    hit = sum(bool(s.inside) for s in stated)
    widths = [s.high - s.low for s in stated if s.high is not None and s.low is not None]
    scores = [s.crps for s in stated if s.crps is not None]
    return [
        str(len(rows)),
        percent(statistics.fmean(misses)) if misses else DASH,
        f"{hit} of {len(stated)}" if stated else DASH,
        percent(statistics.median(widths)) if widths else DASH,
        percent(statistics.fmean(scores)) if scores else DASH,
    ]


def every_page(rows: Sequence[SettledForecast]) -> Table:
    """A row per forecast, for the PDF."""
    many = len({s.family for s in rows}) > 1
    columns: list[Column] = [("Registered", "l", 1.2), ("Recipe", "l", 1.3)] + [("Family", "l", 1.3)] * many
    columns += [("Task", "l", 2.2), ("Target", "l", 1.7), ("Grade", "c", 0.7), ("Forecast", "r", 1.0)]
    columns += [("Interval", "r", 1.3), ("Measured", "r", 1.0), ("Error", "r", 0.8), ("Inside?", "c", 0.8)]
    cells: list[Row] = []
    for s in rows:
        refused = finite(s.forecast) is None
        forecast = ["refused", DASH] if refused else [percent(s.forecast), interval(s.low, s.high)]
        names = [s.time[:10], recipe_name(s.recipe), *[clean(s.family, NAME)] * many]
        names += [clean(s.task, NAME), clean(s.target, NAME), s.grade or DASH]
        mark = {True: "in", False: "out", None: DASH}[s.inside]
        cells.append([*names, *forecast, percent(s.actual), points(s.error), mark])
    return table(columns, cells)


def every(settlement: Settlement, most: int) -> Table:
    """A row per forecast, for a terminal: the first ``most``."""
    head = ("registered", "recipe", "task", "target", "forecast", "actual", "error", "inside", "CRPS")
    rows = []
    for s in settlement.settled[:most]:
        bounds = "refused" if s.low is None or s.high is None else brief(s.low, s.high)
        mark = {True: "yes", False: "no", None: DASH}[s.inside]
        names = [s.time[:10], s.recipe, s.task, s.target, f"{percent(s.forecast)} {bounds}"]
        rows.append([*names, percent(s.actual), points(s.error), mark, percent(s.crps)])
    title = "Settled forecasts, scores in percent"
    return Table(head=head, rows=tuple(rows), align="lrllrrrrr", title=title)
