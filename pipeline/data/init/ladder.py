"""``ladder.yaml`` for results of lm-eval: where each model stands, from what its results, files and name tell.

What the results state comes first, then ``config.json`` and ``trainer_state.json`` of a checkpoint on this machine,
then the name, then the options of the command. Two statements of one number are compared. What nothing tells is
marked ``add``; ``benchcast run`` refuses a model until it is filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchcast.reports.records.account import Account
from benchcast.stages.notices import readers

from . import text as init_text
from . import tokens as init_tokens
from .entry import Entry, Known, entry_of, fill_params, runs

HEAD = """\
# Where each model stands on the ladder: params is N, with or without embeddings (the same for all); tokens is D, the
# tokens that the checkpoint had seen; step counts optimizer steps. FLOPs are 6·params·tokens unless given
# (flops: 1.2e21, flops_convention: attention). Behind each line stands where its numbers come from: check them.
# Models of one data mix and recipe share a family; laws are fitted within one. A model that is null is left out.
"""


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
    entries = [entry_of(model) for model in models]
    untrained = tuple(e.name for e in entries if e.step == 0 or (e.from_name.tokens and e.from_name.tokens.value == 0))
    if untrained:
        account.leave("checkpoints at step 0, which have seen no tokens", *untrained)
    entries = [e for e in entries if e.name not in set(untrained)]
    for entry in entries:
        if "but trainer_state.json says" in entry.origin.get("step", ""):
            account.note(readers.STEP_DIFFERS(entry.name, told=entry.origin["step"]))
    _separate(entries)
    for run in runs(entries).values():
        fill_params(run, account)
    _say_how_counted(entries, account)
    init_tokens.compare_multipliers(entries, token_multiplier, account)
    init_tokens.Tokens(entries, token_multiplier, tokens_per_step).fill(account)
    entries.sort(key=lambda e: (e.params or 0, e.run, e.step or 0, e.name))
    return Ladder(tuple(entries), untrained)


def series(entries: Iterable[Entry]) -> list[str]:
    """What the runs' names begin with, before their size: several of these are seldom one family."""
    stems: dict[str, None] = {}
    for entry in entries:
        size = entry.from_name.params.text if entry.from_name.params else None
        stem = entry.run.split(size)[0] if size and size in entry.run else entry.run
        stems[stem.strip("-_. ").lower()] = None
    return [stem for stem in stems if stem]


def _say_how_counted(entries: Iterable[Entry], account: Account) -> None:
    """Parameters that were counted in several ways are a note: they may have embeddings in them, or not."""
    ways: dict[str, int] = {}
    for entry in entries:
        if entry.params is not None:
            way = _way(entry)
            ways[way] = ways.get(way, 0) + 1
    if len(ways) > 1:
        counts = ", ".join(f"{count} {way}" for way, count in ways.items())
        account.note(readers.COUNTED_DIFFERENTLY(told=counts))


def _way(entry: Entry) -> str:
    texts = ("stated by the results", "counted from config.json", "read from the name")
    return next((text for text in texts if text in entry.origin["params"]), texts[-1])


def _separate(entries: Sequence[Entry]) -> None:
    """Runs of different models get different names: the model's owner or folder in front, else its whole name."""
    for longer in (_with_owner, lambda entry: entry.name):
        _rename(entries, longer)


def _rename(entries: Sequence[Entry], longer: Callable[[Entry], str]) -> None:
    for run in list(runs(entries).values()):
        clocks = [(entry.step, entry.from_name.tokens.value if entry.from_name.tokens else None) for entry in run]
        unsure = any("step" in entry.lacking for entry in run)
        if len(set(clocks)) < len(clocks) and not unsure:
            for entry in run:
                entry.run = longer(entry)


def _with_owner(entry: Entry) -> str:
    path = (entry.model.pretrained or entry.model.name).partition("@")[0]
    model = entry.run.partition("@")[0]
    before = path.partition(model)[0].strip("/. ") if model else ""
    return f"{before}/{entry.run}" if before else entry.run
