"""Where training runs stand on the ladder, for readers whose files tell a run's name and step but not its size.

``ladder.yaml`` beside the file says it by run name, or by a shell pattern of names; the first that fits counts::

    1.3B-*: {family: my-mix, params: 1.3e9, tokens_per_step: 4.2e6}
    "*":    {family: my-mix}
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import readers
from pydantic import Field

from ...core import units
from ...core.errors import Fault, FaultsError
from ...core.settings import Positive, StepTokens, Strict
from .ladder import LADDER, LadderPlaces, PlaceKind, in_folder

TOLERANCE = 0.02  # relative, between two statements of one number of tokens: an epoch's last batch may be smaller
OTHERS = "*"  # the pattern that is meant for all other runs, so that it may place none


class RunPlace(Strict):
    """What ``ladder.yaml`` may say of a run; FLOPs are 6·params·tokens."""

    run: str | None = Field(default=None, description="its name in the table; empty: as in the file")
    family: str = "ladder"
    params: Positive | None = None
    tokens_per_step: StepTokens | None = None
    tokens: Positive | None = Field(default=None, description="of the whole run, where steps are not told")

    def columns(self, run: str, step: float | None, tokens: float | None, params: float | None) -> dict[str, Any]:
        """The ladder table's columns of a checkpoint; what the file tells itself comes first.

        Parameters
        ----------
        step : float or None
            Optimizer step, above 0; None where the file tells none.
        tokens : float or None
            Training tokens trained, above 0; None where the file does not count them.
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
        trained = self.tokens if tokens is None else tokens
        if size is None or trained is None:
            clock = "tokens_per_step (or tokens)" if self.tokens_per_step is None else "step"
            lacking = [name for name, value in (("params", size), (clock, trained)) if value is None]
            raise ValueError(f"cannot find its {' and '.join(lacking)}")
        if (odd := units.impossible(size, None)) and self.params is not None:
            raise ValueError(odd)
        return {
            "run": self.run or run,
            "family": self.family,
            "step": step,
            "params": size,
            "tokens": trained,
            "flops": 6 * size * trained,
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


RunPlaces = LadderPlaces[RunPlace]
RUNS = PlaceKind(
    place=RunPlace,
    content="must map run names to {family, params, tokens_per_step}",
    entry="is not a place",
    example="write {family, params, tokens_per_step}",
    as_written=True,
)


def read_run_places(folder: Path) -> RunPlaces:
    """The places of ``ladder.yaml`` in a folder, in order; none without the file.

    Raises
    ------
    FaultsError
        With everything that is wrong with the file.
    """
    faults: list[Fault] = []
    places = {name: place for name, place in in_folder(folder, RUNS, faults).items() if place is not None}
    for name, place in places.items():
        if what := units.impossible(place.params, place.tokens):
            faults.append(Fault(f"{folder / LADDER}: {name}", what))
    if faults:
        raise FaultsError(faults)
    return LadderPlaces(places)


def run_place(run: str, places: RunPlaces) -> RunPlace:
    """The place of a run: by its name, else by the first pattern that fits, else the defaults."""
    return places.find(run) or RunPlace()


def note_idle_names(places: RunPlaces, runs: set[str], account: Account) -> None:
    """Tell the account of names in ``ladder.yaml`` that no run of the files has; patterns may be for later runs."""
    idle = [
        name
        for name, place in places.items()
        if (place.run or name) not in runs
        and not any(name in places.patterns(run) for run in runs)
        and not any(letter in name for letter in "*?[")
    ]
    if idle:
        account.leave(f"names in {LADDER} that no file has", *idle)


def note_patterns(runs: Iterable[str], places: RunPlaces, account: Account) -> None:
    """Notes on what places no run, and on runs that more than one pattern would place."""
    counting: set[str] = set()
    for run in runs:
        fitting = places.patterns(run)
        if run in places or not fitting:
            counting.add(run)
            continue
        counting.add(fitting[0])
        if others := [p for p in fitting[1:] if p != OTHERS and places[p] != places[fitting[0]]]:
            account.note(
                readers.SEVERAL_PLACES(file=LADDER, run=run, pattern=fitting[0], others=listed(map(repr, others)))
            )
    if counting and (idle := [pattern for pattern in places if pattern not in counting and pattern != OTHERS]):
        account.note(readers.IDLE_PLACES(LADDER, patterns=listed(map(repr, idle))))
