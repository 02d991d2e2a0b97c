"""What the config says of the recipe ``llama3``."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from ....core.settings import Bounds, Positive, RecipeSettings
from ...recipe import check_loss_name


class Llama3Settings(RecipeSettings):
    """Training FLOPs, linear to NLL, sigmoid to accuracy; compute-optimal runs only in the first step."""

    takes_references: ClassVar[bool] = True

    name: Literal["llama3"] = Field(default="llama3", description="name of the recipe")
    optimal: Literal["frontier", "all"] = Field(
        default="frontier", description="frontier: runs with a lower loss than every cheaper run; all: every run"
    )
    token_multiplier: tuple[Positive, Positive] | None = Field(
        default=None,
        description="range of tokens per parameter that counts as compute-optimal, instead of the frontier",
    )
    largest: int | None = Field(default=None, ge=3, description="use only so many of these runs, the largest")
    middle: str = Field(
        default="nll", description="intermediate loss: nll, nll_choice, nll_mean_prob, or the name of a validation loss"
    )
    floor: Bounds | Literal["chance"] = Field(
        default="chance", description="lowest accuracy of the sigmoid: chance, a number, or [low, high] to search in"
    )
    ceiling: Bounds = Field(
        default=1.0, description="highest accuracy of the sigmoid: a number, or [low, high] to search in"
    )
    last: int = Field(default=1, ge=1, description="a run's value is the mean of its last so many checkpoints")

    _middle_is_a_loss = field_validator("middle")(check_loss_name)
