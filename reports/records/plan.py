"""What ``benchcast plan`` finds, as frozen objects: the machine contract of its ``--json`` and all the report reads.

Parameters, tokens and FLOPs are plain counts, losses nats per token, batch sizes tokens. Every estimate has an
interval.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from . import display
from .base import Frozen, Number, Provenance
from .notices import StoredNotice

if TYPE_CHECKING:
    import pandas as pd


class Estimate(Frozen):
    """A number and its interval; what the interval is of, ``Answer.interval`` says."""

    value: float | None
    low: float | None
    high: float | None


class Answer(Frozen):
    """What one method says about one budget."""

    method: str
    kind: Literal["fitted", "published"]
    flops: float
    params: Estimate
    tokens: Estimate
    token_multiplier: Estimate
    loss: Estimate | None = Field(description="null where the method gives none")
    interval: str = Field(description="what the intervals are of")
    source: str
    notes: tuple[StoredNotice, ...] = ()


class Hyper(Frozen):
    """Learning rate and batch size by one law, at the plan's N and D."""

    method: str
    kind: Literal["fitted", "published"]
    flops: float
    lr: Estimate
    batch_size: Estimate = Field(description="tokens")
    regret: float | None = Field(description="mean share of the loss lost by following it in the sweep, sizes held out")
    interval: str
    source: str


class NearOptimal(Frozen):
    """Model sizes whose loss at the same compute is within ``share`` of the minimum."""

    flops: float
    share: float
    low: Estimate
    high: Estimate


class Deviation(Frozen):
    """What a model ``factor`` times the optimal size costs at the same compute."""

    flops: float
    factor: float
    params: Number
    tokens: Number
    extra_loss: Estimate
    waste: Estimate = Field(description="share of the compute that a better split would have saved")


class Growth(Frozen):
    """How the optimum grows: exponents of N*(C) and D*(C), and factors at ten times the compute."""

    method: str
    params_exponent: Estimate
    tokens_exponent: Estimate
    params_10x: Estimate
    tokens_10x: Estimate
    source: str


class Spec(Frozen):
    """One specification's answer at the first budget."""

    method: str
    choice: dict[str, str]
    params: float | None
    tokens: float | None
    failed: str = ""


class FitReport(Frozen):
    """The fitted law: estimates, and how sure the search is that this is the optimum."""

    law: str
    formula: str
    source: str
    estimates: dict[str, Estimate]
    stderrs: dict[str, float | None] = Field(description="standard deviation over the resamples")
    objective: Number
    gradient: Number
    agreement: Number = Field(description="share of the searches that met at the optimum")
    runner_up_objective: float | None
    status: Literal["converged", "bound hit", "abnormal"]
    n: int
    resamples_at_optimum: Number
    notes: tuple[StoredNotice, ...] = ()


class BudgetCurve(Frozen):
    """One isoFLOP budget: its runs, and the minimum with its interval."""

    flops: float
    params: tuple[Number, ...]
    loss: tuple[Number, ...]
    minimum: Estimate
    minimum_loss: Number
    inside: bool


class IsoFLOPReport(Frozen):
    """The isoFLOP analysis: power law of the minima, flatness, what is wrong with the sweep."""

    curve: str
    noise: Number = Field(description="standard deviation of log loss that the intervals assume")
    budgets: tuple[BudgetCurve, ...]
    exponent: Estimate
    prefactor: Number
    flatness: dict[str, Estimate] = Field(description="share: exponent of the near-optimal range's width in C")
    findings: tuple[StoredNotice, ...]
    bias: float | None = Field(description="relative error in N* at the first budget on noise-free fitted losses")
    other_curves: dict[str, Estimate] = Field(description="the exponent by the other curves")


class Contours(Frozen):
    """IsoLoss lines over (N, D) and the efficient frontier, of the plan's law."""

    losses: tuple[Number, ...]
    params: tuple[Number, ...]
    tokens: tuple[tuple[float | None, ...], ...]
    frontier_params: tuple[Number, ...]
    frontier_tokens: tuple[Number, ...]
    runs: tuple[tuple[Number, Number, Number], ...] = Field(description="(params, tokens, loss) of the runs")


class HyperGroup(Frozen):
    """The surface of one (N, D): its optimum, what was measured around it, and the curve levels for a figure."""

    params: Number
    tokens: Number
    lr: Number
    batch_size: Number
    points: tuple[tuple[Number, Number, Number], ...]
    grid_lr: tuple[Number, ...]
    grid_batch: tuple[Number, ...]
    grid_loss: tuple[tuple[Number, ...], ...]


class CurveOverlay(Frozen):
    """A measured training curve and the law at its steps; ``error`` is the mean absolute error in nats per token."""

    name: str
    group: str
    step: tuple[Number, ...]
    loss: tuple[Number, ...]
    law: tuple[Number, ...]
    held_out: bool
    error: float | None


class Reach(Frozen):
    """Steps and tokens to a loss at one batch size (tokens)."""

    params: Number
    loss: Number
    batch_size: Number
    steps: Number
    tokens: Number


class BatchReport(Frozen):
    """Unraveling's steps: B_crit(L) = b_star / L^inverse_alpha_b, L(N, S), and what is not identified (``notes``)."""

    b_star: Estimate
    inverse_alpha_b: Estimate
    exponents: dict[str, Estimate]
    loss: Number
    critical_batch: Estimate = Field(description="tokens, at ``loss``")
    misfit: Number = Field(description="residual standard deviation of log loss about L(N, S)")
    contours: int
    least_loss: dict[str, Number] = Field(description="by model size: the loss of unlimited steps")
    reaches: tuple[Reach, ...]
    curves: tuple[CurveOverlay, ...]
    notes: tuple[StoredNotice, ...]


class ScheduleReport(Frozen):
    """The annealing law: estimates, how fast a drop acts (``memory`` in steps), and every curve."""

    estimates: dict[str, Estimate]
    memory: Number
    gamma: Number
    curves: tuple[CurveOverlay, ...]
    notes: tuple[StoredNotice, ...]


class PlanResult(display.DisplayMixin, Frozen):
    """Everything ``benchcast plan`` found; the first answer of each budget is the plan."""

    schema_: Literal["benchcast.plan/1"] = Field(default="benchcast.plan/1", alias="schema")
    title: str
    level: float
    answers: tuple[Answer, ...]
    hyperparams: tuple[Hyper, ...]
    near_optimal: tuple[NearOptimal, ...]
    deviations: tuple[Deviation, ...]
    growth: tuple[Growth, ...]
    specifications: tuple[Spec, ...]
    fit: FitReport | None
    isoflop: IsoFLOPReport | None
    contours: Contours
    surfaces: tuple[HyperGroup, ...]
    batches: BatchReport | None
    schedules: ScheduleReport | None
    notes: tuple[StoredNotice, ...]
    provenance: Provenance

    def to_frame(self) -> pd.DataFrame:
        """The answers as a pandas frame, one a row: value, low and high of parameters, tokens and their ratio."""
        return display.renderer().as_frame(self)

    def write(self, out: str | Path) -> dict[str, Path]:
        """Typeset ``plan.pdf``, with its JSON beside it; paths by kind.

        Raises
        ------
        BenchcastError
            When it cannot be typeset, or the place not be written; what was there is untouched.
        """
        return display.renderer().write_report(self, Path(out))
