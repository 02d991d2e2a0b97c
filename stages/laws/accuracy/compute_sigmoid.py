"""Training FLOPs straight to accuracy, between a floor and 1: a sigmoid in log C."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from sklearn.utils.validation import check_is_fitted

from ...fit import checks
from ...fit.newton import Array
from ..base import Law, Parameter, log_count, only_finite, stack_jacobian
from ..candidate import CandidateLaw, Step
from ..registry import law

LN10 = np.log(10.0)


@law(
    CandidateLaw(
        name="sigmoid in log C", step=Step.BUDGET_TO_ACCURACY, rank=20, settings=lambda lowest: {"floor": lowest}
    ),
)
class FLOPsToAccuracy(Law):
    r"""Accuracy as a sigmoid of the logarithm of compute.

    .. math:: \mathrm{Acc}(C) = f + \frac{1 - f}{1 + \exp(-(a + k \log_{10} C))}

    with C in FLOPs and Acc a fraction; a + k log10 C are log-odds.

    Parameters
    ----------
    floor : float
        What the smallest models score: chance, or a little below it.

    References
    ----------
    Owen, How predictable is language model benchmark performance?, arXiv 2401.04757 (benchmark scores follow an S-curve
    in compute).
    """

    columns = ("flops",)
    parameters = (Parameter("floor", "accuracy"), Parameter("a", "log-odds"), Parameter("k", "log-odds per decade"))
    formula = 'op("Acc")(C) = f + (1 - f) / (1 + exp(-(a + k log_10 C)))'
    source = "Sigmoid in log C (arXiv 2401.04757)"
    x_unit = "FLOPs"
    y_unit = "accuracy"
    linear = (0,)
    limits = ("floor",)
    constraints: ClassVar = {"floor": checks.fraction}

    def __init__(self, floor: float = 0.0) -> None:
        self.floor = floor

    def inverse(self, accuracy: ArrayLike) -> Array:
        """FLOPs at which the accuracy is reached, (m,); NaN where the curve never gets there."""
        check_is_fitted(self)
        e, accuracy = self.estimates_, np.asarray(accuracy, dtype=float)
        with np.errstate(all="ignore"):
            return only_finite(10 ** ((logit((accuracy - e["floor"]) / (1 - e["floor"])) - e["a"]) / e["k"]))

    def _curve(self, theta: Array, x: Array) -> Array:
        floor, a, k = theta
        return np.asarray(floor + (1 - floor) * expit(a + k * log_count(x[:, 0]) / LN10))

    def _jacobian(self, theta: Array, x: Array) -> Array:
        floor, a, k = theta
        decades = log_count(x[:, 0]) / LN10
        rise = expit(a + k * decades)
        slope = (1 - floor) * rise * (1 - rise)
        return stack_jacobian(1 - rise, slope, slope * decades)

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        # Equal bounds mean fixed; the search needs them a hair apart.
        return np.array([self.floor, -1e3, -50.0]), np.array([self.floor + 1e-9, 1e3, 50.0])

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Lines through the log-odds, with scores at the floor or the ceiling taken a little inside."""
        share = (y - self.floor) / (1 - self.floor)
        seeds = []
        for inside in (0.005, 0.02, 0.05):
            clipped = np.clip(share, inside, 1 - inside)
            root = np.sqrt(weight * clipped * (1 - clipped))
            design = np.column_stack([np.ones(len(y)), log_count(x[:, 0]) / LN10])
            line = np.linalg.lstsq(design * root[:, None], logit(clipped) * root, rcond=None)[0]
            seeds.append([self.floor, *line])
        return np.array(seeds)
