"""Compute to a loss whose exponent changes once: a smoothly broken power law."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from ...fit.newton import Array
from ..base import Law, Parameter, log_count, stack_jacobian
from ..candidate import CandidateLaw, Step
from ..registry import law


@law(
    CandidateLaw(name="C, one break", step=Step.BUDGET_TO_LOSS, rank=90, extended=True),
)
class BrokenPower(Law):
    r"""Loss as a power law in compute with one smooth break.

    .. math:: L(C) = A\, C^{-\alpha} \left(1 + C / C_b\right)^{-\beta}

    with C in FLOPs: the exponent is alpha below the break and alpha + beta beyond it. It is the published law with one
    break, no limit and a sharpness of one: a ladder of a few dozen runs cannot tell those two as well.

    References
    ----------
    Caballero et al., Broken Neural Scaling Laws, arXiv 2210.14891, equation 1 with n = 1, a = 0 and f = 1.
    """

    columns = ("flops",)
    parameters = (
        Parameter("A", "loss", log=True),
        Parameter("alpha", "1"),
        Parameter("beta", "1"),
        Parameter("C_b", "FLOPs", log=True),
    )
    formula = "L(C) = A C^(-alpha) (1 + C / C_b)^(-beta)"
    source = "Broken neural scaling laws (arXiv 2210.14891), equation 1 with one break"
    x_unit = "FLOPs"
    y_unit = "nats/token"
    log_link = True

    def _curve(self, theta: Array, x: Array) -> Array:
        log_c = log_count(x[:, 0])
        bend = np.logaddexp(0.0, log_c - theta[3])
        return np.asarray(np.exp(theta[0] - theta[1] * log_c - theta[2] * bend))

    def _jacobian(self, theta: Array, x: Array) -> Array:
        log_c, curve = log_count(x[:, 0]), self._curve(theta, x)
        beyond = log_c - theta[3]
        return stack_jacobian(
            curve, -curve * log_c, -curve * np.logaddexp(0.0, beyond), curve * theta[2] * expit(beyond)
        )

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return np.array([-100.0, -1.0, -1.0, 0.0]), np.array([100.0, 2.0, 2.0, 80.0])

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Grid over the break; the rest is a plane through logarithms."""
        log_c, root = log_count(x[:, 0]), np.sqrt(weight)
        seeds = []
        for at in np.linspace(log_c.min(), log_c.max(), 7):
            design = np.column_stack([np.ones(len(y)), -log_c, -np.logaddexp(0.0, log_c - at)])
            seeds.append([*np.linalg.lstsq(design * root[:, None], np.log(y) * root, rcond=None)[0], at])
        return np.array(seeds)
