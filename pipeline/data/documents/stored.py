"""The documents of a store of scored cells, by what the last run of ``benchcast score`` wanted.

Cells are found as the store names them (``scoring.store.disk``): their folder is the hash of checkpoint, requests and
setup. A cell whose documents are gone, or not those that were written, is left out with a line.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account

from ...core import reading
from ...core.digest import bytes_digest, object_digest
from ...core.errors import UnreadableError
from ...core.metrics import ACCURACIES
from .choices import RIGHT, gold_nlls, margins, right_answers
from .collect import Asked, CheckpointDocuments, Documents, Read
from .written import WRITTEN, written_documents

PLAN, CELLS, RESULTS, DOCUMENTS = "plan.json", "cells", "results.json", "documents.parquet"
COLUMNS = ["doc_id", "choice", "gold", "answer_bytes", "answer_chars", "with_prompt", "loglik", "greedy"]
# What anything that somebody else wrote, read through other libraries, may end in; pyarrow's errors are of these.
BROKEN = (OSError, ValueError, KeyError, TypeError, IndexError, ZeroDivisionError)


def stored_documents(folder: Path) -> Documents | None:
    """The documents of a store; None where the folder is none, or nothing was scored into it.

    Of a store whose plan is broken there are none, and the account is told.
    """
    try:
        plan = reading.json_of(reading.data(folder / PLAN, reading.MOST_TABLE))
        checkpoints = [
            (str(c["digest"]), {**c["place"], "source": str(c.get("source", ""))}) for c in plan["checkpoints"]
        ]
        # Some of a task's documents are no row of a matrix: only who was asked all of them counts here.
        tasks = {str(t["name"]): str(t.get("whole", t["requests"])) for t in plan["tasks"]}
        setup = str(plan["setup"])
    except (ValueError, KeyError, TypeError) as error:
        if not (folder / CELLS).is_dir() or not (folder / PLAN).exists():
            return None  # a plan of another kind is no store's
        return Documents(read=_none_because("stores whose plan cannot be read", f"{folder / PLAN}: {_said(error)}"))

    def read(asked: Asked, runs: Collection[str], account: Account) -> Iterator[CheckpointDocuments]:
        if asked.task not in tasks or asked.prompt:
            return
        for digest, place in checkpoints:
            if place.get("run") in runs:
                cell = object_digest([digest, tasks[asked.task], setup])[:40]
                found = _checkpoint(folder / CELLS / cell[:2] / cell, place, asked, account)
                if found is not None:
                    yield found

    return Documents(read=read)


def _checkpoint(cell: Path, place: Mapping[str, Any], asked: Asked, account: Account) -> CheckpointDocuments | None:
    """One cell's documents; None where it is not scored, or broken, which the account is told."""
    if not (cell / RESULTS).exists():
        return None
    try:
        about = reading.json_of(reading.data(cell / RESULTS))["benchcast"]
        content = reading.data(cell / DOCUMENTS, reading.MOST_TABLE)
        if bytes_digest(content) != about["documents_sha256"]:
            raise UnreadableError("is not the file that was written")
        shots = {float(row["num_fewshot"]) for row in about["rows"] if row.get("num_fewshot") is not None}
        if np.isfinite(asked.shots) and shots and asked.shots not in shots:
            return None
        columns = _columns(content)
        answers = pd.read_parquet(io.BytesIO(content), columns=columns)
        if columns is None:
            return _written(answers, place, asked.metric)
        return documents_of(answers, place, asked.metric, by_choice=asked.metric in about.get("derived", ACCURACIES))
    except BROKEN as error:
        where = f"{asked.task} in {place['source'] or cell}"
        account.leave("documents of stored cells that cannot be read", f"{where}: {_said(error)}")
        return None


def _columns(content: bytes) -> list[str] | None:
    """The columns that are read, with that of several right answers where there is one; None: all, of written ones."""
    import pyarrow.parquet

    names = pyarrow.parquet.read_schema(io.BytesIO(content)).names
    return None if WRITTEN in names else [*COLUMNS, RIGHT] if RIGHT in names else COLUMNS


def _written(answers: pd.DataFrame, place: Mapping[str, Any], metric: str) -> CheckpointDocuments | None:
    """Documents whose answers were written; None without a reference answer's likelihood."""
    known = written_documents(answers, metric)
    return None if known is None else CheckpointDocuments(**_where(place), **known)


def _where(place: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint's place on the ladder."""
    numbers = {"params": float(place["params"]), "tokens": float(place["tokens"])}
    return {"run": str(place["run"]), **numbers} | {k: reading.number(place.get(k)) for k in ("flops", "step")}


def _none_because(what: str, why: str) -> Read:
    def read(asked: Asked, runs: Collection[str], account: Account) -> Iterator[CheckpointDocuments]:
        account.leave(what, why)
        return iter(())

    return read


def _said(error: Exception) -> str:
    """What an error says, in one line; its name where it says little, as a KeyError does."""
    words = " ".join(str(error).split())[:120]
    return words if isinstance(error, ValueError | OSError) and words else f"{type(error).__name__} {words}".strip()


def documents_of(
    answers: pd.DataFrame, place: Mapping[str, Any], metric: str, *, by_choice: bool = True
) -> CheckpointDocuments:
    """Stored answers as documents.

    Parameters
    ----------
    answers : DataFrame
        A row per answer, as ``scoring.measure`` writes them: doc_id, choice, gold, answer_bytes, answer_chars,
        with_prompt, loglik (nats) and greedy; and right where a document may have several right answers.
    by_choice : bool
        Whether the accuracy is whether the gold answer is the best; a task's own code may decide otherwise.

    Raises
    ------
    ValueError
        Where a document has no gold answer, or two that are not marked as right.
    """
    answers = answers[answers["with_prompt"].to_numpy(dtype=bool)]
    number, names = pd.factorize(answers["doc_id"])
    gold = right_answers(answers)
    golds = np.bincount(number[gold], minlength=len(names))
    several = golds.max(initial=0) > 1 and RIGHT not in answers
    if not len(names) or golds.min() < 1 or several or (np.diff(number) < 0).any():
        raise ValueError("not every document has one gold answer")
    logliks = answers["loglik"].to_numpy(dtype=float)
    chosen = None
    if by_choice:
        chosen = margins(logliks, answers["answer_chars"].to_numpy(), number, gold, metric)
    single = by_choice and chosen is None and metric == "acc"  # lm-eval: right is what would be generated
    greedy = answers["greedy"].to_numpy(dtype=bool)
    return CheckpointDocuments(
        **_where(place),
        names=np.asarray(names),
        nll=gold_nlls(logliks, answers["answer_bytes"].to_numpy(), number, gold).astype(np.float32),
        margin=None if chosen is None else chosen[0].astype(np.float32),
        correct=chosen[1] if chosen is not None else greedy[gold] if single else None,
    )
