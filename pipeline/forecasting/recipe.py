"""What a recipe is: one module of ``recipes``, found there by its ``RECIPE``; no list names it.

A module is imported whenever a config is read, so it imports nothing heavy (pandas, a law) at its top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from ..core.metrics import LOSSES, RESERVED
from ..core.settings import RecipeSettings

if TYPE_CHECKING:
    from .context import FamilyContext
    from .job import Job, RecipeOutput

S = TypeVar("S", bound=RecipeSettings)


@dataclass(frozen=True, kw_only=True)
class Recipe(Generic[S]):
    """A way to forecast one job.

    Attributes
    ----------
    settings : model of the recipe's entry in ``recipes``
        Its ``name`` is a ``Literal`` with a default: the recipe's name.
    run : function of (job, settings, context) to RecipeOutput
    rank : int
        Place in the config's schema and messages; smaller comes first.
    """

    settings: type[S]
    run: Callable[[Job, S, FamilyContext], RecipeOutput]
    rank: int = 100

    @property
    def name(self) -> str:
        """As configs and results say it."""
        return str(self.settings.model_fields["name"].default)


def check_loss_name(name: str) -> str:
    """A loss that a chain may go through.

    Raises
    ------
    ValueError
        For a column of the ladder table that is not a loss.
    """
    if name in RESERVED and name not in LOSSES:
        raise ValueError(f"is not a loss; give {', '.join(LOSSES)} or the name of a validation loss")
    return name
