"""Scores of given answers by lm-eval's own rules, and the losses of the gold answers.

Scores come from lm-eval's tasks and are the numbers ``lm_eval`` prints; the losses of the gold answers come from
``document_metrics``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ...core.metrics import is_share
from ...data import chance, document_metrics
from ...data.document_metrics import Document, Mean
from ...data.documents.choices import RIGHT
from ..inference.worker import JobResult
from ..requests.encoded import Encoded
from ..requests.kinds.base import Part, Question, Task
from .base import Measured, lm_eval_results, rows

NO_GOLDS = "documents without a loss: the task's own metric does not tell which answers are right"
NO_SHARE = "metrics that are not shares of the documents: only in results.json"


def of_task(task: Task, part: Part, scored: JobResult, limit: int) -> Measured:
    """Scores by lm-eval's own rules, and the losses of the gold answers where these are known."""
    answers = list(zip(scored.logliks.tolist(), scored.greedy.tolist(), strict=True))
    raw: dict[tuple[str, str], list[Any]] = defaultdict(list)
    documents: list[Document] = []
    position = 0
    for question in task.questions:
        of_question = answers[position : position + len(question.requests)]
        position += len(question.requests)
        if question.golds:
            documents.append(_document(question, [loglik for loglik, _ in of_question[: len(question.answers)]]))
        for metric, value in task.harness.process_results(question.doc, of_question).items():
            raw[metric, "none"].append(value)
    results = lm_eval_results(task, raw)
    unknown = len(task.questions) - len(documents)
    means = {} if unknown else document_metrics.losses(documents)
    others = []
    for metric, _ in raw:
        value, error = (results["results"][task.name].get(f"{metric}{what},none") for what in ("", "_stderr"))
        if is_share(metric) and isinstance(value, int | float) and 0 <= value <= 1:
            means[metric] = Mean(float(value), error if isinstance(error, float) else math.nan)
        else:
            others.append(metric)
    shared = {
        "task": task.name,
        "num_fewshot": task.num_fewshot,
        "n": len(task.questions),
        "task_version": task.version,
    }
    by_choice = not unknown and all(question.by_choice for question in task.questions)
    level = document_metrics.chance(documents) if by_choice else math.nan
    known = {metric: level if metric in chance.BY_CHOICE or not is_share(metric) else math.nan for metric in means}
    aside = {NO_SHARE: ", ".join(others)} if others else {}
    aside |= {NO_GOLDS: f"{unknown} of {len(task.questions)} documents"} if unknown else {}
    return Measured(
        rows=[row | {"chance": known[row["metric"]]} for row in rows(shared, means)],
        results=results,
        documents=_answers(task, part.encoded, scored, limit),
        aside=aside,
    )


def _document(question: Question, logliks: Sequence[float]) -> Document:
    return Document(
        logliks=tuple(logliks),
        gold=question.gold,
        gold_bytes=question.answer_bytes[question.gold],
        more_golds=tuple((gold, question.answer_bytes[gold]) for gold in question.more_golds),
    )


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
    if any(question.more_golds for question in task.questions):
        pairs = zip(frame["doc_id"], frame["choice"], strict=True)
        frame[RIGHT] = [choice in task.questions[number].golds for number, choice in pairs]
    return frame.assign(
        loglik=scored.logliks,
        greedy=scored.greedy,
        answer_tokens=encoded.answers,
        prompt_tokens=encoded.prompts,
        truncated=encoded.truncated(limit),
    )
