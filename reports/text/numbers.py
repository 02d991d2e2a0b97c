"""Numbers as people read them: counts, percents, intervals. Every table, page and message prints them from here.

Fractions (accuracies, misses, widths) come in as fractions and are printed in percent or points. ``None`` and NaN are a
number that is not known: a dash.
"""

from __future__ import annotations

import math
from collections.abc import Callable

DASH = "–"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SIZES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
ROUNDS_UP = 0.9995  # of a unit: three digits of what lies above are those of the unit itself
Value = float | None


def finite(value: Value) -> float | None:
    """The number, or None where there is none."""
    return None if value is None or not math.isfinite(value) else float(value)


def minus(text: str) -> str:
    """A typographic minus, and none before zero."""
    if text.startswith("-") and not text.strip("-0."):
        return text[1:]
    return text.replace("-", "−")


# ---- fractions ----


def percent(value: Value) -> str:
    """``61.2``: a fraction in percent with one decimal."""
    known = finite(value)
    return DASH if known is None else minus(f"{100 * known:.1f}")


def points(value: Value) -> str:
    """``+1.3`` or ``−0.4``: a difference of two fractions, in percentage points with its sign."""
    known = finite(value)
    return DASH if known is None else minus(f"{100 * known:+.1f}")


def share(value: Value) -> str:
    """``2.3 %``: a small share with two digits."""
    known = finite(value)
    return DASH if known is None else f"{100 * known:.2g} %"


def level(value: float) -> str:
    """``90 %`` from 0.9: the coverage that an interval is meant to have."""
    return f"{100 * value:.3g} %"


def interval(low: Value, high: Value) -> str:
    """``58.2–64.0`` in percent; negative bounds get words, or the dashes would run together."""
    if low is None or high is None or finite(low) is None or finite(high) is None:
        return DASH
    joint = " to " if min(low, high) < -0.0005 else DASH
    return percent(low) + joint + percent(high)


def brief(low: float, high: float) -> str:
    """``(58–64)``: bounds of an interval in whole points are exact enough to decide by."""
    return f"({minus(f'{100 * low:.0f}')}{DASH}{minus(f'{100 * high:.0f}')})"


def score(value: Value, low: Value = None, high: Value = None) -> str:
    """``71``: a share in whole percent; with a decimal where its interval is less than three points wide."""
    known = finite(value)
    return DASH if known is None else minus(f"{100 * known:.{_decimals(low, high)}f}")


def score_range(low: Value, high: Value) -> str:
    """``58 to 84``: an interval in words and percent, empty where there is none."""
    start, end = finite(low), finite(high)
    if start is None or end is None:
        return ""
    places = _decimals(low, high)
    return minus(f"{100 * start:.{places}f}") + " to " + minus(f"{100 * end:.{places}f}")


def _decimals(low: Value, high: Value) -> int:
    """Whole points would hide a narrow interval."""
    start, end = finite(low), finite(high)
    return 1 if start is not None and end is not None and end - start < 0.03 else 0


def percent_range(values: list[float]) -> str:
    """One number in percent where all agree on it, else their range; a dash for none."""
    shown = [percent(v) for v in sorted(values)]
    return DASH if not shown else shown[0] if shown[0] == shown[-1] else f"{shown[0]}{DASH}{shown[-1]}"


# ---- counts ----


def count(value: Value) -> str:
    """Parameters and tokens: ``56.1K``, ``6.9B``, ``16.6T``; beyond, as FLOPs are, a power of ten."""
    known = finite(value)
    if known is None:
        return DASH
    if known >= 1e15 * ROUNDS_UP:
        return scientific(known, 2)
    for size, suffix in SIZES:
        if known >= size * ROUNDS_UP:
            return f"{known / size:.3g}{suffix}"
    return f"{known:.3g}"


def size(value: float) -> str:
    """``1.4B``, ``190M``, ``56K``: a model size of two digits, as runs and curves are named by it."""
    for unit, suffix in SIZES:
        if value >= unit:
            scaled = value / unit
            return f"{scaled:.2g}{suffix}" if scaled < 10 else f"{scaled:.0f}{suffix}"
    return f"{value:g}"


def scientific(value: Value, digits: int = 1) -> str:
    """``1.2×10¹⁸``: FLOPs."""
    known = finite(value)
    if known is None:
        return DASH
    mantissa, exponent = f"{known:.{digits}e}".split("e")
    return f"{minus(mantissa)}×10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def typed(value: Value) -> str:
    """``1.2e+18``: FLOPs on a terminal, as they are typed into a config or after ``--flops``."""
    return DASH if value is None else f"{value:.3g}"


def ratio(value: float) -> str:
    """How many times: two digits below ten, whole numbers above, scientific when huge."""
    if value >= 1e4:
        return scientific(value)
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


# ---- estimates ----


def significant(value: Value) -> str:
    """Three digits: a rate, an exponent, a number of tokens per parameter."""
    return DASH if value is None else f"{value:.3g}"


def loss(value: Value) -> str:
    """Nats per token, to three decimals."""
    return DASH if value is None else f"{value:.3f}"


def within(value: Value, low: Value, high: Value, show: Callable[[float], str] = significant) -> str:
    """``1.2 (1.1–1.4)``: a number of any kind with its interval, each printed by ``show``."""
    if value is None:
        return DASH
    if low is None or high is None:
        return f"{show(value)} (no interval)"
    return f"{show(value)} ({show(low)}{DASH}{show(high)})"


def estimate(value: Value, error: Value) -> str:
    """``1.234 ± 0.056``: as many decimals as two digits of the standard error justify."""
    known, spread = finite(value), finite(error)
    if known is None:
        return DASH
    if spread is None or spread <= 0:
        return f"{_plain(known, 4)} (no s.e.)" if spread is None else f"{_plain(known, 4)} (fixed)"
    size = max(abs(known), spread)
    if 1e-3 <= size < 1e5:
        places = _places(known, spread)
        return f"{_rounded(known, places)} ± {_rounded(spread, places)}"
    exponent = math.floor(math.log10(size))
    scale = 10.0**exponent
    places = max(_places(known / scale, spread / scale), 0)
    power = str(exponent).translate(SUPERSCRIPTS)
    return f"({_rounded(known / scale, places)} ± {_rounded(spread / scale, places)})×10{power}"


def _places(value: float, spread: float) -> int:
    """Decimals that keep two digits of the error, and never fewer than one digit of the estimate; at most eight."""
    places = 1 - math.floor(math.log10(spread))
    if value != 0:
        places = max(places, -math.floor(math.log10(abs(value))))
    return min(places, 8)


def _rounded(value: float, places: int) -> str:
    """Fixed-point text, rounding left of the point too."""
    return minus(f"{round(value, places):.{max(places, 0)}f}")


def _plain(value: float, digits: int) -> str:
    """A number with so many significant digits, scientific when very large or small."""
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        return scientific(value, digits - 1)
    return minus(f"{value:.{digits}g}")
