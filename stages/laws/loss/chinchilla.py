"""Parameters and tokens to loss: two power laws over an irreducible loss."""

from __future__ import annotations

import numpy as np

from ...fit.newton import Array
from ...fit.variable_projection import solve_linear_params
from ..base import Parameter, log_count, stack_jacobian
from ..registry import law
from ..surface import LossSurface, ParameterDraws, Split, ignore_overflow

SEED_EXPONENTS = (0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0)  # of N and of D; Chinchilla's are about a third


@law()
class ChinchillaLoss(LossSurface):
    r"""Pre-training loss as a sum of two power laws and a floor.

    .. math:: L(N, D) = E + A / N^{\alpha} + B / D^{\beta}

    with N in parameters, D in tokens and L in nats per token. Residuals are differences of log L, weighed by Huber's
    function.

    Parameters
    ----------
    huber : float or None
        Huber threshold on log L, as published (1e-3); None for least squares.

    References
    ----------
    Hoffmann et al., arXiv 2203.15556, approach 3 (equations 2 and 10); refitted by Besiroglu et al., arXiv 2404.10102.

    Examples
    --------
    A grid of runs without noise gives back the constants it was made with:

    >>> import numpy as np
    >>> params, tokens = np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5))
    >>> X = np.column_stack([params.ravel(), tokens.ravel()])
    >>> loss = 1.8 + 480 / X[:, 0] ** 0.35 + 2100 / X[:, 1] ** 0.37
    >>> law = ChinchillaLoss().fit(X, loss)
    >>> [float(round(value, 3)) for value in law.estimates_.values()]
    [480.0, 2100.0, 0.35, 0.37, 1.8]

    What to train with 1e21 FLOPs, and the tokens after which a model of 7e9 parameters has the loss 2.2:

    >>> best = law.optimum(1e21)
    >>> print(f"{best.params[0]:.3g} parameters, {best.tokens[0]:.3g} tokens, loss {best.loss[0]:.3f}")
    2.94e+09 parameters, 5.67e+10 tokens, loss 2.253
    >>> print(f"{law.inverse(2.2, 7e9)[0]:.3g}")
    5.18e+10
    """

    columns = ("params", "tokens")
    parameters = (
        Parameter("A", "loss", log=True),
        Parameter("B", "loss", log=True),
        Parameter("alpha", "1"),
        Parameter("beta", "1"),
        Parameter("E", "loss"),
    )
    formula = "L(N, D) = E + A / N^alpha + B / D^beta"
    source = "Chinchilla (arXiv 2203.15556), approach 3"
    x_unit = "parameters, tokens"
    y_unit = "nats/token"
    log_link = True

    def __init__(self, huber: float | None = 1e-3) -> None:
        self.huber = huber

    @classmethod
    @ignore_overflow
    def loss_at(cls, draws: ParameterDraws, params: Array, tokens: Array) -> Array:
        """L(N, D) = E + A / N^alpha + B / D^beta (equation 2)."""
        p = draws
        return np.asarray(p["E"] + p["A"] * params ** -p["alpha"] + p["B"] * tokens ** -p["beta"])

    @classmethod
    @ignore_overflow
    def optimum_at(cls, draws: ParameterDraws, flops: float, flops_per_pair: float | None = None) -> Split:
        """The least loss under C = c N D, in closed form (equation 4).

        N* = G (C/c)^a, D* = (C/c)^b / G with G = (alpha A / (beta B))^(1/(alpha+beta)), a = beta/(alpha+beta),
        b = 1 - a.
        """
        p, pairs = draws, flops / (cls.flops_per_pair if flops_per_pair is None else flops_per_pair)
        total = p["alpha"] + p["beta"]
        g = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / total)
        params = g * pairs ** (p["beta"] / total)
        tokens = pairs / params
        return Split(params=params, tokens=tokens, loss=cls.loss_at(p, params, tokens))

    @staticmethod
    def optimum_exponents(draws: ParameterDraws) -> tuple[Array, Array]:
        """Exponents of N*(C) and D*(C): a = beta / (alpha + beta) and 1 - a; each (k,)."""
        a = np.asarray(draws["beta"] / (draws["alpha"] + draws["beta"]))
        return a, 1 - a

    def _terms(self, theta: Array, x: Array) -> tuple[Array, Array]:
        log_a, log_b, alpha, beta, _ = theta
        return np.exp(log_a - alpha * log_count(x[:, 0])), np.exp(log_b - beta * log_count(x[:, 1]))

    def _curve(self, theta: Array, x: Array) -> Array:
        size, data = self._terms(theta, x)
        return np.asarray(np.maximum(size + data + theta[4], 1e-300))

    def _derive(self, theta: Array, x: Array) -> tuple[Array, Array]:
        size, data = self._terms(theta, x)
        curve = np.maximum(size + data + theta[4], 1e-300)
        return curve, stack_jacobian(
            size, data, -size * log_count(x[:, 0]), -data * log_count(x[:, 1]), np.ones_like(size)
        )

    def _jacobian(self, theta: Array, x: Array) -> Array:
        return self._derive(theta, x)[1]

    def _curvature(self, x: Array, jac: Array, v: Array) -> Array:
        """In (log A, alpha) the term t = A / N^alpha has second derivatives t, -t log N and t log(N)^2."""
        out = np.zeros((len(v), 5, 5))
        logs = log_count(x)
        for term, slope, log in ((0, 2, 0), (1, 3, 1)):
            weighted = v * jac[:, :, term]
            out[:, term, term] = weighted.sum(axis=1)
            out[:, term, slope] = out[:, slope, term] = -(weighted @ logs[:, log])
            out[:, slope, slope] = weighted @ logs[:, log] ** 2
        return out

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return np.array([0.0, 0.0, 0.0, 0.0, 0.0]), np.array([60.0, 60.0, 3.0, 3.0, max(float(np.min(y)), 1e-6)])

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Grid over the exponents; A, B and E follow by linear least squares on relative residuals."""
        log_n, log_d = log_count(x[:, 0]), log_count(x[:, 1])
        alpha, beta = (grid.ravel() for grid in np.meshgrid(SEED_EXPONENTS, SEED_EXPONENTS, indexing="ij"))
        size = np.exp(-alpha[:, None] * (log_n - log_n.mean()))
        data = np.exp(-beta[:, None] * (log_d - log_d.mean()))
        # Relative residuals: the rows are divided by the loss, so the target is one.
        design = np.stack([size, data, np.ones_like(size)], axis=-1) / y[:, None]
        part = solve_linear_params(design, np.ones_like(y), weight)
        small = 1e-6 * float(np.mean(y))
        a, b = np.maximum(part[:, 0], small), np.maximum(part[:, 1], small)
        columns = [np.log(a) + alpha * log_n.mean(), np.log(b) + beta * log_d.mean(), alpha, beta, part[:, 2]]
        return np.stack(columns, axis=1)
