"""The candidates among which ``auto`` averages: a law for each step, the runs it is fitted to, and their weights.

The default set lowers the mean miss in the backtests of four ladders taken together (two data mixes of the
over-training testbed, the model ladder's, our own); no target was looked at. Those marked ``wide`` do not, or help some
ladders and hurt others (the table is in docs/methods/auto.md): they are there for who wants a wider fan of forms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ..fit.newton import Array
from ..laws.accuracy.compute_sigmoid import FLOPsToAccuracy
from ..laws.accuracy.direct_accuracy import DirectAccuracy
from ..laws.accuracy.exponential_error import LossToError
from ..laws.accuracy.loss_sigmoid import NLLToAccuracy
from ..laws.base import Law
from ..laws.loss.broken_power import BrokenPower
from ..laws.loss.floored_power import FlooredPower
from ..laws.loss.log_linear import FLOPsToNLL
from ..laws.loss.overtraining import OvertrainedLoss
from ..laws.loss.pure_power import PurePower
from ..laws.loss.task_loss import TaskLoss

FREE = "free sigmoid"
FEWEST = 7  # runs that a window keeps at least
COMPUTE_POWER = 0.3  # weight of a run is its compute to this power
ROBUST_LOSS, ROBUST_ACCURACY = 1e-3, 0.02  # Huber thresholds: of log loss (as published), of accuracy


@dataclass(frozen=True)
class Step:
    """One step of a form.

    Attributes
    ----------
    make : function of the lowest score to expect (chance, or a little below) to an unfitted law
    largest : float
        Share of the runs it is fitted to, those with the most compute.
    weights : {"equal", "compute", "sampling"}
        Of the observations: equal; growing with compute; one over the binomial variance of the score.
    ends : bool
        Only the end of every run, not its checkpoints.
    error : bool
        The law is of the error, 1 - accuracy.
    pinned : bool
        The law's bounds are part of the form (a floor near chance): ending at one is no warning.
    wide : bool
        Tried only where a wide choice is asked for.
    """

    make: Callable[[float], Law]
    largest: float = 1.0
    weights: Literal["equal", "compute", "sampling"] = "equal"
    ends: bool = False
    error: bool = False
    pinned: bool = False
    wide: bool = False

    def window(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows (one per run) that the step is fitted to; none where its window would hold them all."""
        if self.largest >= 1:
            return rows
        keep = max(FEWEST, int(np.ceil(self.largest * len(rows))))
        return rows.sort_values("flops", kind="stable").tail(keep if keep < len(rows) else 0)

    def weigh(self, flops: Array, accuracy: Array) -> Array | None:
        """Weights of observations, (n,); None where all count the same."""
        if self.weights == "compute":
            return np.asarray((flops / flops.max()) ** COMPUTE_POWER)
        if self.weights == "sampling":
            return 1 / np.maximum(accuracy * (1 - accuracy), 0.02)
        return None


def _soft_floor(chance: float) -> tuple[float, float]:
    """Small models can sit below nominal chance."""
    return max(0.0, chance - 0.06), chance + 0.02


def _to_one(low: float, huber: float | None = None) -> Law:
    return NLLToAccuracy(_soft_floor(low), 1.0, huber)


def _free(low: float, huber: float | None = None) -> Law:
    return NLLToAccuracy((-1.0, 1.0), (0.0, 1.0), huber)


# To a middle quantity (a loss).
FIRST: dict[str, Step] = {
    "N and D": Step(lambda low: TaskLoss(huber=None)),
    "C and M": Step(lambda low: OvertrainedLoss()),
    "C": Step(lambda low: FlooredPower()),
    "N and D, no floor": Step(lambda low: PurePower()),
    "N and D, robust": Step(lambda low: TaskLoss(huber=ROBUST_LOSS), wide=True),
    "N and D, weighed": Step(lambda low: TaskLoss(huber=None), weights="compute", wide=True),
    "N and D, no floor, larger runs": Step(lambda low: PurePower(), largest=0.6, wide=True),
    "C and M, larger runs": Step(lambda low: OvertrainedLoss(), largest=0.6, wide=True),
    "C, one break": Step(lambda low: BrokenPower(), wide=True),
    "line in log C, larger runs": Step(lambda low: FLOPsToNLL(), largest=0.6, wide=True),
}

# From it to accuracy.
SECOND: dict[str, Step] = {
    "sigmoid to 1": Step(_to_one, pinned=True),
    FREE: Step(_free),
    "sigmoid, chance to 1": Step(lambda low: NLLToAccuracy(low, 1.0), pinned=True),
    "exponential": Step(lambda low: LossToError(), error=True),
    "sigmoid to 1, robust": Step(lambda low: _to_one(low, ROBUST_ACCURACY), pinned=True, wide=True),
    "free sigmoid, robust": Step(lambda low: _free(low, ROBUST_ACCURACY), wide=True),
    "sigmoid to 1, weighed": Step(_to_one, weights="compute", pinned=True, wide=True),
    "free sigmoid, sampling weights": Step(_free, weights="sampling", wide=True),
    "free sigmoid, larger runs": Step(_free, largest=0.6, wide=True),
    "free sigmoid, ends of runs": Step(_free, ends=True, wide=True),
}

# Compute straight to accuracy. The limits of an error are those of an accuracy: to reach one is no warning.
DIRECT: dict[str, Step] = {
    "direct law": Step(lambda low: DirectAccuracy()),
    "sigmoid in log C": Step(lambda low: FLOPsToAccuracy(low)),
    "error in C": Step(lambda low: FlooredPower(), error=True, pinned=True),
    "error in C and M": Step(lambda low: OvertrainedLoss(), error=True, pinned=True),
    "direct law, larger runs": Step(lambda low: DirectAccuracy(), largest=0.6, wide=True),
    "line in log C, larger runs": Step(lambda low: FLOPsToNLL(), largest=0.6, wide=True),
}
