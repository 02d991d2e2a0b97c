"""A choice of documents as a file of the store: written once, never changed.

::

    <store>/subsets/<requests>-<k>-<number>.json

``requests`` is the digest of all of the task's requests, ``k`` what ``score.documents`` asked for, and of several
numbers the highest counts: documents are only chosen anew when a person asks for it, and what was scored by an earlier
choice stays under its own. A task that has no more documents than that has a file too, which says so, so that this is
known without building the task.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchcast.stages.documents.subset import Subset

from ...core import files, reading
from ...core.digest import object_digest
from ...core.errors import BrokenError
from ..requests.chosen import ChosenDocuments

FOLDER = "subsets"
WHOLE = "whole"  # the method of a task that is asked all of its documents
FIELDS = ("task", "requests", "asked", "total", "method", "remark", "chosen_by", "runs", "inflation", "chance")
ARRAYS = ("documents", "weights", "features")
CONTENT = "content_sha256"


@dataclass(frozen=True, kw_only=True)
class StoredChoice:
    """A choice as it was written; ``chosen`` is None for a task that is asked whole, which ``remark`` may explain."""

    chosen: ChosenDocuments | None
    number: int
    total: int
    remark: str
    checkpoints: int
    runs: int


def path_of(store: Path, requests: str, count: int, number: int) -> Path:
    """Where a choice is written."""
    return store / FOLDER / f"{requests[:40]}-{count}-{number}.json"


def latest(store: Path, requests: str, count: int) -> StoredChoice | None:
    """The choice that counts, or None where none was made.

    Raises
    ------
    BrokenError
        When its file cannot be read, or was edited: documents are never chosen anew behind anybody's back.
    """
    pattern = re.compile(rf"{requests[:40]}-{count}-(\d+)\.json")
    folder = store / FOLDER
    found = [pattern.fullmatch(p.name) for p in folder.iterdir()] if folder.is_dir() else []
    numbers = [int(match[1]) for match in found if match]
    return _read(path_of(store, requests, count, max(numbers)), requests, max(numbers)) if numbers else None


def faults(store: Path) -> Iterator[str]:
    """Choices of a store that are not what was written, one line each."""
    for path in sorted((store / FOLDER).glob("*.json")):
        try:
            _read(path, None, 0)
        except BrokenError as error:
            yield str(error)


def write(
    store: Path,
    *,
    task: str,
    requests: str,
    count: int,
    number: int,
    subset: Subset | None,
    about: Mapping[str, Any],
) -> None:
    """Write a choice; ``subset`` None for a task that is asked whole, ``about`` the other ``FIELDS``."""
    content: dict[str, Any] = {"task": task, "requests": requests, "asked": count, **about}
    if subset is None:
        content |= {"method": WHOLE, "runs": 0, "inflation": {}}
    else:
        content |= {
            "total": subset.total,
            "method": subset.method,
            "remark": subset.remark,
            "runs": subset.runs,
            "inflation": dict(subset.inflation),
            **{name: getattr(subset, name).tolist() for name in ARRAYS},
        }
    content[CONTENT] = object_digest(content)
    path = path_of(store, requests, count, number)
    path.parent.mkdir(exist_ok=True)
    files.write_text(json.dumps(content) + "\n", path, durable=True)


def _read(path: Path, requests: str | None, number: int) -> StoredChoice:
    try:
        content = reading.json_of(reading.data(path, reading.MOST_TABLE))
        digest = content.pop(CONTENT)
        requests = requests or str(content["requests"])
        if digest != object_digest(content) or content["requests"] != requests:
            raise ValueError("is not what was written: somebody edited it")
        checkpoints = len(content["chosen_by"])
        chosen = None
        if content["method"] != WHOLE:
            subset = Subset(
                documents=np.array(content["documents"], dtype=np.intp),
                weights=np.array(content["weights"], dtype=float),
                features=np.array(content["features"], dtype=float),
                total=int(content["total"]),
                method=str(content["method"]),
                checkpoints=checkpoints,
                runs=int(content["runs"]),
                inflation={str(k): float(v) for k, v in content["inflation"].items()},
                remark=str(content["remark"]),
            )
            chance = float("nan") if content["chance"] is None else float(content["chance"])
            chosen = ChosenDocuments(subset=subset, whole=requests, digest=digest, chance=chance)
        return StoredChoice(
            chosen=chosen,
            number=number,
            total=int(content["total"]),
            remark=str(content["remark"]),
            checkpoints=checkpoints,
            runs=int(content["runs"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = " ".join(str(error).split())[:120]
        advice = "put it back from a copy, or remove it: documents are then chosen anew, and scored anew"
        raise BrokenError(f"{path}: the choice of documents cannot be read ({what}); {advice}") from error
