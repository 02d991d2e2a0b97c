"""Area under a learning-rate schedule and its drops to training loss."""

from __future__ import annotations

import numpy as np

from ...fit.newton import Array
from ...fit.variable_projection import solve_linear_params
from ..base import Law, Parameter, stack_jacobian
from ..registry import law

SEED_ALPHAS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)  # exponents of the area that a search starts from


@law()
class AnnealedLoss(Law):
    r"""Loss as a power law in the area under the schedule, less what its drops have gained.

    .. math:: L = L_0 + A\, S_1^{-\alpha} - B \sum_k (\eta_{k-1} - \eta_k)\, G_k

    with S1 the sum of the learning rate over steps, G_k the share of drop k that has taken effect, and L in nats per
    token. The sum is the column ``annealing``; ``planning.trajectory`` makes both columns of a schedule and finds how
    fast a drop takes effect.

    References
    ----------
    Tissue et al., Scaling Law with Learning Rate Annealing, arXiv 2408.11029, equation 1; compare the multi-power
    law of Luo et al., arXiv 2503.12811.
    """

    columns = ("area", "annealing")
    parameters = (
        Parameter("L0", "nats/token"),
        Parameter("A", "nats/token", log=True),
        Parameter("alpha", "1"),
        Parameter("B", "nats/token"),
    )
    formula = "L = L_0 + A S_1^(-alpha) - B sum_k (eta_(k-1) - eta_k) G_k"
    source = "Annealing law (arXiv 2408.11029), equation 1"
    x_unit = "peak learning rates times steps, annealing"
    y_unit = "nats/token"
    linear = (0, 3)

    def _power(self, theta: Array, x: Array) -> tuple[Array, Array]:
        area = np.log(np.maximum(x[:, 0], 1e-12))
        return np.exp(theta[1] - theta[2] * area), area

    def _curve(self, theta: Array, x: Array) -> Array:
        return np.asarray(theta[0] + self._power(theta, x)[0] - theta[3] * x[:, 1])

    def _jacobian(self, theta: Array, x: Array) -> Array:
        power, area = self._power(theta, x)
        return stack_jacobian(np.ones_like(power), power, -power * area, -x[:, 1])

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        low = np.array([0.0, -40.0, 1e-3, 0.0])
        # Annealing is subtracted, so L0 may lie above the lowest loss.
        return low, np.array([max(float(np.max(y)), 1e-6), 40.0, 3.0, 1e3])

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Grid over the exponent; L0, A and B follow by linear least squares."""
        alpha = np.array(SEED_ALPHAS)
        area = np.log(np.maximum(x[:, 0], 1e-12))
        power = np.exp(-alpha[:, None] * (area - area.mean()))
        gain = np.broadcast_to(-x[:, 1], power.shape)
        part = solve_linear_params(np.stack([np.ones_like(power), power, gain], axis=-1), y, weight)
        a = np.maximum(part[:, 1], 1e-9)
        return np.stack([part[:, 0], np.log(a) + alpha * area.mean(), alpha, part[:, 2]], axis=1)
