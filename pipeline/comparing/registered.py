"""The registered forecast that a run is held against: which record, and what it says at which length."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchcast.reports.records.account import listed
from benchcast.reports.records.answer import GRADED
from benchcast.reports.records.forecast import Forecast

from ..core.errors import InputError
from ..nightly.tracking.bands import Band, bands
from ..registry import known
from ..registry.register import Record
from ..registry.settle import Truth
from .policy import Policy


@dataclass(frozen=True, kw_only=True)
class Registered:
    """One record's forecasts of a target, by task: at its end, and (``lengths``, ``bands``) along the run.

    ``seen`` says why it is no forecast of this run; empty where it is one.
    """

    record: Record
    recipe: str
    family: str
    end: dict[str, Forecast]
    lengths: dict[str, Forecast]
    bands: dict[str, Band]
    seen: str = ""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Every task that was registered."""
        return tuple(dict.fromkeys((*self.end, *self.lengths)))

    @property
    def tokens(self) -> float | None:
        """Training tokens that are planned; None where the target is FLOPs alone."""
        planned = next((f.tokens for f in self.end.values()), None)
        return planned if planned is not None else max((b.planned for b in self.bands.values()), default=None)

    @property
    def params(self) -> float | None:
        """Parameters that are planned."""
        return next((f.params for f in (*self.end.values(), *self.lengths.values())), None)


def find(records: Sequence[Record], policy: Policy, truth: Truth) -> Registered:
    """The last record of the target that had not seen the run; where all had, the last of all.

    Raises
    ------
    InputError
        When the target, recipe, family or record is not in the register, or it does not follow which is meant.
    """
    own = [r for r in records if policy.record is None or r.hash.startswith(policy.record)]
    if not own:
        raise InputError(f"record: no record of {policy.register_} begins with {policy.record!r}")
    holding = [r for r in own if any(_is_of(f, policy.target) for f in r.forecasts)]
    if not holding:
        names = list(dict.fromkeys(f.target_run.name for r in own for f in r.forecasts))
        near = difflib.get_close_matches(policy.target, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {listed(names, 8)}"
        raise InputError(f"target: no forecast of {policy.register_} is of {policy.target!r} ({hint})")
    found = None
    for record in reversed(holding):
        one = _of_record(record, policy, truth)
        found = found or one
        if not one.seen:
            return one
    assert found is not None
    return found


def _is_of(forecast: Forecast, target: str) -> bool:
    return forecast.target_run.name == target


def _of_record(record: Record, policy: Policy, truth: Truth) -> Registered:
    every = [f for f in record.forecasts if _is_of(f, policy.target)]
    recipe = _one("recipe", policy.recipe, list(dict.fromkeys(f.recipe for f in every)), GRADED)
    every = [f for f in every if f.recipe == recipe]
    there = policy.run in truth.runs.index
    own = str(truth.runs.loc[policy.run]["family"]) if there else None
    family = _one("family", policy.family, list(dict.fromkeys(f.family for f in every)), own)
    every = [f for f in every if f.family == family]
    lengths = sorted((f for f in every if f.target_run.is_length), key=lambda f: f.tokens or 0.0)
    found = Registered(
        record=record,
        recipe=recipe,
        family=family,
        end={f.task: f for f in every if not f.target_run.is_length},
        lengths={f.task: f for f in lengths},
        bands=bands(record, policy.target, recipe, family),
    )
    return replace(found, seen=_seen(found, policy.run, truth)) if there else found


def _one(key: str, given: str | None, there: Sequence[str], usual: str | None) -> str:
    """The one that is meant: as given, or the usual one where it is there, or the only one."""
    if given is not None:
        if given not in there:
            raise InputError(f"{key}: the register has no forecast by {given!r} of this target ({listed(there)})")
        return given
    if usual in there:
        return str(usual)
    if len(there) == 1:
        return there[0]
    raise InputError(f"{key}: the register has forecasts of this target by {listed(there)}; name one of them")


def _seen(found: Registered, run: str, truth: Truth) -> str:
    """Whether the run stood in the table of the record, with its score or with an earlier one."""
    measured = truth.measured(run)
    for forecast in (*found.end.values(), *found.lengths.values()):
        if forecast.actual is not None:
            return "its score was known when the forecast was registered"
        there = known.in_table(found.record, forecast, measured)
        if there is not None:
            return f"{there.run} was in the table when the forecast was registered: the score was known"
    if found.record.seen is None:
        return "the record does not say what its table held (an earlier version made it): the score may have been known"
    if run in (r.run for r in found.record.seen.runs):
        return f"{run} had begun when the forecast was registered: its first checkpoints were in the table"
    return ""
