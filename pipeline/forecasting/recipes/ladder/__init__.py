"""The model-ladder recipe (Bhagia et al., arXiv 2412.04403): its settings; ``fit`` does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ....core.settings import Bounds, Positive, RecipeSettings
from ...recipe import Recipe

if TYPE_CHECKING:
    from ...context import FamilyContext
    from ...job import Job, RecipeOutput


class LadderSettings(RecipeSettings):
    """(N, D) to bits per byte, sigmoid to accuracy on all checkpoints, smoothed."""

    name: Literal["ladder"] = "ladder"
    last: int = Field(default=5, ge=1, description="step 1: a run's value is the mean of its last checkpoints")
    skip: float = Field(default=0.1, ge=0, lt=1, description="step 2: share of each run's first checkpoints to skip")
    smooth: int = Field(default=5, ge=1, description="step 2: moving average over this many checkpoints")
    anchor: bool = Field(default=True, description="step 2: add the point (loss 0, accuracy 1)")
    huber: Positive | None = Field(default=1e-3, description="Huber threshold on log loss; empty for least squares")
    floor: Bounds = (-1.0, 1.0)
    ceiling: Bounds = (0.0, 1.0)


def _run(job: Job, settings: LadderSettings, context: FamilyContext) -> RecipeOutput:
    from .fit import run

    return run(job, settings, context)


RECIPE = Recipe(settings=LadderSettings, run=_run, rank=3)
