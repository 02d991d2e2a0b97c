"""The Llama 3 recipe (arXiv 2407.21783, section 3.2.1): its settings; ``fit`` does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from ....core.settings import Bounds, Positive, RecipeSettings
from ...recipe import Recipe, check_loss_name

if TYPE_CHECKING:
    from ...context import FamilyContext
    from ...job import Job, RecipeOutput


class Llama3Settings(RecipeSettings):
    """Training FLOPs, linear to NLL, sigmoid to accuracy; compute-optimal runs only in the first step."""

    name: Literal["llama3"] = "llama3"
    optimal: Literal["frontier", "all"] = Field(
        default="frontier", description="frontier: runs that no cheaper run beats on the middle quantity"
    )
    token_multiplier: tuple[Positive, Positive] | None = Field(
        default=None, description="tokens per parameter taken as compute-optimal, instead of the frontier"
    )
    largest: int | None = Field(default=None, ge=3, description="use only this many of the largest of them")
    middle: str = Field(default="nll", description="nll, nll_choice, or the name of a validation loss")
    floor: Bounds | Literal["chance"] = Field(default="chance", description="chance, a number, or [low, high]")
    ceiling: Bounds = 1.0
    last: int = Field(default=1, ge=1, description="a run's value is the mean of its last checkpoints")

    _middle_is_a_loss = field_validator("middle")(check_loss_name)


def _run(job: Job, settings: Llama3Settings, context: FamilyContext) -> RecipeOutput:
    from .fit import run

    return run(job, settings, context)


RECIPE = Recipe(settings=Llama3Settings, run=_run, rank=1)
