"""Intervals of draws."""

from __future__ import annotations

import numpy as np

from . import checks
from .newton import Array


def central_interval(values: Array, level: float = 0.9) -> tuple[float, float]:
    """Central interval of draws; NaN where they are not finite. ValueError for a level that is not between 0 and 1."""
    checks.level(level)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
