"""The Llama 3 recipe (arXiv 2407.21783, section 3.2.1): its settings, and ``fit``, which does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...recipe import Recipe
from .settings import Llama3Settings

if TYPE_CHECKING:
    from ...context import FamilyContext
    from ...job import Job, RecipeOutput

__all__ = ["RECIPE", "Llama3Settings"]


def _run(job: Job, settings: Llama3Settings, context: FamilyContext) -> RecipeOutput:
    from .fit import run

    return run(job, settings, context)


RECIPE = Recipe(settings=Llama3Settings, run=_run, rank=1)
