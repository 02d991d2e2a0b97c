"""The panels of one fit, drawn as SVG: measurements, the law, its band, and the interval of a new observation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import NullLocator

from ..records.forecast import Curve, Forecast, Panel, PanelPoint
from ..records.forecast import Figure as FigureRecord
from ..records.quantities import Quantity
from ..text.wording import clean, display_width
from . import marks
from .canvas import WIDTH, axis_ticks, number, numbers, render, styled, x_limits
from .marks import GREEN, GREY, PURPLE, SKY, Look

REFERENCES = (("+", GREEN), ("1", PURPLE), ("3", SKY), ("2", GREEN))  # thin: no mark of a run is
APART = ("held out", "reference")  # points that are drawn by what they are, not by their size
LEAST_SPAN = 0.1  # percentage points that an axis of scores shows at least: all of them may be zero
MOST_INTERMEDIATE = 1500  # checkpoints drawn per panel: more only thickens the cloud and the file
NAME = 22  # characters of a target's name beside its mark


@dataclass
class Legend:
    """Legend entries of a whole figure: each label once, in the order the reader meets them."""

    entries: dict[str, tuple[float, Any]] = field(default_factory=dict)

    def add(self, rank: float, label: str, handle: Any) -> None:
        """Keep the first handle of a label; a leading space keeps matplotlib from hiding ``_names``."""
        self.entries.setdefault(f" {label}" if label.startswith("_") else label, (rank, handle))

    def ordered(self) -> tuple[list[Any], list[str]]:
        """Handles and labels by rank; Python's sort keeps the order of equals."""
        rows = sorted(self.entries.items(), key=lambda item: item[1][0])
        return [handle for _, (_, handle) in rows], [label for label, _ in rows]


def panel_figure(
    figure: FigureRecord, forecasts: Sequence[Forecast], sizes: Mapping[str, float], level: str = "90 %"
) -> bytes:
    """The one to three panels of a (recipe, family, task) side by side under one legend, as SVG.

    ``sizes`` are the parameters of the ladder's runs, by name: groups of runs are drawn smallest first.
    """
    with styled():
        panels = figure.panels[:3]
        legend = Legend()
        canvas = Figure(figsize=(WIDTH, 2.4))
        axes = [canvas.add_subplot(1, max(len(panels), 1), index + 1) for index in range(len(panels))]
        groups = size_groups(panels, sizes)
        for letter, ax, panel in zip("abc", axes, panels, strict=False):
            ax.set_autoscale_on(False)  # limits are set below; computing them at every artist is half the time
            _draw_panel(ax, panel, groups, legend, (forecasts, level))
            _draw_forecasts(ax, panel, forecasts, legend)
            _limits(ax, panel, forecasts)
            single = panel.curves[0].label if len(panel.curves) == 1 else ""
            ax.set_title(f"{letter}  {single}".rstrip(), loc="left")
        if axes:
            _name_planned(axes[-1], panels[-1], forecasts)
        _place(canvas, len(panels), legend)
        return render(canvas)


def _place(canvas: Figure, count: int, legend: Legend) -> None:
    """Fixed margins in inches: the legend gets the rows it needs, on top, and nothing can overlap it."""
    handles, labels = legend.ordered()
    columns = legend_columns(labels)
    rows = math.ceil(len(labels) / columns)
    height = 2.02 + 0.125 * rows
    canvas.set_size_inches(WIDTH, height)
    right = 0.55 if count == 1 else 0.985
    gap = 0.27 if count > 2 else 0.18
    canvas.subplots_adjust(0.062, 0.36 / height, right, 1 - (0.125 * rows + 0.26) / height, wspace=gap)
    if labels:
        where = (0.5, 1 - 0.02 / height)
        canvas.legend(handles, labels, loc="upper center", bbox_to_anchor=where, ncols=columns, labelspacing=0.25)


def legend_columns(labels: Sequence[str]) -> int:
    """As many legend columns as fit the width; each is as wide as its longest label."""
    for columns in range(min(len(labels), 6), 1, -1):
        rows = math.ceil(len(labels) / columns)
        parts = [labels[start : start + rows] for start in range(0, len(labels), rows)]
        if sum(0.45 + 0.058 * max(map(display_width, part)) for part in parts) < WIDTH - 0.1:
            return columns
    return 1


def size_groups(panels: Sequence[Panel], sizes: Mapping[str, float]) -> dict[str, Look]:
    """The look of every group of runs, smallest first; groups of unknown size come last, by name."""
    params: dict[str, float] = {}
    for point in (p for panel in panels for p in panel.points if p.role not in APART):
        params.setdefault(point.group, sizes.get(point.run, math.inf) if point.group else math.inf)
    ordered = sorted(params, key=lambda name: (params[name], name))
    return {name: marks.measured(params[name], params.values()) for name in ordered}


def reference_looks(panels: Sequence[Panel]) -> dict[str, tuple[str, str]]:
    """Marker and colour of every family of reference models, by its entry in the legend."""
    families = dict.fromkeys(p.group for panel in panels for p in panel.points if p.role == "reference")
    return dict(zip(families, cycle(REFERENCES), strict=False))


def _draw_panel(
    ax: Axes, panel: Panel, groups: Mapping[str, Look], legend: Legend, told: tuple[Sequence[Forecast], str]
) -> None:
    """Bands below, then checkpoints, curves, fitted runs, and the held-out runs on top."""
    scale = 100.0 if panel.y_is_accuracy else 1.0
    forecasts, level = told
    several = len(panel.curves) > 1
    banded = banded_curves(panel, forecasts)
    for index, curve in enumerate(panel.curves):
        label = curve.label if several and curve.label else "fitted law"
        look = marks.law_look(index, len(panel.curves))
        _draw_curve(ax, curve, scale, look, (label, legend, level if index in banded else ""))
    for index, (name, look) in enumerate(groups.items()):
        label = f"{name} parameters" if name and index == 0 else name  # said once: the others are read like it
        entry = (1 + index / len(groups), label or "ladder run")  # by size, whichever panel a group first stands in
        _draw_group(ax, [p for p in panel.points if p.group == name], entry, look, scale, legend)
    for family, (marker, colour) in reference_looks([panel]).items():
        chosen = [p for p in panel.points if p.role == "reference" and p.group == family]
        look = {"ls": "none", "marker": marker, "ms": 4.0, "color": colour, "mew": 0.8, "zorder": 5}
        _draw_points(ax, chosen, scale, look, legend, (4.5, family))
    held = [p for p in panel.points if p.role == "held out"]
    _draw_points(ax, held, scale, marks.HELD_OUT | {"zorder": 8}, legend, (5, "held out, measured"))
    _axes(ax, panel)


def banded_curves(panel: Panel, forecasts: Sequence[Forecast]) -> set[int]:
    """The curves that get their bands, by place: that on which the farthest forecast lies.

    Several bands would hide each other; where no forecast lies on a curve, the last curve shows how wide it is.
    """
    if len(panel.curves) <= 1:
        return set(range(len(panel.curves)))
    spots = [place for f in forecasts if (place := target_position(panel, f))]
    for x, y, *_ in sorted(spots, reverse=True):
        distance = [abs(y - _at(curve, x, panel)) for curve in panel.curves]
        if np.isfinite(distance).any():
            return {int(np.nanargmin(distance))}
    return {len(panel.curves) - 1}


def _at(curve: Curve, x: float, panel: Panel) -> float:
    """Height of a curve, in the units of the axis; NaN beyond its ends."""
    xs, ys = numbers(curve.x), (100.0 if panel.y_is_accuracy else 1.0) * numbers(curve.y)
    if not len(xs):
        return math.nan
    if panel.x_log:
        xs, x = np.log(xs), math.log(x)
    return float(np.interp(x, xs, ys, left=math.nan, right=ys[-1] if x <= xs[-1] + 1e-6 else math.nan))


def _draw_curve(ax: Axes, curve: Curve, scale: float, look: Look, told: tuple[str, Legend, str]) -> None:
    """One law, and its bands where a level is told."""
    label, legend, level = told
    x, y = numbers(curve.x), scale * numbers(curve.y)
    (line,) = ax.plot(x, y, zorder=4, **look)
    legend.add(6, label, line)
    if level:
        bands = ((curve.low, curve.high, marks.BAND, 1), (curve.curve_low, curve.curve_high, marks.CURVE_BAND, 2))
        for low, high, alpha, zorder in bands:
            bounds = scale * numbers(low), scale * numbers(high)
            ax.fill_between(x, *bounds, color=marks.LAW, alpha=alpha, linewidth=0, zorder=zorder)
        dark = marks.BAND + marks.CURVE_BAND
        legend.add(7, f"{level} band of the curve", Patch(facecolor=marks.LAW, alpha=dark, linewidth=0))
        legend.add(8, f"{level} prediction interval", Patch(facecolor=marks.LAW, alpha=marks.BAND, linewidth=0))


def _draw_group(
    ax: Axes, points: list[PanelPoint], entry: tuple[float, str], look: Look, scale: float, legend: Legend
) -> None:
    """The runs of one size: a circle where fitted, small and pale where only a checkpoint, a cross where unused."""
    role = {key: [p for p in points if p.role == key] for key in ("fit", "intermediate", "unused")}
    pale = role["intermediate"]
    pale = pale[:: max(1, math.ceil(len(pale) / (MOST_INTERMEDIATE // 8)))]
    small = {"color": look["color"], "alpha": 0.4, "marker": "o", "ms": 2.0, "mew": 0, "ls": "none"}
    _draw_points(ax, pale, scale, small | {"zorder": 3})
    if pale:
        legend.add(3, "earlier checkpoints", Line2D([], [], ls="none", marker="o", ms=2, color=GREY, mew=0))
    _draw_points(ax, role["unused"], scale, marks.UNUSED | {"zorder": 3}, legend, (4, "not used in the fit"))
    _draw_points(ax, role["fit"], scale, look | {"zorder": 5}, legend, entry)


def _draw_points(
    ax: Axes,
    points: Sequence[PanelPoint],
    scale: float,
    look: Look,
    legend: Legend | None = None,
    entry: tuple[float, str] = (0, ""),
) -> None:
    """Marks without a line, entered in the legend once."""
    if not points:
        return
    (line,) = ax.plot(numbers(p.x for p in points), scale * numbers(p.y for p in points), **look)
    if legend is not None:
        legend.add(*entry, line)


def of_forecast(forecast: Forecast, quantity: Quantity) -> tuple[float, float, float]:
    """A quantity of a forecast with the ends of its interval; NaN where it has none."""
    value, low, high = map(number, (forecast.forecast, forecast.low, forecast.high))
    if quantity is Quantity.ACCURACY:
        return value, low, high
    if quantity is Quantity.ERROR:
        return 1 - value, 1 - high, 1 - low
    plain = {
        Quantity.FLOPS: forecast.flops,
        Quantity.TOKENS: forecast.tokens,
        Quantity.PARAMS: forecast.params,
        Quantity.PROXY_LOSS: forecast.middle,
    }
    return number(plain.get(quantity)), math.nan, math.nan


def target_position(panel: Panel, forecast: Forecast) -> tuple[float, float, float, float] | None:
    """Where a forecast lies on these axes: x, y, low, high."""
    if panel.x_quantity is Quantity.UNSTATED or panel.y_quantity is Quantity.UNSTATED:
        return None
    if panel.x_quantity is panel.y_quantity:  # predicted against measured: a forecast has no place there
        return None
    x = of_forecast(forecast, panel.x_quantity)[0]
    y, low, high = of_forecast(forecast, panel.y_quantity)
    scale = 100.0 if panel.y_is_accuracy else 1.0
    usable = math.isfinite(x) and math.isfinite(y) and (x > 0 or not panel.x_log)
    return (x, scale * y, scale * low, scale * high) if usable else None


def _draw_forecasts(ax: Axes, panel: Panel, forecasts: Sequence[Forecast], legend: Legend) -> None:
    """Each target's forecast with its interval, and the score of guessing."""
    for forecast in forecasts:
        place = target_position(panel, forecast)
        if place is None:
            continue
        x, y, low, high = place
        colour, marker = marks.recipe_mark(forecast.recipe)
        ax.plot([x, x], [low, high], color=colour, lw=1.2, marker="_", ms=5, mew=1.2, zorder=7)
        ax.plot(x, y, color=colour, marker=marker, ms=4.6, mec="white", mew=0.3, zorder=7)
        legend.add(9, "forecast with interval", marks.forecast_handle(forecast.recipe))
    error = panel.y_quantity is Quantity.ERROR
    chances = {number(f.chance) for f in forecasts} if panel.y_quantity.is_share else set()
    scale = 100.0 if panel.y_is_accuracy else 1.0
    for chance in sorted(value for value in chances if math.isfinite(value) and value > 0):
        line = ax.axhline(scale * (1 - chance if error else chance), zorder=1, **marks.GUESSING)
        legend.add(10, "chance", line)


def _name_planned(ax: Axes, panel: Panel, forecasts: Sequence[Forecast]) -> None:
    """The name of the one planned run beside its mark, on the side where there is room."""
    spots = {f.target: place for f in forecasts if f.actual is None and (place := target_position(panel, f))}
    if len(spots) != 1:
        return
    ((name, (x, y, *_)),) = spots.items()
    share = ax.transAxes.inverted().transform(ax.transData.transform((x, y)))[0]
    side = -1 if share > 0.5 else 1
    look: dict[str, Any] = {"fontsize": 6, "va": "center", "ha": "right" if side < 0 else "left", "zorder": 9}
    look["path_effects"] = [withStroke(linewidth=1.8, foreground="white")]
    ax.annotate(clean(name, NAME), (x, y), xytext=(side * 5, 0), textcoords="offset points", **look)


def _axes(ax: Axes, panel: Panel) -> None:
    """Labels with units, and tick labels without mathematics."""
    percent = " (%)" if panel.y_is_accuracy and "%" not in panel.y_label else ""
    ax.set_xlabel(panel.x_label, labelpad=2)
    ax.set_ylabel(panel.y_label + percent, labelpad=2)
    if panel.x_log:
        ax.set_xscale("log")
        ax.xaxis.set_minor_locator(NullLocator())


def _limits(ax: Axes, panel: Panel, forecasts: Sequence[Forecast]) -> None:
    """Show every point and curve; let an exploding interval be cut rather than flatten all else."""
    scale = 100.0 if panel.y_is_accuracy else 1.0
    spots = [place for f in forecasts if (place := target_position(panel, f))]
    xs = numbers([p.x for p in panel.points] + [v for c in panel.curves for v in c.x] + [s[0] for s in spots])
    core = numbers([scale * number(p.y) for p in panel.points] + [v for s in spots for v in s[1:]])
    curve = numbers(
        scale * number(v) for c in panel.curves for series in (c.y, c.curve_low, c.curve_high) for v in series
    )
    x_limits(ax, xs[np.isfinite(xs)], bool(panel.x_log))
    core, curve = core[np.isfinite(core)], curve[np.isfinite(curve)]
    if not core.size and not curve.size:
        return
    base = core if core.size else curve
    low, high = float(base.min()), float(base.max())
    room = max(high - low, LEAST_SPAN if panel.y_is_accuracy else 1e-3 * max(abs(high), 1e-9))
    if curve.size:  # a curve may widen the view by half of what the data span, no more
        low, high = max(low - room / 2, min(low, curve.min())), min(high + room / 2, max(high, curve.max()))
    low, high = low - 0.06 * room, high + 0.06 * room
    axis_ticks(ax, *((max(low, -2.0), min(high, 102.0)) if panel.y_is_accuracy else (low, high)), "y")
