"""Checks of what a caller sets: a wrong value raises ValueError with its name, before anything is fitted."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any


def is_number(value: Any) -> bool:
    """Whether it is a finite real number, a truth value excluded."""
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def threshold(owner: str, name: str, value: Any) -> None:
    """A Huber threshold: None, or a number above zero.

    Raises
    ------
    ValueError
        For anything else.
    """
    if value is not None and not (is_number(value) and value > 0):
        raise ValueError(f"{owner}: {name} must be a positive number or None; got {value!r}")


def limits(owner: str, name: str, value: Any, low: float = -1.0, high: float = 1.0) -> tuple[float, float]:
    """A fixed value or a pair of bounds, fractions of an accuracy between ``low`` and ``high``, as a pair.

    Raises
    ------
    ValueError
        For anything else, or bounds the wrong way round.
    """
    pair = value if isinstance(value, tuple) else (value, value)
    if len(pair) != 2 or not all(is_number(end) and low <= end <= high for end in pair):
        percent = "; is it in percent?" if any(is_number(end) and end > high for end in pair) else ""
        raise ValueError(
            f"{owner}: {name} must be a number in [{low:g}, {high:g}] or a tuple of two; got {value!r}{percent}"
        )
    if pair[0] > pair[1]:
        raise ValueError(f"{owner}: {name}: the lower bound must not be above the upper; got {value!r}")
    return float(pair[0]), float(pair[1])


def fraction(owner: str, name: str, value: Any) -> None:
    """A fraction in [0, 1), such as the score of guessing.

    Raises
    ------
    ValueError
        For anything else.
    """
    if not is_number(value) or not 0 <= value < 1:
        raise ValueError(f"{owner}: {name} must be a fraction in [0, 1); got {value!r}")


def level(value: Any) -> None:
    """Nominal coverage of an interval, between 0 and 1.

    Raises
    ------
    ValueError
        For anything else, such as 90 for 90 %.
    """
    if not (is_number(value) and 0 < value < 1):
        raise ValueError(f"level must be between 0 and 1 (0.9 for 90 %); got {value!r}")


def count(name: str, value: Any, least: int = 1) -> None:
    """A whole number of at least ``least``.

    Raises
    ------
    ValueError
        For anything else.
    """
    if not is_number(value) or value != int(value) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}; got {value!r}")
