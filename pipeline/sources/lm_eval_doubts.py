"""Two statements of one fact in results that do not agree, where one of them counts: a line of the account each.

What makes a number wrong is a fault elsewhere; here is what a person should look at all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline import reading
from pipeline.account import Account, listed
from pipeline.sources import identity
from pipeline.sources.lm_eval_files import Task
from pipeline.sources.lm_eval_models import Named
from pipeline.sources.places import LADDER, Place

FAR = 5.0  # N with and without embeddings may differ by less, even of small models


def tell(placed: Iterable[tuple[Named, str]], places: Mapping[str, Place | None], account: Account) -> None:
    """Lines for sizes and names that the results state in two ways; ``placed`` has every file with its key."""
    sizes: dict[str, None] = {}
    names: dict[str, None] = {}
    for one, key in placed:
        place, stated = places[key], one.file.identity.params
        if place is not None and stated and not 1 / FAR < place.params / stated < FAR:
            sizes[f"{key}: {place.params:g} and {stated:g}"] = None
        asked = identity.models_asked_for(one.file.identity.args)
        if asked and one.file.identity.name not in asked:
            names[f"{one.file.identity.name} and {listed(asked)} ({one.file.shown})"] = None
    if sizes:
        account.note(
            f"params in {LADDER} and in the results differ for {len(sizes)} models, by more than embeddings can; the "
            f"former count: {listed(sizes)}"
        )
    if names:
        account.note(f"model_name and model_args of {len(names)} results say different models: {listed(names)}")


def tell_shots(tasks: Iterable[tuple[Named, Task]], account: Account) -> None:
    """A line for tasks whose number of shots is stated in two ways."""
    told: dict[str, None] = {}
    for one, task in tasks:
        counted, configured = reading.number(task.shots), reading.number(task.configured)
        if counted == counted and configured == configured and counted != configured:
            told[f"{task.name} {counted:g} and {configured:g} ({one.file.shown})"] = None
    if told:
        account.note(
            f"n-shot and the task's own num_fewshot differ for {len(told)} results; the former count: {listed(told)}"
        )
