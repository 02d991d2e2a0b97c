"""The config of ``benchcast plan``: what to plan for, and from which runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from benchcast.stages.planning.published import PUBLISHED_LAWS
from pydantic import BeforeValidator, Field, model_validator

from ..core.settings import Positive, StepTokens, Strict

Flops = Annotated[
    tuple[Positive, ...],
    BeforeValidator(lambda v: v if isinstance(v, list | tuple) else [v]),
    Field(min_length=1),
]


class TableSettings(Strict):
    """``data``: a CSV or Parquet table with a row per run (or per checkpoint)."""

    path: Path | None = Field(default=None, description="table to read; --data on the command line replaces it")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="names of your columns: {params: n} if the parameters are in column n",
    )
    where: dict[str, str | float | int | bool] = Field(
        default_factory=dict, description="keep only rows with these values: {column: value}"
    )


class HyperparamsSettings(Strict):
    """``hyperparams``: a sweep of learning rates and batch sizes, or the published laws only."""

    path: Path | None = Field(default=None, description="table with params, tokens, lr, batch_size (tokens), loss")
    columns: dict[str, str] = Field(default_factory=dict)
    where: dict[str, str | float | int | bool] = Field(default_factory=dict)
    sequence_length: StepTokens = Field(
        default=1.0, description="tokens of a sequence, if batch_size counts sequences; left out: it counts tokens"
    )


class BatchesSettings(Strict):
    """``batches``: training curves at several batch sizes and a constant learning rate, for the critical batch size."""

    source: Literal["table", "demo"] = "table"
    path: Path | None = Field(default=None, description="table with params, batch_size (tokens), step, loss")
    columns: dict[str, str] = Field(default_factory=dict)
    where: dict[str, str | float | int | bool] = Field(default_factory=dict)


class SchedulesSettings(Strict):
    """``schedules``: training curves of one model under several learning-rate schedules."""

    path: Path = Field(description="table with run (name of the schedule), step, lr, loss")
    columns: dict[str, str] = Field(default_factory=dict)
    where: dict[str, str | float | int | bool] = Field(default_factory=dict)
    held_out: tuple[str, ...] = Field(default=(), description="runs that the law is checked on, not fitted on")
    warmup: Positive | None = Field(default=None, description="steps of linear warm-up before the first row")


class IsoFLOPSettings(Strict):
    """``isoflop``: how the minima of a sweep are found."""

    curve: Literal["akima", "parabola", "cubic"] = "akima"
    tolerance: float = Field(
        default=0.05, gt=0, lt=1, description="budgets that differ by less than this share count as one"
    )
    draws: int = Field(default=1000, ge=20)
    noise: Positive | None = Field(
        default=None, description="standard deviation of log loss; left out: estimated from the sweep"
    )


class PlanConfig(Strict):
    """A config of ``benchcast plan``."""

    title: str = Field(default="Training plan", min_length=1)
    flops: Flops = Field(description="training compute to plan for, in FLOPs: one number or several")
    law: Literal["chinchilla", "kaplan", "overtraining", "deepseek"] = Field(
        default="chinchilla", description="law to fit; deepseek needs a column flops_per_token"
    )
    published: str = Field(default="chinchilla-refit", description="published law to use when there is no data")
    data: TableSettings | None = None
    huber: Positive | None = Field(
        default=1e-3, description="threshold of the Huber loss, in log loss; null: least squares"
    )
    isoflop: IsoFLOPSettings = IsoFLOPSettings()
    hyperparams: HyperparamsSettings = HyperparamsSettings()
    batches: BatchesSettings | None = None
    schedules: SchedulesSettings | None = None
    resamples: int = Field(default=1000, ge=100)
    level: float = Field(default=0.9, gt=0.5, lt=1.0, description="probability that the interval holds the true value")
    seed: int = Field(default=0, ge=0)
    out: Path = Path("out/plan")

    @model_validator(mode="after")
    def _known(self) -> Self:
        losses = [name for name, law in PUBLISHED_LAWS.items() if law.has_loss]
        if twice := [c for i, c in enumerate(self.flops) if c in self.flops[:i]]:
            raise ValueError(f"flops: {twice[0]:g} appears twice; keep one of them")
        if self.published not in losses:
            raise ValueError(f"published: {self.published!r} is not a law with a loss ({', '.join(losses)})")
        return self
