"""The driver: decides what is missing, hands it to the workers, and is the only one that writes the store.

A worker is given one checkpoint with the cells it lacks, cut into groups of bounded size. All requests of a group, of
whatever task, are batched together; a group is stored as soon as it is answered, whole or not at all. Groups are cut
the same way when a killed run is resumed, so it computes what the uninterrupted run would have.

Scores are stored under the digest of what was hashed when the checkpoint was found, so its files must be the same from
then on until the last answer: that is looked at before the first question, around every answer, and before anything is
stored.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace

from ..core.config import ScoreSettings
from ..core.digest import file_digest
from ..core.errors import ChangedError, CheckpointError, WorkerLostError, first_line
from ..core.redact import redacted
from .checkpoints import files as checkpoints
from .checkpoints.discover import Checkpoint, DiscoveredCheckpoints
from .inference.executors import WorkerSlot, worker_slots
from .inference.worker import JobResult, WorkerJob
from .limits import Limits, chosen
from .progress import Progress
from .record import Problems, Recorder
from .requests.book import CHANGED, PreparedRequest, RequestBook, RequestGroup

TRIES = 3  # of a job whose worker died


@dataclass(kw_only=True)
class CheckpointWork:
    """A checkpoint at work: its groups that are still to do, and the lock that is held meanwhile."""

    checkpoint: Checkpoint
    groups: deque[RequestGroup]
    held: contextlib.ExitStack
    tries: int = 0
    broken: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def cells(self) -> list[PreparedRequest]:
        """The cells that are still to do, each once, in however many pieces."""
        return list({spec.digest: spec for group in self.groups for spec in group.specs}.values())

    def without(self, specs: Sequence[PreparedRequest]) -> None:
        """Leave the pieces of these cells, which cannot be scored."""
        failed = {spec.digest for spec in specs}
        self.groups = deque(g for g in self.groups if g.piece is None or g.specs[0].digest not in failed)


class Driver:
    """One run's way through the checkpoints."""

    def __init__(
        self,
        settings: ScoreSettings,
        discovered: DiscoveredCheckpoints,
        book: RequestBook,
        recorder: Recorder,
        progress: Progress,
        limits: Limits,
    ) -> None:
        self._settings = settings
        self._book = book
        self._recorder = recorder
        self._progress = progress
        self._discovered = discovered
        self._queue: deque[Checkpoint] = deque()
        self._busy: deque[Checkpoint] = deque()  # another run is at them
        self._lacking: dict[str, list[str]] = {}
        self._limits = limits
        self.begun = 0  # checkpoints
        self.scored = 0
        self.left = 0

    def run(self, *, retry_failed: bool) -> None:
        """Score what is missing, within the limits."""
        unique = {c.digest: c for c in self._discovered.checkpoints}
        self._lacking = self._recorder.missing(list(unique), self._book.specs, failed_too=retry_failed)
        self._queue = self._within([unique[digest] for digest in self._lacking])
        self._progress.start(sum(map(len, self._lacking.values())), len(unique) * len(self._book.specs))
        if not self._queue:
            return
        with worker_slots(self._settings, self._recorder.store.folder, self._say) as places:
            running: dict[Future[JobResult], tuple[WorkerSlot, CheckpointWork]] = {}
            free = deque(places)
            try:
                while self._queue or self._busy or running:
                    while free and (work := self._next(may_wait=not running)):
                        slot = free.popleft()
                        running[slot.submit(self._job(work))] = slot, work
                    if not self._queue:
                        for slot in free:  # what an idle worker holds, another one may be waiting for
                            slot.close()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        slot, work = running.pop(future)
                        if self._take(work, future):
                            running[slot.submit(self._job(work))] = slot, work
                        else:
                            work.held.close()
                            if work.broken:
                                slot.close()
                            free.append(slot)
            finally:
                for _, work in running.values():
                    work.held.close()

    def _within(self, lacking: list[Checkpoint]) -> deque[Checkpoint]:
        """As many of them as the limits allow, in the order in which to score them."""
        now, rest = chosen(lacking, self._limits)
        self.left += sum(len(self._lacking[c.digest]) for c in rest)
        self.begun = len(now)
        return deque(now)

    def _next(self, *, may_wait: bool) -> CheckpointWork | None:
        """The next checkpoint that no other run is at; the others come last, and are waited for."""
        if self._limits.over:
            self.left += sum(len(self._lacking[c.digest]) for c in (*self._queue, *self._busy))
            self._queue.clear()
            self._busy.clear()
        while self._queue or (self._busy and may_wait):
            patient = not self._queue
            checkpoint = self._queue.popleft() if self._queue else self._busy.popleft()
            if patient:
                self._say(f"{checkpoint.source}: another run is scoring it; waiting")
            held = contextlib.ExitStack()
            if not held.enter_context(self._recorder.store.lock(checkpoint.digest, wait=patient)):
                self._busy.append(checkpoint)
                continue
            work = self._work_on(checkpoint, held)
            if work is not None:
                return work
            held.close()
        return None

    def _work_on(self, checkpoint: Checkpoint, held: contextlib.ExitStack) -> CheckpointWork | None:
        """The checkpoint's cells that are really missing, as groups; None when nothing is left to ask."""
        names = self._lacking[checkpoint.digest]
        specs = [a for a in self._book.specs if a.digest in names]
        lacking = self._recorder.really_missing(checkpoint, specs, self._say)
        self._progress.advance(len(names) - len(lacking), 0)
        if not lacking:
            return None
        self._progress.current(checkpoint.source)
        try:
            checkpoint = _unchanged(checkpoint)
            checkpoints.check_recorded(checkpoint.files, file_digest)
            every, problems, remarks = self._book.groups(checkpoint, lacking)
            _unchanged(checkpoint)
        except ChangedError:
            self._changed(checkpoint, len(lacking))
            return None
        except CheckpointError as error:
            if checkpoints.signature(checkpoint.files) != checkpoint.signature:  # it is being written: no wonder
                self._changed(checkpoint, len(lacking))
            else:
                self._fail(checkpoint, lacking, str(error))
            return None
        for remark in remarks:
            self._say(f"warning: {checkpoint.source}: {remark}")
        for spec, problem in problems:
            self._fail(checkpoint, [spec], problem)
        groups = self._resumed(checkpoint, every)
        return CheckpointWork(checkpoint=checkpoint, groups=deque(groups), held=held) if groups else None

    def _resumed(self, checkpoint: Checkpoint, groups: Sequence[RequestGroup]) -> list[RequestGroup]:
        """The groups that are still to do; what an earlier run had answered whole is stored."""
        left, good, bad = self._recorder.resume(checkpoint, groups)
        self._count(checkpoint, good, bad, 0)
        return left

    def _count(self, checkpoint: Checkpoint, good: int, bad: Problems, documents: int) -> None:
        self.scored += good
        self._progress.advance(good, documents)
        for spec, problem in bad:
            self._say(f"error: {checkpoint.source}: {spec.name}: {problem}")
            self._progress.failed(1)

    def _job(self, work: CheckpointWork) -> WorkerJob:
        group = work.groups[0]
        checkpoint = work.checkpoint
        prompts = None if group.piece is None else group.piece.prompts
        if prompts is not None and prompts.seed is not None:
            prompts = replace(prompts, state=self._recorder.state_before(checkpoint, group))
        return WorkerJob(
            files=checkpoint.files,
            digest=checkpoint.digest,
            signature=checkpoint.signature,
            limit=group.limit,
            key=group.key,
            requests=group.requests,
            prompts=prompts,
        )

    def _take(self, work: CheckpointWork, future: Future[JobResult]) -> bool:
        """Store what a worker answered; whether the same worker should go on with this checkpoint."""
        checkpoint, group = work.checkpoint, work.groups[0]
        left = work.cells
        error = future.exception()
        try:
            if error is None and future.result().changed:
                raise ChangedError(CHANGED)
            checkpoint = work.checkpoint = _unchanged(checkpoint)
        except ChangedError:
            # Not recorded: what was scored, or failed, is neither the old checkpoint nor surely the new one.
            work.broken = error is not None
            self._changed(checkpoint, len(left))
            return False
        if isinstance(error, WorkerLostError):
            work.tries += 1
            if work.tries < TRIES:
                self._say(f"warning: {checkpoint.source}: lost its worker, trying again: {error}")
                return True
            self._fail(checkpoint, left, f"lost its worker {TRIES} times: {error}")
            return False
        if error is not None:
            work.broken = True  # whatever state it is in
            self._fail(checkpoint, left, f"the worker failed: {first_line(error)}")
            return False
        scored = future.result()
        if scored.failure and not scored.loaded:
            self._fail(checkpoint, left, scored.failure)
            return False
        if scored.failure:
            return self._without_the_one(work, scored.failure)
        good, bad = self._recorder.add(checkpoint, group, scored)
        self._count(checkpoint, good, bad, group.documents)
        work.groups.popleft()
        work.without([spec for spec, _ in bad])
        if work.groups and self._limits.over:
            self.left += len(work.cells)
            return False
        if work.groups:
            return True
        self._progress.done(checkpoint.source, len(left), time.monotonic() - work.began)
        return False

    def _without_the_one(self, work: CheckpointWork, reason: str) -> bool:
        """The checkpoint is fine, but its answers to a group failed: find the task to blame; whether to go on."""
        group = work.groups.popleft()
        if len(group.specs) == 1:
            self._fail(work.checkpoint, group.specs, reason)
            work.without(group.specs)  # its other pieces
        else:
            work.groups.extendleft(reversed(group.singles()))
        return bool(work.groups)

    def _say(self, text: str) -> None:
        self._progress.line(redacted(text))

    def _changed(self, checkpoint: Checkpoint, cells: int) -> None:
        self._recorder.changed(checkpoint)
        self._say(f"error: {checkpoint.source}: {CHANGED}")
        self._progress.failed(cells)

    def _fail(self, checkpoint: Checkpoint, specs: Sequence[PreparedRequest], reason: str) -> None:
        reason = redacted(reason)
        self._recorder.fail(checkpoint, specs, reason)
        what = f": {specs[0].name}" if len(specs) == 1 else ""
        self._say(f"error: {checkpoint.source}{what}: {reason}")
        self._progress.failed(len(specs))


def _unchanged(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint, with its files' present signature when only that has changed and not their content.

    Raises
    ------
    ChangedError
        When somebody wrote it since it was hashed.
    """
    now = checkpoints.signature(checkpoint.files)
    if now == checkpoint.signature:
        return checkpoint
    if checkpoints.still(checkpoint.files, checkpoint.digest) and checkpoints.signature(checkpoint.files) == now:
        return replace(checkpoint, signature=now)
    raise ChangedError(CHANGED)
