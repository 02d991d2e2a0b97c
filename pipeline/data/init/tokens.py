"""The tokens of each checkpoint of a results folder, and what options and names say against each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import readers

from ...core import units
from ...core.errors import Fault, FaultsError
from ..model_names import CHINCHILLA, Read
from .entry import NEAR, Entry, apart, runs

SAME = 1.02  # tokens per parameter may differ by this factor


def compare_multipliers(entries: Sequence[Entry], given: float | None, account: Account) -> None:
    """``--token-multiplier`` must be what every name says that says one.

    Raises
    ------
    FaultsError
        Naming each model whose name says another.
    """
    named = [(e, e.from_name.token_multiplier) for e in entries if e.from_name.token_multiplier]
    if given is None:
        if bare := {read.text: None for e, read in named if read and e.from_name.bare and e.from_name.tokens is None}:
            account.note(readers.BARE_MULTIPLIER(names=listed(bare), chinchilla=CHINCHILLA, times=CHINCHILLA))
        return
    faults = [
        Fault(
            e.name,
            f"{read.text!r} in the name is {_per(read, e.from_name.bare)}, but --token-multiplier is {given:g}",
            "leave --token-multiplier out: the names tell the tokens",
        )
        for e, read in named
        if read and not _says(read, e.from_name.bare, given)
    ]
    if faults:
        raise FaultsError(faults)


def _per(read: Read, bare: bool) -> str:
    other = f" (or {CHINCHILLA * read.value:g}, if it counts Chinchilla's {CHINCHILLA:g})" if bare else ""
    return f"{read.value:g} tokens per parameter{other}"


def _says(read: Read, bare: bool, given: float) -> bool:
    return any(apart(given, read.value * by) <= SAME for by in ((1.0, CHINCHILLA) if bare else (1.0,)))


class Tokens:
    """D of each checkpoint: what its name tells, else steps times the tokens of one, else the share of a run's end."""

    def __init__(self, entries: Sequence[Entry], multiplier: float | None, per_step: float | None) -> None:
        self.entries, self.multiplier, self.per_step = entries, multiplier, per_step
        self.ends = {run: _end(entries_of_run) for run, entries_of_run in runs(entries).items()}
        self.against: dict[str, list[tuple[str, str]]] = {}  # option to models that contradict it, and how
        self.unfinished: list[str] = []  # runs whose last step has seen fewer tokens than the multiplier says
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
        for run in runs(self.entries).values():
            self._ordered(run)
            self._possible(run)
        self._report(account)
        if self.unfinished:
            account.note(readers.UNFINISHED(runs=listed(self.unfinished)))
        if any("of its last step" in e.origin.get("tokens", "") for e in self.entries):
            account.note(readers.LAST_STEP())

    def _ordered(self, run: Sequence[Entry]) -> None:
        """Tokens that do not grow with the steps of a run are none of its tokens."""
        known = sorted((e.step, e.tokens) for e in run if e.step is not None and e.tokens is not None)
        if any(b[1] <= a[1] for a, b in pairwise(known) if b[0] > a[0]):
            for entry in run:
                origin = entry.origin.pop("tokens", "")
                entry.tokens, entry.lacking["tokens"] = None, f"tokens do not grow with the run's steps; {origin}"

    def _possible(self, run: Sequence[Entry]) -> None:
        """What a run saw in the end must be possible; what only a name tells is else left to a person.

        Raises
        ------
        FaultsError
            When it comes from an option.
        """
        known = [e for e in run if e.params is not None and e.tokens is not None]
        last = max(known, key=lambda e: e.tokens or 0, default=None)
        if last is None or (wrong := units.impossible(last.params, last.tokens)) is None:
            return
        for option in ("--tokens-per-step", "--token-multiplier"):
            if option in last.origin["tokens"]:
                raise FaultsError([Fault(last.name, wrong, f"correct {option}")])
        for entry in known:
            del entry.origin["tokens"]
            entry.tokens, entry.lacking["tokens"] = None, wrong

    def _fill(self, entry: Entry) -> None:
        numbers = entry.from_name
        if why := numbers.unsure.get("tokens"):
            entry.lacking["tokens"] = why
            return
        if numbers.tokens is not None:
            entry.tokens, entry.origin["tokens"] = numbers.tokens.value, f"read from {numbers.tokens.text!r}"
            return
        if entry.step is not None and (numbers.batch or self.per_step):
            self._of_steps(entry)
            return
        self._of_multiplier(entry)

    def _of_steps(self, entry: Entry) -> None:
        assert entry.step is not None
        if (batch := entry.from_name.batch) is not None:
            entry.tokens = entry.step * batch.value
            entry.origin["tokens"] = f"step times the {batch.value:g} a step of {batch.text!r}"
        elif self.per_step is not None:
            entry.tokens = entry.step * self.per_step
            entry.origin["tokens"] = f"step times --tokens-per-step {self.per_step:.10g}"
            self.served.add("--tokens-per-step")

    def _of_multiplier(self, entry: Entry) -> None:
        read = entry.from_name.token_multiplier
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
            expected = entry.step * self.per_step
            batch = entry.from_name.batch
            if batch is not None and apart(batch.value, self.per_step) > NEAR:
                self._against(
                    "--tokens-per-step", entry, f"{batch.text!r} in its name is {batch.value:g} tokens a step"
                )
            elif not self._near(entry, expected):
                self._against(
                    "--tokens-per-step",
                    entry,
                    f"{entry.tokens:.4g} tokens ({entry.origin['tokens']}), not {expected:.4g}",
                )
            else:
                self.served.add("--tokens-per-step")
            self._beyond_name(entry)
        at_end = entry.step is None or entry.step == self.ends[entry.run]
        if self.multiplier is not None and entry.params and at_end:
            expected = entry.params * self.multiplier
            if self._near(entry, expected):
                self.served.add("--token-multiplier")
            elif entry.step is None or entry.tokens > expected:  # an earlier checkpoint has seen fewer
                text = f"{entry.tokens:.4g} tokens ({entry.origin['tokens']}), not {expected:.4g}"
                self._against("--token-multiplier", entry, text)
            else:
                self.served.add("--token-multiplier")
                self.unfinished.append(entry.run)

    def _beyond_name(self, entry: Entry) -> None:
        """More tokens by the steps than the name's tokens per parameter allow."""
        read = entry.from_name.token_multiplier
        if read is None or entry.params is None or entry.tokens is None or entry.from_name.tokens is not None:
            return
        most = read.value * entry.params * (CHINCHILLA if entry.from_name.bare else 1.0)
        if entry.tokens > most * NEAR:
            text = f"{entry.tokens:.4g} tokens by its steps, but {read.text!r} in its name is at most {most:.4g}"
            self._against("--tokens-per-step", entry, text)
            self.served.discard("--tokens-per-step")

    def _near(self, entry: Entry, expected: float) -> bool:
        assert entry.tokens is not None
        read = entry.from_name.tokens
        rounded = 0.0 if read is None else _rounding(read)
        return apart(entry.tokens, expected) <= NEAR or abs(entry.tokens - expected) <= rounded

    def _against(self, option: str, entry: Entry, text: str) -> None:
        self.against.setdefault(option, []).append((entry.name, text))

    def _report(self, account: Account) -> None:
        faults: list[Fault] = []
        for option, differing in self.against.items():
            given = self.per_step if option == "--tokens-per-step" else self.multiplier
            assert given is not None  # else no count could be against it
            both = option == "--token-multiplier" and self.per_step is not None
            disputed = [f for f in differing if both and "--tokens-per-step" in f[1]]
            if option not in self.served or disputed:
                faults += [
                    Fault(name, f"{text} by {option} {given:.10g}", f"leave out {option}, or correct it")
                    for name, text in disputed or differing
                ]
            else:
                shown = "; ".join(f"{name}: {text}" for name, text in differing[:5])
                more = f"; and {len(differing) - 5} more" if len(differing) > 5 else ""
                account.note(
                    readers.OPTION_DIFFERS(option=option, given=given, models=len(differing), told=shown + more)
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
