"""Which forecasts of a result are its answer: one recipe, one target, a row per task. The others are on later pages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .forecast import Forecast, Result

GRADED = "auto"  # the recipe whose numbers are the answer where it ran; else the first one listed


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What page one says.

    Attributes
    ----------
    recipe : str
        Whose numbers they are.
    rows : tuple of Forecast
        One per family and task, averages first. A planned run's where there is one, else the largest run's.
    others : tuple of Forecast
        The same recipe's forecasts of the other targets, in their order.
    """

    recipe: str
    rows: tuple[Forecast, ...]
    others: tuple[Forecast, ...]

    @property
    def numbers(self) -> tuple[Forecast, ...]:
        """The rows that have a number."""
        return tuple(f for f in self.rows if has_number(f))

    @property
    def graded(self) -> bool:
        """Whether the forecasts have grades."""
        return any(f.grade for f in (*self.rows, *self.others))

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets: one, or one per family where each has its own."""
        return tuple(dict.fromkeys(f.target for f in self.rows))

    @property
    def families(self) -> tuple[str, ...]:
        """The families that the rows are of."""
        return tuple(dict.fromkeys(f.family for f in self.rows))


def answer(result: Result) -> Answer:
    """The answer of a result; without rows where nothing was forecast."""
    recipes = list(dict.fromkeys(f.recipe for f in result.forecasts))
    recipe = GRADED if GRADED in recipes else next(iter(recipes), "")
    made = _first_settings(f for f in result.forecasts if f.recipe == recipe)
    targets = {
        family: _lead_target(result, [f for f in made if f.family == family])
        for family in dict.fromkeys(f.family for f in made)
    }
    rows = [f for f in made if f.target == targets[f.family]]
    ordered = sorted(rows, key=lambda f: not f.members)  # stable: averages first, the rest as it was
    others = tuple(f for f in made if f.target != targets[f.family])
    return Answer(recipe=recipe, rows=tuple(ordered), others=others)


def _lead_target(result: Result, own: Sequence[Forecast]) -> str:
    """The target of page one: the first planned run, or where none is planned the largest run that was forecast.

    ``own`` are the recipe's forecasts in one family.
    """
    planned = [f.target for f in own if is_planned(result, f.target)]
    return planned[0] if planned else max(own, key=lambda f: f.flops).target


def is_planned(result: Result, target: str) -> bool:
    """Whether a target is not a run of the table."""
    return target not in {run.run for run in result.ladder}


def has_number(f: Forecast) -> bool:
    """Whether a forecast was made."""
    return f.forecast is not None and math.isfinite(f.forecast)


def beyond(result: Result, f: Forecast) -> float | None:
    """The target's FLOPs over those of the largest run that was fitted in its family; None where nothing was."""
    fitted = [run.flops for run in result.ladder if run.role == "fit" and run.family == f.family]
    fitted = fitted or [run.flops for run in result.ladder if run.role == "fit"]
    return f.flops / max(fitted) if fitted else None


def _first_settings(forecasts: Iterable[Forecast]) -> list[Forecast]:
    """Of a recipe that ran with several settings the forecasts of the first."""
    return list({(f.family, f.task, f.target): f for f in reversed(list(forecasts))}.values())[::-1]
