"""What the published recipes say of page one's target, beside its answer; how they did; their laws."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..records.account import listed
from ..records.answer import GRADED
from ..records.forecast import Forecast
from ..text import wording as w
from ..text.numbers import DASH, brief, finite, percent
from ..text.table import Column, Row, Table, table
from ..text.wording import NAME, recipe_name
from .content import Content, Method, methods

LISTED = 50  # tasks in the table
PUBLISHED = ("llama3", "overtraining", "ladder")
ABOUT = (
    "The published recipes are fitted as their papers have them. They are not tested on the ladder's own runs first, "
    "and their forecasts have no grade."
)
ONLY_AUTO = (
    "The config names its recipes, and these are none of them. Without recipes in the config they run beside auto: "
    "{names}."
)


@dataclass(frozen=True, kw_only=True)
class Published:
    """The section; ``forecasts`` has a row per task and a column per recipe, ``record`` a row per recipe."""

    about: tuple[str, ...]
    forecasts: Table | None
    note: str
    record: Table | None
    laws: tuple[Method, ...]


def section(c: Content) -> Published | None:
    """None where nothing was forecast."""
    if not c.forecasts:
        return None
    recipes = [r for r in c.recipes if r != GRADED]
    lacking = _lacking(c)
    if not recipes:
        names = ", ".join(map(recipe_name, PUBLISHED))
        return Published(
            about=tuple(lacking) or (ONLY_AUTO.format(names=names),), forecasts=None, note="", record=None, laws=()
        )
    tested = any(finite(f.actual) is not None for f in c.forecasts)
    return Published(
        about=(ABOUT, *lacking),
        forecasts=_forecasts(c),
        note=_note(c),
        record=record(c) if tested else None,
        laws=tuple(m for m in methods(c) if m.recipe in set(map(recipe_name, recipes))),
    )


def _lacking(c: Content) -> list[str]:
    """What the data do not allow, a line for each recipe and reason."""
    tasks = {f.task for f in c.answer.rows}
    lines = []
    for one in c.result.lacking:
        where = "" if tasks <= set(one.tasks) else f" ({listed(one.tasks, 6)})"
        lines.append(f"{recipe_name(one.recipe)} gives no number{where}: {w.clean(one.reason)}.")
    return lines


def _forecasts(c: Content) -> Table:
    """Page one's target: a row per task, a column per recipe, and the one-step law."""
    recipes = sorted(c.recipes, key=lambda r: r != c.answer.recipe)
    columns: list[Column] = [("Task", "l", 3.0), *((recipe_name(r), "r", 1.7) for r in recipes), ("Direct", "r", 1.0)]
    columns += [("Carried forward", "r", 1.2)]
    cells: list[Row] = []
    for row in c.answer.rows[:LISTED]:
        group = c.groups[row.family, row.task, row.target]
        made = [next((f for f in group if f.recipe == recipe), None) for recipe in recipes]
        bases = [percent(row.baselines.direct), percent(row.baselines.carry_forward)]
        cells.append([c.row_name(row, 30), *map(_cell, made), *bases])
    return table(columns, cells)


def _cell(f: Forecast | None) -> str:
    if f is None or finite(f.forecast) is None or f.low is None or f.high is None:
        return DASH
    return f"{percent(f.forecast)} {brief(f.low, f.high)}"


def _note(c: Content) -> str:
    who = w.clean(c.answer.targets[0], NAME) if len(c.answer.targets) == 1 else "page one's targets"
    more = len(c.answer.rows) - LISTED
    left = f" {more} more tasks are in the table of all forecasts." if more > 0 else ""
    return (
        f"Forecasts of {who} in percent, with their {c.level} intervals. Direct: one law from training FLOPs to the "
        f"score.{left}"
    )


def record(c: Content) -> Table:
    """A row per recipe: how many forecasts, how wide their intervals, how far they missed what was measured."""
    rows = []
    for recipe in c.recipes:
        made = [f for f in c.forecasts if f.recipe == recipe]
        bounds = [(finite(f.low), finite(f.high)) for f in made]
        widths = [high - low for low, high in bounds if low is not None and high is not None]
        states = Counter(f.status for f in made)
        lacking = states["failed"] + states["refused"]
        fair = [f for f in made if _known(f.actual, f.forecast, f.baselines.direct, f.baselines.carry_forward)]
        held = [f for f in made if _known(f.actual, f.low, f.high)]
        hit = sum((f.low or 0.0) <= (f.actual or 0.0) <= (f.high or 0.0) for f in held)
        counts = [str(len(made)), str(lacking), percent(statistics.median(widths)) if widths else DASH]
        misses = [
            _miss(fair, [f.forecast for f in fair]),
            _miss(fair, [f.baselines.direct for f in fair]),
            _miss(fair, [f.baselines.carry_forward for f in fair]),
        ]
        rows.append([recipe_name(recipe), *counts, f"{hit} of {len(held)}" if held else DASH, *misses])
    heads = ["Recipe", "Forecasts", "no number", "Median width", "Inside", "Mean miss", "direct law", "carried forward"]
    shares = [1.8, 1.1, 1.1, 1.4, 1.1, 1.2, 1.2, 1.6]
    return table([(h, "l" if i == 0 else "r", shares[i]) for i, h in enumerate(heads)], rows)


def _known(*values: float | None) -> bool:
    return all(finite(value) is not None for value in values)


def _miss(rows: Sequence[Forecast], values: Sequence[float | None]) -> str:
    """Mean absolute error in points."""
    misses = [abs((value or 0.0) - (f.actual or 0.0)) for f, value in zip(rows, values, strict=True)]
    return percent(statistics.fmean(misses)) if misses else DASH


def with_mathematics(part: Published | None, laws: Sequence[Method]) -> Published | None:
    """The section with laws of which it is known whether their formulas can be set."""
    known = {m.formula: m.math for m in laws}
    return part and replace(part, laws=tuple(replace(m, math=known.get(m.formula, False)) for m in part.laws))
