"""Small multiples: every task that has no page of its own, one small panel each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from ..records.forecast import Forecast
from .canvas import Grid, axis_ticks, log_label, number, render, styled
from .forest import look
from .marks import GREY

ACROSS, MOST = 4, 24
ROW, MARGIN = 1.32, 0.3  # inches
SHADES: dict[str, dict[str, Any]] = {
    "fit": {"marker": "o", "ms": 2.6, "color": "#555555", "mew": 0},
    "held out": {"marker": "o", "ms": 3.2, "mfc": "white", "mec": "black", "mew": 0.8},
    "unused": {"marker": "x", "ms": 2.4, "color": GREY, "mew": 0.6},
}
Runs = Sequence[tuple[float, float, str]]
# A panel: its title, (FLOPs, accuracy, role) of the measured runs, its forecasts.
Small = tuple[str, Runs, Sequence[Forecast]]


def multiples_figure(tasks: Sequence[Small], names: dict[str, str], level: str) -> bytes:
    """Up to ``MOST`` panels of accuracy against FLOPs, as SVG; ``names`` are the recipes' display names."""
    with styled():
        grid = Grid(across=ACROSS, row=ROW, margin=MARGIN, left=0.038, gap=0.05, below=0.27, around=0.5)
        canvas, axes, height = grid.draw(len(tasks))
        for ax, task in zip(axes, tasks, strict=True):
            _draw(ax, *task)
        canvas.legend(*_legend(names, level), loc="upper center", bbox_to_anchor=(0.5, 1 - 0.02 / height), ncols=6)
        return render(canvas)


def _draw(ax: Axes, title: str, runs: Runs, rows: Sequence[Forecast]) -> None:
    """The measured runs, and each forecast with its interval a little beside its FLOPs."""
    for role, style in SHADES.items():
        ax.plot([x for x, _, r in runs if r == role], [100 * y for _, y, r in runs if r == role], ls="none", **style)
    recipes = list(dict.fromkeys(f.recipe for f in rows))
    xs = [x for x, _, _ in runs] + [f.flops for f in rows] or [1.0]
    low, high = min(xs), max(xs)
    step = (high / low) ** 0.02
    for f in rows:
        colour, marker = look(f.recipe)
        x = f.flops * step ** (recipes.index(f.recipe) - (len(recipes) - 1) / 2)
        ax.plot([x, x], [100 * number(f.low), 100 * number(f.high)], color=colour, lw=1.0, zorder=3)
        ax.plot(x, 100 * number(f.forecast), marker, color=colour, ms=3, mec="white", mew=0.3, zorder=4)
    _axes(ax, low, high, runs, rows)
    ax.set_title(title, loc="left", fontsize=6.2, pad=2)


def _axes(ax: Axes, low: float, high: float, runs: Runs, rows: Sequence[Forecast]) -> None:
    ax.set_xscale("log")
    pad = max((high / low) ** 0.06, 1.05)
    ax.set_xlim(low / pad, high * pad)
    ticks = LogLocator(numticks=4).tick_values(low, high)
    ax.xaxis.set_major_locator(FixedLocator([t for t in ticks if low / pad <= t <= high * pad]))
    ax.xaxis.set_major_formatter(FuncFormatter(log_label))
    ax.xaxis.set_minor_locator(NullLocator())
    values = [100 * y for _, y, _ in runs] + [100 * number(v) for f in rows for v in (f.low, f.high, f.forecast)]
    shown = [v for v in values if math.isfinite(v)]
    if shown:
        room = max(max(shown) - min(shown), 2.0)
        axis_ticks(ax, max(min(shown) - 0.08 * room, 0), min(max(shown) + 0.08 * room, 100), "y", 4)
    ax.tick_params(labelsize=5.5, pad=1.5)


def _legend(names: dict[str, str], level: str) -> tuple[list[Any], list[str]]:
    handles = [Line2D([], [], ls="none", **SHADES[role]) for role in ("fit", "held out")]
    labels = ["fitted run", "held out"]
    for recipe, name in names.items():
        colour, marker = look(recipe)
        handles.append(Line2D([], [], color=colour, marker=marker, ms=3, lw=1))
        labels.append(f"{name}, {level} interval")
    return handles, labels
