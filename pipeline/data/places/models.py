"""``ladder.yaml``: where the models of a results folder stand on the ladder, by the names the results give them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ...core import reading
from ...core.config import Positive, Strict
from ...core.errors import Fault

LADDER = "ladder.yaml"


class Place(Strict):
    """Where a model stands on the ladder; ``flops`` are 6·params·tokens unless given."""

    run: str | None = None
    family: str
    step: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    params: Positive
    tokens: Positive
    flops: Positive | None = None
    flops_convention: str | None = None

    def columns(self, model: str) -> dict[str, Any]:
        """The ladder table's columns; the model's own name is the run's when none is given."""
        convention = self.flops_convention or ("6ND" if self.flops is None else "given")
        flops = 6 * self.params * self.tokens if self.flops is None else self.flops
        about = {"run": self.run or model, "family": self.family, "step": self.step, "params": self.params}
        return about | {"tokens": self.tokens, "flops": flops, "flops_convention": convention}


def places_of(folder: Path, faults: list[Fault]) -> dict[str, Place | None]:
    """The places that ``ladder.yaml`` in a folder gives, by model name; None for one that is listed with faults."""
    path = folder / LADDER
    if not os.path.lexists(path):
        return {}
    try:
        content = reading.yaml_of(reading.text(path)) or {}
    except reading.Unreadable as error:
        faults.append(Fault(str(path), f"cannot be read: {error}"))
        return {}
    return validated(path, content, faults)


def validated(path: Path, content: Any, faults: list[Fault]) -> dict[str, Place | None]:
    """Places by model name; None for one that is listed with faults, or as null: then it is left out."""
    places: dict[str, Place | None] = {}
    if not isinstance(content, dict):
        faults.append(Fault(str(path), "must map model names to {run, family, step, params, tokens, flops}"))
        return places
    for key, given in content.items():
        name = str(key)
        if name in places:
            faults.append(Fault(f"{path}: {name}", "is there twice (as text and as a number)", "keep one of them"))
        if given is None:  # listed, and left out on purpose
            places[name] = None
            continue
        try:
            places[name] = Place.model_validate(given)
        except ValidationError as error:
            places[name] = None
            faults += (_fault(path, name, fault) for fault in error.errors())
    return places


def _fault(path: Path, name: str, fault: Any) -> Fault:
    where = f"{path}: " + ".".join(map(str, (name, *(part for part in fault["loc"] if "(" not in str(part)))))
    if fault["type"] == "missing":
        return Fault(where, "is missing")
    if fault["type"] == "extra_forbidden":
        return Fault(where, "is no known key", f"keys are {', '.join(Place.model_fields)}")
    if fault["type"] == "model_type":
        return Fault(
            where, f"{_scalar(fault['input'])} is no place", "write {run, family, step, params, tokens, flops}"
        )
    return Fault(where, f"{_scalar(fault['input'])}: {str(fault['msg']).removeprefix('Value error, ')}")


def _scalar(value: Any) -> str:
    """A value as it was written; of a list or mapping, which may be endless by its aliases, only that it is one."""
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value)[:100]
