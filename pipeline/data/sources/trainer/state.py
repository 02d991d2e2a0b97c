"""The trainer's states below a folder, by run, and the evaluation losses that they log."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import readers

from ....core import reading
from ....core.errors import Fault, UnreadableError
from ....core.metrics import METRICS, RESERVED

STATE = "trainer_state.json"
LOSS = re.compile(r"eval_(?:(.+)_)?loss")
CHECKPOINT = re.compile(r"checkpoint-\S+")
# Losses of the objective itself, which a mixture of experts or a distillation logs: of no text.
OBJECTIVE = ("aux", "router", "router_z", "z", "load_balancing", "lbl", "kl", "distill", "distillation", "mtp")
SAME_MODEL = 1e-4  # two evaluations of one model in 16 bits differ by so much, relative
ABOUT = re.compile(r"eval_.*(runtime|_per_second|preparation_time|num_tokens)|eval_(jit_compilation_time|samples)")


@dataclass(frozen=True, kw_only=True)
class State:
    """One ``trainer_state.json``: ``steps`` is its global step, ``batch`` its batch size per device (or None)."""

    path: Path
    digest: str
    steps: float
    batch: Any
    best: tuple[float, str]
    log: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A logged loss in nats per token, and the tokens the trainer had counted by then (None: it did not)."""

    step: float
    task: str
    value: float
    tokens: float | None
    key: str


def runs(folder: Path, account: Account, faults: list[Fault]) -> dict[str, list[State]]:
    """The states of every run below a folder, in the order of their paths."""
    states: dict[str, list[State]] = {}
    for path in sorted(folder.rglob(STATE)):
        account.read("trainer states")
        if any(part.startswith("tmp-checkpoint") for part in path.relative_to(folder).parts):
            account.leave("states of a checkpoint that was not written to its end", str(path.relative_to(folder)))
            continue
        try:
            state = _state(path)
        except (UnreadableError, KeyError, TypeError) as error:
            what = f"has no {error}" if isinstance(error, KeyError) else str(error)
            faults.append(Fault(str(path), f"is not a state of the trainer: {what}"))
            continue
        states.setdefault(_run(path, folder), []).append(state)
    return states


def _run(path: Path, folder: Path) -> str:
    place = path.parent
    if CHECKPOINT.fullmatch(place.name):
        if place == folder:
            return folder.resolve().parent.name
        place = place.parent
    return place.relative_to(folder).as_posix() if place != folder else folder.resolve().name


def _state(path: Path) -> State:
    data = reading.data(path)
    state = reading.json_of(data)
    if not isinstance(state, dict):
        raise TypeError("it is not a mapping")
    log, steps = state["log_history"], reading.number(state["global_step"])
    if not isinstance(log, list) or not all(isinstance(entry, dict) for entry in log):
        raise TypeError("log_history is not a list of mappings")
    if not math.isfinite(steps) or steps < 0:
        raise TypeError(f"global_step {state['global_step']!r:.100} is not a number of steps")
    best = reading.number(state.get("best_metric")), str(state.get("best_model_checkpoint") or "")
    return State(
        path=path,
        digest=hashlib.sha256(data).hexdigest(),
        steps=steps,
        batch=state.get("train_batch_size"),
        best=best,
        log=log,
    )


def evaluations(run: str, states: list[State], account: Account, faults: list[Fault]) -> tuple[State, list[Evaluation]]:
    """The state of a run with the most steps, and its evaluations; every other state must agree with it."""
    newest = max(states, key=lambda state: state.steps)
    logged = _logged(run, newest, account, faults)
    for state in states:
        if state is not newest:
            faults += _compared(run, newest, logged, state, account)
    batches = {str(state.batch): state for state in states if state.batch is not None}
    if len(batches) > 1:
        account.note(readers.BATCH_CHANGED(run=run, sizes=listed(batches)))
    return newest, list(logged.values())


def _compared(
    run: str, newest: State, logged: dict[tuple[float, str], Evaluation], state: State, account: Account
) -> Iterator[Fault]:
    own = _logged(run, state, Account(), [])
    for key, one in own.items():
        if key not in logged:
            account.leave(
                "evaluations that the state with the most steps does not log",
                f"{one.key} of {run} at step {one.step:g}",
            )
        elif logged[key].value != one.value:
            what = (
                f"run {run!r}, {one.key} at step {one.step:g} is {one.value:.6g}, "
                f"in {newest.path} it is {logged[key].value:.6g}"
            )
            yield Fault(str(state.path), what, "two attempts in one folder? keep the states of one")
            return


def _logged(run: str, state: State, account: Account, faults: list[Fault]) -> dict[tuple[float, str], Evaluation]:
    """The evaluations of one state by step and text, in the order of the log."""
    logged: dict[tuple[float, str], Evaluation] = {}
    others: set[str] = set()
    for entry in state.log:
        for key, value in entry.items():
            if not (match := LOSS.fullmatch(key)):
                others |= {key} if key.startswith(("eval_", "test_")) and not ABOUT.fullmatch(key) else set()
            elif match[1] in OBJECTIVE:
                account.leave("losses of the training objective, which are of no text", f"{key} of {run}")
            else:
                one = _evaluation(run, state, entry, key, match[1] or "validation", value, account, faults)
                if one is not None:
                    _entered(run, state, one, logged, account, faults)
    for name in sorted(others):
        account.leave("logged values that are not validation losses", name)
    last = max((one.step for one in logged.values()), default=0.0)
    if last > state.steps:
        what = f"run {run!r}: global_step is {state.steps:g}, and the log goes on to step {last:g}"
        faults.append(Fault(str(state.path), what, "the file was cut or put together; take the trainer's own"))
    return logged


def _evaluation(
    run: str,
    state: State,
    entry: dict[str, Any],
    key: str,
    task: str,
    value: Any,
    account: Account,
    faults: list[Fault],
) -> Evaluation | None:
    """A loss as it stands in the log; None where it does not count, which is a fault or a line in the account."""
    step = reading.number(entry.get("step"))
    if not math.isfinite(step) or step < 0:
        faults.append(Fault(str(state.path), f"run {run!r}: {key} is logged at step {entry.get('step')!r:.100}"))
        return None
    at = f"{key} of {run} at step {step:g}"
    low, high = METRICS["val_loss"].low, METRICS["val_loss"].high
    number = reading.number(value)
    where = f"{state.path}: run {run!r}, {key} at step {step:g}"
    if step == 0:
        account.leave("evaluations before the first step", at)
    elif value is None or (isinstance(value, float) and not math.isfinite(value)):
        account.leave("losses that are no number (NaN or infinite): the run may have diverged there", at)
    elif math.isnan(number):
        faults.append(Fault(where, f"{value!r:.100} is not a number"))
    elif not low <= number <= high:
        fix = "is it a sum? give the mean per token" if number > high else ""
        faults.append(Fault(where, f"{number:g} is not a mean loss in [{low:g}, {high:g}] nats per token", fix))
    elif task in RESERVED:
        faults.append(Fault(where, f"{task!r} cannot name a validation loss", "rename the evaluation set"))
    else:
        counted = entry.get("num_input_tokens_seen")
        tokens = reading.number(counted)
        if counted is not None and not (math.isfinite(tokens) and tokens >= 0):
            faults.append(Fault(where, f"num_input_tokens_seen {counted!r:.100} is not a number of tokens"))
            return None
        return Evaluation(
            step=step, task=task, value=number, tokens=tokens if tokens > 0 else None, key=key
        )  # 0: it does not count
    return None


def _entered(
    run: str,
    state: State,
    one: Evaluation,
    logged: dict[tuple[float, str], Evaluation],
    account: Account,
    faults: list[Fault],
) -> None:
    """A loss into what was found; a second one of the same text and step must be the same, or of the best model."""
    there = logged.get((one.step, one.task))
    if there is None or there.value == one.value:
        logged[one.step, one.task] = one if there is None or there.tokens is None else there
        return
    if there.key == one.key and math.isclose(one.value, there.value, rel_tol=SAME_MODEL):
        account.note(
            readers.MEASURED_TWICE(f"run {run!r}", key=one.key, step=one.step, first=there.value, second=one.value)
        )
        return
    best, checkpoint = state.best
    elsewhere = checkpoint and not checkpoint.rstrip(os.sep).endswith(f"checkpoint-{one.step:g}")
    if there.key == one.key and elsewhere and math.isclose(one.value, best, rel_tol=1e-3):
        account.note(readers.MEASURED_TWICE(f"run {run!r}", key=one.key, step=one.step))
        return
    what = f"run {run!r}, step {one.step:g}: {there.key} is {there.value:.6g}, then {one.key} is {one.value:.6g}"
    faults.append(Fault(str(state.path), what, "keep one of them in log_history"))
