"""The candidates among which ``auto`` averages: a law for each step, the runs it is fitted to, and their weights.

What stands here by default was admitted by the backtests of four ladders (two data mixes of the over-training testbed,
the model ladder's, our own), never by a target. ``WIDE`` candidates were tried on the same backtests and change the
error by less than its noise (see docs/methods/auto.md): they are there for who wants a wider specification curve.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from stages.base import Law
from stages.broken_power import BrokenPower
from stages.compute_sigmoid import FLOPsToAccuracy
from stages.direct import DirectAccuracy
from stages.error import LossToError
from stages.fitting import Array
from stages.floored_power import FlooredPower
from stages.linear import FLOPsToNLL
from stages.overtrained import OvertrainedLoss
from stages.pure_power import PurePower
from stages.sigmoid import NLLToAccuracy
from stages.task_loss import TaskLoss

FREE = "free sigmoid"
FEWEST = 7  # runs that a window keeps at least
COMPUTE_POWER = 0.3  # weight of a run is its compute to this power
ROBUST_LOSS, ROBUST_ACCURACY = 1e-3, 0.02  # Huber thresholds: of log loss (as published), of accuracy


@dataclass(frozen=True)
class Step:
    """One step of a form.

    Attributes
    ----------
    make : function of the score of the smallest models (chance, or a little below) to an unfitted law
    largest : float
        Share of the runs it is fitted to, those with the most compute.
    weights : {"equal", "compute", "sampling"}
        Of the observations: equal; growing with compute; one over the binomial variance of the score.
    ends : bool
        Only the end of every run, not its checkpoints.
    error : bool
        The law is of the error, 1 - accuracy.
    wide : bool
        Tried only where a wide choice is asked for.
    """

    make: Callable[[float], Law]
    largest: float = 1.0
    weights: Literal["equal", "compute", "sampling"] = "equal"
    ends: bool = False
    error: bool = False
    wide: bool = False

    def window(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows (one per run) that the step is fitted to."""
        if self.largest >= 1:
            return rows
        keep = max(FEWEST, int(np.ceil(self.largest * len(rows))))
        return rows.sort_values("flops", kind="stable").tail(keep)

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


def _to_one(chance: float) -> Law:
    return NLLToAccuracy(_soft_floor(chance), 1.0)


def _free(chance: float) -> Law:
    return NLLToAccuracy((-1.0, 1.0), (0.0, 1.0))


# To a middle quantity (a loss).
FIRST: dict[str, Step] = {
    "N and D": Step(lambda chance: TaskLoss(huber=None)),
    "C and M": Step(lambda chance: OvertrainedLoss()),
    "C": Step(lambda chance: FlooredPower()),
    "N and D, no floor": Step(lambda chance: PurePower()),
    "N and D, robust": Step(lambda chance: TaskLoss(huber=ROBUST_LOSS), wide=True),
    "N and D, weighed": Step(lambda chance: TaskLoss(huber=None), weights="compute", wide=True),
    "N and D, no floor, larger runs": Step(lambda chance: PurePower(), largest=0.6, wide=True),
    "C and M, larger runs": Step(lambda chance: OvertrainedLoss(), largest=0.6, wide=True),
    "C, one break": Step(lambda chance: BrokenPower(), wide=True),
    "line in log C, larger runs": Step(lambda chance: FLOPsToNLL(), largest=0.6, wide=True),
}

# From it to accuracy.
SECOND: dict[str, Step] = {
    "sigmoid to 1": Step(_to_one),
    FREE: Step(_free),
    "sigmoid, chance to 1": Step(lambda chance: NLLToAccuracy(chance, 1.0)),
    "exponential": Step(lambda chance: LossToError(), error=True),
    "sigmoid to 1, robust": Step(lambda chance: NLLToAccuracy(_soft_floor(chance), 1.0, ROBUST_ACCURACY), wide=True),
    "free sigmoid, robust": Step(lambda chance: NLLToAccuracy((-1.0, 1.0), (0.0, 1.0), ROBUST_ACCURACY), wide=True),
    "sigmoid to 1, weighed": Step(_to_one, weights="compute", wide=True),
    "free sigmoid, sampling weights": Step(_free, weights="sampling", wide=True),
    "free sigmoid, larger runs": Step(_free, largest=0.6, wide=True),
    "free sigmoid, ends of runs": Step(_free, ends=True, wide=True),
}

# Compute straight to accuracy.
DIRECT: dict[str, Step] = {
    "direct law": Step(lambda floor: DirectAccuracy()),
    "sigmoid in log C": Step(lambda floor: FLOPsToAccuracy(floor)),
    "error in C": Step(lambda floor: FlooredPower(), error=True),
    "error in C and M": Step(lambda floor: OvertrainedLoss(), error=True),
    "direct law, larger runs": Step(lambda floor: DirectAccuracy(), largest=0.6, wide=True),
    "line in log C, larger runs": Step(lambda floor: FLOPsToNLL(), largest=0.6, wide=True),
}
