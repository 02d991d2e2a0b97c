"""Training FLOPs to the benchmark's negative log-likelihood: linear in log10 C."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ...fit.newton import Array
from ..base import Law, Parameter, log_count, only_finite, stack_jacobian
from ..candidate import CandidateLaw, Step
from ..registry import law


@law(
    CandidateLaw(
        name="line in log C, larger runs", step=Step.BUDGET_TO_LOSS, rank=100, compute_fraction=0.6, extended=True
    ),
    CandidateLaw(
        name="line in log C, larger runs", step=Step.BUDGET_TO_ACCURACY, rank=60, compute_fraction=0.6, extended=True
    ),
)
class FLOPsToNLL(Law):
    r"""Normalised NLL of the correct answer of compute-optimal models, linear in the logarithm of compute.

    .. math:: \mathrm{NLL}(C) = a + b \log_{10} C

    with C in FLOPs and NLL in nats per byte. It holds between compute-optimal models only; over a wide range the
    NLL flattens towards the entropy of the answers, so look at the curvature note before trusting it.

    References
    ----------
    Llama Team, The Llama 3 Herd of Models, arXiv 2407.21783, section 3.2.1.
    """

    columns = ("flops",)
    parameters = (Parameter("a", "nats/byte"), Parameter("b", "nats/byte per decade"))
    formula = "L(C) = a + b log_10 C"
    source = "Llama 3 (arXiv 2407.21783), section 3.2.1"
    x_unit = "FLOPs"
    y_unit = "nats/byte"

    def inverse(self, loss: ArrayLike) -> Array:
        """FLOPs at which the loss is reached, (m,): 10^((L - a) / b); NaN where the curve never gets there."""
        check_is_fitted(self)
        e, loss = self.estimates_, np.asarray(loss, dtype=float)
        with np.errstate(all="ignore"):
            return only_finite(10 ** ((loss - e["a"]) / e["b"]))

    def _curve(self, theta: Array, x: Array) -> Array:
        return np.asarray(theta[0] + theta[1] * log_count(x[:, 0]) / np.log(10))

    def _jacobian(self, theta: Array, x: Array) -> Array:
        return stack_jacobian(np.ones_like(theta[0]), log_count(x[:, 0]) / np.log(10))

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        design = self._jacobian(np.zeros(2), x) * np.sqrt(weight)[:, None]
        return np.atleast_2d(np.linalg.lstsq(design, y * np.sqrt(weight), rcond=None)[0])

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return np.full(2, -np.inf), np.full(2, np.inf)
