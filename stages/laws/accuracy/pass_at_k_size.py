"""Parameters and tokens straight to pass@k: the negative logarithm is a sum of two power laws and a floor."""

from __future__ import annotations

from typing import ClassVar

from ..base import Law, Parameter
from ..candidate import CandidateLaw, Step
from ..loss.chinchilla import ChinchillaLoss
from ..negative_log import NegativeLog
from ..registry import law


@law(
    CandidateLaw(
        name="pass@k in N and D",
        step=Step.BUDGET_TO_ACCURACY,
        rank=70,
        weights="sampling",
        structural_bounds=True,
        zero_chance=True,
    ),
)
class SizeToPassAtK(NegativeLog):
    r"""pass@k, or another share whose guesses are never right, as power laws in parameters and tokens.

    .. math:: -\log \mathrm{pass@}k\,(N, D) = E_0 + N_0\, N^{-\beta} + D_0\, D^{-\gamma}

    with N in parameters, D in tokens and pass@k a fraction, all five parameters those of one k: Chinchilla's form for
    the negative logarithm. Least squares on pass@k, so that runs with a score of zero can be fitted.

    References
    ----------
    Schaeffer et al., Pretraining Scaling Laws for Generative Evaluations of Language Models, arXiv 2509.24012, the law
    in parameters and tokens. They fit the logarithm.
    """

    columns = ("params", "tokens")
    parameters = (
        Parameter("N_0", "nats", log=True),
        Parameter("D_0", "nats", log=True),
        Parameter("beta", "1"),
        Parameter("gamma", "1"),
        Parameter("E_0", "nats"),
    )
    formula = '-log op("pass@k")(N, D) = E_0 + N_0 N^(-beta) + D_0 D^(-gamma)'
    source = "Generative evaluations (arXiv 2509.24012), law in parameters and tokens"
    x_unit = "parameters, tokens"
    y_unit = "accuracy"
    surprise: ClassVar[Law] = ChinchillaLoss()
