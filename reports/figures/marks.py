"""What marks and colours mean, the same in every figure: measured, law, forecast, and what they are held against.

Kinds differ in shape and in colour, so neither has to be seen alone. The colours are those of Okabe and Ito, which
people with any colour vision tell apart, and greys.

=================  ====================================================================
measured run       filled circle, grey to black by the size of the model
held-out run       open circle: measured, but no law has seen it
law                line with a band, blue; several of them from light to dark blue
forecast           diamond on its interval, vermillion; other recipes in shapes of their own
carried forward    grey cross
guessing           dotted grey line
=================  ====================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from ..text.numbers import size as size_name

BLUE, VERMILLION, GREEN, PURPLE, ORANGE = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"  # Okabe and Ito
SKY = "#56B4E9"
BLACK, GREY = "#222222", "#777777"
Look = dict[str, Any]

MEASURED: Look = {"marker": "o", "ls": "none", "color": BLACK, "mec": "white", "mew": 0.4, "ms": 4.4}
HELD_OUT: Look = {"marker": "o", "ls": "none", "mfc": "white", "mec": "black", "mew": 1.0, "ms": 4.8}
UNUSED: Look = {"marker": "x", "ls": "none", "color": GREY, "mew": 0.7, "ms": 3.5}
CARRIED: Look = {"marker": "x", "ls": "none", "color": GREY, "mew": 1.1, "ms": 4.0}
DIRECT: Look = {"marker": "s", "ls": "none", "mfc": "white", "mec": GREY, "mew": 0.8, "ms": 3.2}
ALARM: Look = {"marker": "X", "ls": "none", "color": PURPLE, "mec": "white", "mew": 0.4, "ms": 5.0}
GUESSING: Look = {"color": GREY, "lw": 0.8, "ls": (0, (1, 2))}
LAW, FORECAST = BLUE, VERMILLION
BAND, CURVE_BAND = 0.16, 0.34  # opacity: of the interval of a new observation, and of the band of the curve
MARKS = {"auto": (VERMILLION, "D"), "llama3": (ORANGE, "s"), "overtraining": (PURPLE, "^"), "ladder": (GREEN, "v")}
OTHERS = (("s", ORANGE), ("^", PURPLE), ("v", GREEN), ("P", SKY), ("h", GREY), ("X", BLACK))  # of a plan's methods
STYLES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), ":")
SMALLEST, LARGEST = 3.4, 5.4  # points: marks of the smallest and of the largest model
MOST_SIZES = 6  # in a legend of sizes


def recipe_mark(recipe: str) -> tuple[str, str]:
    """Colour and marker of a recipe's forecasts; a recipe of somebody else's is drawn like the answer."""
    return MARKS.get(recipe, (VERMILLION, "D"))


def measured(params: float, sizes: Iterable[float]) -> Look:
    """A fitted run: the larger the model among ``sizes`` (parameters), the darker and larger its circle."""
    known = sorted({value for value in sizes if np.isfinite(value)})
    if params not in known:
        return MEASURED
    share = known.index(params) / max(len(known) - 1, 1) if len(known) > 1 else 1.0
    return MEASURED | {"color": to_hex(mpl.colormaps["Greys"](0.45 + 0.55 * share)), "ms": _between(share)}


def _between(share: float) -> float:
    return SMALLEST + (LARGEST - SMALLEST) * share


def size_legend(sizes: Iterable[float]) -> dict[str, Line2D]:
    """Entries of a legend that reads the sizes off the circles: all of them, or a few from smallest to largest."""
    known = sorted({value for value in sizes if np.isfinite(value)})
    if len(known) > MOST_SIZES:
        kept = [known[i] for i in np.linspace(0, len(known) - 1, MOST_SIZES).round().astype(int)]
    else:
        kept = known
    return {size_name(value): Line2D([], [], **measured(value, known)) for value in kept}


def law_look(index: int, count: int) -> Look:
    """Line of one of ``count`` laws that are drawn together, in their order: light to dark, and of a style each."""
    if count <= 1:
        return {"color": LAW, "ls": "-"}
    shade = mpl.colormaps["Blues"](0.45 + 0.5 * index / (count - 1))
    return {"color": to_hex(shade), "ls": STYLES[index % len(STYLES)]}


def forecast_handle(recipe: str = "auto") -> Line2D:
    """A forecast on a piece of its interval, for a legend."""
    colour, marker = recipe_mark(recipe)
    return Line2D([], [], color=colour, marker=marker, ms=4, lw=1.3, mec="white", mew=0.3)


def method_mark(index: int) -> tuple[str, str]:
    """Marker and colour of a plan's method: the plan itself first, as a forecast; none is a circle."""
    return ("D", FORECAST) if index == 0 else OTHERS[(index - 1) % len(OTHERS)]


def handle(look: Mapping[str, Any]) -> Line2D:
    """A mark for a legend."""
    return Line2D([], [], **look)
