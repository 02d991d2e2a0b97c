"""Every recipe, one module or package each; they are found in this folder, and no list names them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ...core.plugins import plugins
from ...core.settings import RecipeSettings
from ..recipe import Recipe

if TYPE_CHECKING:
    from ..context import FamilyContext
    from ..job import Job, RecipeOutput


@cache
def all_recipes() -> dict[str, Recipe[Any]]:
    """The recipes by name, in the order of their ranks."""
    return plugins("forecasting.recipes", "RECIPE")


def run_recipe(settings: RecipeSettings, job: Job, context: FamilyContext) -> RecipeOutput:
    """What a recipe makes of one job."""
    return all_recipes()[settings.name].run(job, settings, context)
