"""Read evaluation losses that the Hugging Face trainer logged: ``trainer_state.json`` below a folder of runs.

A run is the folder of its checkpoints (``<run>/checkpoint-500/trainer_state.json``, or ``<run>/trainer_state.json``);
the state with the most steps holds the whole log. ``eval_loss`` becomes the validation loss ``validation``,
``eval_<name>_loss`` the loss ``<name>``. Tokens are the trainer's own count where it kept one, else step times
``tokens_per_step`` of ``ladder.yaml``; N is ``params`` there, else counted from ``config.json``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import schema
from pipeline.account import Account
from pipeline.errors import Fault, FaultsError
from pipeline.sources import run_places
from stages.architecture import Architecture

STATE = "trainer_state.json"
LOSS = re.compile(r"eval_(?:(.+)_)?loss")


def read(folder: Path, account: Account | None = None) -> pd.DataFrame:
    """The logged evaluation losses as a ladder table.

    Raises
    ------
    FaultsError
        With every state that cannot be read, and every run whose size or tokens nothing tells.
    """
    account = account or Account()
    places = run_places.read(folder)
    faults: list[Fault] = []
    rows: list[dict[str, Any]] = []
    states = _newest(folder, faults)
    if not states and not faults:
        faults.append(Fault(str(folder), f"holds no {STATE}", "give the folder above the runs' checkpoints"))
    for run, (path, state) in states.items():
        place, params = run_places.of(run, places), _params(path.parent)
        about = {"source": path.relative_to(folder).as_posix(), "digest": hashlib.sha256(path.read_bytes()).hexdigest()}
        try:
            rows += [
                place.columns(run, step, tokens, params if place.params is None else None) | about | row
                for step, tokens, row in _losses(state)
            ]
        except (ValueError, TypeError, KeyError) as error:
            fix = f"write {{params, tokens_per_step}} for it into {folder / run_places.LADDER}"
            faults.append(Fault(str(path), f"run {run!r}: {error}", fix))
    if not rows and not faults:
        faults.append(Fault(str(folder), "no state has an eval_loss", "the trainer logs one with eval_strategy"))
    if faults:
        raise FaultsError(faults)
    return schema.validate(pd.DataFrame(rows), str(folder))


def _newest(folder: Path, faults: list[Fault]) -> dict[str, tuple[Path, dict[str, Any]]]:
    """The state with the most steps of every run."""
    found: dict[str, tuple[Path, dict[str, Any]]] = {}
    for path in sorted(folder.rglob(STATE)):
        place = path.parent.parent if path.parent.name.startswith("checkpoint-") else path.parent
        run = place.relative_to(folder).as_posix() if place != folder else folder.resolve().name
        try:
            state = json.loads(path.read_bytes())
            if not isinstance(state["log_history"], list):
                raise TypeError("log_history is no list")
            steps = float(state["global_step"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            faults.append(Fault(str(path), f"is no state of the trainer: {type(error).__name__}: {error}"))
            continue
        if run not in found or steps > float(found[run][1]["global_step"]):
            found[run] = path, state
    return found


def _losses(state: dict[str, Any]) -> Iterator[tuple[float, float | None, dict[str, Any]]]:
    """Step, tokens seen (None: not counted), and the loss, for every evaluation; a repeated step counts once."""
    seen: dict[tuple[float, str], tuple[float | None, float]] = {}
    for entry in state["log_history"]:
        tokens = entry.get("num_input_tokens_seen") or None  # it writes 0 when it does not count
        for key, value in entry.items():
            if (match := LOSS.fullmatch(key)) and entry.get("step"):
                seen[float(entry["step"]), match[1] or "validation"] = tokens, float(value)
    for (step, name), (tokens, value) in seen.items():
        yield step, tokens, {"task": name, "metric": "val_loss", "value": value}


def _params(folder: Path) -> float | None:
    """N from the architecture, embeddings counted; None where config.json does not tell it."""
    try:
        return float(Architecture.from_config(json.loads((folder / "config.json").read_bytes())).params())
    except (OSError, ValueError):
        return None
