"""Does ``reevaluate.track`` name what is there: a run of the scores for each target, with a registered forecast?"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchcast.reports.text.numbers import count

from ...core.config import Config, ReevaluateSettings, Target
from ...core.errors import BenchcastError
from ..alerts.rules.plan import SAME_PARAMS
from ..state import State
from ..tracking import registrations
from .check import Check

if TYPE_CHECKING:
    import pandas as pd

MOST_NAMED = 5  # runs of the table, in one line
NONE = "no run is named: nothing is held against a registered forecast (reevaluate.track: {target: run})"


def checks(config: Config, settings: ReevaluateSettings, base: Path) -> Iterator[Check]:
    """A line per tracked target."""
    if not settings.track:
        yield Check(what="track", ok=True, says=NONE)
        return
    table, unread = _table(config, base)
    history = _history(base / settings.folder)
    targets = {target.name: target for target in config.targets}
    for name, run in settings.track.items():
        wrong, found = ("", unread) if table is None else _run(table, run, targets[name])
        says = f"{run}: {wrong or found}; {_registered(history, name)}"
        yield Check(what=f"track {name}", ok=not wrong, says=says)


def _table(config: Config, base: Path) -> tuple[pd.DataFrame | None, str]:
    """The scores as a pass reads them; None, and why, where there are none yet."""
    from ...data import ingest

    if config.score is not None and not (base / config.score.out).is_file():
        return None, "nothing is scored yet"
    try:
        return ingest.read_data(config.data, base).table, ""
    except BenchcastError as error:
        return None, f"the table cannot be read ({str(error).splitlines()[0]})"


def _run(table: pd.DataFrame, run: str, target: Target) -> tuple[str, str]:
    """What is wrong with a tracked run of the table, and what is there of it."""
    rows = table[table["run"].eq(run)]
    if not len(rows):
        return _absent(run, sorted(set(table["run"].astype(str))))
    planned, params = target.budget().params or 0.0, float(rows["params"].iloc[-1])
    if abs(params - planned) > SAME_PARAMS * planned:
        return f"has {count(params)} parameters, and {target.name} is planned with {count(planned)}", ""
    tokens = sorted(set(rows["tokens"]))
    return "", f"{len(tokens)} scored checkpoint{'s' * (len(tokens) != 1)}, the newest at {count(tokens[-1])} tokens"


def _absent(run: str, there: Sequence[str]) -> tuple[str, str]:
    """A run that is not in the table: it has not begun, or is called otherwise."""
    alike = [name for name in there if _letters(name) == _letters(run)]
    if alike:
        return f"no run is called so, but {alike[0]} is; write the name as the table has it", ""
    near = difflib.get_close_matches(run, there, n=MOST_NAMED, cutoff=0.5) or there[:MOST_NAMED]
    return "", f"no run is called so yet (the table has {', '.join(near)}{', …' * (len(there) > len(near))})"


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _history(folder: Path) -> Sequence[Mapping[str, Any]]:
    try:
        return State(folder).history() if folder.is_dir() else ()
    except BenchcastError:  # told by the check of the history
        return ()


def _registered(history: Sequence[Mapping[str, Any]], target: str) -> str:
    entry = registrations.last(history, target)
    if entry is None:
        return "its forecast is not registered yet: the next pass does it"
    late = ", after it had begun" if target in entry["late"] else ""
    return f"its forecast was registered on {str(entry['time'])[:10]}{late}"
