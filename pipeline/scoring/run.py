"""Scoring a ladder: finds the checkpoints, builds what they are asked, drives the workers, writes the table."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
from benchcast.reports.records import account as accounts

from ..core import files as tables
from ..core.config import ScoreSettings
from ..core.errors import Fault, FaultsError, InputError
from .checkpoints import discover
from .checkpoints.discover import Found
from .driver import Driver
from .limits import Limits, chosen
from .progress import Progress
from .record import EVERY, Recorder
from .requests import encode, tasks
from .requests.ask import Ask, Asked, Wanted
from .requests.memo import Memo, listening, unsteady
from .store import Store
from .store.index import Index
from .store.keys import Setup
from .store.tables import table

BUILDS = 3  # times that the questions are built while somebody edits their files


@dataclass
class Summary:
    """What a run did: ``failures`` are (checkpoint or ``*``, task or ``*``, reason), of this run and earlier ones.

    ``left`` counts the cells that limits left for the next run; ``account`` is told at the end: checkpoint folders
    found, checkpoints placed in the table, and what was left out and why.
    """

    table: pd.DataFrame
    scored: int
    cells: int
    failures: list[tuple[str, str, str]]
    waiting: list[str]
    left: int = 0
    account: accounts.Record = field(default_factory=accounts.Record)


def score(
    settings: ScoreSettings,
    base: Path,
    progress: Progress | None = None,
    *,
    retry_failed: bool = False,
    verify: bool = False,
    limits: Limits | None = None,
) -> Summary:
    """Score every checkpoint on every task and validation text that it was not scored on before.

    Parameters
    ----------
    settings : ScoreSettings
    base : Path
        Folder that relative paths in the settings start from.
    progress : Progress, optional
        Is told what happens.
    retry_failed : bool
        Try cells again that could not be scored before.
    verify : bool
        Read every file again, instead of knowing it by inode, modification time and size.
    limits : Limits, optional
        How much to do at most.

    Returns
    -------
    Summary
        With the ladder table of all wanted cells, also written to ``settings.out``.

    Raises
    ------
    FaultsError, InputError
        Before anything is scored: no task that can be asked, patterns without checkpoints, unreadable texts, a store
        that cannot be written, checkpoints that contradict each other.
    BenchcastError
        When the disk is full; what was scored until then is stored.
    """
    if importlib.util.find_spec("lm_eval") is None or importlib.util.find_spec("torch") is None:
        raise InputError("scoring needs lm-eval and torch: pip install 'benchcast[score]'")
    base = base.resolve()
    progress = progress or Progress()
    store = Store(base / settings.store)
    with store.run(), contextlib.closing(Index(store, fresh=verify, say=progress.line)) as index:
        found = discover.find(settings, base, index.file_hash)
        recorder = Recorder(store, index, setup_of(settings))
        memo = Memo(store.folder, settings, base, index.file_hash)
        known = memo.recall()
        if known is not None and not recorder.missing(
            [c.digest for c in found.checkpoints], known, failed_too=retry_failed
        ):
            recorder.plan(found, known, {})
            return _summary(settings, base, found, recorder, known, {})
        with tasks.cached_templates(), tasks.quiet():
            asks, unbuilt, opened, began = _steady(settings, base)
            if not unbuilt:
                memo.remember(asks, opened, began)
            once = list({ask.digest: ask for ask in asks}.values())  # tasks of several names that ask the same
            driver = Driver(settings, found, Asked(once, settings), recorder, progress, limits or Limits())
            recorder.plan(found, asks, unbuilt)
            try:
                driver.run(retry_failed=retry_failed)
            except BaseException:
                _summary(settings, base, found, recorder, asks, unbuilt)  # the table of what is scored
                raise
            summary = _summary(settings, base, found, recorder, asks, unbuilt)
            return replace(summary, scored=driver.scored, left=driver.left)


def lacking(settings: ScoreSettings, base: Path, store: Store, limits: Limits | None = None) -> dict[str, list[str]]:
    """What ``score`` would score within its limits: checkpoint to tasks, in the order it would take them.

    Raises
    ------
    FaultsError, InputError
        As ``score`` does.
    """
    base = base.resolve()
    with contextlib.closing(Index(store)) as index:
        found = discover.find(settings, base, index.file_hash)
        asks: Sequence[Wanted] | None = Memo(store.folder, settings, base, index.file_hash).recall()
        if asks is None:
            with tasks.cached_templates(), tasks.quiet(), listening():
                asks, _ = _asks(settings, base)
        unique = {c.digest: c for c in found.checkpoints}
        missing = Recorder(store, index, setup_of(settings)).missing(list(unique), asks, failed_too=False)
    names = _names(asks)
    wanted, _ = chosen([unique[digest] for digest in missing], limits or Limits())
    return {c.source: [name for digest in missing[c.digest] for name in names[digest]] for c in wanted}


def setup_of(settings: ScoreSettings) -> Setup:
    """How the installed lm-eval would compute log-likelihoods with these settings."""
    return Setup(
        importlib.metadata.version("lm-eval"),
        settings.dtype,
        settings.add_bos_token,
        settings.max_length,
        settings.backend,
    )


def _summary(
    settings: ScoreSettings,
    base: Path,
    found: Found,
    recorder: Recorder,
    asks: Sequence[Wanted],
    unbuilt: dict[str, str],
) -> Summary:
    """Write the ladder table, and sum up."""
    result = table(recorder.contents(found.checkpoints, asks), _places(found), _names(asks))
    if len(result):
        tables.write_table(result, base / settings.out)
    cells = len(found.checkpoints) * len(asks)
    failures = recorder.failures(found, asks, unbuilt)
    told = _account(found, result, failures, recorder.changed_sources)
    return Summary(result, 0, cells, failures, found.waiting, account=told)


def _account(
    found: Found, result: pd.DataFrame, failures: Sequence[tuple[str, str, str]], changed: Sequence[str]
) -> accounts.Record:
    """What became of every folder: read, placed, left out and why."""
    told = accounts.Account()
    told.add(found.account.record())
    told.taken("checkpoints placed", int(result["source"].nunique()) if len(result) else 0)
    told.taken("rows", len(result))
    for source in found.waiting:
        told.leave("checkpoints that are still being written", source)
    for source in changed:
        told.leave("checkpoints that changed while they were scored: tried again next time", source)
    for source in dict.fromkeys(source for source, _ in found.broken):
        told.leave("checkpoints that are broken or contradict themselves or others", source)
    aside = {*changed, *(source for source, _ in found.broken)}
    for source, task, _ in failures:
        if source not in aside:
            what = task if source == EVERY else source if task == EVERY else f"{source}, {task}"
            told.leave("tasks and checkpoints that could not be scored", what)
    return told.record()


def _steady(settings: ScoreSettings, base: Path) -> tuple[list[Ask], dict[str, str], dict[str, object], float]:
    """The asks, built from files that stayed the same meanwhile, with what was opened and when the build began.

    Raises
    ------
    InputError
        When somebody goes on writing the files.
    """
    for _ in range(BUILDS):
        began = time.time()
        with listening() as opened:
            asks, unbuilt = _asks(settings, base)
        # Of other files that were opened, somebody's cache or log, nothing is asked.
        own = {str(base / path) for path in settings.validation_text}
        folder = None if settings.include_path is None else f"{base / settings.include_path}{os.sep}"
        moved = [
            p for p in unsteady(opened) if p in own or (folder is not None and os.path.abspath(p).startswith(folder))
        ]
        if not moved:
            return asks, unbuilt, opened, began
    raise InputError(f"{moved[0]}: changes while the tasks and texts are read; run again when it is whole")


def _asks(settings: ScoreSettings, base: Path) -> tuple[list[Ask], dict[str, str]]:
    read = encode.texts(settings, base)
    built, unbuilt = tasks.load(settings, base)
    asks = [*(Ask(t.name, t.digest, t.version, t) for t in built), *(Ask(t.name, t.digest, "text", t) for t in read)]
    names = [ask.name for ask in asks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise FaultsError([Fault("score.validation_text", f"{name!r} names two texts or a task") for name in twice])
    return asks, unbuilt


def _places(found: Found) -> dict[str, list[dict[str, object]]]:
    places: dict[str, list[dict[str, object]]] = {}
    for checkpoint in found.checkpoints:
        about = {**checkpoint.about, "source": checkpoint.source, "tokenizer": checkpoint.tokenizer[:12]}
        places.setdefault(checkpoint.digest, []).append(about)
    return places


def _names(asks: Sequence[Wanted]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for ask in asks:
        names.setdefault(ask.digest, []).append(ask.name)
    return names
