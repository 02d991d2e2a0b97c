"""The over-training recipe (Gadre et al., arXiv 2403.08540): its settings, and ``fit``, which does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...recipe import Recipe
from .settings import OvertrainingSettings

if TYPE_CHECKING:
    from ...context import FamilyContext
    from ...job import Job, RecipeOutput

__all__ = ["RECIPE", "OvertrainingSettings"]


def _run(job: Job, settings: OvertrainingSettings, context: FamilyContext) -> RecipeOutput:
    from .fit import run

    return run(job, settings, context)


RECIPE = Recipe(settings=OvertrainingSettings, run=_run, rank=2)
