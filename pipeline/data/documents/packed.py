"""Documents of a whole ladder in one small file: an ``.npz`` of float16, as the package ships them for the demo.

Arrays ``run``, ``step``, ``params``, ``tokens``, ``flops`` have a value per checkpoint; of every task, a row per
checkpoint and a column per document: ``<task>/nll`` (nats per byte of the gold answer), and of every score
``<task>/<metric>/correct`` and, where there are choices, ``<task>/<metric>/margin``. Half precision moves the mean of
800 documents by some 1e-5.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from benchcast.reports.records.account import Account
from benchcast.stages.documents.matrix import DocumentMatrix
from numpy.typing import NDArray

from .. import array_files
from .collect import Asked, CheckpointDocuments, Documents

PLACE = ("run", "step", "params", "tokens", "flops")


def pack(documents: Documents, tasks: Mapping[str, Sequence[str]], runs: Collection[str]) -> bytes:
    """The documents of these tasks, each with its scores, and runs as the bytes of a file; equal ones give equal bytes.

    Raises
    ------
    ValueError
        Where a task has no documents, or not all tasks those of the same checkpoints.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for task, metrics in tasks.items():
        for metric in metrics:
            matrix = documents.matrix(Asked(task=task, metric=metric), runs)
            if matrix is None:
                raise ValueError(f"task {task!r} has no documents")
            order = np.lexsort((matrix.places["tokens"], matrix.places["run"], matrix.places["params"]))
            _add_places(arrays, matrix.of_rows(order), task)
            arrays[f"{task}/nll"] = matrix.nll[order].astype(np.float16)
            if matrix.margin is not None:
                arrays[f"{task}/{metric}/margin"] = matrix.margin[order].astype(np.float16)
            if matrix.correct is not None:
                arrays[f"{task}/{metric}/correct"] = matrix.correct[order]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # its stubs take the keywords for its own
    return buffer.getvalue()


def _add_places(arrays: dict[str, NDArray[Any]], matrix: DocumentMatrix, task: str) -> None:
    """The places of a task's checkpoints, which must be those of the tasks before."""
    for name in PLACE:
        values = matrix.places[name].to_numpy(dtype=str if name == "run" else float)
        if not np.array_equal(arrays.setdefault(name, values), values):
            raise ValueError(f"task {task!r} was not scored on the same checkpoints as the others")


def packed_documents(place: Callable[[], AbstractContextManager[Path]]) -> Documents:
    """The documents of a packed file, read task by task; ``place`` opens the file's path while it is read."""

    def read(asked: Asked, runs: Collection[str], account: Account) -> Iterator[CheckpointDocuments]:
        margin, correct = (f"{asked.task}/{asked.metric}/{what}" for what in ("margin", "correct"))
        with place() as path:
            there = set(array_files.names(path))
            if asked.prompt or f"{asked.task}/nll" not in there:
                return
            arrays = array_files.read_arrays(path, {*PLACE, f"{asked.task}/nll", *({margin, correct} & there)})
        nll = arrays[f"{asked.task}/nll"]
        names = np.arange(nll.shape[1])
        for i in np.flatnonzero(np.isin(arrays["run"], list(runs))):
            yield CheckpointDocuments(
                run=str(arrays["run"][i]),
                **{name: float(arrays[name][i]) for name in PLACE[1:]},
                names=names,
                nll=nll[i],
                margin=arrays[margin][i] if margin in arrays else None,
                correct=arrays[correct][i] if correct in arrays else None,
            )

    return Documents(read=read)
