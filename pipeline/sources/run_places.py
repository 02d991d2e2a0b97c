"""Where training runs stand on the ladder, for readers whose files tell a run's name and step but not its size.

``ladder.yaml`` beside the file says it by run name, or by a shell pattern of names; the first that fits counts::

    1.3B-*: {family: my-mix, params: 1.3e9, tokens_per_step: 4.2e6}
    "*":    {family: my-mix}
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from pipeline.config import Strict
from pipeline.errors import Fault, FaultsError

LADDER = "ladder.yaml"


class RunPlace(Strict):
    """What ``ladder.yaml`` may say of a run; FLOPs are 6·params·tokens."""

    run: str | None = Field(default=None, description="its name in the table; empty: as in the file")
    family: str = "ladder"
    params: float | None = Field(default=None, gt=0)
    tokens_per_step: float | None = Field(default=None, gt=0)
    tokens: float | None = Field(default=None, gt=0, description="of the whole run, where steps are not told")

    def columns(self, run: str, step: float | None, tokens: float | None, params: float | None) -> dict[str, Any]:
        """The ladder table's columns of a checkpoint; what the file tells itself comes first.

        Raises
        ------
        ValueError
            Naming what nothing tells.
        """
        size = params or self.params
        if tokens is None and step is not None and self.tokens_per_step is not None:
            tokens = step * self.tokens_per_step
        seen = tokens or self.tokens
        if size is None or seen is None:
            lacking = ["params"] * (size is None) + ["tokens_per_step (or tokens)"] * (seen is None)
            raise ValueError(f"nothing tells its {' and '.join(lacking)}")
        return {"run": self.run or run, "family": self.family, "step": step, "params": size, "tokens": seen,
                "flops": 6 * size * seen, "flops_convention": "6ND"}  # fmt: skip


def read(folder: Path) -> dict[str, RunPlace]:
    """The places of ``ladder.yaml`` in a folder, in order; none without the file.

    Raises
    ------
    FaultsError
        With everything that is wrong with the file.
    """
    path = folder / LADDER
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(content, Mapping):
            raise ValueError("must map run names to {family, params, tokens_per_step}")
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise FaultsError([Fault(str(path), f"cannot be read: {' '.join(str(error).split())}")]) from None
    places, faults = {}, []
    for name, given in content.items():
        try:
            places[str(name)] = RunPlace.model_validate(given)
        except ValidationError as error:
            faults += [Fault(f"{path}: {'.'.join(map(str, (name, *e['loc'])))}", e["msg"]) for e in error.errors()]
    if faults:
        raise FaultsError(faults)
    return places


def of(run: str, places: Mapping[str, RunPlace]) -> RunPlace:
    """The place of a run: by its name, else by the first pattern that fits, else the defaults."""
    fitting = (place for pattern, place in places.items() if fnmatch.fnmatchcase(run, pattern))
    return places.get(run) or next(fitting, RunPlace())
