"""Where the ladder's runs lie in (N, D), and how far outside of them the targets are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from scipy.spatial import ConvexHull, QhullError

from ..records.forecast import Forecast, LadderRun
from ..text.numbers import count, finite
from ..text.wording import clean
from . import marks
from .canvas import WIDTH, log_label, render, styled
from .marks import FORECAST, GREY

LOOKS: dict[str, dict[str, Any]] = {
    "fit": marks.MEASURED | {"label": "fitted"},
    "held out": marks.HELD_OUT | {"label": "held out"},
    "unused": marks.UNUSED | {"label": "not used"},
}
RATIOS = (1, 5, 20, 100, 500, 2500)  # tokens per parameter drawn as lines
MOST_NAMES = 8
LETTER, LINE = 3.4, 7.0  # points: a letter's width and a line's height, of the names
Place = tuple[float, float]


def coverage_figure(ladder: Sequence[LadderRun], forecasts: Sequence[Forecast]) -> bytes | None:
    """Runs and planned targets on axes of parameters and tokens, as SVG; None where no run has both."""
    runs = [run for run in ladder if _place(run)]
    planned = _planned(forecasts, {run.run for run in ladder})
    if not any(run.role == "fit" for run in runs):
        return None
    with styled():
        canvas = Figure(figsize=(WIDTH, 2.9))
        ax = canvas.add_axes((0.075, 0.14, 0.62, 0.8))
        ax.set_xscale("log")
        ax.set_yscale("log")
        _limits(ax, [*map(_known, runs), *planned.values()])
        _lines(ax)
        _hull(ax, [_known(run) for run in runs if run.role == "fit"])
        for role, look in LOOKS.items():
            places = [_known(run) for run in runs if run.role == role]
            if places:
                ax.plot(*zip(*places, strict=True), zorder=4, **look)
        if planned:
            ax.plot(
                *zip(*planned.values(), strict=True),
                ls="none",
                marker="D",
                ms=5.5,
                color=FORECAST,
                mec="white",
                mew=0.4,
                zorder=5,
                label="planned",
            )
        _names(ax, planned | {run.run: _known(run) for run in runs if run.role == "held out"})
        canvas.legend(*ax.get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(0.75, 0.94), labelspacing=0.6)
        return render(canvas)


def _place(record: LadderRun | Forecast) -> Place | None:
    params, tokens = finite(record.params), finite(record.tokens)
    return (params, tokens) if params and tokens and params > 0 and tokens > 0 else None


def _known(record: LadderRun) -> Place:
    place = _place(record)
    assert place is not None
    return place


def _planned(forecasts: Iterable[Forecast], runs: set[str]) -> dict[str, Place]:
    """Targets that are not runs of the ladder, with N and D where both are known."""
    places = {f.target: _place(f) for f in forecasts if f.target not in runs}
    return {name: place for name, place in places.items() if place}


def _limits(ax: Axes, places: Sequence[Place]) -> None:
    """A third of a decade around everything, and ticks at whole decades, or finer where there are few."""
    for axis, values in zip("xy", zip(*places, strict=True), strict=True):
        low, high = min(values) / 2, max(values) * 2
        getattr(ax, f"set_{axis}lim")(low, high)
        subs = (1.0,) if high / low > 300 else (1.0, 2.0, 5.0)
        side = getattr(ax, f"{axis}axis")
        side.set_major_locator(LogLocator(subs=subs, numticks=12))
        side.set_minor_locator(NullLocator())
        side.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    ax.set_xlabel("parameters N", labelpad=2)
    ax.set_ylabel("training tokens D", labelpad=2)


def _lines(ax: Axes) -> None:
    """Equal tokens per parameter, and equal FLOPs by C = 6ND."""
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    ends = np.array([x0, x1])
    for ratio in RATIOS:
        ax.plot(ends, ratio * ends, color=GREY, lw=0.6, ls=(0, (4, 2)), zorder=1)
        if x0 < y1 / ratio < x1:  # it leaves the map at the top: named outside, where no run is
            ax.text(y1 / ratio, y1, f"{ratio}", fontsize=5.5, color=GREY, ha="center", va="bottom")
        elif y0 < ratio * x1 < y1:
            ax.text(x1 * 0.95, ratio * x1 * 0.95, f"{ratio}", fontsize=5.5, color=GREY, ha="right", va="bottom")
    first = math.ceil(math.log10(6) + math.log10(x0) + math.log10(y0))
    last = min(math.floor(math.log10(6) + math.log10(x1) + math.log10(y1)), 300)
    for exponent in range(first, last + 1, max(1, (last - first) // 5)):
        ax.plot(ends, 10.0**exponent / 6 / ends, color=GREY, lw=0.6, ls=(0, (1, 2)), zorder=1)
        # A line of equal FLOPs leaves the map at the bottom or at the right.
        at = min(10.0**exponent / 6 / (y0 * 1.15), x1)
        if at > x0:
            look: dict[str, Any] = {"ha": "left", "va": "center"} if at == x1 else {"ha": "right"}
            name = f" {log_label(10.0**exponent)}"
            ax.text(at, 10.0**exponent / 6 / at, name, fontsize=5.5, color=GREY, **look)
    ax.plot([], [], color=GREY, lw=0.6, ls=(0, (4, 2)), label="tokens per parameter")
    ax.plot([], [], color=GREY, lw=0.6, ls=(0, (1, 2)), label="FLOPs (6ND)")
    ax.grid(False)


def _hull(ax: Axes, places: Sequence[Place]) -> None:
    """What the fitted runs enclose: outside of it a law is extrapolated."""
    logs = np.log10(np.array(places))
    try:
        corners = 10 ** logs[ConvexHull(logs).vertices]
    except (QhullError, ValueError):  # fewer than three runs, or all on one line
        return
    ax.fill(*corners.T, color=GREY, alpha=0.16, lw=0, zorder=2, label="between fitted runs")


def _names(ax: Axes, places: dict[str, Place]) -> None:
    """Names beside their marks, each on the first side where no other name is yet."""
    if len(places) > MOST_NAMES:
        return
    halo = [withStroke(linewidth=1.8, foreground="white")]  # the lines below do not strike the names through
    taken: list[tuple[float, float, float]] = []  # left and right end, and height, in points
    for place in sorted(dict.fromkeys(places.values()), reverse=True):
        first, *others = [name for name, other in places.items() if other == place]
        text = clean(first, 24) + f" and {len(others)} more" * bool(others)
        x, y = 72 / ax.figure.dpi * ax.transData.transform(place)
        width = LETTER * len(text)
        sides = [(-1, 2.0), (-1, -8.0), (1, 2.0), (1, -8.0)]
        ends = [(x - width, x) if side < 0 else (x, x + width) for side, _ in sides]
        free = [
            i
            for i, ((left, right), (_, up)) in enumerate(zip(ends, sides, strict=True))
            if not any(left < b and right > a and abs(y + up - h) < LINE for a, b, h in taken)
        ]
        side, up = sides[free[0] if free else 0]
        taken.append((*ends[free[0] if free else 0], y + up))
        look: dict[str, Any] = {"fontsize": 6, "ha": "right" if side < 0 else "left", "path_effects": halo}
        ax.annotate(text, place, xytext=(5 * side, up), textcoords="offset points", zorder=6, **look)
