"""Kaplan's laws: loss from parameters and tokens, with a common exponent outside the sum."""

from __future__ import annotations

import numpy as np

from ...fit.newton import Array
from ..base import Law, Parameter, log_count, stack_jacobian
from ..registry import law


@law()
class KaplanLoss(Law):
    r"""Loss limited by size and by data, without an irreducible part.

    .. math:: L(N, D) = \left[(N_c / N)^{\alpha_N / \alpha_D} + D_c / D\right]^{\alpha_D}

    with N in parameters without embeddings, D in tokens and L in nats per token. Residuals are differences of log L.

    References
    ----------
    Kaplan et al., Scaling Laws for Neural Language Models, arXiv 2001.08361, equation 1.5; estimated step by step in
    Unraveling the Mystery of Scaling Laws, Part I, arXiv 2403.06563.
    """

    columns = ("params", "tokens")
    parameters = (
        Parameter("N_c", "parameters", log=True),
        Parameter("D_c", "tokens", log=True),
        Parameter("alpha_N", "1"),
        Parameter("alpha_D", "1"),
    )
    formula = "L(N, D) = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^(alpha_D)"
    source = "Kaplan et al. (arXiv 2001.08361), equation 1.5"
    x_unit = "parameters, tokens"
    y_unit = "nats/token"
    log_link = True

    def __init__(self, huber: float | None = None) -> None:
        self.huber = huber

    def _logs(self, theta: Array, x: Array) -> tuple[Array, Array, Array]:
        """log of the size term, of the data term, and of their sum."""
        log_nc, log_dc, alpha_n, alpha_d = theta
        size = alpha_n / alpha_d * (log_nc - log_count(x[:, 0]))
        data = log_dc - log_count(x[:, 1])
        return size, data, np.logaddexp(size, data)

    def _curve(self, theta: Array, x: Array) -> Array:
        return np.asarray(np.exp(theta[3] * self._logs(theta, x)[2]))

    def _jacobian(self, theta: Array, x: Array) -> Array:
        _, _, alpha_n, alpha_d = theta
        size, _, total = self._logs(theta, x)
        curve, share = np.exp(alpha_d * total), np.exp(size - total)  # the share of the size term in the sum
        return stack_jacobian(
            curve * share * alpha_n,
            curve * (1 - share) * alpha_d,
            curve * share * size * alpha_d / alpha_n,
            curve * (total - share * size),
        )

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return np.array([0.0, 0.0, 1e-3, 1e-3]), np.array([120.0, 120.0, 2.0, 2.0])

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Grid over the exponents and the share of the size term in the middle of the data."""
        log_n, log_d = log_count(x[:, 0]).mean(), log_count(x[:, 1]).mean()
        middle = float(np.average(np.log(y), weights=weight))
        grid = [
            [log_n + (middle / d + np.log(share)) * d / n, log_d + middle / d + np.log1p(-share), n, d]
            for n in (0.04, 0.08, 0.15, 0.3, 0.6)
            for d in (0.04, 0.08, 0.15, 0.3, 0.6)
            for share in (0.2, 0.5, 0.8)
        ]
        return np.array(grid)
