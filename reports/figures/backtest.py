"""The backtest and the specification curve, drawn as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..records.forecast import Forecast, TaskBacktest
from . import marks
from .canvas import WIDTH, Grid, axis_ticks, number, render, styled
from .marks import BLACK, FORECAST, GREY

NEAR = (
    (3.0, "#F0A877", "d", "less than 3× beyond"),
    (10.0, FORECAST, "D", "3 to 10×"),
    (math.inf, "#7A3100", "^", "more"),
)
MOST_MARKS = 1500
ACROSS = 4
ROW, MARGIN = 1.25, 0.3  # inches
Named = tuple[str, Forecast]


@dataclass(frozen=True, kw_only=True)
class Bin:
    """How the forecasts of one range of distances did; misses and coverage as fractions."""

    name: str
    n: int
    error: float
    carry_error: float
    coverage: float


def backtest_figure(trials: Sequence[TaskBacktest], bins: Sequence[Bin], level: float) -> bytes:
    """Predicted against actual, miss and coverage by distance."""
    with styled():
        canvas = Figure(figsize=(WIDTH, 2.5))
        boxes = ((0.062, 0.16, 0.3, 0.76), (0.44, 0.16, 0.235, 0.76), (0.75, 0.16, 0.235, 0.76))
        axes = [canvas.add_axes(box) for box in boxes]
        _against(axes[0], trials)
        _misses(axes[1], bins)
        _coverage(axes[2], bins, level)
        for letter, ax in zip("abc", axes, strict=True):
            ax.set_title(letter, loc="left")
        return render(canvas)


def _against(ax: Axes, trials: Sequence[TaskBacktest]) -> None:
    """A mark per forecast, by how far beyond the fitted runs it reached."""
    ratio, forecast, actual = (
        np.concatenate(series) for series in zip(*((t.ratio, t.forecast, t.actual) for t in trials), strict=True)
    )
    step = max(1, math.ceil(len(ratio) / MOST_MARKS))
    below = 0.0
    for limit, colour, marker, label in NEAR:
        at = np.flatnonzero((ratio >= below) & (ratio < limit))[::step]
        below = limit
        if len(at):
            look: dict[str, Any] = {"color": colour, "marker": marker, "ms": 2.8, "mew": 0, "alpha": 0.75}
            ax.plot(100 * forecast[at], 100 * actual[at], ls="none", label=label, **look)
    values = 100 * np.concatenate([forecast, actual])
    pad = 0.04 * float(np.ptp(values)) or 1.0
    low, high = max(float(values.min()) - pad, -1.0), min(float(values.max()) + pad, 101.0)
    ax.plot([low, high], [low, high], color="black", lw=0.7, zorder=1)
    axis_ticks(ax, low, high, "x", 5)
    axis_ticks(ax, low, high, "y", 5)
    ax.set_xlabel("forecast (%)", labelpad=1)
    ax.set_ylabel("measured (%)", labelpad=1)
    ax.legend(loc="upper left", fontsize=5.8, handletextpad=0.2, borderpad=0.2)


def _places(ax: Axes, bins: Sequence[Bin]) -> list[int]:
    """One place per bin on the x axis, named."""
    ax.set_xlim(-0.5, max(len(bins), 1) - 0.5)
    ax.set_xticks(range(len(bins)), [f"{t.name}\n(n = {t.n})" for t in bins], fontsize=6)
    ax.tick_params(axis="x", length=0)
    return list(range(len(bins)))


def _misses(ax: Axes, bins: Sequence[Bin]) -> None:
    places = _places(ax, bins)
    misses, carried = [100 * t.error for t in bins], [100 * t.carry_error for t in bins]
    ax.plot(places, carried, label="carried forward", **marks.CARRIED | {"ls": "--"})
    ax.plot(places, misses, "-", marker="D", color=FORECAST, ms=3.5, label="forecast")
    axis_ticks(ax, 0.0, 1.25 * max([*misses, *carried, 0.1]), "y", 5)
    ax.set_ylabel("mean miss (points)", labelpad=2)
    ax.legend(loc="upper left", fontsize=5.8)


def _coverage(ax: Axes, bins: Sequence[Bin], level: float) -> None:
    places = _places(ax, bins)
    half = [164.5 * math.sqrt(level * (1 - level) / max(t.n, 1)) for t in bins]
    for place, spread in zip(places, half, strict=True):
        ends = max(100 * level - spread, 0.0), min(100 * level + spread, 100.0)
        ax.fill_between([place - 0.3, place + 0.3], ends[0], ends[1], color=GREY, alpha=0.3, lw=0)
    ax.axhline(100 * level, color="black", ls="--", lw=0.8)
    inside = [100 * t.coverage for t in bins]
    ax.plot(places, inside, ls="none", marker="D", color=FORECAST, ms=3.5)
    axis_ticks(ax, min([50.0, *(v - 8 for v in inside)]), 102.0, "y", 5)
    ax.set_ylabel("inside the interval (%)", labelpad=2)


def specification_figure(tasks: Sequence[Named], level: str) -> bytes:
    """A panel per (title, forecast): its alternatives in ascending order, beside the forecast and its interval."""
    across = min(ACROSS, len(tasks))
    grid = Grid(across=across, row=ROW, margin=MARGIN, left=0.04, gap=0.052, below=0.14, around=0.36)
    with styled():
        canvas, axes, height = grid.draw(len(tasks))
        for ax, (title, forecast) in zip(axes, tasks, strict=True):
            _curve(ax, forecast)
            ax.set_title(title, loc="left", fontsize=6.2, pad=2)
        canvas.legend(handles=_legend(level), loc="upper center", bbox_to_anchor=(0.5, 1 - 0.02 / height), ncols=4)
        return render(canvas)


def _curve(ax: Axes, forecast: Forecast) -> None:
    ordered = sorted(forecast.alternatives, key=lambda a: (a.forecast, a.form))
    values = np.array([100 * a.forecast for a in ordered])
    weights = np.array([a.weight for a in ordered])
    sizes = 2 + 40 * weights / max(float(weights.max()), 1e-12)
    numbers = (forecast.low, forecast.forecast, forecast.high, forecast.actual)
    low, center, high, actual = (100 * number(value) for value in numbers)
    ax.axhspan(low, high, color=FORECAST, alpha=0.15, lw=0)
    ax.axhline(center, color=FORECAST, lw=1.0)
    if math.isfinite(actual):
        ax.axhline(actual, color=BLACK, lw=0.7, ls="--")
        ax.plot(len(values) - 0.5, actual, zorder=4, clip_on=False, **marks.HELD_OUT)
    ax.scatter(range(len(values)), values, s=sizes, marker="s", color=GREY, alpha=0.9, linewidths=0, zorder=3)
    shown = [v for v in (*values, low, high, actual) if math.isfinite(v)]
    room = 0.12 * (max(shown) - min(shown)) or 1.0
    axis_ticks(ax, max(min(shown) - room, -2.0), min(max(shown) + room, 102.0), "y", 4)
    ax.set_xlim(-0.8, len(values) - 0.2)
    ax.set_xticks([])
    ax.tick_params(labelsize=5.5, pad=1.5)


def _legend(level: str) -> list[Line2D | Patch]:
    return [
        Line2D([], [], ls="none", marker="s", ms=4, color=GREY, mew=0, label="one form"),
        Line2D([], [], color=FORECAST, lw=1.0, label="forecast"),
        Patch(facecolor=FORECAST, alpha=0.15, lw=0, label=f"{level} interval"),
        Line2D([], [], **marks.HELD_OUT, label="held out, measured"),
    ]
