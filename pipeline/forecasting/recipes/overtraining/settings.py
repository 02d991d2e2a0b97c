"""What the config says of the recipe ``overtraining``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from ....core.settings import Patterns, RecipeSettings
from ...recipe import check_loss_name


class OvertrainingSettings(RecipeSettings):
    """(C, tokens per parameter) to validation loss, then exponential to top-1 error."""

    name: Literal["overtraining"] = Field(default="overtraining", description="name of the recipe")
    loss: str | None = Field(
        default=None, description="name of the validation loss in the table; left out: the only one there is"
    )
    loss_runs: Patterns = Field(default=("*",), description="runs that the loss law is fitted on")
    error_runs: Patterns = Field(default=("*",), description="runs that the error law is fitted on")
    last: int = Field(default=1, ge=1, description="a run's value is the mean of its last so many checkpoints")

    @field_validator("loss")
    @classmethod
    def _loss_is_a_loss(cls, name: str | None) -> str | None:
        return None if name is None else check_loss_name(name)
