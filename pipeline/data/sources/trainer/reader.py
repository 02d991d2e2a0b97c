"""Read evaluation losses that the Hugging Face trainer logged: ``trainer_state.json`` below a folder of runs.

A run is the folder of its checkpoints (``<run>/checkpoint-500/trainer_state.json``, or ``<run>/trainer_state.json``);
the state with the most steps holds the whole log, and the others must agree with it. ``eval_loss`` becomes the
validation loss ``validation``, ``eval_<name>_loss`` the loss ``<name>``. Tokens are the trainer's own count where it
kept one, else step times ``tokens_per_step`` of ``ladder.yaml``; N is ``params`` there, else counted from
``config.json``. Where two of them state the same thing they are compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.stages.notices import readers

from ....core.errors import Fault, FaultsError
from ... import schema
from ...places.clocks import clock_faults
from ...places.ladder import LADDER
from ...places.runs import RunPlace, read_run_places, run_place
from . import state as trainer_state
from .config import Size
from .state import Evaluation, State

STATE = trainer_state.STATE
MOST_OFF = 0.2  # counted tokens against steps: padding is counted or not, but not more than this
NOTED_OFF = 0.02


def read_trainer(folder: Path, account: Account | None = None) -> pd.DataFrame:
    """The logged evaluation losses as a ladder table.

    Raises
    ------
    FaultsError
        With every state that cannot be read or contradicts another of its run, every loss that is none, and every run
        whose size or tokens nothing tells, or two sources tell differently.
    """
    account = account or Account()
    places = read_run_places(folder)
    faults: list[Fault] = []
    runs = trainer_state.runs(folder, account, faults)
    if not runs and not faults:
        faults.append(Fault(str(folder), f"holds no {STATE}", "give the folder above the runs' checkpoints"))
    rows: dict[str, list[dict[str, Any]]] = {}
    for run, states in runs.items():
        state, evaluations = trainer_state.evaluations(run, states, account, faults)
        if evaluations:
            rows[run] = _rows(run, state, evaluations, run_place(run, places), folder, account, faults)
        elif not faults:
            account.leave("runs whose state has no eval_loss", run)
    if not any(rows.values()) and not faults:
        faults.append(Fault(str(folder), "no state has an eval_loss", "the trainer logs one with eval_strategy"))
    faults += clock_faults({run: run_rows for run, run_rows in rows.items() if run_rows}, places, folder, account)
    faults += _one_name(rows)
    if faults:
        raise FaultsError(list(dict.fromkeys(faults)))
    return schema.validate(pd.DataFrame([row for run_rows in rows.values() for row in run_rows]), str(folder), account)


def _rows(
    run: str,
    state: State,
    evaluations: list[Evaluation],
    place: RunPlace,
    folder: Path,
    account: Account,
    faults: list[Fault],
) -> list[dict[str, Any]]:
    """A run's rows of the ladder table; none where something is missing, which is a fault then."""
    size = Size.of(state.path.parent, folder)
    params = size.beside(place.params, run, f"{state.path.parent}", account, faults)
    faults += _counts(run, state, evaluations, place, account)
    about = {"source": state.path.relative_to(folder).as_posix(), "digest": state.digest}
    rows = []
    for one in evaluations:
        measured = {"task": one.task, "metric": "val_loss", "value": one.value}
        try:
            rows.append(place.columns(run, one.step, one.tokens, params) | about | measured)
        except ValueError as error:
            fix = f"write {{params, tokens_per_step}} for it into {folder / LADDER}"
            why = f" ({size.why})" if size.why and "params" in str(error) else ""
            faults.append(Fault(str(state.path), f"run {run!r}: {error}{why}", fix))
            return []
    return rows


def _counts(run: str, state: State, evaluations: list[Evaluation], place: RunPlace, account: Account) -> list[Fault]:
    """The trainer's count of tokens against the steps; a fault where they are far apart."""
    counted = {one.step: one.tokens for one in evaluations if one.tokens is not None}
    if not counted:
        return []
    steps = sorted(counted)
    if place.tokens_per_step is None:
        first, last = (counted[step] / step for step in (steps[0], steps[-1]))
        if abs(last / first - 1) > NOTED_OFF:
            account.note(readers.BATCH_CHANGED(run=run, first=first, early=steps[0], last=last, late=steps[-1]))
        return []
    step = max(steps, key=lambda s: abs(counted[s] / (s * place.tokens_per_step) - 1) if place.tokens_per_step else 0)
    expected = step * place.tokens_per_step
    off = counted[step] / expected - 1
    counts_differ = (
        f"the trainer counted {counted[step]:.9g} tokens by step {step:g}, tokens_per_step of {LADDER} "
        f"gives {expected:.9g}"
    )
    if abs(off) > MOST_OFF:
        fix = "correct tokens_per_step; if counting began at a resume, take num_input_tokens_seen out of the state"
        return [Fault(str(state.path), f"run {run!r}: {counts_differ}", fix)]
    if abs(off) > NOTED_OFF:
        account.note(
            readers.TOKENS_DIFFER(f"run {run!r}", counted=counted[step], step=step, file=LADDER, expected=expected)
        )
    return []


def _one_name(rows: dict[str, list[dict[str, Any]]]) -> list[Fault]:
    """Folders that ``ladder.yaml`` gives one name and that have a loss at the same step."""
    first_run: dict[tuple[Any, ...], str] = {}
    clashes: dict[tuple[str, str], tuple[Any, ...]] = {}
    for run, run_rows in rows.items():
        for row in run_rows:
            key = row["run"], row["step"], row["task"]
            if first_run.setdefault(key, run) != run:
                clashes.setdefault((first_run[key], run), key)
    return [
        Fault(
            f"runs {one!r} and {two!r}",
            f"are both called {key[0]!r}, and both have {key[2]!r} at step {key[1]:g}",
            f"give each its own run in {LADDER}",
        )
        for (one, two), key in clashes.items()
    ]
