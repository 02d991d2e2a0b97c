"""Counts as people write them (7B, 1.4T), and numbers that cannot be in the unit they are said to be in.

The rules of the second are wide on purpose: they find a factor of a thousand or more, never an unusual run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from benchcast.stages.notices import Notice, readers

if TYPE_CHECKING:
    import pandas as pd

FEWEST_PARAMS = 1e3  # the smallest language models of published ladders have some ten thousand
MOST_PARAMS = 1e14
# Tokens per parameter of published runs: from 0.05 (first checkpoints) to some 30,000 (small models, all data).
FEWEST_RATIO = 1e-3
MOST_RATIO = 1e6
FEWEST_EARLY = 1e4  # tokens of one step: a checkpoint of so many may be the first of a run that goes on
FIRST_STEPS = 1000
MOST_PER_STEP = 1e9
FEWEST_LARGEST = 3e4, 2e7  # parameters and tokens of a table's largest run: one of both is above
SCALES = {1e3: "thousands", 1e6: "millions", 1e9: "billions", 1e12: "trillions"}
USUAL_RATIO = (1.0, 2000.0)
MOST_OFF = 300.0  # FLOPs over 6·params·tokens, either way: no convention is so far off, and units are off by 1000
ZEROS = {"k": 3, "m": 6, "b": 9, "g": 9, "t": 12}
POWERS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}  # IEC 80000-13, as in 4Ki = 4096
WORDS = {"thousand": "K", "million": "M", "mn": "M", "billion": "B", "bn": "B", "trillion": "T", "tn": "T"}
NAMES = {"K": "thousand", "M": "million", "B": "billion", "T": "trillion"}
WRITTEN = re.compile(r"([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d_][^\d]*)")


def quantity(value: Any) -> Any:
    """A count as people write it, ``7B``, ``1.4T``, ``160k`` or ``4Mi``, as a number; anything else as it is.

    ``K``, ``M``, ``B`` (or ``G``) and ``T`` in either case are 10^3, 10^6, 10^9 and 10^12; ``Ki``, ``Mi``, ``Gi`` and
    ``Ti`` are 2^10 to 2^40.

    Raises
    ------
    ValueError
        For a number with a unit that is none of them, saying how to write it.
    """
    found = WRITTEN.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return value
    number, unit = found.groups()
    if unit in POWERS:
        return float(number) * POWERS[unit]
    if unit.lower() in ZEROS:
        digits, _, exponent = number.lower().partition("e")
        return float(f"{digits}e{int(exponent or 0) + ZEROS[unit.lower()]}")  # 2.3B is the very number that 2.3e9 is
    raise ValueError(_unknown_unit(number, unit))


def length(value: Any) -> Any:
    """As ``quantity``, for the tokens of a step or a sequence: there ``4k`` may mean 4000 or 4096, and is refused.

    Raises
    ------
    ValueError
        For such a number, with both that it may mean; and as ``quantity`` does.
    """
    found = WRITTEN.fullmatch(value.strip()) if isinstance(value, str) else None
    unit = found[2].lower() if found else ""
    if found is None or unit not in ("k", "m"):
        return quantity(value)
    both = [f"{float(found[1]) * scale:.15g}" for scale in (10 ** ZEROS[unit], POWERS[f"{unit.upper()}i"])]
    raise ValueError(f"may mean {both[0]} or {both[1]}; write the number, or {found[1]}{unit.upper()}i for the second")


def _unknown_unit(number: str, unit: str) -> str:
    known = "K, M, B and T are thousand, million, billion and trillion"
    if letter := WORDS.get(unit.lower()):
        return f"write {number}{letter} ({known})"
    if re.fullmatch(r"[kKMGT]i?[Bb]", unit):
        letter = {"G": "B"}.get(unit[0], unit[0].upper())
        return f"{unit} counts bytes; write {number}{letter} for {number} {NAMES[letter]}"
    if unit.lower() == "x":
        return f"write {number}"
    return f"{unit.strip()!r} is not a unit here; {known}, as in 7B, or write the number, as in 3.8e25"


def impossible(params: float | None, tokens: float | None) -> str | None:
    """What is wrong with a model of this many parameters on this many tokens; None where nothing is.

    Parameters
    ----------
    params, tokens : float or None
        Plain counts; None where unknown.
    """
    if params is not None and not FEWEST_PARAMS <= params <= MOST_PARAMS:
        return f"{params:g} parameters cannot be a language model's{_guess(params, 1e6, 1e12)}"
    if params is None or tokens is None:
        return None
    ratio = tokens / params
    if FEWEST_RATIO <= ratio <= MOST_RATIO:
        return None
    ratio_says = f"{tokens:g} tokens for {params:g} parameters are {ratio:.2g} tokens per parameter, which cannot be"
    for scale, name in SCALES.items():
        if USUAL_RATIO[0] <= ratio * scale <= USUAL_RATIO[1]:
            return f"{ratio_says}; are the tokens in {name}?"
    for scale, name in SCALES.items():
        if USUAL_RATIO[0] <= ratio / scale <= USUAL_RATIO[1]:
            return f"{ratio_says}; are the parameters in {name}?"
    return f"{ratio_says}; give both as plain counts"


def first_steps(step: pd.Series, tokens: pd.Series) -> pd.Series:
    """Which checkpoints are of a run's first steps, with the tokens that a usual batch has in plain counts."""
    return step.between(1, FIRST_STEPS) & (tokens / step).between(FEWEST_EARLY, MOST_PER_STEP)


def both_in_millions(params: float, tokens: float) -> str | None:
    """What is wrong with a table whose largest run has so many parameters, and whose longest so many tokens.

    In any one unit their ratio is as usual, so only their size tells.
    """
    if params >= FEWEST_LARGEST[0] or tokens >= FEWEST_LARGEST[1]:
        return None
    return (
        f"the largest run has {params:g} parameters and the longest {tokens:g} tokens, too few for language "
        "models; are both in millions?"
    )


def unusual(ratio: pd.Series) -> Notice | None:
    """A notice of the tokens per parameter of all runs, where none has a usual number of them; None else."""
    least, most = float(ratio.min()), float(ratio.max())
    if USUAL_RATIO[0] / 2 <= most and least <= USUAL_RATIO[1]:
        return None
    return readers.ODD_RATIO(least=least, most=most, low=USUAL_RATIO[0], high=USUAL_RATIO[1])


def impossible_multiplier(ratio: float) -> str | None:
    """What is wrong with so many tokens per parameter; None where nothing is."""
    if FEWEST_RATIO <= ratio <= MOST_RATIO:
        return None
    return f"{ratio:g} tokens per parameter cannot be; usual are 1 to 2000"


def impossible_flops(params: float, tokens: float, flops: float) -> str | None:
    """What is wrong with training FLOPs of a model, under whatever convention; None where nothing is."""
    factor = flops / (6 * params * tokens)
    if 1 / MOST_OFF <= factor <= MOST_OFF:
        return None
    factor_says = f"{flops:g} FLOPs are {factor:.2g} times 6·params·tokens, which no way of counting gives"
    near = {1e15: "petaFLOPs", 1e18: "exaFLOPs", 1e21: "zettaFLOPs"}
    for scale, name in near.items():
        if 0.3 < factor * scale < 3:
            return f"{factor_says}; are they in {name}?"
    return f"{factor_says}; are params or tokens in another unit?"


def _guess(value: float, low: float, high: float) -> str:
    for scale in (1e9, 1e6, 1e3):
        if low <= value * scale <= high and value < FEWEST_PARAMS:
            return f"; are they in {SCALES[scale]}?"
    return ""
