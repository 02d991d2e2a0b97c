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
from typing import Any

import pandas as pd
from benchcast.reports.records import account as accounts
from benchcast.stages.notices import grading

from ..core import files as tables
from ..core.config import ScoreSettings
from ..core.errors import Fault, FaultsError, InputError
from .checkpoints import discover
from .checkpoints.discover import Checkpoint, DiscoveredCheckpoints
from .driver import Driver
from .limits import Limits, chosen
from .measure import untrusted
from .progress import Progress
from .record import EVERY, Recorder
from .requests import tasks
from .requests.book import PreparedRequest, RequestBook, RequestSpec
from .requests.cache import RequestCache, listening, unsteady
from .requests.kinds import gold, texts
from .requests.kinds.base import Task
from .store import Store
from .store.index import Index
from .store.keys import Setup
from .store.tables import table
from .subsets import whole
from .subsets.chooser import Chooser

NO_SANDBOX = "runs code that the model wrote, in processes with limits; that is no sandbox"
WHOLE_OF_NONE = "patterns of score.whole that match no checkpoint so far"
BUILDS = 3  # times that the questions are built while somebody edits their files


@dataclass(kw_only=True)
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
    account: accounts.AccountRecord = field(default_factory=accounts.AccountRecord)


def score(
    settings: ScoreSettings,
    base: Path,
    progress: Progress | None = None,
    *,
    retry_failed: bool = False,
    verify: bool = False,
    limits: Limits | None = None,
    choose_documents: bool = False,
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
    choose_documents : bool
        With ``score.documents``: choose them anew, by all checkpoints that were asked all documents meanwhile.

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
        When the disk is full; what was scored until then is stored. When an earlier choice of documents is broken.
    """
    if importlib.util.find_spec("lm_eval") is None or importlib.util.find_spec("torch") is None:
        raise InputError("scoring needs lm-eval and torch: pip install 'benchcast[score]'")
    base = base.resolve()
    progress = progress or Progress()
    store = Store(base / settings.store)
    with store.run(), contextlib.closing(Index(store, fresh=verify, say=progress.line)) as index:
        discovered = discover.find(settings, base, index.file_hash, progress.line)
        discover.note_moved(discovered, store)
        if unmatched := whole.unmatched(discovered.checkpoints, settings.whole):
            discovered.account.leave(WHOLE_OF_NONE, *unmatched)
        recorder = Recorder(store, index, setup_of(settings))
        recorder.set_outdated_aside(discovered.checkpoints)
        request_cache = RequestCache(store.folder, settings, base, index.file_hash)
        chooser = _chooser(settings, store, index, anew=choose_documents)
        known = request_cache.recall()
        if known is not None and chooser is not None:
            known = chooser.recall(known)
        if known is not None and not whole.missing(
            recorder, discovered.checkpoints, known, settings.whole, failed_too=retry_failed
        ):
            recorder.plan(discovered, known, {})
            return _summary(settings, base, discovered, recorder, known, {})
        with tasks.cached_templates(), tasks.quiet():
            specs, unbuilt, opened, began = _steady(settings, base)
            if not unbuilt:
                request_cache.remember(specs, opened, began)
            for name in [s.name for s in specs if isinstance(s.what, Task) and s.what.runs_code]:
                progress.line(f"warning: {name}: {NO_SANDBOX}")
            rounds = _Rounds(settings, discovered, recorder, progress, limits or Limits(), retry_failed)
            recorder.plan(discovered, specs, unbuilt)
            try:
                with contextlib.ExitStack() as ending:
                    ending.callback(untrusted.close)
                    if chooser is not None and rounds.ask_whole(specs, may_wait=not chooser.made(specs)):
                        specs = chooser.choose(specs)
                        recorder.plan(discovered, specs, unbuilt)
                    rounds.ask(specs)
            except BaseException:
                _summary(settings, base, discovered, recorder, specs, unbuilt)  # the table of what is scored
                raise
            summary = _summary(settings, base, discovered, recorder, specs, unbuilt)
            return replace(summary, scored=rounds.scored, left=rounds.left)


def lacking(settings: ScoreSettings, base: Path, store: Store, limits: Limits | None = None) -> dict[str, list[str]]:
    """What ``score`` would score within its limits: checkpoint to tasks, in the order it would take them.

    Raises
    ------
    FaultsError, InputError
        As ``score`` does.
    """
    base = base.resolve()
    with contextlib.closing(Index(store)) as index:
        discovered = discover.find(settings, base, index.file_hash)
        specs: Sequence[RequestSpec] | None = RequestCache(store.folder, settings, base, index.file_hash).recall()
        if specs is None:
            with tasks.cached_templates(), tasks.quiet(), listening():
                specs, _ = _specs(settings, base)
        if (chooser := _chooser(settings, store, index)) is not None:
            specs = chooser.recall(specs) or specs  # not chosen yet: everything is lacking either way
        unique = {c.digest: c for c in discovered.checkpoints}
        recorder = Recorder(store, index, setup_of(settings))
        missing = whole.missing(recorder, discovered.checkpoints, specs, settings.whole, failed_too=False)
    names = _names([*specs, *whole.of_all(s for s in specs if s.whole)])
    wanted, _ = chosen([unique[digest] for digest in missing], limits or Limits())
    to_fetch = {f"{source} (to be fetched)": [spec.name for spec in specs] for source in discovered.to_fetch}
    return {c.source: [name for digest in missing[c.digest] for name in names[digest]] for c in wanted} | to_fetch


def setup_of(settings: ScoreSettings) -> Setup:
    """How the installed lm-eval would compute log-likelihoods with these settings."""
    return Setup(
        lm_eval=importlib.metadata.version("lm-eval"),
        dtype=settings.dtype,
        add_bos_token=settings.add_bos_token,
        max_length=settings.max_length,
        backend=settings.backend,
    )


class _Rounds:
    """Who is asked what: first all documents those that choose, then the others."""

    def __init__(
        self,
        settings: ScoreSettings,
        discovered: DiscoveredCheckpoints,
        recorder: Recorder,
        progress: Progress,
        limits: Limits,
        retry_failed: bool,
    ) -> None:
        self._settings, self._discovered, self._recorder = settings, discovered, recorder
        self._progress, self._limits, self._retry_failed = progress, limits, retry_failed
        self._rest = discovered.checkpoints
        self.scored = self.left = 0

    def ask_whole(self, specs: Sequence[PreparedRequest], *, may_wait: bool) -> bool:
        """Ask those that ``score.whole`` names; whether documents can be chosen for the others now.

        With ``may_wait`` not before all are through that choose: the others are then left for the next run.
        """
        first, self._rest = whole.split(self._discovered.checkpoints, self._settings.whole)
        self._drive(first, specs)
        if may_wait and self.left:
            self.left += len({c.digest for c in self._rest}) * len(specs)
            self._rest = []
            return False
        return True

    def ask(self, specs: Sequence[PreparedRequest]) -> None:
        """Ask the others, or all where there are none."""
        self._drive(self._rest, specs)

    def _drive(self, checkpoints: list[Checkpoint], specs: Sequence[PreparedRequest]) -> None:
        if not checkpoints:
            return
        once = list({spec.digest: spec for spec in specs}.values())  # tasks of several names that ask the same
        some = replace(self._discovered, checkpoints=checkpoints)
        book = RequestBook(once, self._settings)
        driver = Driver(self._settings, some, book, self._recorder, self._progress, self._limits)
        driver.run(retry_failed=self._retry_failed)
        self.scored += driver.scored
        self.left += driver.left
        if self._limits.checkpoints is not None:
            self._limits = replace(self._limits, checkpoints=max(0, self._limits.checkpoints - driver.begun))


def _chooser(settings: ScoreSettings, store: Store, index: Index, *, anew: bool = False) -> Chooser | None:
    """What chooses some of the documents, where the settings ask for some."""
    if settings.documents is None:
        return None
    return Chooser(store, index, setup_of(settings).digest, settings.documents, anew=anew)


def _summary(
    settings: ScoreSettings,
    base: Path,
    discovered: DiscoveredCheckpoints,
    recorder: Recorder,
    specs: Sequence[RequestSpec],
    unbuilt: dict[str, str],
) -> Summary:
    """Write the ladder table, and sum up."""
    contents = recorder.contents(discovered.checkpoints, specs)
    result = table(contents, _places(discovered), _names(specs))
    if len(result):
        tables.write_table(result, base / settings.out)
    cells = len(discovered.checkpoints) * len(specs)
    failures = recorder.failures(discovered, specs, unbuilt)
    account = _account(discovered, result, failures, recorder.changed_sources, contents)
    return Summary(table=result, scored=0, cells=cells, failures=failures, waiting=discovered.waiting, account=account)


def _account(
    discovered: DiscoveredCheckpoints,
    result: pd.DataFrame,
    failures: Sequence[tuple[str, str, str]],
    changed: Sequence[str],
    contents: Sequence[dict[str, Any]],
) -> accounts.AccountRecord:
    """What became of every folder: read, placed, left out and why."""
    account = accounts.Account()
    account.add(discovered.account.record())
    account.taken("checkpoints placed", int(result["source"].nunique()) if len(result) else 0)
    account.taken("rows", len(result))
    for source in discovered.waiting:
        account.leave("checkpoints that are still being written", source)
    for source in changed:
        account.leave("checkpoints that changed while they were scored: tried again next time", source)
    for source in dict.fromkeys(source for source, _ in discovered.broken):
        account.leave("checkpoints that are broken or contradict themselves or others", source)
    for content in contents:
        if estimated := content.get("estimated"):
            about = {"asked": estimated["documents"], "total": estimated["total"], "how": estimated["how"]}
            account.note(grading.ESTIMATED_SCORES(content["task"], **about))
        for what, which in content.get("aside", {}).items():
            account.leave(what, f"{content['task']} {which}".strip())
    aside = {*changed, *(source for source, _ in discovered.broken)}
    for source, task, _ in failures:
        if source not in aside:
            what = task if source == EVERY else source if task == EVERY else f"{source}, {task}"
            account.leave("tasks and checkpoints that could not be scored", what)
    return account.record()


def _steady(
    settings: ScoreSettings, base: Path
) -> tuple[list[PreparedRequest], dict[str, str], dict[str, object], float]:
    """The requests, built from files that stayed the same meanwhile, with what was opened and when the build began.

    Raises
    ------
    InputError
        When somebody goes on writing the files.
    """
    for _ in range(BUILDS):
        began = time.time()
        with listening() as opened:
            specs, unbuilt = _specs(settings, base)
        # Of other files that were opened, somebody's cache or log, nothing is asked.
        validation_texts = {str(base / path) for path in settings.validation_text}
        folder = None if settings.include_path is None else f"{base / settings.include_path}{os.sep}"
        moved = [
            p
            for p in unsteady(opened)
            if p in validation_texts or (folder is not None and os.path.abspath(p).startswith(folder))
        ]
        if not moved:
            return specs, unbuilt, opened, began
    raise InputError(f"{moved[0]}: changes while the tasks and texts are read; run again when it is whole")


def _specs(settings: ScoreSettings, base: Path) -> tuple[list[PreparedRequest], dict[str, str]]:
    read = texts.read_texts(settings, base)
    built, unbuilt = tasks.load(settings, base)
    gold.check_names(settings, [*(t.name for t in built), *unbuilt])
    specs = [
        *(PreparedRequest(name=t.name, digest=t.digest, version=t.version, what=t) for t in built),
        *(PreparedRequest(name=t.name, digest=t.digest, version="text", what=t) for t in read),
    ]
    names = [spec.name for spec in specs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise FaultsError([Fault("score.validation_text", f"{name!r} names two texts or a task") for name in twice])
    return specs, unbuilt


def _places(discovered: DiscoveredCheckpoints) -> dict[str, list[dict[str, object]]]:
    places: dict[str, list[dict[str, object]]] = {}
    for checkpoint in discovered.checkpoints:
        about = {**checkpoint.about, "source": checkpoint.source, "tokenizer": checkpoint.tokenizer[:12]}
        places.setdefault(checkpoint.digest, []).append(about)
    return places


def _names(specs: Sequence[RequestSpec]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for spec in specs:
        names.setdefault(spec.digest, []).append(spec.name)
    return names
