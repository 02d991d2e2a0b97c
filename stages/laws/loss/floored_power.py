"""Compute to a loss at any number of tokens per parameter: a power law with a floor."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls
from sklearn.utils.validation import check_is_fitted

from ...fit.newton import Array
from ..base import Law, Parameter, log_count, only_finite, stack_jacobian
from ..candidate import CandidateLaw, Step
from ..registry import law


@law(
    CandidateLaw(name="C", step=Step.BUDGET_TO_LOSS, rank=30),
    # The limits of an error are those of an accuracy: reaching one is not a warning.
    CandidateLaw(name="error in C", step=Step.BUDGET_TO_ACCURACY, rank=30, of_error=True, structural_bounds=True),
)
class FlooredPower(Law):
    r"""Loss as a power law in compute that ends in an irreducible loss.

    .. math:: L(C) = E + A\, C^{-\alpha}

    with C in FLOPs and L in the unit of the loss it is fitted to. It ignores how C is divided between parameters and
    tokens, so it needs a ladder with about the target's tokens per parameter.

    References
    ----------
    Henighan et al., Scaling Laws for Autoregressive Generative Modeling, arXiv 2010.14701, equation 1.1.
    """

    columns = ("flops",)
    parameters = (Parameter("E", "loss"), Parameter("A", "loss", log=True), Parameter("alpha", "1"))
    formula = "L(C) = E + A C^(-alpha)"
    source = "Power law with a floor (arXiv 2010.14701), equation 1.1"
    x_unit = "FLOPs"
    y_unit = "nats/token"
    linear = (0,)

    def inverse(self, loss: ArrayLike) -> Array:
        """FLOPs at which the loss is reached, (m,): (A / (L - E))^(1/alpha); NaN where the curve never gets there."""
        check_is_fitted(self)
        e, loss = self.estimates_, np.asarray(loss, dtype=float)
        with np.errstate(all="ignore"):
            return only_finite((e["A"] / (loss - e["E"])) ** (1 / e["alpha"]))

    def _term(self, theta: Array, x: Array) -> Array:
        return np.asarray(np.exp(theta[1] - theta[2] * log_count(x[:, 0])))

    def _curve(self, theta: Array, x: Array) -> Array:
        return np.asarray(theta[0] + self._term(theta, x))

    def _jacobian(self, theta: Array, x: Array) -> Array:
        term = self._term(theta, x)
        return stack_jacobian(np.ones_like(term), term, -term * log_count(x[:, 0]))

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return np.array([0.0, -40.0, 1e-3]), np.array([max(float(np.min(y)), 1e-6), 60.0, 2.0])

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Grid over the exponent; E and A follow by non-negative least squares."""
        root = np.sqrt(weight)
        tiny = 1e-6 * float(np.mean(np.abs(y)) + 1e-9)
        seeds = []
        for alpha in (0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8):
            term = np.exp(-alpha * log_count(x[:, 0]))
            size = max(float(term.max()), 1e-300)
            floor, scale = nnls(np.column_stack([np.ones(len(y)), term / size]) * root[:, None], y * root)[0]
            seeds.append([floor, np.log(max(scale, tiny) / size), alpha])
        return np.array(seeds)
