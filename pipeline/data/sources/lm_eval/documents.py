"""The documents of samples: read again when a task is asked for, so that no more than one task is in memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import numpy as np
from benchcast.reports.records.account import Account
from numpy.typing import NDArray

from ....core import reading
from ...document_metrics import Document, gold_nll
from ...documents.choices import METRICS, margins
from ...documents.collect import Asked, CheckpointDocuments, Documents
from . import samples as lm_eval_samples
from .cells import Score
from .files import ResultFile, Task
from .samples import Sampled

BROKEN = (ValueError, KeyError, TypeError, IndexError, AttributeError, OSError)


def documents_of(sampled: Sequence[tuple[Score, ResultFile, Task]]) -> Documents | None:
    """The documents of the scores whose samples gave losses; None where there are none."""
    if not sampled:
        return None

    def read(asked: Asked, runs: Collection[str], account: Account) -> Iterator[CheckpointDocuments]:
        for score, file, task in sampled:
            place = score.place.columns(score.key)
            if place["run"] not in runs or score.task != asked.task or score.prompt != asked.prompt:
                continue
            if score.shots != asked.shots and not (math.isnan(score.shots) and math.isnan(asked.shots)):
                continue
            try:
                yield _checkpoint(lm_eval_samples.read_samples(file, task, {}), place, asked.metric)
            except BROKEN as error:  # they were read before: somebody changes them
                why = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
                account.leave("samples that cannot be read any more", f"{score.task} ({score.model}): {why}")

    return Documents(read=read)


def _checkpoint(sampled: Sampled, place: dict[str, object], metric: str) -> CheckpointDocuments:
    documents = sampled.documents
    number = np.repeat(np.arange(len(documents)), [len(d.logliks) for d in documents])
    logliks = np.concatenate([d.logliks for d in documents])
    lengths = np.concatenate([d.answer_chars for d in documents])
    gold = np.concatenate([_is_gold(d) for d in documents])
    by_choice = sampled.by_choice and metric in METRICS  # what other metrics call right is not known
    chosen = margins(logliks, lengths, number, gold, metric) if by_choice else None
    return CheckpointDocuments(
        run=str(place["run"]),
        params=reading.number(place["params"]),
        tokens=reading.number(place["tokens"]),
        flops=reading.number(place["flops"]),
        step=reading.number(place["step"]),
        names=_names([d.name for d in documents]),
        nll=np.array([gold_nll(d) for d in documents], dtype=np.float32),
        margin=None if chosen is None else chosen[0].astype(np.float32),
        correct=None if chosen is None else chosen[1],
    )


def _is_gold(document: Document) -> NDArray[np.bool_]:
    return np.isin(np.arange(len(document.logliks)), [choice for choice, _ in document.golds])


def _names(given: Sequence[str]) -> NDArray[np.str_]:
    """Ids of documents; of several alike (a task may ask one question twice) the second and later are numbered."""
    seen: Counter[str] = Counter()
    names = []
    for name in given:
        names.append(f"{name} ({seen[name] + 1})" if seen[name] else name)
        seen[name] += 1
    return np.array(names)
