"""The panels of one fit, drawn as SVG: measurements, the law, its band, and the interval of a new observation.

Colour never carries meaning alone: sizes differ by marker, curves by line style, forecasts by their error bar.
Text is set as outlines and nothing is mathematics, so a task may be called anything.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import style as mpl_style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ..records.forecast import Curve, Forecast, Panel, PanelPoint
from ..records.forecast import Figure as FigureRecord
from ..records.quantities import Quantity
from ..text import fonts
from ..text.numbers import SUPERSCRIPTS
from ..text.wording import display_width

STYLE = Path(__file__).with_name("style.mplstyle")
WIDTH = 174 / 25.4  # inches: the text width of the page
BLUE, VERMILLION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"  # Okabe–Ito, and a grey
CURVES = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), ("#CC79A7", ":"), ("#56B4E9", (0, (5, 1, 1, 1, 1, 1))))
MARKERS = "os^vDPXph<>8"
OPEN_MARKERS = (("*", 8.5), ("D", 5.0), ("P", 6.5), ("X", 6.5))
REFERENCES = (("+", VERMILLION), ("1", GREEN), ("3", "#CC79A7"), ("2", BLUE))  # thin: no marker of a size is
APART = ("held out", "reference")  # points that are drawn by what they are, not by their size
FURTHEST = 1e307  # of an axis
LEAST_SPAN = 0.1  # percentage points that an axis of scores shows at least: all of them may be zero
MOST_INTERMEDIATE = 1500  # checkpoints drawn per panel: more only thickens the cloud and the file


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


def number(value: float | None) -> float:
    """A float, with null as NaN."""
    return math.nan if value is None else float(value)


def numbers(values: Iterable[float | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """An array, with nulls as NaN."""
    return np.array([number(value) for value in values], dtype=np.float64)


def render(figure: Figure) -> bytes:
    """SVG without a date and with fixed ids; a glyph no font has shows as a box, which is not worth a warning."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from .*font")
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


@contextmanager
def styled() -> Iterator[None]:
    """Our style over matplotlib's defaults, whatever the user's own matplotlibrc says.

    Where a target of 1e300 FLOPs is drawn, ticks and lines beyond all numbers are left out without numpy's warnings.
    """
    style: list[str | Path | dict[str, Any]] = [
        "default",
        STYLE,
        {"font.family": ["DejaVu Sans", *fonts.current().families]},
    ]
    with mpl_style.context(style), np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        yield


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Small panels in rows.

    Heights in inches: ``row`` of a panel with its surroundings, ``below`` and ``around`` (below and above together)
    what of it is not axes, ``margin`` above all panels. Shares of the width: ``left`` of the axes, ``gap`` between
    them.
    """

    across: int
    row: float
    margin: float
    left: float
    gap: float
    below: float
    around: float

    def draw(self, count: int) -> tuple[Figure, list[Axes], float]:
        """A canvas with axes for ``count`` panels, row by row, and its height."""
        height = math.ceil(count / self.across) * self.row + self.margin
        canvas, axes = Figure(figsize=(WIDTH, height)), []
        for index in range(count):
            row, column = divmod(index, self.across)
            corner = (column / self.across + self.left, 1 - (self.margin + (row + 1) * self.row - self.below) / height)
            axes.append(canvas.add_axes((*corner, 1 / self.across - self.gap, (self.row - self.around) / height)))
            axes[-1].set_autoscale_on(False)
        return canvas, axes, height


def axis_ticks(ax: Axes, low: float, high: float, which: str, most: int = 6) -> None:
    """Limits and round ticks, fixed once: left to itself matplotlib works them out at every look."""
    ticks = [tick for tick in MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high) if low <= tick <= high]
    getattr(ax, f"{which}axis").set_major_locator(FixedLocator(ticks))
    getattr(ax, f"set_{which}lim")(low, high)


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
        heldout = held_out_runs(panels)
        groups = size_groups(panels, sizes)
        for letter, ax, panel in zip("abc", axes, panels, strict=False):
            ax.set_autoscale_on(False)  # limits are set below; computing them at every artist is half the time
            _draw_panel(ax, panel, groups, heldout, legend, level)
            _draw_forecasts(ax, panel, forecasts, legend)
            _limits(ax, panel, forecasts)
            single = panel.curves[0].label if len(panel.curves) == 1 else ""
            ax.set_title(f"{letter}  {single}".rstrip(), loc="left")
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


def size_groups(panels: Sequence[Panel], sizes: Mapping[str, float]) -> dict[str, tuple[Any, str]]:
    """Colour and marker of every group of runs, smallest first; groups of unknown size come last, by name."""
    params: dict[str, float] = {}
    for point in (p for panel in panels for p in panel.points if p.role not in APART):
        params.setdefault(point.group, sizes.get(point.run, math.inf) if point.group else math.inf)
    ordered = sorted(params, key=lambda name: (params[name], name))
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.88, max(len(ordered), 2)))
    return {name: (tuple(shade), mark) for name, shade, mark in zip(ordered, shades, cycle(MARKERS), strict=False)}


def held_out_runs(panels: Sequence[Panel]) -> dict[str, tuple[str, float]]:
    """An open marker and its size for every held-out run."""
    runs = dict.fromkeys(p.run for panel in panels for p in panel.points if p.role == "held out")
    return dict(zip(runs, cycle(OPEN_MARKERS), strict=False))


def reference_looks(panels: Sequence[Panel]) -> dict[str, tuple[str, str]]:
    """Marker and colour of every family of reference models, by its entry in the legend."""
    families = dict.fromkeys(p.group for panel in panels for p in panel.points if p.role == "reference")
    return dict(zip(families, cycle(REFERENCES), strict=False))


def _draw_panel(
    ax: Axes, panel: Panel, groups: dict[str, Any], heldout: dict[str, Any], legend: Legend, level: str
) -> None:
    """Bands below, then checkpoints, curves, fitted runs, and the held-out runs on top."""
    scale = 100.0 if panel.y_is_accuracy else 1.0
    several = len(panel.curves) > 1
    for index, (curve, (colour, style)) in enumerate(zip(panel.curves, cycle(CURVES), strict=False)):
        label = curve.label if several and curve.label else "fitted law"
        _draw_curve(ax, curve, (colour, style, scale), label, legend, level if index < 3 else "")
    for name, (colour, marker) in groups.items():
        _draw_group(ax, [p for p in panel.points if p.group == name], name, colour, marker, scale, legend)
    for family, (marker, colour) in reference_looks([panel]).items():
        chosen = [p for p in panel.points if p.role == "reference" and p.group == family]
        look = {"marker": marker, "ms": 4.0, "color": colour, "mew": 0.8, "zorder": 5}
        _draw_points(ax, chosen, scale, legend, (4.5, family), **look)
    for run, (marker, size) in heldout.items():
        chosen = [p for p in panel.points if p.role == "held out" and p.run == run]
        label = f"held out: {run}" if len(heldout) <= len(OPEN_MARKERS) else "held out"
        _draw_points(ax, chosen, scale, legend, (5, label), marker=marker, ms=size, mfc="white", mec="black", zorder=6)
    _axes(ax, panel)


def _draw_curve(ax: Axes, curve: Curve, look: tuple[str, Any, float], label: str, legend: Legend, level: str) -> None:
    """One law; beyond the third curve the bands are left out, or they would hide each other."""
    colour, style, scale = look
    x, y = numbers(curve.x), scale * numbers(curve.y)
    (line,) = ax.plot(x, y, color=colour, linestyle=style, zorder=4)
    legend.add(6, label, line)
    if level:
        bands = ((curve.low, curve.high, 0.15, 1), (curve.curve_low, curve.curve_high, 0.4, 2))
        for low, high, alpha, zorder in bands:
            bounds = scale * numbers(low), scale * numbers(high)
            ax.fill_between(x, *bounds, color=colour, alpha=alpha, linewidth=0, zorder=zorder)
        legend.add(7, f"{level} band of the curve", Patch(facecolor="black", alpha=0.45, linewidth=0))
        legend.add(8, f"{level} prediction interval", Patch(facecolor="black", alpha=0.15, linewidth=0))


def _draw_group(
    ax: Axes, points: list[PanelPoint], name: str, colour: Any, marker: str, scale: float, legend: Legend
) -> None:
    """The runs of one size: large where fitted, small and pale where only a checkpoint, a cross where unused."""
    role = {key: [p for p in points if p.role == key] for key in ("fit", "intermediate", "unused")}
    pale = role["intermediate"]
    pale = pale[:: max(1, math.ceil(len(pale) / (MOST_INTERMEDIATE // 8)))]
    _draw_points(ax, pale, scale, None, color=colour, alpha=0.4, marker=marker, ms=2.0, mew=0, zorder=3)
    if pale:
        legend.add(3, "earlier checkpoints", Line2D([], [], ls="none", marker="o", ms=2, color=GREY, mew=0))
    _draw_points(
        ax, role["unused"], scale, legend, (4, "not used in the fit"), color=GREY, marker="x", ms=3.5, mew=0.7, zorder=3
    )
    _draw_points(
        ax,
        role["fit"],
        scale,
        legend,
        (1, name or "ladder run"),
        color=colour,
        marker=marker,
        mec="white",
        mew=0.4,
        zorder=5,
    )


def _draw_points(
    ax: Axes,
    points: Sequence[PanelPoint],
    scale: float,
    legend: Legend | None,
    entry: tuple[float, str] = (0, ""),
    **look: Any,
) -> None:
    """Markers without a line, entered in the legend once."""
    if not points:
        return
    (line,) = ax.plot(numbers(p.x for p in points), scale * numbers(p.y for p in points), ls="none", **look)
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
    bar = Line2D([], [], color="black", marker="o", ms=3.2, lw=1.1)
    for forecast in forecasts:
        place = target_position(panel, forecast)
        if place is None:
            continue
        x, y, low, high = place
        ax.plot([x, x], [low, high], color="black", lw=1.1, marker="_", ms=5, mew=1.1, zorder=7)
        ax.plot(x, y, color="black", marker="o", ms=3.2, zorder=7)
        legend.add(9, "forecast with interval", bar)
    error = panel.y_quantity is Quantity.ERROR
    chances = {number(f.chance) for f in forecasts} if panel.y_quantity.is_share else set()
    scale = 100.0 if panel.y_is_accuracy else 1.0
    for chance in sorted(value for value in chances if math.isfinite(value) and value > 0):
        line = ax.axhline(scale * (1 - chance if error else chance), color=GREY, lw=0.8, ls=(0, (1, 2)), zorder=1)
        legend.add(10, "guessing", line)


def _axes(ax: Axes, panel: Panel) -> None:
    """Labels with units, and tick labels without mathematics."""
    percent = " (%)" if panel.y_is_accuracy and "%" not in panel.y_label else ""
    ax.set_xlabel(panel.x_label, labelpad=2)
    ax.set_ylabel(panel.y_label + percent, labelpad=2)
    if panel.x_log:
        ax.set_xscale("log")
        ax.xaxis.set_minor_locator(NullLocator())


def log_label(value: float, _: int = 0) -> str:
    """``10¹⁸`` or ``3×10¹⁸``."""
    if value <= 0 or not math.isfinite(value):
        return ""
    exponent = math.floor(math.log10(value) + 1e-9)
    mantissa = round(value / 10.0**exponent, 3)
    power = "10" + str(exponent).translate(SUPERSCRIPTS)
    return power if mantissa == 1 else f"{mantissa:g}×{power}"


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


def x_limits(ax: Axes, xs: np.ndarray[Any, np.dtype[np.float64]], log: bool) -> None:
    """All x values with a small margin; ticks at decades, or at 1-2-5 where there are few of them."""
    xs = xs[xs > 0] if log else xs
    if not xs.size:
        return
    low, high = float(xs.min()), float(xs.max())
    if not log:
        pad = 0.04 * (high - low) or 0.05 * max(abs(high), 1e-9)
        axis_ticks(ax, low - pad, high + pad, "x")
        return
    decades = math.log10(high) - math.log10(low)
    # Whatever is asked for, the ends of an axis are numbers.
    pad = min(10 ** max(0.04 * decades, 0.02), FURTHEST / high, low * FURTHEST)
    ax.set_xlim(low / pad, high * pad)
    subs = (1.0,) if decades > 1.7 else (1.0, 2.0, 5.0) if decades > 0.6 else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    ticks = LogLocator(subs=subs, numticks=7).tick_values(low, high)
    ax.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low / pad <= tick <= high * pad]))
    ax.xaxis.set_major_formatter(FuncFormatter(log_label))
    ax.xaxis.set_minor_locator(NullLocator())
