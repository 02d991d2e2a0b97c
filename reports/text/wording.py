"""Names and sentences as the report prints them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchcast.stages.notices import Notice

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
NBSP = "\u00a0"
NAME = 44  # characters of a name in a table
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


def shortened(text: str, most: int) -> str:
    """Text on one line, no wider than ``most`` Latin characters: its middle goes, its end stays."""
    cleaned = clean(text)
    letters = len(cleaned)
    while letters > 3 and display_width(clean(cleaned, letters)) > most:
        letters -= 1
    return clean(cleaned, letters)


def plain(text: str) -> str:
    """Text that a terminal shows as it is: control characters, which could move the cursor or colour, are spelled."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def recipe_name(recipe: str) -> str:
    """A recipe's display name."""
    return RECIPES.get(recipe, clean(recipe, NAME))


def display_width(text: str) -> int:
    """How wide a text is, in Latin characters: Chinese, Japanese and Korean ones count twice."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _unprintable(char: str) -> bool:
    """Control characters, lone surrogates and direction overrides."""
    return char in BIDI_CONTROLS or unicodedata.category(char) in ("Cc", "Cs")


def parameter(name: str) -> str:
    """A Greek letter for its name, and a number after it lowered: ``L_0`` is L₀."""
    head, _, tail = name.partition("_")
    lowered = tail.translate(SUBSCRIPTS) if tail.isascii() and tail.isdigit() else f"_{tail}" * bool(tail)
    return GREEK.get(head, head) + lowered


def step(x_unit: str, y_unit: str) -> str:
    """What a law does, by its units: ``step from loss to accuracy``."""
    start, end = ("loss" if re.search("/(byte|token)", unit) else clean(unit) for unit in (x_unit, y_unit))
    return f"step from {start} to {end}"


def summary(reason: Notice) -> str:
    """What reasons that differ in their numbers have in common: ``the interval is too wide``."""
    if reason.summary:
        return reason.summary
    # Of an earlier version, or without numbers.
    text = re.sub(r" \(\d+(\.\d+)?\)", "", clean(reason))
    return re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "some", text)


def shared(reasons: Sequence[Notice]) -> str:
    """What reasons of one summary say: their numbers too where all have the same and the summary only hides them."""
    texts = {clean(reason) for reason in reasons}
    return texts.pop() if len(texts) == 1 and not reasons[0].summary else summary(reasons[0])
