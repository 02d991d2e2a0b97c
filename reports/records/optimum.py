"""The best size for a budget as the ladder's losses show it: part of what `benchcast run` leaves behind."""

from __future__ import annotations

from pydantic import Field

from .base import Frozen, Number
from .plan import BudgetCurve, Estimate


class SizeCurve(Frozen):
    """Validation loss of the runs of one model size, by compute."""

    params: float
    flops: tuple[float, ...]
    loss: tuple[Number, ...] = Field(description="nats/token")


class Frontier(Frozen):
    """The least loss for every compute by the law through the runs, and the size that has it; N* ~ C^exponent."""

    law: str
    per_pair: Number = Field(description="FLOPs of a parameter and a token: tokens D* are flops / (per_pair N*)")
    flops: tuple[float, ...]
    loss: tuple[Number, ...] = Field(description="nats/token")
    params: tuple[Number, ...]
    low: tuple[Number, ...] = Field(description="interval of params, by resampled runs")
    high: tuple[Number, ...]
    exponent: Estimate
    runs: int


class IsoFLOPCurves(Frozen):
    """Loss over size at equal compute, the minima, and the power law N* = prefactor C^exponent through them."""

    budgets: tuple[BudgetCurve, ...]
    exponent: Estimate
    prefactor: Number


class Optimum(Frozen):
    """What the runs of one family say of the best size for a budget."""

    family: str
    loss: str = Field(description="the text that the validation loss was measured on")
    curves: tuple[SizeCurve, ...]
    frontier: Frontier | None
    isoflop: IsoFLOPCurves | None
