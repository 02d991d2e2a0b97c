"""Training FLOPs straight to accuracy: the one-step baseline beside every chain."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ...fit.newton import Array
from ..base import Law, Parameter, log_count, only_finite, stack_jacobian
from ..candidate import CandidateLaw, Step
from ..registry import law


@law(
    CandidateLaw(name="direct law", step=Step.BUDGET_TO_ACCURACY, rank=10),
    CandidateLaw(
        name="direct law, larger runs", step=Step.BUDGET_TO_ACCURACY, rank=50, compute_fraction=0.6, extended=True
    ),
)
class DirectAccuracy(Law):
    r"""Accuracy as a power law in compute, at a fixed number of tokens per parameter.

    .. math:: \log \mathrm{Acc}(C) = -A\, C^{-\alpha}

    with C in FLOPs and Acc a fraction. Least squares on Acc, so that tasks with a score of zero can be fitted.

    References
    ----------
    arXiv 2512.08894 (direct scaling of downstream metrics).
    """

    columns = ("flops",)
    parameters = (Parameter("A", "1", log=True), Parameter("alpha", "1"))
    formula = 'log op("Acc")(C) = -A C^(-alpha)'
    source = "Direct law (arXiv 2512.08894)"
    x_unit = "FLOPs"
    y_unit = "accuracy"

    def inverse(self, accuracy: ArrayLike) -> Array:
        """FLOPs at which the accuracy is reached, (m,): (A / -log Acc)^(1/alpha); NaN: never."""
        check_is_fitted(self)
        e, accuracy = self.estimates_, np.asarray(accuracy, dtype=float)
        with np.errstate(all="ignore"):
            return only_finite((e["A"] / -np.log(accuracy)) ** (1 / e["alpha"]))

    def _curve(self, theta: Array, x: Array) -> Array:
        return np.asarray(np.exp(-np.exp(theta[0] - theta[1] * log_count(x[:, 0]))))

    def _jacobian(self, theta: Array, x: Array) -> Array:
        exponent = np.exp(theta[0] - theta[1] * log_count(x[:, 0]))
        slope = -np.exp(-exponent) * exponent
        return stack_jacobian(slope, -slope * log_count(x[:, 0]))

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return np.array([-60.0, -1.0]), np.array([120.0, 3.0])

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Grid over the exponent; A follows from the mean of log(-log Acc)."""
        size = np.log(-np.log(np.clip(y, 1e-4, 1 - 1e-4)))
        log_c = log_count(x[:, 0])
        return np.array(
            [
                [np.average(size + alpha * log_c, weights=weight), alpha]
                for alpha in (-0.05, -0.01, 0.0, 0.005, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8)
            ]
        )
