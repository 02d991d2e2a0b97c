"""What a contradiction is, how it is entered for a reader, and which outcome needs no word."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from .world import Files

Rows = Mapping[tuple[Any, ...], tuple[Any, ...]]
Allowed = Callable[[Rows, Rows], bool]
Made = tuple[Files, Allowed]
Contradiction = Callable[[Files, random.Random], Made]
BY_READER: dict[str, list[Contradiction]] = {}
UNITS = (1e-9, 1e-6, 1e6, 1e9)
UNIT_NAMES = {1e-9: "in billions", 1e-6: "in millions", 1e6: "times a million", 1e9: "times a billion"}


def anything(before: Rows, after: Rows) -> bool:
    """No table is wrong."""
    return True


def same(before: Rows, after: Rows) -> bool:
    """The table as it was."""
    return before == after


def nothing(before: Rows, after: Rows) -> bool:
    """Not even the table as it was: it has to be told."""
    return False


def more(*tasks: str) -> Allowed:
    """Every row as it was; new ones only of these tasks."""
    return lambda before, after: (
        all(after.get(key) == value for key, value in before.items())
        and all(key in before or key[1] in tasks for key in after)
    )


def of(*readers: str) -> Callable[[Contradiction], Contradiction]:
    def enter(made: Contradiction) -> Contradiction:
        for reader in readers:
            BY_READER.setdefault(reader, []).append(made)
        return made

    return enter


class Unfit(Exception):
    """This contradiction cannot be made in this world."""


def named(files: Files, pattern: str, rng: random.Random) -> str:
    found = sorted(path for path in files if re.search(pattern, path))
    if not found:
        raise Unfit
    return rng.choice(found)


def json_of(files: Files, path: str) -> Any:
    return json.loads(files[path])


def off(value: float, rng: random.Random) -> float:
    """Another score of the same kind."""
    return round(value + rng.choice((-1, 1)) * rng.uniform(0.05, 0.2), 6) % 1


def rows_of(data: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def export(files: Files, rng: random.Random) -> tuple[str, list[dict[str, Any]]]:
    path = named(files, r"\.csv$", rng)
    return path, rows_of(files[path])
