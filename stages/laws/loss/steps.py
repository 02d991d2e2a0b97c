"""Parameters and optimizer steps to loss: a power law in each."""

from __future__ import annotations

import numpy as np

from ...fit.newton import Array
from ...fit.variable_projection import solve_linear_params
from ..base import Law, Parameter, log_count, stack_jacobian
from ..registry import law


@law()
class StepsLoss(Law):
    r"""Loss of a model trained for S_min steps, each at least as good as an infinitely large batch would make it.

    .. math:: L(N, S_{\min}) = (N_c / N)^{\alpha_N} + (S_c / S_{\min})^{\alpha_S}

    with N in parameters without embeddings, S in optimizer steps and L in nats per token. Residuals are differences of
    log L.

    References
    ----------
    Kaplan et al., arXiv 2001.08361, equation 5.6; estimated from small models in arXiv 2403.06563, section 4.
    """

    columns = ("params", "min_steps")
    parameters = (
        Parameter("n", "nats/token", log=True),
        Parameter("alpha_N", "1"),
        Parameter("s", "nats/token", log=True),
        Parameter("alpha_S", "1"),
    )
    formula = "L(N, S_min) = (N_c / N)^(alpha_N) + (S_c / S_min)^(alpha_S)"
    source = "Kaplan et al. (arXiv 2001.08361), equation 5.6"
    x_unit = "parameters, steps"
    y_unit = "nats/token"
    log_link = True

    def _terms(self, theta: Array, x: Array) -> tuple[Array, Array]:
        # n = N_c^alpha_N and s = S_c^alpha_S: the constants themselves are not identified from small runs.
        log_n, alpha_n, log_s, alpha_s = theta
        return np.exp(log_n - alpha_n * log_count(x[:, 0])), np.exp(log_s - alpha_s * log_count(x[:, 1]))

    def _curve(self, theta: Array, x: Array) -> Array:
        size, steps = self._terms(theta, x)
        return np.asarray(size + steps)

    def _jacobian(self, theta: Array, x: Array) -> Array:
        size, steps = self._terms(theta, x)
        return stack_jacobian(size, -size * log_count(x[:, 0]), steps, -steps * log_count(x[:, 1]))

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return np.array([-20.0, 0.0, -20.0, 1e-3]), np.array([40.0, 2.0, 40.0, 3.0])

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Grid over both exponents; the factors follow by linear least squares on relative residuals."""
        grid = [(a, b) for a in (0.02, 0.05, 0.1, 0.2, 0.4) for b in (0.1, 0.2, 0.35, 0.5, 0.75, 1.0)]
        alpha, beta = np.array(grid).T
        logs = log_count(x)
        centre = logs.mean(axis=0)
        size = np.exp(-alpha[:, None] * (logs[:, 0] - centre[0]))
        steps = np.exp(-beta[:, None] * (logs[:, 1] - centre[1]))
        part = np.maximum(
            solve_linear_params(np.stack([size, steps], axis=-1) / y[:, None], np.ones_like(y), weight), 1e-6
        )
        return np.stack(
            [np.log(part[:, 0]) + alpha * centre[0], alpha, np.log(part[:, 1]) + beta * centre[1], beta], axis=1
        )
