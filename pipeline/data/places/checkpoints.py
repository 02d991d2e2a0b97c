"""Where scored checkpoints stand on the ladder, by their folders; values are checked with what the folders say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ...core.errors import Fault, FaultsError
from .ladder import LadderPlaces, PlaceKind, read_ladder


class CheckpointPlace(BaseModel):
    """What may be said of a checkpoint, wherever it is said; the last two are of a run and not of the ladder table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: Any = None
    family: Any = None
    step: Any = None
    params: Any = None
    tokens: Any = None
    flops: Any = None
    flops_convention: Any = None
    tokens_per_step: Any = None
    seq_len: Any = None

    def stated(self) -> dict[str, Any]:
        """What the file states, as it stands there."""
        return {name: getattr(self, name) for name in self.model_fields_set}


CheckpointPlaces = LadderPlaces[CheckpointPlace]
CHECKPOINTS = PlaceKind(
    place=CheckpointPlace,
    content="cannot be read: must map folders to {run, family, step, params, tokens, …}",
    entry="must be a mapping such as {{run: 56K, params: 56136}}",
    unknown=("is not a column", "columns are"),
)


def read_checkpoint_places(path: Path) -> CheckpointPlaces:
    """The places by folder, or by a shell pattern of folders, from the file that ``score.ladder`` names.

    Raises
    ------
    FaultsError
        With everything that is wrong with the file.
    """
    faults: list[Fault] = []
    places = read_ladder(path, CHECKPOINTS, faults, "score.ladder: ")
    if faults:
        raise FaultsError(faults)
    return LadderPlaces({name: place for name, place in places.items() if place is not None})
