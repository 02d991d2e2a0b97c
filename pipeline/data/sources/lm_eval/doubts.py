"""Two statements of one fact in results that do not agree, where one of them counts: a line of the account each.

What makes a number wrong is a fault elsewhere; here is what a person should look at all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import readers

from ....core import reading
from ... import model_names
from ...places.ladder import LADDER
from ...places.models import ModelPlaces
from . import identity
from .files import Task
from .models import Named

NEAR = 1.2  # a name's tokens are rounded
FAR = 5.0  # N with and without embeddings may differ by less, even of small models


def tell(placed: Sequence[tuple[Named, str]], places: ModelPlaces, account: Account) -> None:
    """Lines for sizes and names that the results state in two ways; ``placed`` has every file with its key."""
    sizes: dict[str, None] = {}
    names: dict[str, None] = {}
    for one, key in placed:
        place, stated = places[key], one.file.identity.params
        if place is not None and stated and not 1 / FAR < place.params / stated < FAR:
            sizes[f"{key}: {place.params:g} and {stated:g}"] = None
        requested = identity.models_asked_for(one.file.identity.args)
        if requested and one.file.identity.name not in requested:
            names[f"{one.file.identity.name} and {listed(requested)} ({one.file.shown})"] = None
    if sizes:
        account.note(readers.PARAMS_DIFFER(file=LADDER, models=len(sizes), names=listed(sizes)))
    _tell_places(placed, places, account)
    if names:
        account.note(readers.MODELS_DIFFER(results=len(names), names=listed(names)))


def _tell_places(placed: Sequence[tuple[Named, str]], places: ModelPlaces, account: Account) -> None:
    """Lines for names that tell another step or other tokens than their place, and for two models at one place."""
    apart: dict[str, None] = {}
    models: dict[tuple[str, float | None, float], dict[tuple[str, str], str]] = {}
    for one, key in placed:
        if (place := places[key]) is None:
            continue
        numbers = model_names.numbers(one.model.partition(" (")[0])
        if numbers.step and place.step is not None and numbers.step.value != place.step:
            apart[f"{one.model} at step {place.step:g}"] = None
        if numbers.tokens and not 1 / NEAR < place.tokens / max(numbers.tokens.value, 1.0) < NEAR:
            apart[f"{one.model} at {place.tokens:g} tokens"] = None
        own = one.file.identity
        at = place.run or key, place.step, place.tokens
        models.setdefault(at, {}).setdefault((own.name, own.revision), one.model)
    if apart:
        account.note(readers.NAMES_DIFFER(file=LADDER, models=len(apart), names=listed(apart)))
    if several := [f"{at[0]}: {' and '.join(own.values())}" for at, own in models.items() if len(own) > 1]:
        account.note(readers.SEVERAL_MODELS(file=LADDER, models=listed(several)))


def tell_shots(tasks: Iterable[tuple[Named, Task]], account: Account) -> None:
    """A line for tasks whose number of shots is stated in two ways."""
    differing: dict[str, None] = {}
    for one, task in tasks:
        counted, configured = reading.number(task.shots), reading.number(task.configured)
        if counted == counted and configured == configured and counted != configured:
            differing[f"{task.name} {counted:g} and {configured:g} ({one.file.shown})"] = None
    if differing:
        account.note(readers.SHOTS_DIFFER(results=len(differing), names=listed(differing)))
