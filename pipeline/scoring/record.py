"""From answers to stored cells, and from stored cells to what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from ..core.errors import Fault, FaultsError, first_line
from ..core.redact import redacted
from ..data import schema
from . import measure
from .checkpoints.discover import Checkpoint, Found
from .inference.worker import Scored
from .requests.ask import CHANGED, Ask, Group, Wanted, requests_of
from .requests.encode import Text, Windows
from .requests.encoded import Encoded
from .requests.tasks import Task
from .store import Record, Store
from .store.cell import BrokenError
from .store.index import SCORED, Entry, Index
from .store.keys import Cell, Setup

EVERY = "*"  # every checkpoint, or every task
Problems = list[tuple[Ask, str]]


class Recorder:
    """Writes cells of one setup into a store and its index."""

    def __init__(self, store: Store, index: Index, setup: Setup) -> None:
        self.store = store
        self._index = index
        self._setup = setup
        self._changed: list[str] = []

    def missing(self, checkpoints: Sequence[str], asks: Sequence[Wanted], *, failed_too: bool) -> dict[str, list[str]]:
        """Which requests each checkpoint (by digest) lacks, by the index."""
        digests = [ask.digest for ask in asks]
        self._forget_lost(checkpoints, digests)
        lacking = self._index.missing(checkpoints, digests, self._setup.digest, failed_too=failed_too)
        if failed_too:
            for checkpoint, requests in lacking.items():
                for digest in requests:
                    self.store.forget_failure(Cell(checkpoint, digest, self._setup, "").id)
        return lacking

    def _forget_lost(self, checkpoints: Sequence[str], digests: Sequence[str]) -> None:
        """Take cells out of the index whose ``results.json`` is gone or empty, as after a crash or a full disk.

        Only looked at, not read: this is done for every cell at every run. ``store check`` reads them.
        """
        states = self._index.states(checkpoints, digests, self._setup.digest)
        scored = (
            Cell(checkpoint, digest, self._setup, "").id
            for checkpoint, row in states.items()
            for digest, state in zip(digests, row, strict=True)
            if state == SCORED
        )
        self._index.forget(dict.fromkeys(cell for cell in scored if not self.store.holds(cell)))

    def really_missing(self, checkpoint: Checkpoint, asks: Sequence[Ask], say: Callable[[str], None]) -> list[Ask]:
        """Those that the disk does not have either: the index may lag behind a killed run, or another one.

        A broken cell is missing; ``say`` is told. To be called with the checkpoint's lock held.
        """
        lacking, found = [], []
        for ask in asks:
            cell = self._cell(checkpoint, ask).id
            try:
                about = self.store.about(cell) if self.store.has(cell) else None
            except BrokenError as error:
                say(f"warning: {checkpoint.source}: {ask.name}: {error}; it is scored again")
                about = None
            if about is None:
                lacking.append(ask)
            else:
                found.append(Entry.of(cell, about, failed=False))
        self._index.add(found)
        return lacking

    def add(self, checkpoint: Checkpoint, group: Group, scored: Scored) -> tuple[int, Problems]:
        """Store a group's cells; returns how many, and those whose numbers cannot be."""
        measured: list[tuple[Ask, measure.Measured]] = []
        bad: Problems = []
        start = 0
        for ask, part in zip(group.asks, group.parts, strict=True):
            which = slice(start, start + len(requests_of(part)))
            start = which.stop
            if problem := measure.finite(scored, which):
                bad.append((ask, problem))
                continue
            try:
                measured.append((ask, _measure(ask, part, measure.part(scored, which), group.limit)))
            except Exception as error:  # a task's own code computes its metrics: anything can come
                bad.append((ask, f"its metrics cannot be computed: {first_line(error)}"))
        measured, impossible = _possible(checkpoint, measured)
        for ask, problem in (bad := bad + impossible):
            self.fail(checkpoint, [ask], problem)
        records = [self._record(checkpoint, ask, found, scored) for ask, found in measured]
        self.store.add(records)
        self._index.add(Entry.of(r.id, {**r.about, "rows": r.rows}, failed=False) for r in records)
        return len(records), bad

    def fail(self, checkpoint: Checkpoint, asks: Sequence[Wanted], reason: str) -> None:
        """Record why cells could not be scored."""
        entries = []
        for ask in asks:
            cell = self._cell(checkpoint, ask)
            about = self._about(cell, ask.version, checkpoint.source, checkpoint.about) | {"reason": redacted(reason)}
            self.store.fail(cell.id, about)
            entries.append(Entry.of(cell.id, about, failed=True))
        self._index.add(entries)

    def changed(self, checkpoint: Checkpoint) -> None:
        """Remember that a checkpoint changed while it was scored; the next run finds it as another one."""
        self._changed.append(checkpoint.source)

    @property
    def changed_sources(self) -> tuple[str, ...]:
        """The checkpoints that changed while they were scored."""
        return tuple(self._changed)

    def contents(self, checkpoints: Sequence[Checkpoint], asks: Sequence[Wanted]) -> list[dict[str, Any]]:
        """The stored cells of these checkpoints and asks."""
        digests = [c.digest for c in checkpoints]
        return self._index.contents(digests, [a.digest for a in asks], self._setup.digest, failed=False)

    def failures(self, found: Found, asks: Sequence[Wanted], unbuilt: dict[str, str]) -> list[tuple[str, str, str]]:
        """Everything that could not be scored: (checkpoint, task, reason), with ``*`` for all of them."""
        failures = [(EVERY, task, redacted(reason)) for task, reason in unbuilt.items()]
        failures += [(source, EVERY, reason) for (source, _), reason in found.broken.items()]
        failures += [(source, EVERY, CHANGED) for source in self._changed]
        sources = {c.digest: c.source for c in found.checkpoints}
        cells = self._index.contents(list(sources), [a.digest for a in asks], self._setup.digest, failed=True)
        by_reason: dict[tuple[str, str], list[str]] = {}
        for cell in cells:
            names = [ask.name for ask in asks if ask.digest == cell["requests"]]
            by_reason.setdefault((sources[cell["checkpoint"]], cell["reason"]), []).extend(names)
        for (source, reason), names in by_reason.items():
            every = len(names) == len(asks) > 1
            failures += [(source, EVERY, reason)] if every else [(source, name, reason) for name in sorted(names)]
        return failures

    def plan(self, found: Found, asks: Sequence[Wanted], unbuilt: dict[str, str]) -> None:
        """Write down what this run wants, and record what cannot even be asked."""
        unbuilt = {task: redacted(reason) for task, reason in unbuilt.items()}
        entries = []
        for (source, digest), reason in found.broken.items():
            cell = Cell(digest or f"folder {source}", EVERY, self._setup, EVERY)
            entries.append((cell, source, reason))
        for task, reason in unbuilt.items():
            entries.append((Cell(EVERY, f"unbuilt {task}", self._setup, task), EVERY, reason))
        for cell, source, reason in entries:
            about = self._about(cell, "", source, {}) | {"reason": reason}
            self.store.fail(cell.id, about)
            self._index.add([Entry.of(cell.id, about, failed=True)])
        self.store.write_plan(
            {
                "setup": self._setup.digest,
                "tasks": [{"name": a.name, "requests": a.digest} for a in asks],
                "unbuilt": unbuilt,
                "checkpoints": [
                    {"source": c.source, "digest": c.digest, "place": c.about, "tokenizer": c.tokenizer[:12]}
                    for c in found.checkpoints
                ],
                "broken": {source: reason for (source, _), reason in found.broken.items()},
                "waiting": found.waiting,
            }
        )

    def _cell(self, checkpoint: Checkpoint, ask: Wanted) -> Cell:
        return Cell(checkpoint.digest, ask.digest, self._setup, ask.name)

    def _about(self, cell: Cell, version: str, source: str, place: dict[str, Any]) -> dict[str, Any]:
        return {
            "cell": cell.id,
            "checkpoint": cell.checkpoint,
            "requests": cell.requests,
            "task": cell.task,
            "version": version,
            "setup": asdict(self._setup),
            "setup_digest": self._setup.digest,
            "source": source,
            "place": place,
        }

    def _record(self, checkpoint: Checkpoint, ask: Ask, found: measure.Measured, scored: Scored) -> Record:
        cell = self._cell(checkpoint, ask)
        about = self._about(cell, ask.version, checkpoint.source, checkpoint.about)
        about |= {"how": scored.how, "tokenizer": checkpoint.tokenizer[:12]}
        config = {
            "model": self._setup.backend,
            "model_args": {
                "pretrained": checkpoint.source,
                "dtype": self._setup.dtype,
                "add_bos_token": self._setup.add_bos_token,
            },
        }
        results = found.results | {
            "config": config,
            "model_name": checkpoint.source,
            "lm_eval_version": self._setup.lm_eval,
        }
        return Record(cell.id, about, found.rows, results, found.documents)


def _measure(ask: Ask, part: Encoded | Windows, scored: Scored, limit: int) -> measure.Measured:
    if isinstance(part, Windows):
        assert isinstance(ask.what, Text)
        return measure.of_text(ask.what, part, scored)
    assert isinstance(ask.what, Task)
    return measure.of_task(ask.what, part, scored, limit)


def _possible(
    checkpoint: Checkpoint, measured: list[tuple[Ask, measure.Measured]]
) -> tuple[list[tuple[Ask, measure.Measured]], Problems]:
    """Cells whose rows the ladder table allows, and what is impossible about the others."""
    if not measured or not _faults(checkpoint, [row for _, found in measured for row in found.rows]):
        return measured, []  # all at once, since it is the usual case
    good, bad = [], []
    for ask, found in measured:
        faults = _faults(checkpoint, found.rows)
        if faults:
            bad.append((ask, "; ".join(fault.what for fault in faults)))
        else:
            good.append((ask, found))
    return good, bad


def _faults(checkpoint: Checkpoint, rows: Sequence[dict[str, Any]]) -> Sequence[Fault]:
    try:
        schema.validate(pd.DataFrame([{**checkpoint.about, "source": checkpoint.source, **row} for row in rows]))
    except FaultsError as error:
        return error.faults
    return ()
