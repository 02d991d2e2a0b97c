"""The first half of a pass: score what is new, read the table, and say what is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core.config import Config, ReevaluateSettings
from ..core.errors import BenchcastError, InputError, LaterError
from .alerts.contexts import PassInputs
from .quiet import PassLogger
from .settings import limits_of, score_settings
from .state import State, time_of


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What the scorer did for a pass; the fields are those of ``PassInputs``."""

    places: dict[str, str]
    scored: int
    left: int
    waiting: list[str]
    failures: list[tuple[str, str, str]]


def gather(
    config: Config,
    settings: ReevaluateSettings,
    base: Path,
    state: State,
    logger: PassLogger,
    *,
    history: Sequence[Mapping[str, Any]],
    bad_lines: Sequence[int],
    began: datetime,
    retry_failed: bool,
    accept_gone: bool,
) -> PassInputs:
    """Score what is new, and read the table.

    Raises
    ------
    LaterError
        When no checkpoint is complete.
    BenchcastError
        When nothing can be scored, or the table cannot be read.
    """
    from ..core.digest import table_digest
    from ..data import ingest

    scores = None
    if config.score is not None:
        scores = _score(config, settings, base, logger, retry_failed=retry_failed)
    try:
        data = ingest.read_data(config.data, base)
    except InputError as error:  # of data, and not of the config
        raise BenchcastError(str(error)) from error
    for line in data.account.lines():
        logger.note(f"data: {line}")
    if scores is None:
        rows = data.table[["run", "tokens"]].drop_duplicates()
        places = {f"{r.run} at {r.tokens:.4g} tokens": str(r.run) for r in rows.itertuples()}
        scores = Scores(places=places, scored=0, left=0, waiting=[], failures=[])
    times = map(time_of, [*(entry["time"] for entry in history), state.status().get("time")])
    return PassInputs(
        data=data,
        data_digest=table_digest(data.table),
        history=state.folder / "history.jsonl",
        began=began,
        latest=max((time for time in times if time is not None), default=None),
        places=scores.places,
        known=state.known(),
        failures=scores.failures,
        scored=scores.scored,
        left=scores.left,
        waiting=scores.waiting,
        bad_lines=bad_lines,
        accept_gone=accept_gone,
    )


def _score(
    config: Config, settings: ReevaluateSettings, base: Path, logger: PassLogger, *, retry_failed: bool
) -> Scores:
    """Score what is new, within the limits of one pass."""
    from ..scoring.run import score
    from ..scoring.store import Store

    wanted = score_settings(config, base)
    try:
        summary = score(wanted, base, logger, retry_failed=retry_failed, limits=limits_of(settings))
    except sqlite3.Error as error:  # the disk filled up in the middle; what is on disk is whole
        raise BenchcastError(f"{base / wanted.store}: its index cannot be written ({error})") from error
    if not len(summary.table) and not summary.failures:
        raise LaterError("no checkpoint is complete and scored so far; try again later")
    if not len(summary.table):
        what = "; ".join(f"{source}: {reason}" for source, _, reason in summary.failures[:3])
        raise BenchcastError(f"no checkpoint is scored so far{': ' + what if what else ''}")
    logger.note(f"{summary.scored} cells scored now, {summary.cells} wanted")
    plan = Store(base / wanted.store).plan()
    places = {c["source"]: str(c["place"]["run"]) for c in plan["checkpoints"]}
    # What is being written, or is broken, is there.
    places |= {source: "" for source in (*summary.waiting, *plan["broken"]) if source not in places}
    return Scores(
        places=places,
        scored=summary.scored,
        left=summary.left,
        waiting=summary.waiting,
        failures=summary.failures,
    )
