"""What the config says of the recipe ``auto``."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ....core.settings import RecipeSettings


class AutoSettings(RecipeSettings):
    """Every admissible form, weighed by the ladder's own backtest, with intervals scaled by its misses."""

    takes_references: ClassVar[bool] = True

    name: Literal["auto"] = Field(default="auto", description="name of the recipe")
    last: int | None = Field(
        default=None,
        ge=1,
        description="a run's score is the mean of its last so many checkpoints; left out: 5 if it has enough, else 1",
    )
    losses: int = Field(
        default=1,
        ge=0,
        description="most validation losses to try; those that rank the runs like the accuracy come first",
    )
    fewest: int = Field(
        default=6, ge=4, description="runs that the backtest's first forecast is fitted on; fewer on a short ladder"
    )
    cutoffs: int = Field(
        default=6,
        ge=1,
        description="most cutoffs of the backtest along compute; along size and length a third as many",
    )
    wide: bool = Field(
        default=False,
        description="try more fits (robust, weighted, windows, broken power law): a wider fan, several times slower",
    )
    refuse: bool = Field(default=True, description="give no forecast for a task of grade D")
