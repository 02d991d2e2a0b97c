"""Parameters and tokens to the task's loss: the ladder's first step."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from stages.base import Law, Parameter, counts
from stages.fitting import Array


class TaskLoss(Law):
    r"""Loss on the gold answer as a sum of two power laws and a floor.

    .. math:: L(N, D) = A / N^{\alpha} + B / D^{\beta} + E

    with N in parameters, D in tokens and L in bits (or nats) per byte. Residuals are differences of log L.

    Parameters
    ----------
    huber : float or None
        Huber threshold on log L, as published (1e-3); None for least squares.

    References
    ----------
    Bhagia et al., Establishing Task Scaling Laws via Compute-Efficient Model Ladders, arXiv 2412.04403, equation 1;
    the form is Hoffmann et al., arXiv 2203.15556, approach 3.
    """

    columns = ("params", "tokens")
    parameters = (Parameter("A", "loss", log=True), Parameter("B", "loss", log=True), Parameter("alpha", "1"),
                  Parameter("beta", "1"), Parameter("E", "loss"))  # fmt: skip
    formula = "L(N, D) = A / N^alpha + B / D^beta + E"
    source = "Model ladder (arXiv 2412.04403), step 1; Chinchilla (arXiv 2203.15556)"
    x_unit = "parameters, tokens"
    y_unit = "bits/byte"
    log_link = True

    def __init__(self, huber: float | None = 1e-3) -> None:
        self.huber = huber

    def _terms(self, theta: Array, x: Array) -> tuple[Array, Array]:
        log_a, log_b, alpha, beta, _ = theta
        return np.exp(log_a - alpha * counts(x[:, 0])), np.exp(log_b - beta * counts(x[:, 1]))

    def _curve(self, theta: Array, x: Array) -> Array:
        size, data = self._terms(theta, x)
        return np.asarray(np.maximum(size + data + theta[4], 1e-300))

    def _jacobian(self, theta: Array, x: Array) -> Array:
        size, data = self._terms(theta, x)
        return np.column_stack([size, data, -size * counts(x[:, 0]), -data * counts(x[:, 1]), np.ones(len(x))])

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return np.array([0.0, 0.0, 0.0, 0.0, 0.0]), np.array([60.0, 60.0, 3.0, 3.0, max(float(np.min(y)), 1e-6)])

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Grid over the exponents; A, B and E follow by non-negative least squares on relative residuals."""
        log_n, log_d = counts(x[:, 0]), counts(x[:, 1])
        scale = np.sqrt(weight) / y
        seeds = []
        for alpha in (0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0):
            for beta in (0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0):
                design = np.column_stack(
                    [np.exp(-alpha * (log_n - log_n.mean())), np.exp(-beta * (log_d - log_d.mean())), np.ones(len(y))]
                )
                (a, b, e), _ = nnls(design * scale[:, None], y * scale)
                tiny = 1e-6 * float(np.mean(y))
                seeds.append(
                    [
                        np.log(max(a, tiny)) + alpha * log_n.mean(),
                        np.log(max(b, tiny)) + beta * log_d.mean(),
                        alpha,
                        beta,
                        e,
                    ]
                )
        return np.array(seeds)
