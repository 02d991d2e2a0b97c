"""Where a checkpoint stands on the ladder: run, family, step, N, D and C, from whatever the folder tells.

Each column comes from the first of these that has it:

1. ``benchcast.json`` in the folder;
2. ``ladder.yaml`` (``score.ladder``), which maps folders or shell patterns of them to columns;
3. the folder's name, by ``score.pattern`` such as ``"{run}/step-{step}"``;
4. of a model by name its revision, as ``model_names`` reads it for results that are ingested;
5. ``trainer_state.json`` of the HF trainer: its step, and its tokens when it counted them;
6. the defaults under ``score.place``;
7. ``config.json``: N from the architecture; D = step × tokens per step; C by the FLOP convention.

Two of them that say different numbers of one thing contradict each other (see ``agreement``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from benchcast.stages.compute.architecture import Architecture
from benchcast.stages.notices import Notice

from ...core import units
from ...core.config import PlaceSettings
from ...core.errors import CheckpointError, Fault, FaultsError, NotTrainedError
from ...data import schema
from ...data.places.checkpoints import CheckpointPlace, CheckpointPlaces, read_checkpoint_places
from ...data.places.ladder import LadderPlaces
from . import agreement, revisions
from .agreement import Statements
from .files import Files, read_beside
from .names import MAIN, HubName

ABOUT = ("run", "family", "step", "params", "tokens", "flops", "flops_convention")
EXTRA = tuple(name for name in CheckpointPlace.model_fields if name not in ABOUT)  # given wherever the columns may be
NUMBERS = ("step", "params", "tokens", "flops", *EXTRA)
Columns = dict[str, Any]
NOT_TOLD = "cannot find its "  # a reason begins so


class Places:
    """Reads the place of one folder after the other, with the settings and ``ladder.yaml`` of one ladder."""

    def __init__(self, defaults: PlaceSettings, pattern: str | None, ladder: Path | None) -> None:
        self._defaults = {k: v for k, v in defaults.model_dump().items() if v is not None}
        self._pattern = None if pattern is None else _regex(pattern)
        self._ladder: CheckpointPlaces = LadderPlaces() if ladder is None else read_checkpoint_places(ladder)

    def place_of(self, source: str, files: Files, name: HubName | None = None) -> tuple[Columns, list[Notice]]:
        """The ladder table's columns of a checkpoint named ``source``, and remarks on what does not quite agree.

        Parameters
        ----------
        name : HubName, optional
            Of a model by name.

        Raises
        ------
        CheckpointError
            Naming the columns that nothing gives, a value the ladder table does not allow, or two statements that
            contradict each other.
        NotTrainedError
            When it has seen no tokens.
        """
        statements: Statements = [
            ("benchcast.json", _own(files)),
            ("ladder.yaml", self._listed(source, name)),
            ("the folder's name", self._named(source)),
            ("trainer_state.json", _trainer(files)),
            ("score.place", self._defaults),
        ]
        statements = [(who, _numbers(given)) for who, given in statements]
        unclear = ""
        if name is not None:
            told, unclear = revisions.told(name.source, [given for _, given in statements])
            statements.insert(3, ("the revision's name", told))
        columns: Columns = {}
        for _, given in statements:
            columns = {**given, **columns}
        if columns.get("step") == 0 or columns.get("tokens") == 0:
            raise NotTrainedError("has seen no tokens")
        if problem := agreement.contradiction(statements):
            raise CheckpointError(problem)
        if unclear and "tokens" not in columns:
            raise CheckpointError(f"{NOT_TOLD}tokens ({unclear}): write them into ladder.yaml (score.ladder)")
        _complete(columns, files)
        missing = [name for name in ABOUT if name not in columns]
        if missing:
            raise CheckpointError(f"{NOT_TOLD}{', '.join(missing)}: write them into {_where(name)}")
        problem, remarks = agreement.size(float(columns["params"]), statements, files)
        if problem:
            raise CheckpointError(problem)
        return {name: columns[name] if name in NUMBERS else str(columns[name]) for name in ABOUT}, remarks

    def _listed(self, source: str, name: HubName | None) -> Columns:
        # Results call the main branch by the model's name alone.
        alone = name.model if name is not None and name.revision == MAIN else source
        place = self._ladder.find(alone if source not in self._ladder and alone in self._ladder else source)
        return {} if place is None else place.stated()

    def _named(self, source: str) -> Columns:
        match = self._pattern.search(source) if self._pattern else None
        return {} if match is None else match.groupdict()


def faults(abouts: Sequence[Columns]) -> list[str]:
    """What the ladder table's own checks have against these places, on a table without scores."""
    rows = [{**about, "task": "-", "metric": "nll", "value": 0.0} for about in abouts]
    try:
        schema.validate(pd.DataFrame(rows), "places")
    except FaultsError as error:
        return [fault.what for fault in error.faults]
    return []


def _where(name: HubName | None) -> str:
    """Where a person may say what nothing tells."""
    if name is not None:
        return f"ladder.yaml (score.ladder) under {name.source!r}, or set score.place"
    return "benchcast.json in the folder, into ladder.yaml (score.ladder), or set score.pattern and score.place"


def _numbers(given: Mapping[str, Any]) -> Columns:
    """What is given, numbers as numbers."""
    stated = {k: v for k, v in given.items() if v not in (None, "")}
    return {k: _number(v, k) if k in NUMBERS else v for k, v in stated.items()}


def _own(files: Files) -> Columns:
    content = read_beside(files.folder / "benchcast.json")
    return {name: content[name] for name in (*ABOUT, *EXTRA) if name in content}


def _trainer(files: Files) -> Columns:
    state = read_beside(files.folder / "trainer_state.json")
    # The trainer counts tokens only when it was asked to; otherwise it writes 0.
    return {"step": state.get("global_step"), "tokens": state.get("num_input_tokens_seen") or None}


def _complete(columns: Columns, files: Files) -> None:
    """Fill in what follows from the rest: D from the step, N and C from the architecture."""
    if "tokens" not in columns and {"step", "tokens_per_step"} <= set(columns):
        columns["tokens"] = columns["step"] * columns["tokens_per_step"]
    convention = columns.get("flops_convention") or ("6ND" if "flops" not in columns else "given")
    columns["flops_convention"] = convention
    if "params" in columns and "flops" not in columns and convention == "6ND" and "tokens" in columns:
        columns["flops"] = 6 * columns["params"] * columns["tokens"]
    if {"params", "flops"} <= set(columns) or "tokens" not in columns:
        return
    try:
        architecture = Architecture.from_config(files.config)
        columns.setdefault("params", float(architecture.params()))
        if "flops" not in columns:
            length = int(columns["seq_len"]) if "seq_len" in columns else None
            columns["flops"] = architecture.flops_per_token(convention, length) * columns["tokens"]
    except ValueError as error:
        raise CheckpointError(f"config.json: {error}; give params and flops yourself") from error


def _regex(pattern: str) -> re.Pattern[str]:
    """``{name}`` takes one part of a path; everything else stands for itself; matched at the end of the name."""
    names = re.findall(r"\{(\w+)\}", pattern)
    unknown = [name for name in names if name not in (*ABOUT, *EXTRA)]
    if unknown or not names:
        what = f"{unknown[0]!r} is not a column" if unknown else "has no {column}"
        raise FaultsError([Fault(f"score.pattern: {pattern}", what, f"columns are {', '.join((*ABOUT, *EXTRA))}")])
    parts = re.split(r"\{(\w+)\}", pattern)
    built = "".join(
        re.escape(part) if i % 2 == 0 else f"(?P<{part}>{'[0-9.eE+]+' if part in NUMBERS else '[^/]+?'})"
        for i, part in enumerate(parts)
    )
    return re.compile(f"(?:^|/){built}$")


def _number(value: Any, name: str) -> float:
    try:
        written = units.length(value) if name in EXTRA else units.quantity(value)
    except ValueError as what:
        raise CheckpointError(f"{name} {str(value)[:100]!r}: {what}") from None
    try:
        if isinstance(written, bool):
            raise TypeError
        number = float(written)
        if not math.isfinite(number):
            raise ValueError
        return number
    except (TypeError, ValueError, OverflowError):
        raise CheckpointError(f"{name} {str(value)[:100]!r} is not a number") from None
