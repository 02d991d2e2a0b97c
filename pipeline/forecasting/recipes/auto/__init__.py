"""The recipe ``auto``: its settings; ``fit`` does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ....core.settings import RecipeSettings
from ...recipe import Recipe

if TYPE_CHECKING:
    from ...context import FamilyContext
    from ...job import Job, RecipeOutput


class AutoSettings(RecipeSettings):
    """Every admissible form, weighed by the ladder's own backtest, with intervals inflated by its misses."""

    name: Literal["auto"] = "auto"
    last: int | None = Field(
        default=None, ge=1, description="a run's value is the mean of its last checkpoints; empty: 5 of long records"
    )
    losses: int = Field(default=1, ge=0, description="validation losses tried, those that rank runs as accuracy does")
    fewest: int = Field(default=6, ge=4, description="runs below which nothing is fitted")
    cutoffs: int = Field(default=6, ge=1, description="cutoffs of the backtest at most")
    wide: bool = Field(
        default=False,
        description="try more forms (robust, weighed, windows, a break): a wider fan, several times slower",
    )
    refuse: bool = Field(default=True, description="print no forecast for a task of grade D")


def _run(job: Job, settings: AutoSettings, context: FamilyContext) -> RecipeOutput:
    from .fit import run

    return run(job, settings, context)


RECIPE = Recipe(settings=AutoSettings, run=_run, rank=4)
