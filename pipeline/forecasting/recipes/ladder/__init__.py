"""The model-ladder recipe (Bhagia et al., arXiv 2412.04403): its settings, and ``fit``, which does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...recipe import Recipe
from .settings import LadderSettings

if TYPE_CHECKING:
    from ...context import FamilyContext
    from ...job import Job, RecipeOutput

__all__ = ["RECIPE", "LadderSettings"]


def _run(job: Job, settings: LadderSettings, context: FamilyContext) -> RecipeOutput:
    from .fit import run

    return run(job, settings, context)


RECIPE = Recipe(settings=LadderSettings, run=_run, rank=3)
