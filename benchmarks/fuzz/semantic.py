"""Contradictions made on purpose: two statements of one fact that disagree, a unit that cannot be, a name used twice.

Every one must end in an error, a line in the account, or the table as it was before. What only adds something, such as
a test loss beside the evaluation loss, may add rows but change none.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress

from . import logs, results, tables, user_files
from .contradict import BY_READER, Allowed, Unfit, anything, nothing, same
from .world import Files, World
from .worlds import WORLDS

__all__ = ["READERS", "Allowed", "anything", "contradict", "every", "nothing", "same", "worlds"]
ENTERED = (
    logs,
    results,
    tables,
    user_files,
)  # importing them entered their contradictions


def worlds(reader: str) -> tuple[Callable[[], World], ...]:
    return WORLDS[reader]


def contradict(reader: str, files: Files, rng: random.Random) -> tuple[Files, str, Allowed]:
    """Files that change, what was done, and which outcome needs no word."""
    for _ in range(100):
        made = rng.choice(BY_READER[reader])
        try:
            changed, allowed = made(files, rng)
        except Unfit:
            continue
        return changed, f"{made.__name__.strip('_')} [{', '.join(changed)}]", allowed
    raise RuntimeError(f"no contradiction fits {reader}")


def every(reader: str, files: Files, rng: random.Random) -> Iterator[tuple[Files, str, Allowed]]:
    """Each contradiction of a reader once, where these files allow it."""
    for made in BY_READER[reader]:
        with suppress(Unfit):
            changed, allowed = made(files, rng)
            yield changed, f"{made.__name__.strip('_')} [{', '.join(changed)}]", allowed


READERS = tuple(BY_READER)
