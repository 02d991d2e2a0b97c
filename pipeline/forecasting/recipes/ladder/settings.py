"""What the config says of the recipe ``ladder``."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ....core.settings import Bounds, Positive, RecipeSettings


class LadderSettings(RecipeSettings):
    """(N, D) to bits per byte, sigmoid to accuracy on all checkpoints, smoothed."""

    takes_references: ClassVar[bool] = True

    name: Literal["ladder"] = Field(default="ladder", description="name of the recipe")
    last: int | None = Field(
        default=None,
        ge=1,
        description="step 1: a run's loss is the mean of its last so many checkpoints; left out: 5 if enough, else 1",
    )
    skip: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="step 2: leave out this share of each run's checkpoints, from the beginning",
    )
    smooth: int | None = Field(
        default=None,
        ge=1,
        description="step 2: moving average over so many checkpoints; left out: the same number as last",
    )
    anchor: bool = Field(default=True, description="step 2: add the point (loss 0, accuracy 1)")
    huber: Positive | None = Field(
        default=1e-3, description="threshold of the Huber loss, in log loss; null: least squares"
    )
    floor: Bounds = Field(
        default=(-1.0, 1.0), description="lowest accuracy of the sigmoid: a number, or [low, high] to search in"
    )
    ceiling: Bounds = Field(
        default=(0.0, 1.0), description="highest accuracy of the sigmoid: a number, or [low, high] to search in"
    )
