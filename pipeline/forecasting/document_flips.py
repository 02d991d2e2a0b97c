"""Which documents are expected to flip between the ladder's largest run and a target, and which never move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.reports.records.documents import DocumentForecast, DocumentsResult, TaskDocuments
from benchcast.stages.documents.flips import SURE, expected_flips
from benchcast.stages.documents.forecaster import DocumentForecaster
from benchcast.stages.documents.matrix import DocumentMatrix
from benchcast.stages.fit.errors import FitError
from benchcast.stages.notices import Notice, readers
from numpy.typing import NDArray

from ..core.config import Config
from ..core.errors import InputError
from ..data import ingest
from ..data.ingest import Data
from .job import Job, TargetRun, matching, matching_scores
from .jobs import NO_DOCUMENTS, assign_roles, documents_of, jobs_of
from .references import with_references
from .run import account_of, provenance_of

DIGITS = 6  # of a probability: what lies beyond differs from machine to machine


def document_flips(
    config: Config,
    base: Path,
    data: Path | Data | None = None,
    task: str = "*",
    target: str | None = None,
) -> DocumentsResult:
    """What is expected of every document of some tasks.

    Parameters
    ----------
    task : str
        Shell pattern of tasks.
    target : str, optional
        Shell pattern of targets; empty: the largest one whose parameters and tokens are known.

    Raises
    ------
    InputError
        Where no documents are known, patterns match nothing, or no task has enough of them.
    """
    loaded = with_references(config, base, ingest.read_data(config.data, base, data))
    documents = documents_of(config, loaded, base)
    if documents is None:
        raise InputError(f"documents: {NO_DOCUMENTS}" if config.documents is None else "documents: false uses none")
    roles = assign_roles(config, loaded.table)
    jobs = [job for job in jobs_of(config, loaded.table, roles, documents) if job.read_documents is not None]
    wanted = matching_scores([job.task for job in jobs], task)
    if not wanted:
        names = ", ".join(list(dict.fromkeys(job.task for job in jobs))[:6])
        raise InputError(f"--task {task!r}: matches no task with documents (there are {names})")
    notes: list[Notice] = []
    tasks = [each for job in jobs if job.task in wanted for each in _of_job(job, _targets(job, target), notes)]
    if not tasks:
        reasons = "; ".join(map(str, notes)) or "the fitted runs have none"
        raise InputError(f"no task has documents to forecast from: {reasons}")
    return DocumentsResult(
        schema="benchcast.documents/1",
        title=config.title,
        sure=SURE,
        tasks=tuple(tasks),
        notes=tuple(notes),
        provenance=provenance_of(config, loaded, account_of(config, loaded, roles, documents)),
    )


def _targets(job: Job, pattern: str | None) -> list[TargetRun]:
    """The targets that are asked for, whose size and data are known."""
    known = [t for t in job.targets if t.budget.params and t.budget.tokens]
    if pattern is None:
        return sorted(known, key=lambda t: t.budget.flops or 0.0)[-1:]
    names = matching([t.name for t in known], [pattern])
    if not names:
        there = ", ".join(t.name for t in known) or "none whose params and tokens are known"
        raise InputError(f"--target {pattern!r}: matches no target (there are {there})")
    return [t for t in known if t.name in names]


def _of_job(job: Job, targets: Sequence[TargetRun], notes: list[Notice]) -> Iterator[TaskDocuments]:
    """One task's documents at some targets; nothing, with a notice, where no law can be fitted."""
    matrix = job.documents
    if matrix is None:
        notes.append(readers.DOCUMENTS_UNUSED(job.task))
        return
    accuracy = _accuracies(job, matrix)
    try:
        forecaster = DocumentForecaster().fit(matrix, accuracy, job.chance or 0.0)
    except FitError as error:
        notes.append(readers.DOCUMENTS_UNUSED(job.task, error=str(error)))
        return
    last = int((matrix.places["params"] * matrix.places["tokens"]).to_numpy().argmax())
    for target in targets:
        place = pd.DataFrame({"params": [target.budget.params], "tokens": [target.budget.tokens]})
        mean, stderr = forecaster.predict(place)
        yield TaskDocuments(
            family=job.family,
            task=job.task,
            metric=job.metric,
            target=target.name,
            params=float(place["params"].iloc[0]),
            tokens=float(place["tokens"].iloc[0]),
            run=str(matrix.places["run"].iloc[last]),
            measured=float(accuracy[last]),
            forecast=round(float(mean[0]), DIGITS),
            stderr=round(float(stderr[0]), DIGITS),
            unit=matrix.unit,
            observed=matrix.correct is not None,
            documents=tuple(
                DocumentForecast(
                    document=str(row.document),
                    now=round(float(row.now), DIGITS),
                    target=round(float(row.at_target), DIGITS),
                    right=None if pd.isna(row.right_now) else bool(row.right_now),
                    move=row.move,
                )
                for row in expected_flips(forecaster, matrix, place).itertuples()
            ),
        )


def _accuracies(job: Job, matrix: DocumentMatrix) -> NDArray[np.float64]:
    """The table's accuracy at every checkpoint of the matrix."""
    where = pd.MultiIndex.from_frame(matrix.places[["run", "tokens"]])
    accuracies = job.rows.set_index(["run", "tokens"])["accuracy"].reindex(where)
    return np.asarray(accuracies, dtype=float)
