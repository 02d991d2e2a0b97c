"""Training FLOPs straight to pass@k: the negative logarithm is a power law with a floor."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ...fit.newton import Array
from ..base import Law, Parameter, only_finite
from ..candidate import CandidateLaw, Step
from ..loss.floored_power import FlooredPower
from ..negative_log import NegativeLog
from ..registry import law


@law(
    CandidateLaw(
        name="pass@k in C",
        step=Step.BUDGET_TO_ACCURACY,
        rank=60,
        weights="sampling",
        structural_bounds=True,
        extended=True,
        zero_chance=True,
    ),
)
class FLOPsToPassAtK(NegativeLog):
    r"""pass@k, or another share whose guesses are never right, as a power law in compute.

    .. math:: -\log \mathrm{pass@}k\,(C) = E_0 + K_0\, C^{-\alpha}

    with C in FLOPs and pass@k a fraction, all three parameters those of one k. With E_0 = 0 it is ``DirectAccuracy``.
    Least squares on pass@k, so that runs with a score of zero can be fitted.

    References
    ----------
    Schaeffer et al., Pretraining Scaling Laws for Generative Evaluations of Language Models, arXiv 2509.24012, the law
    in compute. They fit the logarithm.

    Examples
    --------
    >>> import numpy as np
    >>> flops = np.geomspace(1e18, 1e22, 9)
    >>> solved = np.exp(-(0.1 + 900 * flops**-0.14))
    >>> law = FLOPsToPassAtK().fit(flops[:, None], solved)
    >>> print(law.predict([[1e24]]).round(3), law.inverse([0.5]).round(-19))
    [0.611] [5.272e+22]
    """

    columns = ("flops",)
    parameters = (Parameter("E_0", "nats"), Parameter("K_0", "nats", log=True), Parameter("alpha", "1"))
    formula = '-log op("pass@k")(C) = E_0 + K_0 C^(-alpha)'
    source = "Generative evaluations (arXiv 2509.24012), law in compute"
    x_unit = "FLOPs"
    y_unit = "accuracy"
    surprise: ClassVar[Law] = FlooredPower()

    def inverse(self, share: ArrayLike) -> Array:
        """FLOPs at which a share is reached, (m,): (K_0 / (-log p - E_0))^(1/alpha); NaN: never."""
        check_is_fitted(self)
        e, share = self.estimates_, np.asarray(share, dtype=float)
        with np.errstate(all="ignore"):
            return only_finite((e["K_0"] / (-np.log(share) - e["E_0"])) ** (1 / e["alpha"]))
