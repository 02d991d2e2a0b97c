"""The driver: decides what is missing, hands it to the workers, and is the only one that writes the store.

A turn is one checkpoint with the cells it lacks, cut into groups of bounded size. All requests of a group, of whatever
task, are batched together; a group is stored as soon as it is answered, whole or not at all. Groups are cut the same
way when a killed run is resumed, so it computes what the uninterrupted run would have.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from pipeline import store as tables
from pipeline.cellstore import Store
from pipeline.cellstore.index import Index
from pipeline.cellstore.tables import table
from pipeline.config import ScoreSettings
from pipeline.digest import file_digest
from pipeline.errors import Fault, FaultsError, InputError, first_line
from pipeline.scoring import checkpoints, discover, encode, tasks
from pipeline.scoring.ask import Ask, Asked, Group, Wanted
from pipeline.scoring.cells import Setup
from pipeline.scoring.checkpoints import CheckpointError
from pipeline.scoring.discover import Checkpoint, Found
from pipeline.scoring.executors import Lost, Seat, seats
from pipeline.scoring.limits import Limits, chosen
from pipeline.scoring.memo import Memo, listening
from pipeline.scoring.progress import Progress
from pipeline.scoring.record import Recorder
from pipeline.scoring.worker import Job, Scored

TRIES = 3  # of a job whose worker died


@dataclass
class Summary:
    """What a run did: ``failures`` are (checkpoint or ``*``, task or ``*``, reason), of this run and earlier ones.

    ``left`` counts the cells that limits left for the next run.
    """

    table: pd.DataFrame
    scored: int
    cells: int
    failures: list[tuple[str, str, str]]
    waiting: list[str]
    left: int = 0


@dataclass
class Turn:
    """A checkpoint at work: its groups that are still to do, and the lock that is held meanwhile."""

    checkpoint: Checkpoint
    groups: deque[Group]
    held: contextlib.ExitStack
    seen: tuple[object, ...]
    tries: int = 0
    broken: bool = False
    began: float = field(default_factory=time.monotonic)


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
    store = Store(base / settings.store)
    with store.run(), contextlib.closing(Index(store, fresh=verify)) as index:
        found = discover.find(settings, base, index.file_hash)
        recorder = Recorder(store, index, setup_of(settings))
        memo = Memo(store.folder, settings, base, index.file_hash)
        known = memo.recall()
        if known is not None and not recorder.missing([c.digest for c in found.checkpoints], known,
                                                      failed_too=retry_failed):  # fmt: skip
            recorder.plan(found, known, {})
            return _summary(settings, base, found, recorder, known, {})
        with tasks.cached_templates(), tasks.quiet():
            with listening() as opened:
                asks, unbuilt = _asks(settings, base)
            if not unbuilt:
                memo.remember(asks, opened)
            once = list({ask.digest: ask for ask in asks}.values())  # tasks of several names that ask the same
            driver = _Driver(settings, found, Asked(once, settings), recorder, progress or Progress(),
                             limits or Limits())  # fmt: skip
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
            with tasks.cached_templates(), tasks.quiet():
                asks, _ = _asks(settings, base)
        unique = {c.digest: c for c in found.checkpoints}
        missing = Recorder(store, index, setup_of(settings)).missing(list(unique), asks, failed_too=False)
    names = _names(asks)
    wanted, _ = chosen([unique[digest] for digest in missing], limits or Limits())
    return {c.source: [name for digest in missing[c.digest] for name in names[digest]] for c in wanted}


def setup_of(settings: ScoreSettings) -> Setup:
    """How the installed lm-eval would compute log-likelihoods with these settings."""
    return Setup(importlib.metadata.version("lm-eval"), settings.dtype, settings.add_bos_token, settings.max_length,
                 settings.backend)  # fmt: skip


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
    return Summary(result, 0, cells, recorder.failures(found, asks, unbuilt), found.waiting)


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
        places.setdefault(checkpoint.digest, []).append({**checkpoint.about, "source": checkpoint.source})
    return places


def _names(asks: Sequence[Wanted]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for ask in asks:
        names.setdefault(ask.digest, []).append(ask.name)
    return names


class _Driver:
    def __init__(
        self,
        settings: ScoreSettings,
        found: Found,
        asked: Asked,
        recorder: Recorder,
        progress: Progress,
        limits: Limits,
    ) -> None:
        self._settings = settings
        self._asked = asked
        self._recorder = recorder
        self._progress = progress
        self._found = found
        self._queue: deque[Checkpoint] = deque()
        self._busy: deque[Checkpoint] = deque()  # another run is at them
        self._lacking: dict[str, list[str]] = {}
        self._limits = limits
        self.scored = 0
        self.left = 0

    def run(self, *, retry_failed: bool) -> None:
        """Score what is missing, within the limits."""
        unique = {c.digest: c for c in self._found.checkpoints}
        self._lacking = self._recorder.missing(list(unique), self._asked.asks, failed_too=retry_failed)
        self._queue = self._within([unique[digest] for digest in self._lacking])
        self._progress.start(sum(map(len, self._lacking.values())), len(unique) * len(self._asked.asks))
        if not self._queue:
            return
        with seats(self._settings) as places:
            running: dict[Future[Scored], tuple[Seat, Turn]] = {}
            free = deque(places)
            try:
                while self._queue or self._busy or running:
                    while free and (turn := self._next(may_wait=not running)):
                        seat = free.popleft()
                        running[seat.submit(self._job(turn))] = seat, turn
                    if not self._queue:
                        for seat in free:  # what an idle worker holds, another one may be waiting for
                            seat.close()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        seat, turn = running.pop(future)
                        if self._take(turn, future):
                            running[seat.submit(self._job(turn))] = seat, turn
                        else:
                            turn.held.close()
                            if turn.broken:
                                seat.close()
                            free.append(seat)
            finally:
                for _, turn in running.values():
                    turn.held.close()

    def _within(self, lacking: list[Checkpoint]) -> deque[Checkpoint]:
        """As many of them as the limits allow, in the order in which to score them."""
        now, rest = chosen(lacking, self._limits)
        self.left += sum(len(self._lacking[c.digest]) for c in rest)
        return deque(now)

    def _next(self, *, may_wait: bool) -> Turn | None:
        """The next checkpoint that no other run is at; the others come last, and are waited for."""
        if self._limits.over:
            self.left += sum(len(self._lacking[c.digest]) for c in (*self._queue, *self._busy))
            self._queue.clear()
            self._busy.clear()
        while self._queue or (self._busy and may_wait):
            patient = not self._queue
            checkpoint = self._queue.popleft() if self._queue else self._busy.popleft()
            if patient:
                self._progress.line(f"{checkpoint.source}: another run is scoring it; waiting")
            held = contextlib.ExitStack()
            if not held.enter_context(self._recorder.store.lock(checkpoint.digest, wait=patient)):
                self._busy.append(checkpoint)
                continue
            turn = self._turn(checkpoint, held)
            if turn is not None:
                return turn
            held.close()
        return None

    def _turn(self, checkpoint: Checkpoint, held: contextlib.ExitStack) -> Turn | None:
        """The checkpoint's cells that are really missing, as groups; None when nothing is left to ask."""
        names = self._lacking[checkpoint.digest]
        lacking = self._recorder.really_missing(checkpoint, [a for a in self._asked.asks if a.digest in names])
        self._progress.advance(len(names) - len(lacking), 0)
        if not lacking:
            return None
        self._progress.current(checkpoint.source)
        try:
            checkpoints.check_recorded(checkpoint.files, file_digest)
            groups, problems, remarks = self._asked.groups(checkpoint, lacking)
        except CheckpointError as error:
            self._fail(checkpoint, lacking, str(error))
            return None
        for remark in remarks:
            self._progress.line(f"warning: {checkpoint.source}: {remark}")
        for ask, problem in problems:
            self._fail(checkpoint, [ask], problem)
        return Turn(checkpoint, deque(groups), held, _signature(checkpoint)) if groups else None

    def _job(self, turn: Turn) -> Job:
        group = turn.groups[0]
        return Job(turn.checkpoint.files, turn.checkpoint.digest, group.limit, group.key, group.requests)

    def _take(self, turn: Turn, future: Future[Scored]) -> bool:
        """Store what a worker answered; whether the same worker should go on with this turn."""
        checkpoint, group = turn.checkpoint, turn.groups[0]
        left = [ask for g in turn.groups for ask in g.asks]
        error = future.exception()
        if isinstance(error, Lost):
            turn.tries += 1
            if turn.tries < TRIES:
                self._progress.line(f"warning: {checkpoint.source}: lost its worker, trying again: {error}")
                return True
            self._fail(checkpoint, left, f"lost its worker {TRIES} times: {error}")
            return False
        if error is not None:
            turn.broken = True  # whatever state it is in
            self._fail(checkpoint, left, f"the worker failed: {first_line(error)}")
            return False
        scored = future.result()
        if _signature(checkpoint) != turn.seen:
            # Not recorded: what was scored is neither the old checkpoint nor surely the new one.
            self._progress.line(f"error: {checkpoint.source}: changed while it was scored; run again")
            self._recorder.changed(checkpoint)
            return False
        if scored.failure and not scored.loaded:
            self._fail(checkpoint, left, scored.failure)
            return False
        if scored.failure:
            return self._without_the_one(turn, scored.failure)
        good, bad = self._recorder.add(checkpoint, group, scored)
        self.scored += good
        self._progress.advance(good, group.documents)
        for ask, problem in bad:
            self._progress.line(f"error: {checkpoint.source}: {ask.name}: {problem}")
            self._progress.failed(1)
        turn.groups.popleft()
        if turn.groups and self._limits.over:
            self.left += sum(len(g.asks) for g in turn.groups)
            return False
        if turn.groups:
            return True
        self._progress.done(checkpoint.source, len(left), time.monotonic() - turn.began)
        return False

    def _without_the_one(self, turn: Turn, reason: str) -> bool:
        """The checkpoint is fine, but its answers to a group failed: find the task to blame; whether to go on."""
        group = turn.groups.popleft()
        if len(group.asks) == 1:
            self._fail(turn.checkpoint, group.asks, reason)
        else:
            turn.groups.extendleft(reversed(group.singles()))
        return bool(turn.groups)

    def _fail(self, checkpoint: Checkpoint, asks: Sequence[Ask], reason: str) -> None:
        self._recorder.fail(checkpoint, asks, reason)
        what = f": {asks[0].name}" if len(asks) == 1 else ""
        self._progress.line(f"error: {checkpoint.source}{what}: {reason}")
        self._progress.failed(len(asks))


def _signature(checkpoint: Checkpoint) -> tuple[object, ...]:
    """What changes when somebody writes the checkpoint again."""

    def about() -> Iterator[object]:
        for path in (checkpoint.files.folder / "config.json", *checkpoint.files.weights, *checkpoint.files.words):
            try:
                found = path.stat()
                yield path.name, found.st_ino, found.st_mtime_ns, found.st_size
            except OSError:
                yield path.name, "gone"

    return tuple(about())
