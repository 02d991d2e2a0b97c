"""Documents of checkpoints, read when they are asked for, put together as one matrix per task.

A source that knows documents gives ``Documents`` with its ladder table: nothing is read until a task is asked for, and
then only of the runs that are wanted. Checkpoints are aligned by the documents' ids; what does not belong together is
left out, and the account says so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.stages.documents.matrix import DocumentMatrix
from numpy.typing import NDArray

from ...core.digest import bytes_digest

LEAST_SHARE = 0.5  # of a task's documents that a checkpoint must have been asked
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A task as it was asked: as in the ladder table, with the accuracy that says what is right (acc, acc_norm)."""

    task: str
    shots: float = math.nan
    prompt: str = ""
    metric: str = "acc"


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckpointDocuments:
    """One checkpoint's documents of one task; k documents.

    Attributes
    ----------
    run, params, tokens, flops, step
        Its place on the ladder, as in the table.
    names : (k,) array
        Ids of the documents, the same for every checkpoint.
    nll : (k,) float
        Minus the log-likelihood of the gold answer, in the unit of the source.
    margin : (k,) float, optional
        Log-likelihood of the gold answer minus the best wrong one's, as the accuracy divides them.
    correct : (k,) bool, optional
        Whether the document was answered right.
    """

    run: str
    params: float
    tokens: float
    names: NDArray[Any]
    nll: NDArray[np.floating]
    flops: float = math.nan
    step: float = math.nan
    margin: NDArray[np.floating] | None = None
    correct: NDArray[np.bool_] | None = None


Read = Callable[[Asked, Collection[str], Account], Iterable[CheckpointDocuments]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Documents:
    """The documents behind a ladder table.

    Attributes
    ----------
    read : function of (Asked, names of runs, Account) to CheckpointDocuments
        Reads one task of these runs; gives nothing where the task is not known.
    unit : str
        Of the NLL: ``nats/byte`` or ``nats/token``.
    account : Account
        What was left out, once tasks were asked for.
    """

    read: Read
    unit: str = "nats/byte"
    account: Account = field(default_factory=Account)

    def matrix(
        self, asked: Asked, runs: Collection[str], accuracies: Mapping[tuple[str, float], float] | None = None
    ) -> DocumentMatrix | None:
        """One task's documents of some runs; None where there are none.

        Parameters
        ----------
        accuracies : mapping, optional
            What the ladder table says, by (run, tokens). Checkpoints it lacks are left out, and those whose documents
            give another accuracy: they are not the documents of the table.
        """
        parts = list(self.read(asked, runs, self.account))
        if accuracies is not None:
            parts = [part for part in parts if _belongs(part, accuracies, asked.task, self.account)]
        return aligned(parts, self.unit, asked.task, self.account)


def _belongs(
    part: CheckpointDocuments, accuracies: Mapping[tuple[str, float], float], task: str, account: Account
) -> bool:
    """Whether a checkpoint's documents are those that the table's accuracy is the mean of."""
    stated = accuracies.get((part.run, part.tokens))
    if stated is None:
        account.leave("documents of checkpoints that the table lacks", _named(part, task))
        return False
    if part.correct is not None and abs(float(np.mean(part.correct)) - stated) > 0.5 / len(part.correct):
        account.leave("documents that give another accuracy than the table", _named(part, task))
        return False
    return True


def aligned(
    parts: Sequence[CheckpointDocuments], unit: str, task: str = "", account: Account | None = None
) -> DocumentMatrix | None:
    """Checkpoints as one matrix, its columns the documents that most checkpoints were asked.

    A document that a checkpoint was not asked is NaN there (and not ``correct``). Left out are documents that only
    others were asked, checkpoints with less than half of the documents, and a second statement of one checkpoint.
    """
    account = account or Account()
    ids = _indexes(parts)
    kept: list[CheckpointDocuments] = []
    places: set[tuple[str, float]] = set()
    for part in parts:
        if not ids[id(part.names)].is_unique:
            account.leave("checkpoints with a document twice", _named(part, task))
        elif (part.run, part.tokens) in places:
            account.leave("documents of a checkpoint that appear twice", _named(part, task))
        else:
            places.add((part.run, part.tokens))
            kept.append(part)
    if not kept:
        return None
    columns = _usual(kept, ids)
    rows = []
    different = {id(index): index for index in (ids[id(part.names)] for part in kept)}
    positions = {key: index.get_indexer(columns) for key, index in different.items()}
    for part in kept:
        at = positions[id(ids[id(part.names)])]
        if (at >= 0).mean() < LEAST_SHARE:
            account.leave("checkpoints scored on less than half of a task's documents", _named(part, task))
            continue
        if len(part.names) > (at >= 0).sum():
            account.leave("documents that most checkpoints were not scored on", _named(part, task))
        rows.append((part, at))
    with_margin = all(part.margin is not None for part, _ in rows)
    with_correct = all(part.correct is not None for part, _ in rows)
    shape = (len(rows), len(columns))
    margin = np.full(shape, np.nan, dtype=np.float32) if with_margin else None
    correct = np.zeros(shape, dtype=bool) if with_correct else None
    nll = np.full(shape, np.nan, dtype=np.float32)
    for i, (part, at) in enumerate(rows):
        nll[i] = _taken(part.nll, at)
        if margin is not None and part.margin is not None:
            margin[i] = _taken(part.margin, at)
        if correct is not None and part.correct is not None:
            correct[i] = np.where(at >= 0, part.correct[at], False)
    about = ("run", "step", "params", "tokens", "flops")
    frame = pd.DataFrame([{name: getattr(part, name) for name in about} for part, _ in rows])
    return DocumentMatrix(
        places=frame, nll=nll, unit=unit, margin=margin, correct=correct, names=columns.to_numpy(copy=True)
    )


def _indexes(parts: Sequence[CheckpointDocuments]) -> dict[int, pd.Index]:
    """The ids of every array of names, by the array's own identity; arrays that are equal share one index."""
    seen: dict[tuple[str, str], pd.Index] = {}
    indexes: dict[int, pd.Index] = {}
    for names in (part.names for part in parts):
        if id(names) not in indexes:
            key = (str(names.dtype), bytes_digest(np.ascontiguousarray(names).tobytes()))
            if key not in seen:
                seen[key] = pd.Index(names)
            indexes[id(names)] = seen[key]
    return indexes


def _usual(parts: Sequence[CheckpointDocuments], ids: Mapping[int, pd.Index]) -> pd.Index:
    """The documents of most checkpoints, the larger set where two are as frequent, in their order."""
    digests = {key: _same_documents(index) for key, index in {id(i): i for i in ids.values()}.items()}
    sets = {key: digests[id(index)] for key, index in ids.items()}
    counted = Counter(sets[id(part.names)] for part in parts)
    chosen = max(counted, key=lambda names: (counted[names], names[0]))
    return next(ids[id(part.names)] for part in parts if sets[id(part.names)] == chosen)


def _same_documents(index: pd.Index) -> tuple[int, str]:
    """How many ids, and a digest of them in any order: sets of them would be kept for every checkpoint."""
    hashes = np.sort(pd.util.hash_array(index.to_numpy()))
    return len(index), bytes_digest(hashes.tobytes())


def _taken(values: NDArray[np.floating], at: NDArray[np.intp]) -> Floats:
    """Values at positions; NaN where there is no position, and where a value is no finite number."""
    taken = np.where(at >= 0, values[at].astype(np.float32), np.float32(np.nan))
    return np.where(np.isfinite(taken), taken, np.float32(np.nan))


def _named(part: CheckpointDocuments, task: str) -> str:
    return f"{task}, {part.run} at {part.tokens:.4g} tokens" if task else f"{part.run} at {part.tokens:.4g} tokens"
