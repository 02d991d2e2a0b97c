"""What the config says of the recipe ``auto``."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ....core.settings import RecipeSettings


class AutoSettings(RecipeSettings):
    """Every admissible form, weighed by the ladder's own backtest, with intervals scaled by its misses."""

    takes_references: ClassVar[bool] = True

    name: Literal["auto"] = "auto"
    last: int | None = Field(
        default=None, ge=1, description="a run's value is the mean of its last checkpoints; empty: 5 of long records"
    )
    losses: int = Field(default=1, ge=0, description="validation losses tried, those that rank runs as accuracy does")
    fewest: int = Field(
        default=6, ge=4, description="runs that the first cutoff of the backtest sees; fewer on a ladder of few"
    )
    cutoffs: int = Field(
        default=6,
        ge=1,
        description="cutoffs of the backtest along compute at most; a third as many along size and length",
    )
    wide: bool = Field(
        default=False,
        description="try more forms (robust, weighed, windows, a break): a wider fan, several times slower",
    )
    refuse: bool = Field(default=True, description="print no forecast for a task of grade D")
