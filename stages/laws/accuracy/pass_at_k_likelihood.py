"""The gold reference's likelihood to pass@k: the negative logarithm of one is a power of that of the other."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls
from sklearn.utils.validation import check_is_fitted

from ...fit.newton import Array
from ..base import Law, Parameter, only_finite, stack_jacobian
from ..candidate import CandidateLaw, Step
from ..negative_log import NegativeLog
from ..registry import law

LEAST_LOSS = 1e-9  # nats per byte: a smaller one is read as it, and its logarithm stays finite


class _PowerOfLoss(Law):
    """S(L) = E_0 + K_0 L^kappa, of which ``LikelihoodToPassAtK`` is the exponential; S in nats."""

    columns = ("loss",)
    parameters = (Parameter("E_0", "nats"), Parameter("K_0", "nats", log=True), Parameter("kappa", "1"))

    def _curve(self, theta: Array, x: Array) -> Array:
        return np.asarray(theta[0] + np.exp(theta[1] + theta[2] * _log_loss(x)))

    def _jacobian(self, theta: Array, x: Array) -> Array:
        term = np.exp(theta[1] + theta[2] * _log_loss(x))
        return stack_jacobian(np.ones_like(term), term, term * _log_loss(x))

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return np.array([0.0, -60.0, 1e-3]), np.array([max(float(np.min(y)), 1e-6), 60.0, 40.0])

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Grid over the exponent; E_0 and K_0 follow by non-negative least squares."""
        root = np.sqrt(weight)
        seeds = []
        for kappa in (0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.5, 7.0, 11.0, 18.0):
            log_term = kappa * _log_loss(x)
            term = np.exp(log_term - log_term.max())
            floor, scale = nnls(np.column_stack([np.ones(len(y)), term]) * root[:, None], y * root)[0]
            seeds.append([floor, np.log(max(scale, 1e-6)) - log_term.max(), kappa])
        return np.array(seeds)


def _log_loss(x: Array) -> Array:
    return np.asarray(np.log(np.maximum(x[:, 0], LEAST_LOSS)))


@law(
    CandidateLaw(
        name="pass@k",
        step=Step.LOSS_TO_ACCURACY,
        rank=45,
        weights="sampling",
        structural_bounds=True,
        extended=True,
        zero_chance=True,
    ),
)
class LikelihoodToPassAtK(NegativeLog):
    r"""pass@k, or another share whose guesses are never right, from the likelihood of the gold reference.

    .. math:: -\log \mathrm{pass@}k\,(L) = E_0 + K_0\, L^{\kappa}, \qquad L = -\log p_\mathrm{gold}

    with L in nats per byte (bits or nats per token change K_0 only) and pass@k a fraction, all three parameters those
    of one k. Least squares on pass@k, so that runs with a score of zero can be fitted.

    References
    ----------
    Schaeffer et al., Pretraining Scaling Laws for Generative Evaluations of Language Models, arXiv 2509.24012, the law
    in gold reference likelihoods. They fit the logarithm.

    Examples
    --------
    Zero while the likelihood of the reference rises, and then not:

    >>> import numpy as np
    >>> loss = np.linspace(1.2, 0.5, 12)
    >>> solved = np.exp(-(0.05 + 12 * loss**3))
    >>> print(solved[:2].round(4), LikelihoodToPassAtK().fit(loss[:, None], solved).predict([[0.3]]).round(3))
    [0. 0.] [0.688]
    """

    columns = ("loss",)
    parameters = _PowerOfLoss.parameters
    formula = '-log op("pass@k")(L) = E_0 + K_0 L^kappa'
    source = "Generative evaluations (arXiv 2509.24012), law in the gold reference's likelihood"
    x_unit = "nats/byte"
    y_unit = "accuracy"
    surprise: ClassVar[Law] = _PowerOfLoss()

    def inverse(self, share: ArrayLike) -> Array:
        """Loss at which a share is reached, (m,): ((-log p - E_0) / K_0)^(1/kappa); NaN: never."""
        check_is_fitted(self)
        e, share = self.estimates_, np.asarray(share, dtype=float)
        with np.errstate(all="ignore"):
            return only_finite(((-np.log(share) - e["E_0"]) / e["K_0"]) ** (1 / e["kappa"]))
