"""From answers to stored cells, and from stored cells to what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd

from ..core.errors import BrokenError, Fault, FaultsError, first_line
from ..core.redact import redacted
from ..data import schema
from . import measure
from .checkpoints import files
from .checkpoints.discover import Checkpoint, DiscoveredCheckpoints
from .inference.worker import DEFAULTS, JobResult
from .requests.book import CHANGED, PreparedRequest, RequestGroup, RequestSpec
from .store import CellRecord, Store
from .store.index import SCORED, Index, IndexEntry
from .store.keys import Cell, Setup
from .store.partial import AnsweredPiece
from .store.tables import of_most
from .store.written_by import WrittenBy

EVERY = "*"  # every checkpoint, or every task
Problems = list[tuple[PreparedRequest, str]]


class Recorder:
    """Writes cells of one setup into a store and its index."""

    def __init__(self, store: Store, index: Index, setup: Setup) -> None:
        self.store = store
        self._index = index
        self._setup = setup
        self._changed: list[str] = []
        self._written = WrittenBy(store.folder)

    def set_outdated_aside(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Put answers aside that a checkpoint wrote by other defaults than its ``generation_config.json`` has now."""
        defaults = {c.digest: files.generation_digest(c.files) for c in checkpoints if self._written.knows(c.digest)}
        for digest, now in self._written.other_than(defaults).items():
            cells = [c["cell"] for c in self._index.of_checkpoint(digest) if c.get("how", {}).get(DEFAULTS, now) != now]
            for cell in cells:
                self.store.set_aside(cell)
            self._index.forget(cells, why=f"was written by another {files.GENERATION_CONFIG}, and is put aside")
            self._written.note(digest, now)

    def missing(
        self, checkpoints: Sequence[str], specs: Sequence[RequestSpec], *, failed_too: bool
    ) -> dict[str, list[str]]:
        """Which requests each checkpoint (by digest) lacks, by the index.

        One that was asked all of a task's documents lacks none of them.
        """
        digests = [spec.digest for spec in specs]
        self._forget_lost(checkpoints, digests)
        lacking = self._index.missing(checkpoints, digests, self._setup.digest, failed_too=failed_too)
        lacking = self._without_whole(lacking, specs)
        if failed_too:
            for checkpoint, requests in lacking.items():
                for digest in requests:
                    self.store.forget_failure(
                        Cell(checkpoint=checkpoint, requests=digest, setup=self._setup, task="").id
                    )
        return lacking

    def _without_whole(self, lacking: dict[str, list[str]], specs: Sequence[RequestSpec]) -> dict[str, list[str]]:
        """Without requests for some documents of which all were answered."""
        whole = {spec.digest: spec.whole for spec in specs if spec.whole}
        if not whole:
            return lacking
        wholes = sorted(set(whole.values()))
        self._forget_lost(list(lacking), wholes)
        states = self._index.states(list(lacking), wholes, self._setup.digest)
        left = {
            checkpoint: [d for d in digests if d not in whole or states[checkpoint][wholes.index(whole[d])] != SCORED]
            for checkpoint, digests in lacking.items()
        }
        return {checkpoint: digests for checkpoint, digests in left.items() if digests}

    def _forget_lost(self, checkpoints: Sequence[str], digests: Sequence[str]) -> None:
        """Take cells out of the index whose ``results.json`` is gone or empty, as after a crash or a full disk.

        Only looked at, not read: this is done for every cell at every run. ``store check`` reads them.
        """
        states = self._index.states(checkpoints, digests, self._setup.digest)
        scored = (
            Cell(checkpoint=checkpoint, requests=digest, setup=self._setup, task="").id
            for checkpoint, row in states.items()
            for digest, state in zip(digests, row, strict=True)
            if state == SCORED
        )
        self._index.forget(dict.fromkeys(cell for cell in scored if not self.store.holds(cell)))

    def really_missing(
        self, checkpoint: Checkpoint, specs: Sequence[PreparedRequest], say: Callable[[str], None]
    ) -> list[PreparedRequest]:
        """Those that the disk does not have either: the index may lag behind a killed run, or another one.

        A broken cell is missing; ``say`` is told. To be called with the checkpoint's lock held.
        """
        lacking, stored = [], []
        for spec in specs:
            of_all = [replace(spec, digest=spec.whole)] if spec.whole else []
            for one in (*of_all, spec):
                cell = self._cell(checkpoint, one).id
                try:
                    about = self.store.about(cell) if self.store.has(cell) else None
                except BrokenError as error:
                    say(f"warning: {checkpoint.source}: {spec.name}: {error}; it is scored again")
                    about = None
                if about is not None:
                    stored.append(IndexEntry.from_disk(cell, about, failed=False))
                    break
            else:
                lacking.append(spec)
        self._index.add(stored)
        return lacking

    def add(self, checkpoint: Checkpoint, group: RequestGroup, scored: JobResult) -> tuple[int, Problems]:
        """Store a group's cells, or its piece of one; returns how many, and those whose numbers cannot be."""
        if group.piece is not None:
            return self._add_piece(checkpoint, group, scored)
        measured: list[tuple[PreparedRequest, measure.Measured]] = []
        bad: Problems = []
        start = 0
        for spec, part in zip(group.specs, group.parts, strict=True):
            which = slice(start, start + len(part.encoded))
            start = which.stop
            if problem := measure.finite(scored, which):
                bad.append((spec, problem))
                continue
            try:
                measured.append((spec, measure.of(spec.what, part, measure.part(scored, which), group.limit)))
            except Exception as error:  # a task's own code computes its metrics: anything can come
                bad.append((spec, f"its metrics cannot be computed: {first_line(error)}"))
        return self._store(checkpoint, measured, bad, scored)

    def _store(
        self,
        checkpoint: Checkpoint,
        measured: list[tuple[PreparedRequest, measure.Measured]],
        bad: Problems,
        scored: JobResult,
    ) -> tuple[int, Problems]:
        measured, impossible = _possible(checkpoint, measured)
        for spec, problem in (bad := bad + impossible):
            self.fail(checkpoint, [spec], problem)
        records = [self._record(checkpoint, spec, content, scored) for spec, content in measured]
        self.store.add(records)
        if any(DEFAULTS in record.about["how"] for record in records):
            self._written.note(checkpoint.digest, scored.how[DEFAULTS])
        self._index.add(IndexEntry.from_disk(r.id, {**r.about, "rows": r.rows}, failed=False) for r in records)
        return len(records), bad

    def resume(
        self, checkpoint: Checkpoint, groups: Sequence[RequestGroup]
    ) -> tuple[list[RequestGroup], int, Problems]:
        """Without the pieces that an earlier run has answers to; cells of which it has all are stored now.

        Returns the groups, how many cells were stored, and those whose numbers cannot be.
        """
        left: list[RequestGroup] = []
        stored, bad = 0, Problems()
        for group in groups:
            if group.piece is None or self._answered(checkpoint, group, group.key) is None:
                left.append(group)
            elif group.key == group.pieces[-1] and not any(g.specs == group.specs for g in left):
                good, problems = self._assembled(checkpoint, group)
                stored, bad = stored + good, bad + problems
        return left, stored, bad

    def state_before(self, checkpoint: Checkpoint, group: RequestGroup) -> str:
        """State of the random generators after the piece before this one; empty before the first."""
        place = group.pieces.index(group.key)
        before = self._answered(checkpoint, group, group.pieces[place - 1]) if place else None
        return "" if before is None else before.state

    def _answered(self, checkpoint: Checkpoint, group: RequestGroup, key: str) -> AnsweredPiece | None:
        found = self.store.partials.get(self._cell(checkpoint, group.specs[0]).id, key)
        defaults = files.generation_digest(checkpoint.files)
        return found if found is not None and found.how.get(DEFAULTS) == defaults else None

    def _add_piece(self, checkpoint: Checkpoint, group: RequestGroup, scored: JobResult) -> tuple[int, Problems]:
        """Keep a piece of a cell, and store the cell when all of them are there."""
        (spec,) = group.specs
        if problem := measure.finite(scored, slice(0, len(scored.logliks))):
            self.fail(checkpoint, [spec], problem)
            return 0, [(spec, problem)]
        piece = AnsweredPiece(
            cell=self._cell(checkpoint, spec).id,
            key=group.key,
            of=len(group.pieces),
            texts=scored.texts,
            logliks=tuple(map(float, scored.logliks)),
            greedy=tuple(map(bool, scored.greedy)),
            state=scored.state,
            how=scored.how,
        )
        self.store.partials.add(piece)
        # From the end, where those are that are not answered yet: all of them are read once, and not at every piece.
        whole = all(self._answered(checkpoint, group, key) is not None for key in reversed(group.pieces))
        return self._assembled(checkpoint, group) if whole else (0, [])

    def _assembled(self, checkpoint: Checkpoint, group: RequestGroup) -> tuple[int, Problems]:
        """Store the cell of a group's pieces, all of which are answered; what fails leaves them for another try."""
        (spec,), (part,) = group.specs, group.parts
        answered = [self._answered(checkpoint, group, key) for key in group.pieces]
        try:
            scored = measure.joined(part, answered)
            measured = [(spec, measure.of(spec.what, part, scored, group.limit))]
        except Exception as error:  # a task's own code computes its metrics: anything can come
            problem = f"its metrics cannot be computed: {first_line(error)}"
            self.fail(checkpoint, [spec], problem)
            return 0, [(spec, problem)]
        good, bad = self._store(checkpoint, measured, [], scored)
        if good:
            self.store.partials.clear(self._cell(checkpoint, spec).id)
        return good, bad

    def fail(self, checkpoint: Checkpoint, specs: Sequence[RequestSpec], reason: str) -> None:
        """Record why cells could not be scored."""
        entries = []
        for spec in specs:
            cell = self._cell(checkpoint, spec)
            about = self._about(cell, spec.version, checkpoint.source, checkpoint.about) | {"reason": redacted(reason)}
            self.store.fail(cell.id, about)
            entries.append(IndexEntry.from_disk(cell.id, about, failed=True))
        self._index.add(entries)

    def changed(self, checkpoint: Checkpoint) -> None:
        """Remember that a checkpoint changed while it was scored; the next run finds it as another one."""
        self._changed.append(checkpoint.source)

    @property
    def changed_sources(self) -> tuple[str, ...]:
        """The checkpoints that changed while they were scored."""
        return tuple(self._changed)

    def contents(self, checkpoints: Sequence[Checkpoint], specs: Sequence[RequestSpec]) -> list[dict[str, Any]]:
        """The stored cells of these checkpoints and requests; of some of a task's documents and all, that of all."""
        digests = [c.digest for c in checkpoints]
        requests = [d for spec in specs for d in (spec.digest, spec.whole) if d]
        found = self._index.contents(digests, requests, self._setup.digest, failed=False)
        return of_most(found, {spec.digest: spec.whole for spec in specs if spec.whole})

    def failures(
        self, discovered: DiscoveredCheckpoints, specs: Sequence[RequestSpec], unbuilt: dict[str, str]
    ) -> list[tuple[str, str, str]]:
        """Everything that could not be scored: (checkpoint, task, reason), with ``*`` for all of them."""
        failures = [(EVERY, task, redacted(reason)) for task, reason in unbuilt.items()]
        failures += [(source, EVERY, reason) for (source, _), reason in discovered.broken.items()]
        failures += [(source, EVERY, CHANGED) for source in self._changed]
        sources = {c.digest: c.source for c in discovered.checkpoints}
        requests = [d for spec in specs for d in (spec.digest, spec.whole) if d]
        cells = self._index.contents(list(sources), requests, self._setup.digest, failed=True)
        scored = {(c["checkpoint"], c["task"]) for c in self.contents(discovered.checkpoints, specs)}
        by_reason: dict[tuple[str, str], list[str]] = {}
        for cell in cells:
            if any(cell["requests"] == spec.whole for spec in specs) and (cell["checkpoint"], cell["task"]) in scored:
                continue  # some of its documents were answered
            names = [spec.name for spec in specs if cell["requests"] in (spec.digest, spec.whole)]
            by_reason.setdefault((sources[cell["checkpoint"]], cell["reason"]), []).extend(names)
        for (source, reason), names in by_reason.items():
            every = len(names) == len(specs) > 1
            failures += [(source, EVERY, reason)] if every else [(source, name, reason) for name in sorted(names)]
        return failures

    def plan(self, discovered: DiscoveredCheckpoints, specs: Sequence[RequestSpec], unbuilt: dict[str, str]) -> None:
        """Write down what this run wants, and record what cannot even be asked."""
        unbuilt = {task: redacted(reason) for task, reason in unbuilt.items()}
        entries = []
        for (source, digest), reason in discovered.broken.items():
            cell = Cell(checkpoint=digest or f"folder {source}", requests=EVERY, setup=self._setup, task=EVERY)
            entries.append((cell, source, reason))
        for task, reason in unbuilt.items():
            entries.append(
                (Cell(checkpoint=EVERY, requests=f"unbuilt {task}", setup=self._setup, task=task), EVERY, reason)
            )
        for cell, source, reason in entries:
            about = self._about(cell, "", source, {}) | {"reason": reason}
            self.store.fail(cell.id, about)
            self._index.add([IndexEntry.from_disk(cell.id, about, failed=True)])
        self.store.write_plan(
            {
                "setup": self._setup.digest,
                "tasks": [
                    {"name": a.name, "requests": a.digest} | ({"whole": a.whole} if a.whole else {}) for a in specs
                ],
                "unbuilt": unbuilt,
                "checkpoints": [c.as_planned for c in discovered.checkpoints],
                "broken": {source: reason for (source, _), reason in discovered.broken.items()},
                "waiting": discovered.waiting,
            }
        )

    def _cell(self, checkpoint: Checkpoint, spec: RequestSpec) -> Cell:
        return Cell(checkpoint=checkpoint.digest, requests=spec.digest, setup=self._setup, task=spec.name)

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

    def _record(
        self, checkpoint: Checkpoint, spec: PreparedRequest, content: measure.Measured, scored: JobResult
    ) -> CellRecord:
        cell = self._cell(checkpoint, spec)
        about = self._about(cell, spec.version, checkpoint.source, checkpoint.about)
        about |= {"how": scored.how, "tokenizer": checkpoint.tokenizer[:12], **checkpoint.revision}
        if content.aside:
            about["aside"] = content.aside
        chosen = getattr(spec.what, "chosen", None)
        if chosen is not None:
            about["estimated"] = chosen.about()
        config = {
            "model": self._setup.backend,
            "model_args": {
                **checkpoint.model_args,
                "dtype": self._setup.dtype,
                "add_bos_token": self._setup.add_bos_token,
            },
        }
        results = content.results | {
            "config": config,
            "model_name": checkpoint.source,
            "lm_eval_version": self._setup.lm_eval,
        }
        return CellRecord(id=cell.id, about=about, rows=content.rows, results=results, documents=content.documents)


def _possible(
    checkpoint: Checkpoint, measured: list[tuple[PreparedRequest, measure.Measured]]
) -> tuple[list[tuple[PreparedRequest, measure.Measured]], Problems]:
    """Cells whose rows the ladder table allows, and what is impossible about the others."""
    if not measured or not _faults(checkpoint, [row for _, content in measured for row in content.rows]):
        return measured, []  # all at once, since it is the usual case
    good, bad = [], []
    for spec, content in measured:
        faults = _faults(checkpoint, content.rows)
        if faults:
            bad.append((spec, "; ".join(fault.what for fault in faults)))
        else:
            good.append((spec, content))
    return good, bad


def _faults(checkpoint: Checkpoint, rows: Sequence[dict[str, Any]]) -> Sequence[Fault]:
    try:
        schema.validate(pd.DataFrame([{**checkpoint.about, "source": checkpoint.source, **row} for row in rows]))
    except FaultsError as error:
        return error.faults
    return ()
