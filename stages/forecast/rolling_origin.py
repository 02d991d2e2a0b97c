"""Splits that respect time's arrow: fit on what was cheap, predict what was dear.

Forecasting's rolling origin (Tashman, Int. J. Forecasting 16 (2000)), with training FLOPs as the clock. Exchangeable
splits tell nothing about extrapolation: intervals calibrated on them covered nothing at a hundred times the compute.
A ladder that grew in tokens tells little of a target that grows in size, so a ladder is also cut at a model size and at
a training length.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator

from ..fit import checks

BUDGET_RTOL_FACTOR = 1.0001  # budgets within this factor are one budget
Axis = Literal["flops", "params", "tokens"]
AXES: tuple[Axis, ...] = ("flops", "params", "tokens")


@dataclass(frozen=True, kw_only=True)
class Horizon:
    """What a forecaster has seen: the runs up to a compute (FLOPs), a size (parameters) and a length (tokens)."""

    axis: Axis | None = None
    """What was cut; None for the whole ladder."""

    flops: float = math.inf
    params: float = math.inf
    tokens: float = math.inf

    @property
    def name(self) -> str:
        """Unlike that of any other horizon of the ladder."""
        return f"{self.axis} {getattr(self, self.axis):.9g}" if self.axis else "whole ladder"

    def sees(self, runs: pd.DataFrame) -> NDArray[np.bool_]:
        """Which of some runs (flops, params, tokens) lie within it."""
        within = [runs[axis].to_numpy(dtype=float) <= getattr(self, axis) * BUDGET_RTOL_FACTOR for axis in AXES]
        return np.asarray(np.logical_and.reduce(within))

    @classmethod
    def below(cls, axis: Axis, most: float) -> Horizon:
        """The ladder cut at one axis."""
        limits = {each: most if each == axis else math.inf for each in AXES}
        return cls(axis=axis, flops=limits["flops"], params=limits["params"], tokens=limits["tokens"])


def horizons(runs: pd.DataFrame, min_runs: int, max_cutoffs: int) -> list[Horizon]:
    """Where a ladder is cut: along compute, and a third as often along size and length each; cheapest first.

    Parameters
    ----------
    runs : DataFrame
        A row per run: flops, params, tokens.
    min_runs, max_cutoffs : int
        Runs that a horizon must hold, and cutoffs along compute at most.
    """
    most = {"flops": max_cutoffs, "params": max_cutoffs // 3, "tokens": max_cutoffs // 3}
    found = []
    for axis in AXES:
        if most[axis]:
            splitter = RollingOrigin(runs[axis].to_numpy(dtype=float), min_runs, most[axis])
            found += [Horizon.below(axis, cutoff) for cutoff in splitter.cutoffs(runs[[axis]])]
    return found


class RollingOrigin(BaseCrossValidator):
    """A scikit-learn cross-validator: train at or below a compute cutoff, test above it.

    ``groups`` are the training runs: a run stands where its last checkpoint stands, so none is on both sides. Of a
    test run only the checkpoints above the cutoff are tested.

    Parameters
    ----------
    flops : (n,), optional
        Training FLOPs of every row; by default the first column of ``X``.
    min_runs : int
        Runs that a training set needs.
    max_cutoffs : int
        Cutoffs at most, spread evenly over log C.
    """

    def __init__(self, flops: ArrayLike | None = None, min_runs: int = 6, max_cutoffs: int = 8) -> None:
        self.flops = flops
        self.min_runs = min_runs
        self.max_cutoffs = max_cutoffs

    def split(
        self, X: Any, y: Any = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[NDArray[np.int_], NDArray[np.int_]]]:
        """Row numbers to train on and to test on, for every cutoff, cheapest first."""
        flops, ends = self._clock(X, groups)
        for cutoff in self.cutoffs(X, groups):
            train = np.flatnonzero(ends <= cutoff * BUDGET_RTOL_FACTOR)
            test = np.flatnonzero((ends > cutoff * BUDGET_RTOL_FACTOR) & (flops > cutoff * BUDGET_RTOL_FACTOR))
            yield train, test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: ArrayLike | None = None) -> int:
        """The number of cutoffs."""
        return len(self.cutoffs(X, groups))

    def cutoffs(self, X: Any = None, groups: ArrayLike | None = None) -> list[float]:
        """Compute cutoffs that leave enough runs below and at least one above.

        Raises
        ------
        ValueError
            For a ``min_runs`` or ``max_cutoffs`` that is not a whole number above zero.
        """
        checks.count("min_runs", self.min_runs)
        checks.count("max_cutoffs", self.max_cutoffs)
        _, ends = self._clock(X, groups)
        ids = np.arange(len(ends)) if groups is None else np.asarray(groups)
        budgets = np.sort([ends[ids == run][0] for run in np.unique(ids)])
        cutoffs: list[float] = []
        for i, budget in enumerate(budgets[:-1]):
            last_of_its_kind = budgets[i + 1] > budget * BUDGET_RTOL_FACTOR
            if i + 1 >= self.min_runs and last_of_its_kind:
                cutoffs.append(float(budget))
        if len(cutoffs) <= self.max_cutoffs:
            return cutoffs
        wanted = np.geomspace(cutoffs[0], cutoffs[-1], self.max_cutoffs)
        return sorted({min(cutoffs, key=lambda c: abs(np.log(c / w))) for w in wanted})

    def _clock(self, X: Any, groups: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """FLOPs of every row, and of the end of its run."""
        if self.flops is not None:
            flops = np.asarray(self.flops, dtype=float)
        else:
            flops = np.asarray(X.iloc[:, 0] if hasattr(X, "iloc") else np.asarray(X)[:, 0], dtype=float)
        if groups is None:
            return flops, flops
        ids = np.unique(np.asarray(groups), return_inverse=True)[1]
        ends = np.zeros(ids.max() + 1)
        np.maximum.at(ends, ids, flops)
        return flops, ends[ids]
