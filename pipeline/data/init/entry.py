"""One model of a results folder: what its results, its files on this machine and its name tell of where it stands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchcast.reports.records.account import Account
from benchcast.stages.compute.architecture import Architecture
from benchcast.stages.notices import readers

from ...core import reading
from ...core.errors import UnreadableError
from .. import model_names
from ..model_names import Numbers
from . import text as init_text

FAMILY = "my-mix"
NEAR = 1.25  # two statements of one number may differ by this factor: embeddings, rounding


@dataclass(frozen=True, kw_only=True)
class Known:
    """A model as its results name it.

    ``name`` is its key in ``ladder.yaml``, ``params`` what the results state; ``adapter`` says that only ``pretrained``
    was trained from the start.
    """

    name: str
    pretrained: str
    revision: str = ""
    params: float | None = None
    adapter: bool = False


@dataclass(kw_only=True)
class Entry:
    """A line of ``ladder.yaml``: numbers with their origins, and what is lacking with the reason where one is known."""

    model: Known
    from_name: Numbers
    run: str
    step: float | None = None
    params: float | None = None
    tokens: float | None = None
    origin: dict[str, str] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The key in ``ladder.yaml``."""
        return self.model.name

    @property
    def complete(self) -> bool:
        """Whether ``benchcast run`` has what it needs."""
        return self.params is not None and self.tokens is not None

    def columns(self) -> dict[str, Any]:
        """The entry's value in ``ladder.yaml``."""
        numbers = {"step": self.step, "params": self.params, "tokens": self.tokens}
        return {"run": self.run, "family": FAMILY} | {k: v for k, v in numbers.items() if v is not None}

    def line(self) -> str:
        """The entry as a line of ``ladder.yaml``."""
        known = ", ".join(f"{k}: {_value(k, v)}" for k, v in self.columns().items())
        missing = [key for key in ("step", "params", "tokens") if key in self.lacking]
        why = "; ".join(dict.fromkeys(self.lacking[key] for key in missing if self.lacking[key]))
        add = [f"add {_and(missing)}" + (f" ({why})" if why else "")] if missing else []
        about = "; ".join([*add, *(f"{key}: {text}" for key, text in self.origin.items())])
        return f"{init_text.scalar(self.name)}: {{{known}}}" + (f"  # {init_text.comment(about)}" if about else "")


def entry_of(model: Known) -> Entry:
    """What a model's name tells of its run and step, and its trainer of its step and tokens; the rest is to come."""
    numbers = _from_name(model)
    numbers = numbers if numbers.run.strip() else replace(numbers, run=model.name)
    _, bracket, particular = model.name.partition(" (")  # what tells models of one name and revision apart
    entry = Entry(
        model=model,
        from_name=numbers,
        run=numbers.run + (bracket + particular if bracket and particular.endswith(")") else ""),
    )
    if model.adapter:
        what = f"{model.name} adapts {model.pretrained}: its own training is not in that one's tokens"
        entry.lacking["tokens"] = what
        return entry
    state = _trainer_state(model.pretrained)
    if numbers.step:
        entry.step = numbers.step.value
        if state is not None and state[0] != entry.step:
            entry.origin["step"] = f"read from {numbers.step.text!r}, but trainer_state.json says {state[0]:.15g}"
    elif state is not None:
        entry.step = state[0]
        entry.origin["step"] = "trainer_state.json"
    if state is not None and state[1] and state[0] == entry.step:
        entry.tokens, entry.origin["tokens"] = state[1], "trainer_state.json"
    if "step" in numbers.unsure and entry.step is None:
        entry.lacking["step"] = numbers.unsure["step"]
    return entry


def _from_name(model: Known) -> Numbers:
    """What the model's own name and revision tell, and for the rest the name that its result file gives it."""
    own = model.pretrained or model.name
    numbers = model_names.numbers(f"{own}@{model.revision}" if model.revision else own)
    given = model.name.partition(" (")[0] or model.name
    if given in (own, f"{own}@{model.revision}"):
        return numbers
    other = model_names.numbers(given)
    if model.adapter:  # the step in its name is its own, not the model's
        return replace(numbers, run=f"{numbers.run} with {other.run}", step=None, tokens=None)
    lacking = [
        quantity
        for quantity in ("step", "params", "tokens", "token_multiplier", "batch")
        if getattr(numbers, quantity) is None and quantity not in numbers.unsure
    ]
    named = numbers.params is not None or numbers.step is not None
    unsure = {q: why for q, why in other.unsure.items() if q in lacking} | numbers.unsure
    more: dict[str, Any] = {quantity: getattr(other, quantity) for quantity in lacking}
    bare = other.bare if "token_multiplier" in lacking else numbers.bare
    return replace(numbers, run=numbers.run if named else other.run, bare=bare, unsure=unsure, **more)


def _beside(pretrained: str, file: str) -> Any:
    """The content of a JSON file of a checkpoint on this machine; None where there is none."""
    path = Path(pretrained) / file
    if not pretrained or "\0" in pretrained or not path.is_file():
        return None
    try:
        return reading.json_of(reading.data(path, reading.MOST_CONFIG))
    except UnreadableError:
        return None


def _trainer_state(pretrained: str) -> tuple[float, float] | None:
    state = _beside(pretrained, "trainer_state.json")
    step = reading.number(state.get("global_step")) if isinstance(state, dict) else math.nan
    if not math.isfinite(step):
        return None
    tokens = reading.number(state.get("num_input_tokens_seen"))
    return step, tokens if math.isfinite(tokens) else 0.0


# ---- parameters ----


def fill_params(run: Sequence[Entry], account: Account) -> None:
    """N of a run's checkpoints: as one of their results states it, else config.json, else the name."""
    stated = next(((e.model.params, "stated by the results") for e in run if e.model.params), None)
    for entry in run:
        mixture = entry.from_name.unsure.get("params", "")
        own = (entry.model.params, "stated by the results") if entry.model.params else stated
        if "mixture" in mixture:
            entry.lacking["params"] = mixture + ("" if own is None else f"; {own[1]}: {init_text.number(own[0] or 0)}")
            entry.lacking["params"] += "; give params and flops"
            continue
        counted = own or _of_config(entry)
        read = entry.from_name.params
        if counted is None and read is not None:
            counted = (read.value, f"read from {read.text!r}")
        if counted is None or counted[0] is None:
            entry.lacking.setdefault("params", mixture)
            continue
        entry.params, entry.origin["params"] = counted
        if read is not None and apart(counted[0], read.value) > NEAR:
            both = f"{init_text.number(counted[0])} {counted[1]}, but {read.text!r} in the name"
            entry.origin["params"] = both
            account.note(readers.PARAMS_DIFFER(entry.name, told=both))


def _of_config(entry: Entry) -> tuple[float, str] | None:
    content = _beside(entry.model.pretrained, "config.json")
    if not isinstance(content, dict):
        return None
    try:
        return float(Architecture.from_config(content).params()), "counted from config.json, with embeddings"
    except (ValueError, TypeError, OverflowError) as error:
        entry.lacking["params"] = f"config.json: {' '.join(str(error).split())}"
        return None


def runs(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """The entries of each run, by its name."""
    by_run: dict[str, list[Entry]] = {}
    for entry in entries:
        by_run.setdefault(entry.run, []).append(entry)
    return by_run


def apart(one: float, other: float) -> float:
    """By what factor two positive numbers differ, 1 or more."""
    if not (one > 0 and other > 0):
        return 1.0 if one == other else math.inf
    return max(one / other, other / one)


def _and(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if words[1:] else "") + words[-1]


def _value(key: str, value: Any) -> str:
    if isinstance(value, str):
        return init_text.scalar(value)
    return f"{int(value)}" if key == "step" and value == int(value) else init_text.exact(float(value))
