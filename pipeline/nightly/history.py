"""The history as series: how the forecast of each (target, task) moved, beside what was registered and measured."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchcast.reports.records.nightly import Ends, ForecastSeries, MeasuredAt

from ..core.errors import InputError
from ..registry import register
from .state import State
from .tracking import registrations

Entry = Mapping[str, Any]


def series(state: State, track: Mapping[str, str], target: str = "*", task: str = "*") -> list[ForecastSeries]:
    """One series per (target, task, recipe, family); ``track`` names the run of a target.

    Raises
    ------
    InputError
        When no pass has forecast such a target and task.
    """
    found = found_series(state, track, target, task)
    if not found:
        raise InputError(f"{state.folder}: holds no forecast of such a target and task; run benchcast reevaluate first")
    return found


def found_series(state: State, track: Mapping[str, str], target: str, task: str) -> list[ForecastSeries]:
    """The same; none where no pass has forecast such a target and task."""
    history = state.history()
    by_key: dict[tuple[str, ...], dict[str, Any]] = {}
    for entry in history:
        for f in entry.get("forecasts", ()):
            if fnmatch.fnmatchcase(f["target"], target) and fnmatch.fnmatchcase(f["task"], task):
                key = tuple(str(f[k]) for k in ("target", "task", "recipe", "family"))
                one = by_key.setdefault(key, _empty(key))
                one["metric"] = str(f.get("metric", ""))
                one["times"].append(datetime.fromisoformat(entry["time"]))
                for column in ("forecast", "low", "high"):
                    one[column].append(f[column])
    records = register.read(state.register) if state.register.exists() else ()
    for (name, task_name, recipe, family), one in by_key.items():
        one["measured"] = _measured(history, track.get(name), task_name)
        record = registrations.record_of(history, records, name)
        registered = next(
            (
                f
                for f in (record.forecasts if record else ())
                if (f.target, f.task, f.recipe, f.family) == (name, task_name, recipe, family)
            ),
            None,
        )
        one["registered"] = registered and Ends(forecast=registered.forecast, low=registered.low, high=registered.high)
    return [ForecastSeries(**one) for one in by_key.values()]


def tracked(history: Sequence[Entry]) -> dict[str, str]:
    """Target to run by what the passes wrote down, where no config says it; the last word counts."""
    return {
        str(run["target"]): str(run["run"])
        for entry in history
        for run in (entry.get("verdict") or {}).get("runs", ())
        if {"target", "run"} <= set(run)
    }


def _empty(key: Sequence[str]) -> dict[str, Any]:
    return {
        **dict(zip(("target", "task", "recipe", "family"), key, strict=True)),
        "times": [],
        "forecast": [],
        "low": [],
        "high": [],
    }


def _measured(history: Sequence[Entry], run: str | None, task: str) -> list[MeasuredAt]:
    names = (task, task.rsplit(" (", 1)[0])
    return [
        MeasuredAt(datetime.fromisoformat(e["time"]), p["value"], p["tokens"])
        for e in history
        for p in e.get("points", ())
        if p["run"] == run and p["task"] in names
    ]


def plot(series: Sequence[ForecastSeries], path: Path) -> None:
    """Write them as a PDF.

    Raises
    ------
    BenchcastError
        When it cannot be written.
    """
    from benchcast.reports.documents import tracking

    from ..core import files as store

    store.write_bytes(tracking.history(series), path)
