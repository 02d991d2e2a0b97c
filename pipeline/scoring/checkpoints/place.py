"""Where a checkpoint stands on the ladder: run, family, step, N, D and C, from whatever the folder tells.

Each column comes from the first of these that has it:

1. ``benchcast.json`` in the folder;
2. ``ladder.yaml`` (``score.ladder``), which maps folders or shell patterns of them to columns;
3. the folder's name, by ``score.pattern`` such as ``"{run}/step-{step}"``;
4. ``trainer_state.json`` of the HF trainer: its step, and its tokens when it counted them;
5. the defaults under ``score.place``;
6. ``config.json``: N from the architecture; D = step × tokens per step; C by the FLOP convention.

Two of them that say different numbers of one thing contradict each other (see ``agreement``).
"""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from benchcast.stages.compute.architecture import Architecture

from ...core import reading
from ...core.config import PlaceSettings
from ...core.errors import Fault, FaultsError
from ...data import schema
from . import agreement
from .agreement import Statements
from .files import CheckpointError, Files, read_beside

ABOUT = ("run", "family", "step", "params", "tokens", "flops", "flops_convention")
EXTRA = ("tokens_per_step", "seq_len")  # may be given wherever the columns may
NUMBERS = ("step", "params", "tokens", "flops", *EXTRA)
Columns = dict[str, Any]


class NotTrainedError(CheckpointError):
    """A checkpoint before the first step, which has no place on a ladder; it is left out."""


class Places:
    """Reads the place of one folder after the other, with the settings and ``ladder.yaml`` of one ladder."""

    def __init__(self, defaults: PlaceSettings, pattern: str | None, ladder: Path | None) -> None:
        self._defaults = {k: v for k, v in defaults.model_dump().items() if v is not None}
        self._pattern = None if pattern is None else _regex(pattern)
        self._ladder = {} if ladder is None else _read_ladder(ladder)

    def of(self, source: str, files: Files) -> tuple[Columns, list[str]]:
        """The ladder table's columns of a checkpoint named ``source``, and remarks on what does not quite agree.

        Raises
        ------
        CheckpointError
            Naming the columns that nothing gives, a value the ladder table does not allow, or two statements that
            contradict each other.
        NotTrainedError
            When it has seen no tokens.
        """
        told: Statements = [
            ("benchcast.json", _own(files)),
            ("ladder.yaml", self._listed(source)),
            ("the folder's name", self._named(source)),
            ("trainer_state.json", _trainer(files)),
            ("score.place", self._defaults),
        ]
        told = [(who, _numbers(given)) for who, given in told]
        found: Columns = {}
        for _, given in told:
            found = {**given, **found}
        if found.get("step") == 0 or found.get("tokens") == 0:
            raise NotTrainedError("has seen no tokens")
        if problem := agreement.contradiction(told):
            raise CheckpointError(problem)
        _complete(found, files)
        missing = [name for name in ABOUT if name not in found]
        if missing:
            raise CheckpointError(
                f"nothing tells its {', '.join(missing)}: write them into benchcast.json in the folder, into "
                "ladder.yaml (score.ladder), or set score.pattern and score.place"
            )
        problem, remarks = agreement.size(float(found["params"]), told, files)
        if problem:
            raise CheckpointError(problem)
        return {name: found[name] if name in NUMBERS else str(found[name]) for name in ABOUT}, remarks

    def _listed(self, source: str) -> Columns:
        if source in self._ladder:
            return self._ladder[source]
        return next((given for name, given in self._ladder.items() if fnmatch.fnmatchcase(source, name)), {})

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


def _numbers(given: Mapping[str, Any]) -> Columns:
    """What is given, numbers as numbers."""
    told = {k: v for k, v in given.items() if v not in (None, "")}
    return {k: _number(v, k) if k in NUMBERS else v for k, v in told.items()}


def _own(files: Files) -> Columns:
    found = read_beside(files.folder / "benchcast.json")
    return {name: found[name] for name in (*ABOUT, *EXTRA) if name in found}


def _trainer(files: Files) -> Columns:
    found = read_beside(files.folder / "trainer_state.json")
    # The trainer counts tokens only when it was asked to; otherwise it writes 0.
    return {"step": found.get("global_step"), "tokens": found.get("num_input_tokens_seen") or None}


def _complete(found: Columns, files: Files) -> None:
    """Fill in what follows from the rest: D from the step, N and C from the architecture."""
    if "tokens" not in found and {"step", "tokens_per_step"} <= set(found):
        found["tokens"] = found["step"] * found["tokens_per_step"]
    convention = found.get("flops_convention") or ("6ND" if "flops" not in found else "given")
    found["flops_convention"] = convention
    if "params" in found and "flops" not in found and convention == "6ND" and "tokens" in found:
        found["flops"] = 6 * found["params"] * found["tokens"]
    if {"params", "flops"} <= set(found) or "tokens" not in found:
        return
    try:
        architecture = Architecture.from_config(files.config)
        found.setdefault("params", float(architecture.params()))
        if "flops" not in found:
            length = int(found["seq_len"]) if "seq_len" in found else None
            found["flops"] = architecture.flops_per_token(convention, length) * found["tokens"]
    except ValueError as error:
        raise CheckpointError(f"config.json: {error}; give params and flops yourself") from error


def _regex(pattern: str) -> re.Pattern[str]:
    """``{name}`` takes one part of a path; everything else stands for itself; matched at the end of the name."""
    names = re.findall(r"\{(\w+)\}", pattern)
    unknown = [name for name in names if name not in (*ABOUT, *EXTRA)]
    if unknown or not names:
        what = f"{unknown[0]!r} is no column" if unknown else "has no {column}"
        raise FaultsError([Fault(f"score.pattern: {pattern}", what, f"columns are {', '.join((*ABOUT, *EXTRA))}")])
    parts = re.split(r"\{(\w+)\}", pattern)
    built = "".join(
        re.escape(part) if i % 2 == 0 else f"(?P<{part}>{'[0-9.eE+]+' if part in NUMBERS else '[^/]+?'})"
        for i, part in enumerate(parts)
    )
    return re.compile(f"(?:^|/){built}$")


def _number(value: Any, name: str) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)
        if not math.isfinite(number):
            raise ValueError
        return number
    except (TypeError, ValueError, OverflowError):
        raise CheckpointError(f"{name} {str(value)[:100]!r} is not a number") from None


def _read_ladder(path: Path) -> dict[str, Columns]:
    try:
        found = reading.yaml_of(reading.text(path)) or {}
        if not isinstance(found, Mapping):
            raise ValueError("must map folders to {run, family, step, params, tokens, …}")
    except ValueError as error:
        raise FaultsError([Fault(f"score.ladder: {path}", f"cannot be read: {' '.join(str(error).split())}")]) from None
    faults = []
    for name, given in found.items():
        if not isinstance(given, Mapping):
            faults.append(Fault(f"{path}: {name}", "must be a mapping such as {run: 56K, params: 56136}"))
            continue
        faults += [
            Fault(f"{path}: {name}.{key}", "is no column", f"columns are {', '.join((*ABOUT, *EXTRA))}")
            for key in given
            if key not in (*ABOUT, *EXTRA)
        ]
    if faults:
        raise FaultsError(faults)
    return {str(name): dict(given) for name, given in found.items()}
