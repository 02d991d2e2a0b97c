"""How a law takes part in ``auto``: for which step, with which settings, fitted to which of the runs.

A law says this itself, in the decorator of its class (see ``registry``), so that a new candidate is one entry in one
file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from ..fit.newton import Array

if TYPE_CHECKING:
    from .base import Law

MIN_WINDOW_RUNS = 7  # runs that a window keeps at least: a law of five parameters needs seven
# A run's weight is its compute (FLOPs) to this power, where weights grow with compute. Judged by mean misses of four
# ladders' backtests (benchmarks/trust.py --candidates; docs/methods/auto.md), where other powers were no better.
COMPUTE_WEIGHT_POWER = 0.3
MIN_BINOMIAL_VARIANCE = 0.02  # p (1 - p) of a score is read as at least this (p = 0.02 or 0.98) when it sets a weight
LAST = 1000  # rank of a candidate that does not say where it belongs
Settings = Mapping[str, Any]


class Step(StrEnum):
    """The part of the way from a training budget to a score that a law covers."""

    BUDGET_TO_LOSS = "budget to loss"
    """From FLOPs, or from parameters and tokens, to an intermediate loss."""

    LOSS_TO_ACCURACY = "loss to accuracy"
    """From the intermediate loss to accuracy."""

    BUDGET_TO_ACCURACY = "budget to accuracy"
    """From FLOPs, or FLOPs and tokens per parameter, straight to accuracy."""


@dataclass(frozen=True, kw_only=True)
class CandidateLaw:
    """A law as one of those that ``auto`` fits and averages.

    Attributes
    ----------
    name : str
        As reports print it; unique within its step.
    step : Step
    rank : int
        Place in the list of its step: candidates are fitted and listed by growing rank, then by name.
    settings : mapping, or function of a score to a mapping
        What the law's constructor gets; the function takes the lowest score to expect (chance, or a little below).
    compute_fraction : float
        Share of the runs it is fitted to, those with the most compute.
    weights : {"equal", "compute", "sampling"}
        Of the observations: equal; growing with compute; one over the binomial variance of the score.
    final_checkpoints_only : bool
        Only the end of every run, not its checkpoints.
    of_error : bool
        The law is of the error, 1 - accuracy.
    structural_bounds : bool
        The law's bounds are part of the candidate (a floor near chance): a parameter at one is not a warning.
    extended : bool
        Tried only where a wider choice of laws is asked for.
    references : bool
        The law is fitted to reference models too, and tried only where there are some; it takes ``families``.
    zero_chance : bool
        Tried only where guessing is known to score nothing, as with answers that are generated.
    law : type of Law
        Filled in where the law is registered.
    """

    name: str
    step: Step
    rank: int = LAST
    settings: Settings | Callable[[float], Settings] = field(default_factory=dict)
    compute_fraction: float = 1.0
    weights: Literal["equal", "compute", "sampling"] = "equal"
    final_checkpoints_only: bool = False
    of_error: bool = False
    structural_bounds: bool = False
    extended: bool = False
    references: bool = False
    zero_chance: bool = False
    law: type[Law] | None = None

    def make(self, lowest_score: float) -> Law:
        """An unfitted law, for a task whose scores are expected to be at least ``lowest_score``."""
        if self.law is None:
            raise TypeError(f"candidate {self.name!r} belongs to no law: register it with its law")
        return self.law(**(self.settings(lowest_score) if callable(self.settings) else self.settings))

    def window(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows (one per run) that the law is fitted to; none where the window would hold them all."""
        if self.compute_fraction >= 1:
            return rows
        keep = max(MIN_WINDOW_RUNS, int(np.ceil(self.compute_fraction * len(rows))))
        return rows.sort_values("flops", kind="stable").tail(keep if keep < len(rows) else 0)

    def weigh(self, flops: Array, accuracy: Array) -> Array | None:
        """Weights of observations, (n,); None where all count the same."""
        if self.weights == "compute":
            return np.asarray((flops / flops.max()) ** COMPUTE_WEIGHT_POWER)
        if self.weights == "sampling":
            return 1 / np.maximum(accuracy * (1 - accuracy), MIN_BINOMIAL_VARIANCE)
        return None
