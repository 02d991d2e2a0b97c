"""What the config says of the recipe ``ladder``."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ....core.settings import Bounds, Positive, RecipeSettings


class LadderSettings(RecipeSettings):
    """(N, D) to bits per byte, sigmoid to accuracy on all checkpoints, smoothed."""

    takes_references: ClassVar[bool] = True

    name: Literal["ladder"] = "ladder"
    last: int | None = Field(
        default=None,
        ge=1,
        description="step 1: a run's value is the mean of its last checkpoints; empty: 5 of long records, else 1",
    )
    skip: float = Field(default=0.1, ge=0, lt=1, description="step 2: share of each run's first checkpoints to skip")
    smooth: int | None = Field(
        default=None, ge=1, description="step 2: moving average over this many checkpoints; empty: as last"
    )
    anchor: bool = Field(default=True, description="step 2: add the point (loss 0, accuracy 1)")
    huber: Positive | None = Field(default=1e-3, description="Huber threshold on log loss; empty for least squares")
    floor: Bounds = (-1.0, 1.0)
    ceiling: Bounds = (0.0, 1.0)
