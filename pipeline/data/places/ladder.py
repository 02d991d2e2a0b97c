"""Reading ``ladder.yaml``: one file and one way of saying what is wrong in it, for every kind of entry."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ...core import reading
from ...core.errors import Fault, UnreadableError
from .. import csv_files

LADDER = "ladder.yaml"
P = TypeVar("P", bound=BaseModel)
V = TypeVar("V")
MOST_LETTERS = 100  # of a value in a message


@dataclass(frozen=True, kw_only=True)
class PlaceKind(Generic[P]):
    """What one kind of reader takes from the file, and how it says what is wrong."""

    place: type[P]
    content: str  # said of a file that is not a mapping
    entry: str  # said of an entry that is not a mapping; ``{value}`` stands for what it is
    example: str = ""  # how an entry is written
    unknown: tuple[str, str] = ("is not a known key", "keys are")
    leaves_out: bool = False  # null as an entry: listed, and left out on purpose
    as_written: bool = False  # names are text, also where YAML makes a number of them


class LadderPlaces(Mapping[str, V]):
    """The entries of the file by name, in its order."""

    def __init__(self, places: Mapping[str, V] | None = None) -> None:
        self._places = dict(places or {})

    def __getitem__(self, name: str) -> V:
        """The entry of exactly this name."""
        return self._places[name]

    def __iter__(self) -> Iterator[str]:
        """The names, in the order of the file."""
        return iter(self._places)

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._places)

    def patterns(self, name: str) -> list[str]:
        """The names in the file that fit ``name`` as shell patterns, in its order."""
        return [pattern for pattern in self._places if fnmatch.fnmatchcase(name, pattern)]

    def find(self, name: str) -> V | None:
        """The entry of a name, else of the first pattern that fits; None where there is none."""
        if name in self._places:
            return self._places[name]
        return next((self._places[pattern] for pattern in self.patterns(name)), None)


def in_folder(folder: Path, kind: PlaceKind[P], faults: list[Fault]) -> LadderPlaces[P | None]:
    """The places that ``ladder.yaml`` in a folder gives; none without the file."""
    path = folder / LADDER
    return read_ladder(path, kind, faults) if os.path.lexists(path) else LadderPlaces()


def read_ladder(path: Path, kind: PlaceKind[P], faults: list[Fault], asked_as: str = "") -> LadderPlaces[P | None]:
    """The places of a file; None for an entry with faults, and for one that is left out.

    Parameters
    ----------
    faults : list
        Gets everything that is wrong.
    asked_as : str
        Which setting named the file, before its path in a fault of the file as a whole.
    """
    try:
        text = reading.text(path)
        content = reading.yaml_of(text)
    except UnreadableError as error:
        faults.append(Fault(f"{asked_as}{path}", f"cannot be read: {error}"))
        return LadderPlaces()
    if content is None:
        return LadderPlaces()
    if not isinstance(content, Mapping):
        faults.append(Fault(f"{asked_as}{path}", kind.content))
        return LadderPlaces()
    names = _as_written(text, content) if kind.as_written else [str(name) for name in content]
    return places_from(path, list(content.values()), kind, faults, names)


def places_from(
    path: Path, entries: Sequence[Any], kind: PlaceKind[P], faults: list[Fault], names: Sequence[str]
) -> LadderPlaces[P | None]:
    """The places of entries with these names, as ``read_ladder`` gives them; ``path`` is for faults."""
    places: dict[str, P | None] = {}
    for name, entry in zip(names, entries, strict=True):
        if name in places:
            faults.append(Fault(f"{path}: {name}", "appears twice (as text and as a number)", "keep one of them"))
        places[name] = None
        if entry is None and kind.leaves_out:
            continue
        try:
            places[name] = kind.place.model_validate(entry)
        except ValidationError as error:
            faults += (_fault(f"{path}: {name}", entry, fault, kind) for fault in error.errors())
    return LadderPlaces(places)


def _as_written(text: str, content: Mapping[Any, Any]) -> list[str]:
    """The keys as they are written: YAML makes a number of ``007``, and the run is called 007."""
    plain = yaml.load(text, Loader=yaml.BaseLoader)  # makes text, lists and mappings only
    names = list(plain) if isinstance(plain, dict) else []
    return names if len(names) == len(content) and "<<" not in names else [str(key) for key in content]


def _fault(name: str, entry: Any, error: Any, kind: PlaceKind[P]) -> Fault:
    """One error of pydantic's as a fault at its key; ``name`` is the file and the entry's name."""
    where = ".".join([name, *(str(part) for part in error["loc"] if "(" not in str(part))])
    if not isinstance(entry, Mapping):
        return Fault(where, kind.entry.format(value=_shown(entry)), kind.example)
    if error["type"] == "missing":
        return Fault(where, "is missing", "write it, or null for the model to leave it out" if kind.leaves_out else "")
    if error["type"] in ("extra_forbidden", "invalid_key"):
        what, keys = kind.unknown
        return Fault(where, what, f"{keys} {', '.join(kind.place.model_fields)}")
    value = error["input"]
    fix = csv_files.unlike(value) if isinstance(value, str) else ""
    return Fault(where, f"{_shown(value)}: {str(error['msg']).removeprefix('Value error, ')}", fix)


def _shown(value: Any) -> str:
    """A value as it was written; of a list or mapping, which may be endless by its aliases, only that it is one."""
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value)[:MOST_LETTERS]
