"""``ladder.yaml`` for results of lm-eval: where each model stands, from what its results, files and name tell.

What the results state comes first, then ``config.json`` and ``trainer_state.json`` of a checkpoint on this machine,
then the name, then the options of the command. Two statements of one number are compared. What nothing tells is
marked ``add``; ``benchcast run`` refuses a model until it is filled in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline import init_text, model_names, reading
from pipeline.account import Account, listed
from pipeline.errors import Fault, FaultsError
from pipeline.model_names import CHINCHILLA, Numbers, Read
from stages.architecture import Architecture

FAMILY = "my-mix"
NEAR = 1.25  # two statements of one number may differ by this factor: embeddings, rounding
SAME = 1.02  # the same, for tokens per parameter
HEAD = """\
# Where each model stands on the ladder: params is N, with or without embeddings (the same for all); tokens is D, the
# tokens that the checkpoint had seen; step counts optimizer steps. FLOPs are 6·params·tokens unless given
# (flops: 1.2e21, flops_convention: attention). Behind each line stands where its numbers come from: check them.
# Models of one data mix and recipe share a family; laws are fitted within one. A model that is null is left out.
"""


@dataclass(frozen=True)
class Known:
    """A model as its results name it; ``name`` is its key in ``ladder.yaml``, ``params`` what the results state."""

    name: str
    pretrained: str
    revision: str = ""
    params: float | None = None


@dataclass
class Entry:
    """A line of ``ladder.yaml``: numbers with their origins, and what is lacking with the reason where one is known."""

    model: Known
    told: Numbers
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


@dataclass(frozen=True)
class Ladder:
    """Entries by size, and the models that have seen no tokens."""

    entries: tuple[Entry, ...]
    untrained: tuple[str, ...]

    def text(self) -> str:
        """The content of ``ladder.yaml``."""
        lines = [entry.line() for entry in self.entries]
        lines += [f"{init_text.scalar(name)}: null  # step 0: it has seen no tokens" for name in self.untrained]
        return HEAD + "".join(f"{line}\n" for line in lines)

    def places(self) -> dict[str, Any]:
        """What ``text`` reads back as."""
        return {e.name: e.columns() for e in self.entries} | dict.fromkeys(self.untrained)

    def lacking(self) -> list[Entry]:
        """The entries that ``benchcast run`` refuses until they are filled in."""
        return [entry for entry in self.entries if not entry.complete]


def build(
    models: Sequence[Known], token_multiplier: float | None, tokens_per_step: float | None, account: Account
) -> Ladder:
    """Where each model stands, as far as something tells.

    Parameters
    ----------
    token_multiplier : float, optional
        Tokens per parameter that each run saw, as the person says.
    tokens_per_step : float, optional
        Tokens of one optimizer step, as the person says.
    account : Account
        Gets what was left out, decided, or does not agree.

    Raises
    ------
    FaultsError
        When an option contradicts what the names say.
    """
    entries = [_entry(model) for model in models]
    untrained = tuple(e.name for e in entries if e.step == 0 or (e.told.tokens and e.told.tokens.value == 0))
    if untrained:
        account.leave("checkpoints at step 0, which have seen no tokens", *untrained)
    entries = [e for e in entries if e.name not in set(untrained)]
    _separate(entries)
    for run in _runs(entries).values():
        _params(run, account)
    _compare_multipliers(entries, token_multiplier, account)
    _Tokens(entries, token_multiplier, tokens_per_step).fill(account)
    entries.sort(key=lambda e: (e.params or 0, e.run, e.step or 0, e.name))
    return Ladder(tuple(entries), untrained)


def series(entries: Iterable[Entry]) -> list[str]:
    """What the runs' names begin with, before their size: several of these are seldom one family."""
    found: dict[str, None] = {}
    for entry in entries:
        size = entry.told.params.text if entry.told.params else None
        stem = entry.run.split(size)[0] if size and size in entry.run else entry.run
        found[stem.strip("-_. ").lower()] = None
    return [stem for stem in found if stem]


# ---- one model ----


def _entry(model: Known) -> Entry:
    named = model.pretrained or model.name
    told = model_names.numbers(f"{named}@{model.revision}" if model.revision else named)
    adapter = bool(model.pretrained) and not model.name.startswith(model.pretrained)
    if adapter:  # the step in its name is its own, not the model's
        told = replace(told, run=f"{told.run} with {model_names.numbers(model.name).run}", step=None, tokens=None)
    _, bracket, particular = model.name.partition(" (")  # what tells models of one name and revision apart
    entry = Entry(model, told, told.run + (bracket + particular if bracket and particular.endswith(")") else ""))
    if adapter:
        entry.lacking["tokens"] = (
            f"{model.name} adapts {model.pretrained}: its own training is not in that one's tokens"
        )
        return entry
    state = _trainer_state(model.pretrained)
    if told.step:
        entry.step = told.step.value
    elif state is not None:
        entry.step = state[0]
        entry.origin["step"] = "trainer_state.json"
    if state is not None and state[1] and state[0] == entry.step:
        entry.tokens, entry.origin["tokens"] = state[1], "trainer_state.json"
    if "step" in told.unsure and entry.step is None:
        entry.lacking["step"] = told.unsure["step"]
    return entry


def _beside(pretrained: str, file: str) -> Any:
    """The content of a JSON file of a checkpoint on this machine; None where there is none."""
    path = Path(pretrained) / file
    if not pretrained or "\0" in pretrained or not path.is_file():
        return None
    try:
        return reading.json_of(reading.data(path, reading.MOST_CONFIG))
    except reading.Unreadable:
        return None


def _trainer_state(pretrained: str) -> tuple[float, float] | None:
    state = _beside(pretrained, "trainer_state.json")
    step = reading.number(state.get("global_step")) if isinstance(state, dict) else math.nan
    if not math.isfinite(step):
        return None
    tokens = reading.number(state.get("num_input_tokens_seen"))
    return step, tokens if math.isfinite(tokens) else 0.0


# ---- parameters ----


def _params(run: Sequence[Entry], account: Account) -> None:
    """N of a run's checkpoints: as one of their results states it, else config.json, else the name."""
    stated = next(((e.model.params, "stated by the results") for e in run if e.model.params), None)
    for entry in run:
        mixture = entry.told.unsure.get("params", "")
        own = (entry.model.params, "stated by the results") if entry.model.params else stated
        if "mixture" in mixture:
            entry.lacking["params"] = mixture + ("" if own is None else f"; {own[1]}: {init_text.number(own[0] or 0)}")
            entry.lacking["params"] += "; give params and flops"
            continue
        found = own or _of_config(entry)
        read = entry.told.params
        if found is None and read is not None:
            found = (read.value, f"read from {read.text!r}")
        if found is None or found[0] is None:
            entry.lacking.setdefault("params", mixture)
            continue
        entry.params, entry.origin["params"] = found
        if read is not None and _apart(found[0], read.value) > NEAR:
            told = f"{init_text.number(found[0])} {found[1]}, but {read.text!r} in the name"
            entry.origin["params"] = told
            account.note(f"{entry.name}: params: {told}; the first counts: check whether embeddings are in it")


def _of_config(entry: Entry) -> tuple[float, str] | None:
    content = _beside(entry.model.pretrained, "config.json")
    if not isinstance(content, dict):
        return None
    try:
        return float(Architecture.from_config(content).params()), "counted from config.json, with embeddings"
    except (ValueError, TypeError, OverflowError) as error:
        entry.lacking["params"] = f"config.json: {' '.join(str(error).split())}"
        return None


# ---- tokens ----


def _compare_multipliers(entries: Sequence[Entry], given: float | None, account: Account) -> None:
    """``--token-multiplier`` must be what every name says that says one.

    Raises
    ------
    FaultsError
        Naming each model whose name says another.
    """
    named = [(e, e.told.token_multiplier) for e in entries if e.told.token_multiplier]
    if given is None:
        if bare := {read.text: None for e, read in named if read and e.told.bare and e.told.tokens is None}:
            account.note(
                f"{listed(bare)} in the names was read as tokens per parameter (of Chinchilla's {CHINCHILLA:g} tokens "
                f"per parameter it would be {CHINCHILLA:g} times as many: then correct tokens in ladder.yaml)"
            )
        return
    faults = [
        Fault(e.name, f"{read.text!r} in the name is {_per(read, e.told.bare)}, but --token-multiplier is {given:g}",
              "leave --token-multiplier out: the names tell the tokens")
        for e, read in named if read and not _says(read, e.told.bare, given)
    ]  # fmt: skip
    if faults:
        raise FaultsError(faults)


def _per(read: Read, bare: bool) -> str:
    other = f" (or {CHINCHILLA * read.value:g}, if it counts Chinchilla's {CHINCHILLA:g})" if bare else ""
    return f"{read.value:g} tokens per parameter{other}"


def _says(read: Read, bare: bool, given: float) -> bool:
    return any(_apart(given, read.value * by) <= SAME for by in ((1.0, CHINCHILLA) if bare else (1.0,)))


class _Tokens:
    """D of each checkpoint: what its name tells, else steps times the tokens of one, else the share of a run's end."""

    def __init__(self, entries: Sequence[Entry], multiplier: float | None, per_step: float | None) -> None:
        self.entries, self.multiplier, self.per_step = entries, multiplier, per_step
        self.ends = {run: _end(found) for run, found in _runs(entries).items()}
        self.against: dict[str, list[tuple[str, str]]] = {}  # option to models that contradict it, and how
        self.served: set[str] = set()  # options that filled in a number, or agreed with one

    def fill(self, account: Account) -> None:
        """Fill in tokens and their origins.

        Raises
        ------
        FaultsError
            When an option contradicts every name it meets, or the two options contradict each other.
        """
        for entry in self.entries:
            if entry.tokens is None and "tokens" not in entry.lacking:
                self._fill(entry)
            if entry.tokens is None and "tokens" not in entry.lacking:
                entry.lacking["tokens"] = ""
            if entry.tokens is not None and entry.tokens > 0:
                self._compare(entry)
        self._report(account)
        if any("of its last step" in e.origin.get("tokens", "") for e in self.entries):
            account.note(
                "tokens per parameter are those of a run's end: its last step in these results was taken for it"
            )

    def _fill(self, entry: Entry) -> None:
        told = entry.told
        if why := told.unsure.get("tokens"):
            entry.lacking["tokens"] = why
            return
        if told.tokens is not None:
            entry.tokens, entry.origin["tokens"] = told.tokens.value, f"read from {told.tokens.text!r}"
            return
        if entry.step is not None and (told.batch or self.per_step):
            self._of_steps(entry)
            return
        self._of_multiplier(entry)

    def _of_steps(self, entry: Entry) -> None:
        assert entry.step is not None
        if (batch := entry.told.batch) is not None:
            entry.tokens = entry.step * batch.value
            entry.origin["tokens"] = f"step times the {batch.value:g} a step of {batch.text!r}"
        elif self.per_step is not None:
            entry.tokens = entry.step * self.per_step
            entry.origin["tokens"] = f"step times --tokens-per-step {self.per_step:.10g}"
            self.served.add("--tokens-per-step")

    def _of_multiplier(self, entry: Entry) -> None:
        read = entry.told.token_multiplier
        if self.multiplier is not None:
            multiplier, text = self.multiplier, f"params times --token-multiplier {self.multiplier:g}"
        elif read is not None:
            multiplier, text = read.value, f"params times the {read.value:g} of {read.text!r}"
        else:
            return
        if entry.params is None:
            return
        share, end = 1.0, self.ends[entry.run]
        if "step" in entry.lacking:
            return
        if entry.step is not None:
            if end is None or "intermediate" in entry.name.lower():
                entry.lacking["tokens"] = "the step of the run's end is not known"
                return
            share = entry.step / end
            text += f", at step {entry.step:.15g} of its last step {end:.15g}"
        entry.tokens, entry.origin["tokens"] = multiplier * entry.params * share, text
        self.served |= {"--token-multiplier"} if self.multiplier is not None else set()

    def _compare(self, entry: Entry) -> None:
        """Against each option, where something else told the tokens."""
        assert entry.tokens is not None
        if self.per_step is not None and entry.step:
            said = entry.step * self.per_step
            batch = entry.told.batch
            if batch is not None and _apart(batch.value, self.per_step) > NEAR:
                self._against(
                    "--tokens-per-step", entry, f"{batch.text!r} in its name is {batch.value:g} tokens a step"
                )
            elif not self._near(entry, said):
                self._against(
                    "--tokens-per-step", entry, f"{entry.tokens:.4g} tokens ({entry.origin['tokens']}), not {said:.4g}"
                )
            else:
                self.served.add("--tokens-per-step")
            self._beyond_name(entry)
        at_end = entry.step is None or entry.step == self.ends[entry.run]
        if self.multiplier is not None and entry.params and at_end:
            said = entry.params * self.multiplier
            if self._near(entry, said):
                self.served.add("--token-multiplier")
            elif entry.step is None or entry.tokens > said:  # an earlier checkpoint has seen fewer
                text = f"{entry.tokens:.4g} tokens ({entry.origin['tokens']}), not {said:.4g}"
                self._against("--token-multiplier", entry, text)

    def _beyond_name(self, entry: Entry) -> None:
        """More tokens by the steps than the name's tokens per parameter allow."""
        read = entry.told.token_multiplier
        if read is None or entry.params is None or entry.tokens is None or entry.told.tokens is not None:
            return
        most = read.value * entry.params * (CHINCHILLA if entry.told.bare else 1.0)
        if entry.tokens > most * NEAR:
            text = f"{entry.tokens:.4g} tokens by its steps, but {read.text!r} in its name is at most {most:.4g}"
            self._against("--tokens-per-step", entry, text)
            self.served.discard("--tokens-per-step")

    def _near(self, entry: Entry, said: float) -> bool:
        assert entry.tokens is not None
        read = entry.told.tokens
        rounded = 0.0 if read is None else _rounding(read)
        return _apart(entry.tokens, said) <= NEAR or abs(entry.tokens - said) <= rounded

    def _against(self, option: str, entry: Entry, text: str) -> None:
        self.against.setdefault(option, []).append((entry.name, text))

    def _report(self, account: Account) -> None:
        faults: list[Fault] = []
        for option, found in self.against.items():
            given = self.per_step if option == "--tokens-per-step" else self.multiplier
            both = option == "--token-multiplier" and self.per_step is not None
            disputed = [f for f in found if both and "--tokens-per-step" in f[1]]
            if option not in self.served or disputed:
                faults += [
                    Fault(name, f"{text} by {option} {given:.10g}", f"leave out {option}, or correct it")
                    for name, text in disputed or found
                ]
            else:
                told = "; ".join(f"{name}: {text}" for name, text in found[:5])
                more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
                account.note(
                    f"{option} {given:.10g} does not fit {len(found)} of the models, whose own counts: {told}{more}"
                )
        if faults:
            raise FaultsError(faults)


def _end(run: Sequence[Entry]) -> float | None:
    """The last step of a run; None where one of its checkpoints, perhaps the last, does not tell its step."""
    steps = [entry.step for entry in run]
    return None if None in steps else max(step for step in steps if step is not None)


def _rounding(read: Read) -> float:
    """Half a unit of the last digit that a name gives: 5e8 of ``tokens21B``."""
    digits = re.search(r"\d+(?:\.(\d+))?", read.text)
    number = float(digits[0]) if digits else 0.0
    if not digits or not number:
        return 0.0
    return 0.5 * read.value / number * 10.0 ** -len(digits[1] or "")


# ---- runs ----


def _runs(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.run, []).append(entry)
    return found


def _separate(entries: Sequence[Entry]) -> None:
    """Runs of different models get different names: the model's owner or folder in front, else its whole name."""
    for longer in (_with_owner, lambda entry: entry.name):
        _rename(entries, longer)


def _rename(entries: Sequence[Entry], longer: Callable[[Entry], str]) -> None:
    for run in list(_runs(entries).values()):
        seen = [(entry.step, entry.told.tokens.value if entry.told.tokens else None) for entry in run]
        unsure = any("step" in entry.lacking for entry in run)
        if len(set(seen)) < len(seen) and not unsure:
            for entry in run:
                entry.run = longer(entry)


def _with_owner(entry: Entry) -> str:
    path = (entry.model.pretrained or entry.model.name).partition("@")[0]
    before = path.partition(entry.run.partition("@")[0])[0].strip("/. ")
    return f"{before}/{entry.run}" if before else entry.run


def _apart(one: float, other: float) -> float:
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
