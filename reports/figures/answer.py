"""The page-one figure: per task the forecast with its interval, the largest run and guessing, named where they stand.

No legend: the marks of the first row are named above it, once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..records.forecast import Forecast
from ..text.metric_names import common_name
from ..text.wording import display_width
from . import marks
from .canvas import WIDTH, NotebookFigure, axis_ticks, number, render, styled

STRIPE = "#f4f4f4"  # of every other row, here and in the table beside the figure
LETTER = 0.0565  # inches: width of a letter of the names above the first row
GAP = 0.09  # inches between two of these names
SIDE = 0.13  # inches left and right of the axis
ONE_ROW = 0.24  # inches: height of a row where no table stands beside the figure
Named = tuple[str, Forecast | None]


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Sizes in inches: of the whole figure's width, of what stands above and below the rows, and of a row."""

    width: float
    head: float
    row: float
    foot: float
    left: float = 0.0


def strip_svg(rows: Sequence[Forecast | None], strip: Strip) -> bytes:
    """The rows without their names, to stand beside a table with rows of the same height; None is an empty row."""
    with styled():
        return render(_figure([("", f) for f in rows], strip))


def answer_figure(rows: Sequence[Named]) -> Figure:
    """The same as a figure of its own, every row with its name."""
    left = 0.12 + 0.058 * max((display_width(name) for name, _ in rows), default=1)
    with styled():
        return _figure(rows, Strip(width=WIDTH, head=0.34, row=ONE_ROW, foot=0.36, left=min(left, WIDTH / 2)))


def _figure(rows: Sequence[Named], strip: Strip) -> Figure:
    height = strip.head + strip.row * max(len(rows), 1) + strip.foot
    canvas = NotebookFigure(figsize=(strip.width, height))
    canvas.patch.set_alpha(0)
    across = strip.width - strip.left - 2 * SIDE
    box = ((strip.left + SIDE) / strip.width, strip.foot / height, across / strip.width, 1 - _share(strip, height))
    ax = canvas.add_axes(box)
    ax.set_autoscale_on(False)
    ax.patch.set_alpha(0)
    forecasts = [f for _, f in rows if f is not None]
    low, high = _range(forecasts)
    axis_ticks(ax, low, high, "x", 6)
    for index, (_, f) in enumerate(rows):
        if index % 2 == 0:
            ax.axhspan(index - 0.5, index + 0.5, color=STRIPE, lw=0, zorder=0)
        if f is not None:
            _row(ax, index, f, min(1.0, strip.row / 0.2))
    _frame(ax, [name for name, _ in rows], forecasts, named=strip.left > 0)
    _names(canvas, [f for _, f in rows], (low, high), strip)
    return canvas


def _share(strip: Strip, height: float) -> float:
    return (strip.head + strip.foot) / height


def _row(ax: Axes, index: int, f: Forecast, size: float) -> None:
    """One task: interval, forecast, largest run, guessing, and what was measured."""
    if f.chance:
        chance = 100 * f.chance
        ax.plot([chance, chance], [index - 0.4, index + 0.4], **(marks.GUESSING | {"lw": 1.0}), zorder=1)
    low, high, y = 100 * number(f.low), 100 * number(f.high), index
    ax.plot([low, high], [y, y], color=marks.FORECAST, lw=5.0 * size, alpha=0.35, zorder=2, solid_capstyle="butt")
    carried = 100 * number(f.baselines.carry_forward)
    ax.plot(carried, y, **(marks.MEASURED | {"ms": 4.4 * size}), zorder=4)
    colour, marker = marks.FORECAST, "D"
    ax.plot(100 * number(f.forecast), y, marker, color=colour, ms=4.6 * size, mec="white", mew=0.4, zorder=5)
    if f.actual is not None:
        ax.plot(100 * number(f.actual), y, **(marks.HELD_OUT | {"ms": 4.8 * size}), zorder=6)


def _frame(ax: Axes, names: Sequence[str], forecasts: Sequence[Forecast], named: bool) -> None:
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks(range(len(names)) if named else [], names if named else [])
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.spines.left.set_visible(False)
    last = ax.get_xticks()[-1]
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g} %" if value == last and not named else f"{value:g}")
    if named:
        ax.set_xlabel(f"{common_name(f.metric for f in forecasts)} (%)", labelpad=1)


def _range(forecasts: Sequence[Forecast]) -> tuple[float, float]:
    """Everything drawn, inside 0 to 100 percent."""
    values = [v for f in forecasts for v in (f.forecast, f.low, f.high, f.actual, f.baselines.carry_forward, f.chance)]
    known = [100 * v for v in values if v is not None and math.isfinite(v)] or [0.0, 100.0]
    low, high = max(min(known), 0.0), min(max(known), 100.0)
    pad = max(0.04 * (high - low), 0.5)
    return low - pad, high + pad


def _names(canvas: Figure, rows: Sequence[Forecast | None], view: tuple[float, float], strip: Strip) -> None:
    """The names of the marks above the first row that has a forecast, each with a line to its mark."""
    first = next((i for i, f in enumerate(rows) if f is not None and f.forecast is not None), None)
    first = next((i for i, f in enumerate(rows) if f is not None), None) if first is None else first
    named = None if first is None else rows[first]
    if first is None or named is None:
        return
    wanted = _marks_of(named)
    across = strip.width - strip.left - 2 * SIDE
    height = canvas.get_figheight()
    places = [strip.left + SIDE + across * (x - view[0]) / (view[1] - view[0]) for _, x in wanted]
    widths = [LETTER * display_width(text) for text, _ in wanted]
    centers = _apart(places, widths, strip.left, strip.width)
    above = height - strip.head
    for (text, _), place, center in zip(wanted, places, centers, strict=True):
        color = marks.FORECAST if text == "forecast" else "#333333"
        canvas.text(
            center / strip.width, (above + 0.16) / height, text, ha="center", va="bottom", fontsize=6.5, c=color
        )
        ends = (
            [center / strip.width, place / strip.width],
            [(above + 0.13) / height, _above_mark(above, first, strip) / height],
        )
        canvas.add_artist(Line2D(*ends, color="#999999", lw=0.5, zorder=1))


def _above_mark(above: float, row: int, strip: Strip) -> float:
    """Where the line to a mark ends: a little above it, inches from below."""
    return above - strip.row * (row + 0.5) + 0.05


def _marks_of(f: Forecast) -> list[tuple[str, float]]:
    """The marks of a row by name with their place in percent, from left to right."""
    found = [("chance", f.chance or None), ("largest run", f.baselines.carry_forward), ("forecast", f.forecast)]
    found.append(("measured", f.actual))
    known = [(text, 100 * value) for text, value in found if value is not None and math.isfinite(value)]
    return sorted(known, key=lambda item: item[1])


def _apart(places: Sequence[float], widths: Sequence[float], start: float, end: float) -> list[float]:
    """Centers of labels near their places, in order, none over another and all between two ends."""
    centers = list(places)
    for i, width in enumerate(widths):
        least = start + width / 2 if i == 0 else centers[i - 1] + (widths[i - 1] + width) / 2 + GAP
        centers[i] = max(centers[i], least)
    for i in reversed(range(len(centers))):
        most = end - widths[i] / 2 if i == len(centers) - 1 else centers[i + 1] - (widths[i + 1] + widths[i]) / 2 - GAP
        centers[i] = min(centers[i], most)
    return centers


def has_marks(rows: Iterable[Forecast | None]) -> bool:
    """Whether there is anything to draw."""
    return any(f is not None and (f.forecast, f.baselines.carry_forward) != (None, None) for f in rows)
