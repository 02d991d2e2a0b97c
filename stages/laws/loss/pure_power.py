"""Parameters and tokens to a loss that does not level off: a power law in each, and no floor."""

from __future__ import annotations

import numpy as np

from ...fit.newton import Array
from ..base import Law, Parameter, log_count, stack_jacobian
from ..candidate import CandidateLaw, Step
from ..registry import law


@law(
    CandidateLaw(name="N and D, no floor", step=Step.BUDGET_TO_LOSS, rank=40),
    CandidateLaw(
        name="N and D, no floor, larger runs", step=Step.BUDGET_TO_LOSS, rank=70, compute_fraction=0.6, extended=True
    ),
)
class PurePower(Law):
    r"""Loss as a product of powers, a plane in logarithms.

    .. math:: L(N, D) = A\, N^{-\alpha} D^{-\beta}

    with N in parameters, D in tokens and L in the unit of the loss it is fitted to. Along any line of fixed tokens per
    parameter it is Kaplan's pure power law in compute. A small ladder seldom shows where a loss levels off, and a floor
    that is fitted there is often put too high; this law is the other end, and has two parameters fewer.

    References
    ----------
    Kaplan et al., Scaling Laws for Neural Language Models, arXiv 2001.08361, equations 1.1 to 1.3, for each of N, D and
    C alone. The product is ours: on a logarithmic scale the tangent plane of any smooth law, theirs among them.
    """

    columns = ("params", "tokens")
    parameters = (Parameter("A", "loss", log=True), Parameter("alpha", "1"), Parameter("beta", "1"))
    formula = "L(N, D) = A N^(-alpha) D^(-beta)"
    source = "Power laws without a floor, after arXiv 2001.08361, equations 1.1 to 1.3; their product"
    x_unit = "parameters, tokens"
    y_unit = "nats/token"
    log_link = True

    def _curve(self, theta: Array, x: Array) -> Array:
        return np.asarray(np.exp(theta[0] - theta[1] * log_count(x[:, 0]) - theta[2] * log_count(x[:, 1])))

    def _jacobian(self, theta: Array, x: Array) -> Array:
        curve = self._curve(theta, x)
        return stack_jacobian(curve, -curve * log_count(x[:, 0]), -curve * log_count(x[:, 1]))

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return np.full(3, -np.inf), np.full(3, np.inf)

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """The answer: a plane through the logarithms."""
        root = np.sqrt(weight)
        design = np.column_stack([np.ones(len(y)), -log_count(x[:, 0]), -log_count(x[:, 1])])
        return np.atleast_2d(np.linalg.lstsq(design * root[:, None], np.log(y) * root, rcond=None)[0])
