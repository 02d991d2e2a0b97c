"""Validation loss to top-1 error: exponential decay, which is a power law in perplexity."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ...fit.newton import Array
from ...notices import Notice
from ...notices import laws as notices
from ..base import Law, Parameter, only_finite, stack_jacobian
from ..candidate import CandidateLaw, Step
from ..registry import law


@law(
    CandidateLaw(name="exponential", step=Step.LOSS_TO_ACCURACY, rank=40, of_error=True),
)
class LossToError(Law):
    r"""Average top-1 error as a function of validation loss.

    .. math:: \mathrm{Err}(L) = \varepsilon - k \exp(-\gamma L)

    with L in nats per token and Err a fraction. It was published for averages over tasks; on single tasks the curve
    can leave [0, 1] and its parameters are often not identified.

    References
    ----------
    Gadre et al., arXiv 2403.08540, equation 5.
    """

    columns = ("loss",)
    parameters = (Parameter("epsilon", "error"), Parameter("k", "error"), Parameter("gamma", "token/nat", log=True))
    formula = 'op("Err")(L) = epsilon - k exp(-gamma L)'
    source = "Over-training (arXiv 2403.08540), equation 5"
    x_unit = "nats/token"
    y_unit = "error"
    linear = (0, 1)

    def inverse(self, error: ArrayLike) -> Array:
        """Loss at which the error is reached, (m,): -log((epsilon - Err) / k) / gamma; NaN: never."""
        check_is_fitted(self)
        e, error = self.estimates_, np.asarray(error, dtype=float)
        with np.errstate(all="ignore"):
            return only_finite(-np.log((e["epsilon"] - error) / e["k"]) / e["gamma"])

    def _curve(self, theta: Array, x: Array) -> Array:
        return np.asarray(theta[0] - theta[1] * np.exp(-np.exp(theta[2]) * x[:, 0]))

    def _jacobian(self, theta: Array, x: Array) -> Array:
        gamma = np.exp(theta[2])
        decay = np.exp(-gamma * x[:, 0])
        return stack_jacobian(np.ones_like(decay), -decay, theta[1] * decay * gamma * x[:, 0])

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return np.array([-np.inf, -np.inf, np.log(1e-2)]), np.array([np.inf, np.inf, np.log(30.0)])

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Grid over the rate; epsilon and k follow by least squares."""
        root = np.sqrt(weight)
        loss = x[:, 0]
        seeds = []
        for gamma in np.geomspace(0.03, 15.0, 25):
            # Shifted by the smallest loss, so that steep decays do not underflow.
            shifted = np.column_stack([np.ones(len(y)), -np.exp(-gamma * (loss - loss.min()))])
            epsilon, k = np.linalg.lstsq(shifted * root[:, None], y * root, rcond=None)[0]
            seeds.append([epsilon, np.clip(k * np.exp(min(gamma * loss.min(), 600.0)), -1e200, 1e200), np.log(gamma)])
        return np.array(seeds)

    def _more_notes(self) -> tuple[Notice, ...]:
        return (notices.INVERSE(),) if self.theta_[1] < 0 else ()
