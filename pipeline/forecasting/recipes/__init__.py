"""Recipes: which laws are chained, on which rows of the ladder. One file per recipe, all with the same ``run``."""

from __future__ import annotations

from ...core.config import RecipeSettings
from ..context import FamilyContext
from ..job import Job, RecipeOutput
from . import auto, ladder, llama3, overtraining

RECIPES = {"llama3": llama3.run, "overtraining": overtraining.run, "ladder": ladder.run, "auto": auto.run}


def run_recipe(settings: RecipeSettings, job: Job, context: FamilyContext) -> RecipeOutput:
    """What a recipe makes of one job."""
    # mypy cannot pair the recipe's name with its settings; the registry does.
    return RECIPES[settings.name](job, settings, context)  # type: ignore[operator]
