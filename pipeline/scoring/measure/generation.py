"""Scores of written answers, which are lm-eval's own, and the losses of the reference answers beside them.

The table takes the scores that are shares of the documents, with their filters in their names; all are in the cell's
``results.json``. The level of guessing is 0, but where the answer is a letter (``data.chance``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...core.metrics import is_share, metric_name
from ...data import chance, document_metrics
from ...data.document_metrics import Document, Mean
from ..inference.worker import JobResult
from ..requests.kinds.base import Task
from ..requests.kinds.generation import Written, requests_of
from ..requests.kinds.unsafe import runs_code
from ..store.cell import SCORE
from . import untrusted
from .base import Measured, lm_eval_results, rows
from .judging import Judged, judge, shown

FILTERED = "filtered "  # a column with what a filter took out; the filter's name follows
NO_SHARE = "metrics that are not shares of the documents: only in results.json"
NO_GOLD = "tasks or documents without a reference answer, and so without a loss"
TOO_LONG = "reference answers that are longer than the model's context"
LOST = "documents whose program ended or outlived its process: counted as wrong"


def of_generation(task: Task, part: Written, scored: JobResult, limit: int) -> Measured:
    """A cell's content from the texts, in the order of ``requests_of``, and the reference answers' log-likelihoods."""
    texts = _by_request(task, scored.texts)
    judged = (
        untrusted.judge(task, texts) if runs_code(task.harness) else judge(task, texts, task.harness.process_results)
    )
    raw = judged.raw
    results = lm_eval_results(task, raw)
    means: dict[str, Mean] = {}
    others = []
    values = results["results"][task.name]
    for (metric, filtered), of_documents in raw.items():
        value, error = values[f"{metric},{filtered}"], values[f"{metric}_stderr,{filtered}"]
        name = metric_name(metric, filtered)
        if _in_table(task, name, metric, value, of_documents):
            means[name] = Mean(float(value), error if isinstance(error, float) else math.nan)
        else:
            others.append(name)
    level = chance.generated(task.name)
    guess = math.nan if level is None else level
    shared = {"task": task.name, "num_fewshot": task.num_fewshot, "task_version": task.version, "chance": guess}
    found = rows(shared | {"n": len(task.questions)}, means)
    golds = [
        Document(logliks=(loglik,), gold=0, gold_bytes=task.questions[document].answer_bytes[0])
        for loglik, document in zip(scored.logliks.tolist(), part.encoded.documents.tolist(), strict=True)
    ]
    if golds:
        found += rows(shared | {"n": len(golds)}, document_metrics.losses(golds))
    aside = {NO_SHARE: ", ".join(others)} if others else {}
    aside |= _without(task, part)
    if judged.lost:
        aside[LOST] = f"{judged.lost} of {len(task.questions)} documents"
    return Measured(rows=found, results=results, documents=_documents(task, part, scored, judged), aside=aside)


def _by_request(task: Task, texts: Sequence[str]) -> list[list[str]]:
    """The texts of every request, as many as it is repeated."""
    of: dict[int, list[str]] = {id(request): [] for request in task.requests}
    for (_, request), text in zip(requests_of(task), texts, strict=True):
        of[id(request)].append(text)
    return [of[id(request)] for request in task.requests]


def _in_table(task: Task, name: str, metric: str, value: Any, of_documents: Sequence[Any]) -> bool:
    """Whether a score is a share of the documents: by its name, its value, and by what it is computed from."""
    if not is_share(name) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return False
    flat = [number for one in of_documents for number in (one if isinstance(one, list | tuple) else [one])]
    if all(isinstance(number, bool | int | float | np.number) and 0 <= float(number) <= 1 for number in flat):
        return True
    # Not numbers: lm-eval's own functions of answers and references give shares, others also percentages.
    return str(getattr(task.harness.aggregation().get(metric), "__module__", "")).startswith("lm_eval.")


def _without(task: Task, part: Written) -> dict[str, str]:
    """Why documents have no gold loss, and how many."""
    total = len(task.questions)
    none = sum(not question.answers for question in task.questions)
    aside = {NO_GOLD: "" if none == total else f"{none} of {total} documents"} if none else {}
    return aside | ({TOO_LONG: f"{part.gold_left} of {total} documents"} if part.gold_left else {})


def _documents(task: Task, part: Written, scored: JobResult, judged: Judged) -> pd.DataFrame:
    """One row per text; what is of the document (scores, its reference answer) stands in every row of it."""
    flat = requests_of(task)
    numbers = np.array([number for number, _ in flat])
    place = {id(request): i for i, request in enumerate(task.requests)}
    seen: dict[int, int] = {}
    columns: dict[str, Any] = {"doc_id": numbers, "request": [], "repeat": [], "answer": list(scored.texts)}
    columns |= {FILTERED + name: [] for name in judged.filtered}
    for _, request in flat:
        repeat = seen[id(request)] = seen.get(id(request), -1) + 1
        columns["request"].append(int(request.idx))
        columns["repeat"].append(repeat)
        for name, filtered in judged.filtered.items():
            columns[FILTERED + name].append(shown(filtered[place[id(request)]], repeat, max(1, request.repeats or 1)))
    for name, values in judged.values.items():
        for metric in dict.fromkeys(key for document in values for key in document):
            score = np.array([_number(document, metric) for document in values])
            columns[SCORE + metric_name(metric, name)] = score[numbers]
    return pd.DataFrame(columns | {name: column[numbers] for name, column in _of_documents(task, part, scored).items()})


def _of_documents(task: Task, part: Written, scored: JobResult) -> dict[str, Any]:
    """Columns (q,) of the documents' prompts and reference answers; NaN and 0 where there is none."""
    total, which = len(task.questions), part.encoded.documents
    loglik, sizes, tokens = np.full(total, np.nan), np.zeros(total, dtype=np.int64), np.zeros(total, dtype=np.int64)
    greedy = np.zeros(total, dtype=bool)
    loglik[which], greedy[which], tokens[which] = scored.logliks, scored.greedy, part.encoded.answers
    sizes[which] = [task.questions[number].answer_bytes[0] for number in which]
    return {
        "gold_loglik": loglik,
        "gold_greedy": greedy,
        "gold_bytes": sizes,
        "gold_tokens": tokens,
        "prompt_tokens": part.prompt_tokens,
        "truncated": np.asarray(part.cut, dtype=bool),
    }


def _number(document: Mapping[str, Any], metric: str) -> float:
    value = document.get(metric)
    if isinstance(value, Iterable) and not isinstance(value, str):
        listed = list(value)
        value = np.mean(listed) if listed and all(isinstance(v, bool | int | float) for v in listed) else None
    return float(value) if isinstance(value, bool | int | float | np.number) else math.nan
