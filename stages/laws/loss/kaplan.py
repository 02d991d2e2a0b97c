"""Kaplan's laws: loss from parameters and tokens, with a common exponent outside the sum."""

from __future__ import annotations

import numpy as np

from ...fit.newton import Array
from ..base import Parameter, log_count, stack_jacobian
from ..registry import law
from ..surface import LossSurface, ParameterDraws, Split, ignore_overflow


@law()
class KaplanLoss(LossSurface):
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

    @classmethod
    @ignore_overflow
    def loss_at(cls, draws: ParameterDraws, params: Array, tokens: Array) -> Array:
        """L(N, D) of equation 1.5."""
        p = draws
        inner = (p["N_c"] / params) ** (p["alpha_N"] / p["alpha_D"]) + p["D_c"] / tokens
        return np.asarray(inner ** p["alpha_D"])

    @classmethod
    @ignore_overflow
    def optimum_at(cls, draws: ParameterDraws, flops: float, flops_per_pair: float | None = None) -> Split:
        """The least loss under C = c N D, in closed form.

        With r = alpha_N / alpha_D the sum (N_c/N)^r + c D_c N / C is least at N^(r+1) = r N_c^r C / (c D_c).
        """
        p, per_pair = draws, cls.flops_per_pair if flops_per_pair is None else flops_per_pair
        r = p["alpha_N"] / p["alpha_D"]
        params = (r * p["N_c"] ** r * flops / (per_pair * p["D_c"])) ** (1 / (r + 1))
        tokens = flops / per_pair / params
        return Split(params=params, tokens=tokens, loss=cls.loss_at(p, params, tokens))

    @staticmethod
    def frontier_exponents(alpha_n: Array, alpha_s: Array, alpha_b: Array) -> tuple[Array, Array, Array, Array]:
        """How N, batch, steps and data grow with optimally spent compute (equations 1.7 and 1.8), as exponents of C.

        alpha_C = 1 / (1/alpha_S + 1/alpha_B + 1/alpha_N); N ~ C^(alpha_C/alpha_N), B ~ C^(alpha_C/alpha_B),
        S ~ C^(alpha_C/alpha_S), D = B S. The paper's constants give 10x compute -> 5.5x parameters, 1.8x tokens.
        """
        alpha_c = 1 / (1 / alpha_s + 1 / alpha_b + 1 / alpha_n)
        batch, steps = alpha_c / alpha_b, alpha_c / alpha_s
        return alpha_c / alpha_n, batch, steps, batch + steps

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
        log_loss = float(np.average(np.log(y), weights=weight))
        grid = [
            [log_n + (log_loss / d + np.log(share)) * d / n, log_d + log_loss / d + np.log1p(-share), n, d]
            for n in (0.04, 0.08, 0.15, 0.3, 0.6)
            for d in (0.04, 0.08, 0.15, 0.3, 0.6)
            for share in (0.2, 0.5, 0.8)
        ]
        return np.array(grid)
