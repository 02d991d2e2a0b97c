"""Page two: the other targets, those held out first, since what became of their forecasts is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..figures.forest import ONE_COLUMN, forest_figure
from ..records.answer import beyond
from ..records.forecast import Forecast
from ..text import forecast_table
from ..text import wording as w
from ..text.numbers import DASH, count, finite, percent, scientific, score_range
from ..text.numbers import ratio as times
from ..text.table import Column, Row, Table, table
from .content import Content, held_out
from .picture import Files, Picture, picture

DRAWN = 48  # forecasts in the figure
LISTED = 60  # rows in the table; beyond, the table of all forecasts has them
TALLEST = 5.5  # inches


@dataclass(frozen=True, kw_only=True)
class Others:
    """A row per target, its forecasts in a figure, and a row per task and target; ``more`` rows stand elsewhere."""

    heading: str
    targets: Table
    figure: Picture | None
    forecasts: Table | None
    more: int


def section(c: Content, files: Files) -> Others | None:
    """The section, or None where page one has every target; its figure goes into ``files``."""
    rows = c.answer.others
    if not rows:
        return None
    held = any(finite(f.actual) is not None for f in rows)
    planned = any(finite(f.actual) is None for f in rows)
    heading = "Held-out runs" * held + " and other targets" * (held and planned) or "Other targets"
    return Others(
        heading=heading,
        targets=_targets(c, rows),
        figure=_figure(c, rows, files),
        forecasts=_forecasts(c, rows[:LISTED]),
        more=max(0, len(rows) - LISTED),
    )


def _targets(c: Content, rows: Sequence[Forecast]) -> Table:
    """A row per target: its size, how far it lies beyond the ladder, and how its forecasts did."""
    cells: list[Row] = []
    for name in dict.fromkeys(f.target for f in rows):
        made = [f for f in rows if f.target == name]
        first = made[0]
        ratio = beyond(c.result, first)
        size = [count(first.params), count(first.tokens), scientific(first.flops)]
        cells.append([w.shortened(name, 30), *size, f"{times(ratio)}×" if ratio else DASH, *_record(made)])
    columns: list[Column] = [("Target", "l", 2.6), ("Parameters", "r", 1.2), ("Tokens", "r", 1), ("FLOPs", "r", 1.1)]
    columns += [
        ("× largest run", "r", 1.3),
        ("Mean miss", "r", 1.1),
        ("carried forward", "r", 1.4),
        ("Inside", "r", 1.2),
    ]
    return table(columns, cells)


def _record(made: Sequence[Forecast]) -> list[str]:
    """Mean miss of the forecasts and of carrying forward, in points, and scores inside their interval."""
    held = held_out(made)
    if held is None:
        return [DASH, DASH, DASH]
    return [percent(held.miss), percent(held.carried), f"{held.inside} of {held.stated}"]


def _figure(c: Content, rows: Sequence[Forecast], files: Files) -> Picture | None:
    groups: dict[tuple[str, str, str], list[Forecast]] = {}
    for f in rows:
        groups.setdefault((f.family, f.task, f.target), []).append(f)
    chosen = dict(list(groups.items())[:DRAWN])
    most = 24 if len(chosen) <= ONE_COLUMN else 14
    several = len({f.target for f in rows}) > 1
    named = [(_label(c, part[0], most, several), part) for part in chosen.values()]
    files["others.svg"] = forest_figure(named, c.recipe_names, c.level, TALLEST)
    left = len(groups) - len(chosen)
    more = f" The first {len(chosen)} of {len(groups)} are drawn; the others are in result.json." if left else ""
    caption = f"Forecasts with their {c.level} interval, what they are held against, and what was measured.{more}"
    return picture("others.svg", "Dot plot.", caption)


def _label(c: Content, f: Forecast, most: int, several: bool) -> str:
    task = w.shortened(c.short.get(f.task, f.task), most if several else 2 * most)
    return f"{task} · {w.shortened(f.target, most)}" if several else task


def _forecasts(c: Content, rows: Sequence[Forecast]) -> Table:
    """A row per target and task."""
    columns: list[Column] = [("Task", "l", 3.4), ("Target", "l", 2.6), ("Forecast", "r", 1.1)]
    columns += [(f"{c.level} interval", "r", 1.5)] + [("Grade", "c", 0.8)] * c.answer.graded
    columns += [("Carried forward", "r", 1.2), ("Measured", "r", 1.6)]
    cells: list[Row] = []
    rules = []
    # A line between tasks; where each task has one row, as one family after the other does, between targets.
    by_task = any(a.task == b.task for a, b in pairwise(rows))
    for index, f in enumerate(rows):
        before = rows[index - 1]
        if index and ((by_task and before.task != f.task) or (not by_task and before.target != f.target)):
            rules.append(index)
        outside = " outside" * (forecast_table.inside(f) is False)
        grade = [f.grade or DASH] * c.answer.graded
        numbers = [percent(f.forecast), score_range(f.low, f.high) or DASH, *grade, percent(f.baselines.carry_forward)]
        name = w.shortened(c.short.get(f.task, f.task), 36)
        cells.append([name, w.shortened(f.target, 28), *numbers, percent(f.actual) + outside])
    return table(columns, cells, rules)
