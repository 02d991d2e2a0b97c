"""The recipe ``auto``: its settings, and ``fit``, which does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...recipe import Recipe
from .settings import AutoSettings

if TYPE_CHECKING:
    from ...context import FamilyContext
    from ...job import Job, RecipeOutput

__all__ = ["RECIPE", "AutoSettings"]


def _run(job: Job, settings: AutoSettings, context: FamilyContext) -> RecipeOutput:
    from .fit import run

    return run(job, settings, context)


RECIPE = Recipe(settings=AutoSettings, run=_run, rank=0)
