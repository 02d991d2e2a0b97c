"""DeepSeek's loss law: model scale is measured in FLOPs per token, not in parameters."""

from __future__ import annotations

from ..registry import law
from ..surface import LossSurface, ParameterDraws
from .chinchilla import ChinchillaLoss


@law()
class DeepSeekLoss(ChinchillaLoss):
    r"""Loss from non-embedding FLOPs per token and tokens: Chinchilla's form with M in place of N.

    .. math:: L(M, D) = E + A / M^{\alpha} + B / D^{\beta}, \qquad C = M D

    with M = 72 n_layer d^2 + 12 n_layer d l_seq in FLOPs per token (``Architecture.flops_per_token("deepseek")``), D in
    tokens and L in nats per token. M counts the attention that 6N leaves out.

    Parameters
    ----------
    huber : float or None
        Huber threshold on log L; None for least squares.

    References
    ----------
    DeepSeek LLM, arXiv 2401.02954, section 3.2.
    """

    columns = ("flops_per_token", "tokens")
    formula = "L(M, D) = E + A / M^alpha + B / D^beta"
    source = "DeepSeek LLM (arXiv 2401.02954), section 3.2"
    x_unit = "FLOPs per token, tokens"
    flops_per_pair = 1.0  # C = M D

    @classmethod
    def in_6nd(cls, draws: ParameterDraws) -> tuple[type[LossSurface], ParameterDraws]:
        """M = 6 N': the parameters that 6ND would count for the same FLOPs, so that C = 6 N' D."""
        return ChinchillaLoss, {**draws, "A": draws["A"] * 6 ** -draws["alpha"]}
