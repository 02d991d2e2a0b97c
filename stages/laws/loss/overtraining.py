"""Compute and tokens per parameter to validation loss: the over-training law."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from ...fit.newton import Array
from ..base import Parameter, log_count, stack_jacobian
from ..candidate import CandidateLaw, Step
from ..registry import law
from ..surface import LossSurface, ParameterDraws, Split, ignore_overflow


@law(
    CandidateLaw(name="C and M", step=Step.BUDGET_TO_LOSS, rank=20),
    CandidateLaw(name="C and M, larger runs", step=Step.BUDGET_TO_LOSS, rank=80, compute_fraction=0.6, extended=True),
    # The limits of an error are those of an accuracy: reaching one is not a warning.
    CandidateLaw(name="error in C and M", step=Step.BUDGET_TO_ACCURACY, rank=40, of_error=True, structural_bounds=True),
)
class OvertrainedLoss(LossSurface):
    r"""Validation loss as training moves away from the compute-optimal number of tokens per parameter.

    .. math:: L(C, M) = E + \left(a M^{\eta} + b M^{-\eta}\right) C^{-\eta}

    with C in FLOPs (6ND), the token multiplier M = D/N, and L in nats per token. At fixed M it is a power law in C,
    and every M has the same exponent. Fitted by least squares on L, as published.

    References
    ----------
    Gadre et al., Language models scale reliably with over-training and on downstream tasks, arXiv 2403.08540,
    equation 4.

    Examples
    --------
    >>> import numpy as np
    >>> flops, ratio = np.repeat(np.geomspace(1e17, 1e20, 6), 2), np.tile([20.0, 320.0], 6)
    >>> loss = 1.84 + (212 * ratio**0.136 + 367 * ratio**-0.136) * flops**-0.136
    >>> law = OvertrainedLoss().fit(np.column_stack([flops, ratio]), loss)

    The loss of 1e22 FLOPs, at 20 and at 640 tokens per parameter:

    >>> print(law.predict([[1e22, 20.0], [1e22, 640.0]]).round(3))
    [2.413 2.515]
    """

    columns = ("flops", "token_multiplier")
    parameters = (
        Parameter("E", "nats/token"),
        Parameter("a", "nats/token", log=True),
        Parameter("b", "nats/token", log=True),
        Parameter("eta", "1"),
    )
    formula = "L(C, M) = E + (a M^eta + b M^(-eta)) C^(-eta)"
    source = "Over-training (arXiv 2403.08540), equation 4"
    x_unit = "FLOPs, tokens per parameter"
    y_unit = "nats/token"
    linear = (0,)

    @classmethod
    @ignore_overflow
    def loss_at(cls, draws: ParameterDraws, params: Array, tokens: Array) -> Array:
        """L(C, M) at C = 6 N D and M = D / N."""
        p = draws
        flops, ratio = 6 * params * tokens, tokens / params
        return np.asarray(p["E"] + (p["a"] * ratio ** p["eta"] + p["b"] * ratio ** -p["eta"]) * flops ** -p["eta"])

    @classmethod
    @ignore_overflow
    def optimum_at(cls, draws: ParameterDraws, flops: float, flops_per_pair: float | None = None) -> Split:
        """The least loss: a M^eta + b M^-eta is least at M = (b/a)^(1/(2 eta)), whatever C is."""
        p, per_pair = draws, cls.flops_per_pair if flops_per_pair is None else flops_per_pair
        ratio = (p["b"] / p["a"]) ** (1 / (2 * p["eta"]))
        params = np.sqrt(flops / (per_pair * ratio))
        tokens = params * ratio
        return Split(params=params, tokens=tokens, loss=cls.loss_at(p, params, tokens))

    def _terms(self, theta: Array, x: Array) -> tuple[Array, Array, Array, Array]:
        _, log_a, log_b, eta = theta
        # Tokens per parameter may be below one: this logarithm has no floor at one.
        log_c, log_m = log_count(x[:, 0]), np.log(np.maximum(x[:, 1], 1e-12))
        return log_c, log_m, np.exp(log_a + eta * (log_m - log_c)), np.exp(log_b - eta * (log_m + log_c))

    def _curve(self, theta: Array, x: Array) -> Array:
        _, _, over, under = self._terms(theta, x)
        return np.asarray(theta[0] + over + under)

    def _jacobian(self, theta: Array, x: Array) -> Array:
        log_c, log_m, over, under = self._terms(theta, x)
        slope = over * (log_m - log_c) - under * (log_m + log_c)
        return stack_jacobian(np.ones_like(over), over, under, slope)

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return np.array([0.0, -40.0, -40.0, 1e-3]), np.array([max(float(np.min(y)), 1e-6), 60.0, 60.0, 2.0])

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Grid over the exponent; E, a and b follow by non-negative least squares."""
        root = np.sqrt(weight)
        tiny = 1e-6 * float(np.mean(np.abs(y)) + 1e-9)
        seeds = []
        for eta in (0.02, 0.04, 0.06, 0.09, 0.12, 0.15, 0.18, 0.22, 0.27, 0.33, 0.4, 0.5, 0.65, 0.9):
            _, _, over, under = self._terms(np.array([0.0, 0.0, 0.0, eta]), x)
            size = np.array([1.0, max(over.max(), 1e-300), max(under.max(), 1e-300)])
            design = np.column_stack([np.ones(len(y)), over, under]) / size
            e, a, b = nnls(design * root[:, None], y * root)[0]
            seeds.append([e, np.log(max(a, tiny) / size[1]), np.log(max(b, tiny) / size[2]), eta])
        return np.array(seeds)
