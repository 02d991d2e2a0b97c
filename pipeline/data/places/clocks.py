"""Steps against tokens of the runs of a table: what cannot be, and where two statements of one number differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchcast.reports.records.account import Account
from benchcast.stages.notices import readers

from ...core import units
from ...core.errors import Fault
from .ladder import LADDER
from .runs import RunPlace, RunPlaces, note_patterns, run_place

NEAR = 0.05  # relative: two statements of a run's tokens that differ by less are the same, rounded
Rows = Sequence[Mapping[str, Any]]


def falling_tokens(points: Iterable[tuple[str, float | None, float, str]]) -> list[Fault]:
    """A fault for every run whose tokens fall while its steps grow; points are (run, step, tokens, where)."""
    faults = []
    known = sorted((run, step, tokens, where) for run, step, tokens, where in points if step is not None)
    for (run, step, tokens, _), (other, later, after, where) in pairwise(known):
        if run == other and later > step and after < tokens:
            what = f"run {run!r} has {after:g} tokens at step {later:g}, fewer than {tokens:g} at step {step:g}"
            faults.append(Fault(where, what, "tokens grow with the steps: was the count begun anew?"))
    return faults


def clock_faults(rows: Mapping[str, Rows], places: RunPlaces, where: Path, account: Account) -> list[Fault]:
    """What cannot be of the steps, tokens and sizes that runs were given; the account is told what was decided.

    Parameters
    ----------
    rows : mapping
        Run as the files call it to its rows of the ladder table; a step is None where unknown.
    where : Path
        Folder or file that was read, for the faults.
    """
    note_patterns(rows, places, account)
    faults = []
    for run, of_run in rows.items():
        place = run_place(run, places)
        faults += [Fault(f"{where}: run {run!r}", what, fix) for what, fix in _wrong(of_run, place)]
        last = max((row["tokens"] for row in of_run if row["step"] is not None), default=None)
        if place.tokens is not None and last is not None and last < place.tokens * (1 - NEAR):
            account.note(readers.SHORT_RUN(run=run, last=last, file=LADDER, tokens=place.tokens))
    return faults


def _wrong(rows: Rows, place: RunPlace) -> Iterator[tuple[str, str]]:
    """What is wrong with a run's rows, each with what to do about it."""
    last = max(rows, key=lambda row: float(row["tokens"]))
    if what := units.impossible(last["params"], last["tokens"]):
        yield what, f"params, tokens and tokens_per_step of {LADDER} are plain counts"
    clock = sorted({(row["step"], row["tokens"]) for row in rows if row["step"] is not None})
    if fault := next(_steps_and_tokens(clock, place), None):
        yield fault
    elif place.tokens is not None and clock and last["tokens"] > place.tokens * (1 + NEAR):
        step = clock[-1][0]
        what = f"has {last['tokens']:.9g} tokens at step {step:g}, and {place.tokens:.9g} as a whole by {LADDER}"
        yield what, "correct tokens or tokens_per_step"


def _steps_and_tokens(clock: Sequence[tuple[float, float]], place: RunPlace) -> Iterator[tuple[str, str]]:
    """Neighbours in a run's (step, tokens), by step, of which one cannot be."""
    for (step, tokens), (later, more) in pairwise(clock):
        if later == step:
            yield f"has {tokens:.9g} and {more:.9g} tokens at step {step:g}", "a checkpoint has one count"
        elif more == tokens:
            what = f"has {tokens:.9g} tokens at step {step:g} and at step {later:g}"
            both = "one was counted, one is step times tokens_per_step"
            fix = both if place.tokens_per_step else "write tokens_per_step"
            yield what, f"tokens grow with the steps: {fix} in {LADDER}"
        elif more < tokens:
            what = f"has {tokens:.9g} tokens at step {step:g} and {more:.9g} at step {later:g}: they fall"
            yield what, "tokens grow with the steps; a count that began anew at a resume does not count the run's"
