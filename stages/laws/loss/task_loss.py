"""Parameters and tokens to the task's loss: the ladder's first step."""

from __future__ import annotations

from ..candidate import CandidateLaw, Step
from ..registry import law
from .chinchilla import ChinchillaLoss

ROBUST_HUBER = 1e-3  # threshold on log loss, as published for Chinchilla's law (arXiv 2203.15556, section 3.3)


@law(
    CandidateLaw(name="N and D", step=Step.BUDGET_TO_LOSS, rank=10, settings={"huber": None}),
    CandidateLaw(
        name="N and D, robust", step=Step.BUDGET_TO_LOSS, rank=50, settings={"huber": ROBUST_HUBER}, extended=True
    ),
    CandidateLaw(
        name="N and D, weighed",
        step=Step.BUDGET_TO_LOSS,
        rank=60,
        settings={"huber": None},
        weights="compute",
        extended=True,
    ),
)
class TaskLoss(ChinchillaLoss):
    r"""Loss on the gold answer as a sum of two power laws and a floor.

    .. math:: L(N, D) = A / N^{\alpha} + B / D^{\beta} + E

    with N in parameters, D in tokens and L in bits (or nats) per byte: Chinchilla's form, fitted to another loss.

    Parameters
    ----------
    huber : float or None
        Huber threshold on log L, as published (1e-3); None for least squares.

    References
    ----------
    Bhagia et al., Establishing Task Scaling Laws via Compute-Efficient Model Ladders, arXiv 2412.04403, equation 1;
    the form is Hoffmann et al., arXiv 2203.15556, approach 3.
    """

    formula = "L(N, D) = A / N^alpha + B / D^beta + E"
    source = "Model ladder (arXiv 2412.04403), step 1; Chinchilla (arXiv 2203.15556)"
    y_unit = "bits/byte"
