"""Where training runs stand on the ladder, for readers whose files tell a run's name and step but not its size.

``ladder.yaml`` beside the file says it by run name, or by a shell pattern of names; the first that fits counts::

    1.3B-*: {family: my-mix, params: 1.3e9, tokens_per_step: 4.2e6}
    "*":    {family: my-mix}
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from benchcast.reports.records.account import Account, listed
from pydantic import Field, ValidationError

from ...core import reading, units
from ...core.config import Positive, Strict
from ...core.errors import Fault, FaultsError
from .. import csv_files

LADDER = "ladder.yaml"
TOLERANCE = 0.02  # between two statements of one number of tokens: the last batch of an epoch may be smaller
NEAR = 0.05  # two statements of a run's tokens that differ by less are the same, rounded


class RunPlace(Strict):
    """What ``ladder.yaml`` may say of a run; FLOPs are 6·params·tokens."""

    run: str | None = Field(default=None, description="its name in the table; empty: as in the file")
    family: str = "ladder"
    params: Positive | None = None
    tokens_per_step: Positive | None = None
    tokens: Positive | None = Field(default=None, description="of the whole run, where steps are not told")

    def columns(self, run: str, step: float | None, tokens: float | None, params: float | None) -> dict[str, Any]:
        """The ladder table's columns of a checkpoint; what the file tells itself comes first.

        Parameters
        ----------
        step : float or None
            Optimizer step, above 0; None where the file tells none.
        tokens : float or None
            Training tokens seen, above 0; None where the file does not count them.
        params : float or None
            Number of parameters; None where the file does not tell.

        Raises
        ------
        ValueError
            Naming what nothing tells, or saying that the checkpoint is not trained.
        """
        if step == 0 or tokens == 0:
            raise ValueError("has a checkpoint before the first step: leave it out")
        size = self.params if params is None else params
        if tokens is None and step is not None and self.tokens_per_step is not None:
            tokens = step * self.tokens_per_step
        seen = self.tokens if tokens is None else tokens
        if size is None or seen is None:
            unseen = "tokens_per_step (or tokens)" if self.tokens_per_step is None else "step"
            lacking = ["params"] * (size is None) + [unseen] * (seen is None)
            raise ValueError(f"nothing tells its {' and '.join(lacking)}")
        if (odd := units.impossible(size, None)) and self.params is not None:
            raise ValueError(odd)
        return {
            "run": self.run or run,
            "family": self.family,
            "step": step,
            "params": size,
            "tokens": seen,
            "flops": 6 * size * seen,
            "flops_convention": "6ND",
        }

    def contradiction(self, step: float | None, tokens: float | None) -> str:
        """How the tokens that a file logged deny ``tokens_per_step``; empty where they do not, or nothing is said."""
        if not step or not tokens or self.tokens_per_step is None:
            return ""
        if abs(tokens / (step * self.tokens_per_step) - 1) <= TOLERANCE:
            return ""
        return (
            f"{tokens:g} tokens at step {step:g} are {tokens / step:g} a step, "
            f"but {LADDER} says tokens_per_step {self.tokens_per_step:g}"
        )


Places = Mapping[str, RunPlace]


def falling(points: Iterable[tuple[str, float | None, float, str]]) -> list[Fault]:
    """A fault for every run whose tokens fall while its steps grow; points are (run, step, tokens, where)."""
    faults = []
    known = sorted((run, step, tokens, where) for run, step, tokens, where in points if step is not None)
    for (run, step, tokens, _), (other, later, after, where) in pairwise(known):
        if run == other and later > step and after < tokens:
            what = f"run {run!r} has {after:g} tokens at step {later:g}, fewer than {tokens:g} at step {step:g}"
            faults.append(Fault(where, what, "tokens grow with the steps: was the count begun anew?"))
    return faults


def unused(places: Places, runs: set[str], account: Account) -> None:
    """Tell the account of names in ``ladder.yaml`` that no run of the files has."""
    idle = [
        name
        for name, place in places.items()
        if (place.run or name) not in runs
        and not any(fnmatch.fnmatchcase(run, name) for run in runs)
        and not any(c in name for c in "*?[")
    ]
    if idle:
        account.leave(f"names in {LADDER} that no file has", *idle)


def read(folder: Path) -> dict[str, RunPlace]:
    """The places of ``ladder.yaml`` in a folder, in order; none without the file.

    Raises
    ------
    FaultsError
        With everything that is wrong with the file.
    """
    path = folder / LADDER
    if not os.path.lexists(path):
        return {}
    try:
        written = reading.text(path)
        content = reading.yaml_of(written)
    except reading.Unreadable as error:
        raise FaultsError([Fault(str(path), f"cannot be read: {error}")]) from None
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise FaultsError([Fault(str(path), "must map run names to {family, params, tokens_per_step}")])
    places, faults = {}, []
    for name, given in zip(_names(written, content), content.values(), strict=True):
        try:
            places[name] = RunPlace.model_validate(given)
        except ValidationError as error:
            faults += [_fault(path, name, given, found) for found in error.errors()]
            continue
        if what := units.impossible(places[name].params, places[name].tokens):
            faults.append(Fault(f"{path}: {name}", what))
    if faults:
        raise FaultsError(faults)
    return places


def _names(written: str, content: Mapping[Any, Any]) -> list[str]:
    """The keys as they are written: YAML makes a number of ``007``, and the run is called 007."""
    as_text = yaml.load(written, Loader=yaml.BaseLoader)  # makes text, lists and mappings only
    names = list(as_text) if isinstance(as_text, dict) else []
    return names if len(names) == len(content) and "<<" not in names else [str(key) for key in content]


def _fault(path: Path, name: str, given: Any, found: Any) -> Fault:
    where = f"{path}: " + ".".join(map(str, (name, *found["loc"])))
    if found["type"] == "extra_forbidden":
        return Fault(where, "is no known key", f"keys are {', '.join(RunPlace.model_fields)}")
    if not isinstance(given, Mapping):
        return Fault(where, "is no place", "write {family, params, tokens_per_step}")
    value = found["input"]
    if isinstance(value, dict | list):
        return Fault(where, "is a mapping or list, no value")
    fix = csv_files.unlike(value) if isinstance(value, str) else ""
    return Fault(where, f"{str(value)[:100]!r}: {str(found['msg']).removeprefix('Value error, ')}", fix)


def of(run: str, places: Mapping[str, RunPlace]) -> RunPlace:
    """The place of a run: by its name, else by the first pattern that fits, else the defaults."""
    fitting = (place for pattern, place in places.items() if fnmatch.fnmatchcase(run, pattern))
    return places.get(run) or next(fitting, RunPlace())


def checked(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], places: Mapping[str, RunPlace], where: Path, account: Account
) -> list[Fault]:
    """What cannot be of the steps, tokens and sizes that runs were given; the account is told what was decided.

    Parameters
    ----------
    rows : mapping
        Run as the files call it to its rows of the ladder table; a step is None where unknown.
    where : Path
        Folder or file that was read, for the faults.
    """
    _told(rows, places, account)
    faults = []
    for run, found in rows.items():
        place = of(run, places)
        faults += [Fault(f"{where}: run {run!r}", what, fix) for what, fix in _wrong(found, place)]
        last = max((row["tokens"] for row in found if row["step"] is not None), default=None)
        if place.tokens is not None and last is not None and last < place.tokens * (1 - NEAR):
            account.note(
                f"run {run!r} ends at {last:.9g} tokens here; {LADDER} says {place.tokens:.9g} for the whole run"
            )
    return faults


def _told(names: Iterable[str], places: Mapping[str, RunPlace], account: Account) -> None:
    """Notes on what places no run, and on runs that more than one pattern would place; a ``*`` is for all others."""
    counting: set[str] = set()
    for run in names:
        fitting = [pattern for pattern in places if fnmatch.fnmatchcase(run, pattern)]
        if run in places or not fitting:
            counting.add(run)
            continue
        counting.add(fitting[0])
        if others := [p for p in fitting[1:] if p != "*" and places[p] != places[fitting[0]]]:
            account.note(
                f"{LADDER} places run {run!r} by {fitting[0]!r}, the first that fits (also {listed(map(repr, others))})"
            )
    if counting and (idle := [pattern for pattern in places if pattern not in counting and pattern != "*"]):
        account.note(f"{LADDER}: no run is placed by {listed(map(repr, idle))}")


def _wrong(rows: Sequence[Mapping[str, Any]], place: RunPlace) -> Iterator[tuple[str, str]]:
    last = max(rows, key=lambda row: float(row["tokens"]))
    if what := units.impossible(last["params"], last["tokens"]):
        yield what, f"params, tokens and tokens_per_step of {LADDER} are plain counts"
    clock = sorted({(row["step"], row["tokens"]) for row in rows if row["step"] is not None})
    for (step, tokens), (later, more) in pairwise(clock):
        if later == step:
            yield f"has {tokens:.9g} and {more:.9g} tokens at step {step:g}", "a checkpoint has one count"
            return
        if more == tokens:
            what = f"has {tokens:.9g} tokens at step {step:g} and at step {later:g}"
            fix = (
                "one was counted, one is step times tokens_per_step"
                if place.tokens_per_step
                else "write tokens_per_step"
            )
            yield what, f"tokens grow with the steps: {fix} in {LADDER}"
            return
        if more < tokens:
            what = f"has {tokens:.9g} tokens at step {step:g} and {more:.9g} at step {later:g}: they fall"
            yield what, "tokens grow with the steps; a count that began anew at a resume does not count the run's"
            return
    if place.tokens is not None and clock and last["tokens"] > place.tokens * (1 + NEAR):
        what = (
            f"has {last['tokens']:.9g} tokens at step {clock[-1][0]:g}, and {place.tokens:.9g} as a whole by {LADDER}"
        )
        yield what, "correct tokens or tokens_per_step"
