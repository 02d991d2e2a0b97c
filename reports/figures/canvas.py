"""The sheet that figures are drawn on: our style, grids of small panels, axes with round ticks, and SVG out of it.

Text is set as outlines and nothing is mathematics, so a task may be called anything.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import style as mpl_style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ..text import fonts
from ..text.numbers import SUPERSCRIPTS

STYLE = Path(__file__).with_name("style.mplstyle")
WIDTH = 174 / 25.4  # inches: the text width of the page
FURTHEST = 1e307  # of an axis


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


class NotebookFigure(Figure):
    """A figure that a notebook draws; one of Matplotlib's own it draws only after ``%matplotlib inline``."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", facecolor="white")
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


def log_label(value: float, _: int = 0) -> str:
    """``10¹⁸`` or ``3×10¹⁸``."""
    if value <= 0 or not math.isfinite(value):
        return ""
    exponent = math.floor(math.log10(value) + 1e-9)
    mantissa = round(value / 10.0**exponent, 3)
    power = "10" + str(exponent).translate(SUPERSCRIPTS)
    return power if mantissa == 1 else f"{mantissa:g}×{power}"


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
