"""Where the models of a results folder stand on the ladder, by the names that the results give them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from ...core.errors import Fault
from ...core.settings import Positive, Strict
from .ladder import LadderPlaces, PlaceKind, in_folder, places_from


class ModelPlace(Strict):
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


ModelPlaces = LadderPlaces[ModelPlace | None]  # None: listed with faults, or left out on purpose
MODELS = PlaceKind(
    place=ModelPlace,
    content="must map model names to {run, family, step, params, tokens, flops}",
    entry="{value} is not a place",
    example="write {run, family, step, params, tokens, flops}",
    leaves_out=True,
)


def read_model_places(folder: Path, faults: list[Fault]) -> ModelPlaces:
    """The places that ``ladder.yaml`` in a folder gives, by model name; None for one that is listed with faults."""
    return in_folder(folder, MODELS, faults)


def model_places(path: Path, content: Mapping[str, Any], faults: list[Fault]) -> ModelPlaces:
    """The places that ``content`` would give as the content of the file at ``path``."""
    return places_from(path, list(content.values()), MODELS, faults, list(map(str, content)))
