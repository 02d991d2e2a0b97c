"""Numbers and names as the report prints them."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

from benchcast.stages.notices import Notice

DASH = "–"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
NBSP = "\u00a0"
RECIPES = {"llama3": "Llama 3", "overtraining": "Over-training", "ladder": "Model ladder", "auto": "Auto"}
GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "eta": "η",
    "theta": "θ",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "phi": "φ",
    "psi": "ψ",
    "omega": "ω",
}
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(value: Any, most: int = 0) -> str:
    """Text on one line that cannot reorder its neighbours; longer than ``most`` it loses its middle."""
    text = " ".join(str(value).split())
    text = "".join("\ufffd" if _unprintable(char) else char for char in text)
    if most and len(text) > most:
        half = (most - 1) // 2
        text = text[: most - 1 - half] + "…" + text[-half:]
    return text


def plain(text: str) -> str:
    """Text that a terminal shows as it is: control characters, which could move the cursor or colour, are spelled."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def display_width(text: str) -> int:
    """How wide a text is, in Latin characters: Chinese, Japanese and Korean ones count twice."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _unprintable(char: str) -> bool:
    """Control characters, lone surrogates and direction overrides."""
    return char in BIDI_CONTROLS or unicodedata.category(char) in ("Cc", "Cs")


def finite(value: Any) -> float | None:
    """The number, or None where there is none."""
    return None if value is None or not math.isfinite(value) else float(value)


def percent(value: Any) -> str:
    """A fraction in percent with one decimal; a dash for null."""
    known = finite(value)
    return DASH if known is None else minus(f"{100 * known:.1f}")


def interval(low: Any, high: Any) -> str:
    """``58.2–64.0``; negative bounds get words, or the dashes would run together."""
    if finite(low) is None or finite(high) is None:
        return DASH
    joint = " to " if min(low, high) < -0.0005 else DASH
    return percent(low) + joint + percent(high)


def minus(text: str) -> str:
    """A typographic minus, and none before zero."""
    if text.startswith("-") and not text.strip("-0."):
        return text[1:]
    return text.replace("-", "−")


def count(value: Any) -> str:
    """Parameters and tokens: ``1.3M``, ``6.9B``, ``16.6T``; beyond, as FLOPs are, a power of ten."""
    known = finite(value)
    if known is None:
        return DASH
    if known >= 1e15 * 0.9995:
        return scientific(known, 2)
    for size, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if known >= size * 0.9995:
            return f"{known / size:.3g}{suffix}"
    return f"{known:.3g}"


def scientific(value: Any, digits: int = 1) -> str:
    """``1.2×10¹⁸``."""
    known = finite(value)
    if known is None:
        return DASH
    mantissa, exponent = f"{known:.{digits}e}".split("e")
    return f"{minus(mantissa)}×10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def level(value: Any) -> str:
    """``90 %`` from 0.9."""
    return f"{100 * value:.3g} %"


def estimate(value: Any, error: Any) -> str:
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


def parameter(name: str) -> str:
    """A Greek letter for its name, and a number after it lowered: ``L_0`` is L₀."""
    head, _, tail = name.partition("_")
    lowered = tail.translate(SUBSCRIPTS) if tail.isascii() and tail.isdigit() else f"_{tail}" * bool(tail)
    return GREEK.get(head, head) + lowered


def ratio(value: float) -> str:
    """How many times: two digits below ten, whole numbers above, scientific when huge."""
    if value >= 1e4:
        return scientific(value)
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def summary(reason: Notice) -> str:
    """What reasons that differ in their numbers have in common: ``the interval is too wide``."""
    if reason.summary:
        return reason.summary
    # Of an earlier version, or without numbers.
    text = re.sub(r" \(\d+(\.\d+)?\)", "", clean(reason))
    return re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "some", text)
