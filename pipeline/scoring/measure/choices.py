"""Accuracies of given answers by lm-eval's own rules, and the losses of the gold answer.

Accuracies come from lm-eval's tasks and are the numbers ``lm_eval`` prints; the losses of the gold answer come from
``document_metrics``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import pandas as pd

from ...data import document_metrics
from ...data.document_metrics import Document, Mean
from ..inference.worker import JobResult
from ..requests.encoded import Encoded
from ..requests.kinds.base import Part, Task
from .base import Measured, lm_eval_results, rows

ACCURACIES = ("acc", "acc_norm")


def of_task(task: Task, part: Part, scored: JobResult, limit: int) -> Measured:
    """Accuracies by lm-eval's own rules, and the losses of the gold answer."""
    answers = list(zip(scored.logliks.tolist(), scored.greedy.tolist(), strict=True))
    raw: dict[tuple[str, str], list[Any]] = defaultdict(list)
    documents: list[Document] = []
    position = 0
    for question in task.questions:
        of_question = answers[position : position + len(question.requests)]
        position += len(question.requests)
        logliks = tuple(loglik for loglik, _ in of_question[: len(question.answers)])
        documents.append(Document(logliks=logliks, gold=question.gold, gold_bytes=question.answer_bytes[question.gold]))
        for metric, value in task.harness.process_results(question.doc, of_question).items():
            raw[metric, "none"].append(value)
    results = lm_eval_results(task, raw)
    means = document_metrics.losses(documents)
    for metric in ACCURACIES:
        if (metric, "none") in raw:
            values = results["results"][task.name]
            error = values[f"{metric}_stderr,none"]
            means[metric] = Mean(float(values[f"{metric},none"]), error if isinstance(error, float) else math.nan)
    shared = {
        "task": task.name,
        "num_fewshot": task.num_fewshot,
        "n": len(documents),
        "task_version": task.version,
        "chance": document_metrics.chance(documents),
    }
    return Measured(rows=rows(shared, means), results=results, documents=_answers(task, part.encoded, scored, limit))


def _answers(task: Task, encoded: Encoded, scored: JobResult, limit: int) -> pd.DataFrame:
    """One row per request: any metric can be computed from it again without the model."""
    per_question: list[tuple[int, int, int, int, int, bool]] = []
    for number, question in enumerate(task.questions):
        for choice in range(len(question.requests)):
            answer = choice % len(question.answers)
            text = question.answers[answer]
            per_question.append(
                (
                    number,
                    answer,
                    question.gold,
                    question.answer_bytes[answer],
                    len(text),
                    choice < len(question.answers),
                )
            )
    columns = ["doc_id", "choice", "gold", "answer_bytes", "answer_chars", "with_prompt"]
    frame = pd.DataFrame(per_question, columns=columns)
    return frame.assign(
        loglik=scored.logliks,
        greedy=scored.greedy,
        answer_tokens=encoded.answers,
        prompt_tokens=encoded.prompts,
        truncated=encoded.truncated(limit),
    )
