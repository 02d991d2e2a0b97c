"""Which record of the register a run is held against: the history says so when it is registered.

A target is registered again with every change of the ladder until its run has a scored checkpoint and the ladder was
scored as a whole; from then on only by ``--register``. Registered again for one target, others keep their record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...registry.register import Record

Entry = Mapping[str, Any]


def entries(history: Sequence[Entry]) -> list[Entry]:
    """All registrations, oldest first: hash, time, targets, late, complete, versions, setup."""
    return [e["registered"] for e in history if e.get("registered")]


def last(history: Sequence[Entry], target: str) -> Entry | None:
    """The registration that a target is held against."""
    return next((e for e in reversed(entries(history)) if target in e["targets"]), None)


def record_of(history: Sequence[Entry], records: Sequence[Record], target: str) -> Record | None:
    """Its record."""
    entry = last(history, target)
    return next((r for r in records if entry is not None and r.hash == entry["hash"]), None)


def open_ones(history: Sequence[Entry], targets: Mapping[str, bool]) -> list[str]:
    """Targets that are still to be registered with every change; ``targets`` says of each whether its run has begun."""
    names = []
    for name, begun in targets.items():
        entry = last(history, name)
        if entry is None or not begun or not entry["complete"]:
            names.append(name)
    return names


def orphan(history: Sequence[Entry], records: Sequence[Record]) -> Record | None:
    """The newest record if no pass remembers it: the one that made it was killed.

    Only of records with the lengths of a tracked run; others are the user's own.
    """
    known = {e["hash"] for e in entries(history)}
    ours = [r for r in records if any(f.target_run.is_length for f in r.forecasts)]
    return ours[-1] if ours and ours[-1].hash not in known else None


def differs(history: Sequence[Entry], entry: Entry) -> bool:
    """Whether a registration says anything new of one of its targets."""
    before = [last(history, name) for name in entry["targets"]]
    same = ("hash", "versions", "setup", "complete")
    return any(b is None or any(b[k] != entry[k] for k in same) for b in before)
