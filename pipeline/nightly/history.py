"""The history as series: how the forecast of each (target, task) moved, beside what was registered and measured."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core.config import Config, ReevaluateSettings
from ..core.errors import InputError
from ..registry import register
from .state import State
from .tracking import registrations

Entry = Mapping[str, Any]


def series(
    config: Config, settings: ReevaluateSettings, state: State, target: str = "*", task: str = "*"
) -> list[dict[str, Any]]:
    """One series per (target, task, recipe, family), as ``benchcast.reports.documents.tracking.history`` draws them.

    Raises
    ------
    InputError
        When no pass has forecast such a target and task.
    """
    history = state.history()
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for entry in history:
        for f in entry.get("forecasts", ()):
            if fnmatch.fnmatchcase(f["target"], target) and fnmatch.fnmatchcase(f["task"], task):
                key = tuple(str(f[k]) for k in ("target", "task", "recipe", "family"))
                own = found.setdefault(key, _empty(key))
                own["times"].append(datetime.fromisoformat(entry["time"]))
                for column in ("forecast", "low", "high"):
                    own[column].append(f[column])
    if not found:
        raise InputError(f"{state.folder}: holds no forecast of such a target and task; run benchcast reevaluate first")
    records = register.read(state.register) if state.register.exists() else ()
    for (name, asked, recipe, family), own in found.items():
        own["measured"] = _measured(history, settings.track.get(name), asked)
        record = registrations.record_of(history, records, name)
        said = next(
            (
                f
                for f in (record.forecasts if record else ())
                if (f.target, f.task, f.recipe, f.family) == (name, asked, recipe, family)
            ),
            None,
        )
        own["registered"] = said and {k: getattr(said, k) for k in ("forecast", "low", "high")}
    return list(found.values())


def _empty(key: Sequence[str]) -> dict[str, Any]:
    return {
        **dict(zip(("target", "task", "recipe", "family"), key, strict=True)),
        "times": [],
        "forecast": [],
        "low": [],
        "high": [],
    }


def _measured(history: Sequence[Entry], run: str | None, task: str) -> list[tuple[datetime, float, float]]:
    """When it was measured, accuracy, at how many tokens."""
    names = (task, task.rsplit(" (", 1)[0])
    return [
        (datetime.fromisoformat(e["time"]), p["value"], p["tokens"])
        for e in history
        for p in e.get("points", ())
        if p["run"] == run and p["task"] in names
    ]


def plot(found: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write them as a PDF.

    Raises
    ------
    BenchcastError
        When it cannot be written.
    """
    from benchcast.reports.documents import tracking

    from ..core import files as store

    pairs = [{**s, "measured": [(time, value) for time, value, _ in s["measured"]]} for s in found]
    store.write_bytes(tracking.history(pairs), path)
