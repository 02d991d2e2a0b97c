"""The page-one figure: every task's forecasts with intervals, beside its baselines and what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..records.forecast import Forecast
from ..text.metric_names import common_name
from ..text.wording import display_width
from . import marks
from .canvas import WIDTH, axis_ticks, number, render, styled

ONE_COLUMN = 14  # groups; more are drawn in two columns
TALLEST = 3.5  # inches: with the tables above it the figure still fits on page one
Group = tuple[str, Sequence[Forecast]]


def look(recipe: str) -> tuple[str, str]:
    """Colour and marker of a recipe."""
    return marks.recipe_mark(recipe)


def forest_figure(
    groups: Sequence[Group], names: dict[str, str], level: str = "90 %", tallest: float = TALLEST
) -> bytes:
    """One row per (task, target), one interval per recipe in it; ``names`` are the recipes' display names."""
    recipes = list(dict.fromkeys(f.recipe for _, rows in groups for f in rows))
    sides = 1 if len(groups) <= ONE_COLUMN else 2
    height_each = math.ceil(len(groups) / sides)
    step = min(0.075 + 0.088 * max(len(recipes), 1), tallest / height_each)
    body = step * height_each + 0.05
    left = 0.12 + 0.056 * max((display_width(label) for label, _ in groups), default=1)
    with styled():
        canvas = Figure(figsize=(WIDTH, body + 0.62))
        for column in range(sides):
            part = groups[column * height_each : (column + 1) * height_each]
            panel = WIDTH / sides
            box = (column * panel + left) / WIDTH, 0.36 / (body + 0.62), (panel - left - 0.16) / WIDTH
            ax = canvas.add_axes((*box, body / (body + 0.62)))
            ax.set_autoscale_on(False)
            _draw(ax, part, recipes, height_each, min(1.0, max(0.55, step / 0.26)))
            _view(ax, groups)
        handles = [_handle(recipe) for recipe in recipes] + [handle for handle, _ in BASELINES]
        labels = [f"{names.get(r, r)}, {level} interval" for r in recipes] + [label for _, label in BASELINES]
        canvas.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0.995), ncols=7, columnspacing=1.1)
        return render(canvas)


BASELINES: tuple[tuple[Any, str], ...] = (
    (marks.handle(marks.DIRECT), "direct law"),
    (marks.handle(marks.CARRIED), "carried forward"),
    (marks.handle(marks.HELD_OUT), "measured"),
)


def _handle(recipe: str) -> Line2D:
    """Legend entry of a recipe: its marker on a piece of interval."""
    return marks.forecast_handle(recipe)


def _draw(ax: Axes, groups: Sequence[Group], recipes: Sequence[str], slots: int, size: float) -> None:
    """The rows of one column, first on top, marks shrunk to ``size`` where rows are thin."""
    for index, (_, rows) in enumerate(groups):
        if index % 2 == 0:
            ax.axhspan(index - 0.5, index + 0.5, color="#f4f4f4", lw=0, zorder=0)
        places = [index + _offset(forecast.recipe, recipes) for forecast in rows]
        bases = [forecast.baselines for forecast in rows]
        carried = [(base.carry_forward, y) for base, y in zip(bases, places, strict=True)]
        direct = [(base.direct, y) for base, y in zip(bases, places, strict=True)]
        _draw_baseline(ax, carried, index, marks.CARRIED | {"ms": 4 * size})
        _draw_baseline(ax, direct, index, marks.DIRECT | {"ms": 3.2 * size})
        for forecast, y in zip(rows, places, strict=True):
            _draw_forecast(ax, forecast, y, size)
        for actual in sorted({100 * number(f.actual) for f in rows if f.actual is not None}):
            ax.plot(actual, index, zorder=6, **marks.HELD_OUT | {"ms": 4.6 * size})
    ax.set_ylim(slots - 0.5, -0.5)
    ax.set_yticks(range(len(groups)), [label for label, _ in groups])
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.spines.left.set_visible(False)
    ax.set_xlabel(f"{common_name(f.metric for _, rows in groups for f in rows)} (%)", labelpad=1)


def _offset(recipe: str, recipes: Sequence[str]) -> float:
    """Where in its row a recipe stands."""
    return (recipes.index(recipe) - (len(recipes) - 1) / 2) * 0.74 / max(len(recipes), 1)


def _draw_forecast(ax: Axes, forecast: Forecast, y: float, size: float) -> None:
    """Interval and marker; what is null is left out."""
    colour, marker = look(forecast.recipe)
    low, high = 100 * number(forecast.low), 100 * number(forecast.high)
    ax.plot([low, high], [y, y], color=colour, lw=1.3, zorder=4, solid_capstyle="butt")
    ax.plot(100 * number(forecast.forecast), y, marker, color=colour, ms=4.6 * size, mec="white", mew=0.3, zorder=5)


def _draw_baseline(ax: Axes, values: Sequence[tuple[float | None, float]], row: float, look: marks.Look) -> None:
    """One mark in the middle of the row where the recipes share a baseline, else one on each recipe's line."""
    known = [(100 * number(value), y) for value, y in values if value is not None]
    shared = len({round(value, 6) for value, _ in known}) == 1
    for value, y in [(known[0][0], row)] if shared else known:
        ax.plot(value, y, zorder=4, **look)


def _view(ax: Axes, groups: Sequence[Group]) -> None:
    """The same scale in both columns: everything drawn, inside 0 to 100 %."""
    rows = [f for _, part in groups for f in part]
    values = [100 * number(value) for f in rows for value in (f.forecast, f.low, f.high, f.actual)]
    values += [100 * number(value) for f in rows for value in (f.baselines.direct, f.baselines.carry_forward)]
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        low, high = max(min(finite), 0.0), min(max(finite), 100.0)
        pad = 0.03 * (high - low) or 1.0
        axis_ticks(ax, low - pad, high + pad, "x", 8)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
