"""The compute-optimal size as the ladder's losses show it: part of what `benchcast run` leaves behind."""

from __future__ import annotations

from pydantic import Field

from .base import Frozen, Number
from .plan import BudgetCurve, Estimate


class SizeCurve(Frozen):
    """Validation loss of one model size over compute."""

    params: float
    flops: tuple[float, ...]
    loss: tuple[Number, ...] = Field(description="nats/token")


class Frontier(Frozen):
    """The lowest loss at every compute, and the size that had it; N* ~ C^exponent through the sizes."""

    flops: tuple[float, ...]
    loss: tuple[Number, ...] = Field(description="nats/token")
    params: tuple[Number, ...]
    exponent: Estimate
    prefactor: Number
    sizes: int = Field(description="different sizes on the frontier; with few of them the exponent is uncertain")


class IsoFLOPCurves(Frozen):
    """Loss over size at equal compute, the minima, and the power law N* = prefactor C^exponent through them."""

    budgets: tuple[BudgetCurve, ...]
    exponent: Estimate
    prefactor: Number


class Optimum(Frozen):
    """What the runs of one family say of the best size for a budget."""

    family: str
    loss: str = Field(description="the text that the validation loss was measured on")
    within_runs: bool = Field(description="points are checkpoints within runs, since finished runs are too few")
    curves: tuple[SizeCurve, ...]
    frontier: Frontier | None
    isoflop: IsoFLOPCurves | None
