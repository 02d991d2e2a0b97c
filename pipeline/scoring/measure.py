"""From log-likelihoods to a cell: lm-eval's own results, the losses it lacks, and the values of every document.

Accuracies come from lm-eval's tasks and are the numbers ``lm_eval`` prints; the losses of the gold answer come from
``document_metrics``. Validation loss is what lm-eval's rolling log-likelihood gives: a text is cut into windows of
``max_length`` tokens that do not overlap, each predicted from the one token before it (BOS, or else EOS, before the
first); only the last, shorter window is given more context.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..data import document_metrics
from ..data.document_metrics import Document, Mean
from .inference.worker import JobResult
from .requests.encode import ValidationText, Windows
from .requests.encoded import Encoded
from .requests.tasks import Task

ACCURACIES = ("acc", "acc_norm")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A cell's content: rows of the ladder table, lm-eval's results (JSON-like), one table row per answer."""

    rows: list[dict[str, Any]]
    results: dict[str, Any]
    documents: pd.DataFrame


def of_task(task: Task, encoded: Encoded, scored: JobResult, limit: int) -> Measured:
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
    results = _lm_eval_results(task, raw)
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
    return Measured(rows=_rows(shared, means), results=results, documents=_answers(task, encoded, scored, limit))


def of_text(text: ValidationText, windows: Windows, scored: JobResult) -> Measured:
    """Loss on a text, nats per token and bits per byte; ``n`` is the number of windows."""
    lengths = windows.encoded.answers
    sizes = np.array([len(document.encode("utf-8")) for document in text.documents])
    tokens, total = int(lengths.sum()), int(sizes.sum())
    loss = -float(scored.logliks.sum()) / tokens
    # A ratio of sums over windows: its error is that of the residuals about the ratio.
    spread = document_metrics.mean(list((-scored.logliks - loss * lengths) / lengths.mean())).stderr
    per_byte = tokens / total / math.log(2)
    means = {"val_loss": Mean(loss, spread), "val_bpb": Mean(loss * per_byte, spread * per_byte)}
    shared = {"task": text.name, "n": len(lengths), "task_version": text.digest[:12]}
    first = np.concatenate([[True], np.diff(windows.documents) > 0])
    frame = pd.DataFrame(
        {
            "doc_id": windows.documents,
            "loglik": scored.logliks,
            "greedy": scored.greedy,
            "answer_tokens": lengths,
            "prompt_tokens": windows.encoded.prompts,
            "document_bytes": np.where(
                first, sizes[windows.documents], 0
            ),  # of the whole document, at its first window
        }
    )
    values = {f"{name},none": mean.value for name, mean in means.items()}
    results = {"results": {text.name: {"alias": text.name, "sample_len": len(text.documents), **values}}}
    return Measured(rows=_rows(shared, means), results=results, documents=frame)


def _rows(shared: dict[str, Any], means: dict[str, Mean]) -> list[dict[str, Any]]:
    return [{**shared, "metric": name, "value": mean.value, "stderr": mean.stderr} for name, mean in means.items()]


def _lm_eval_results(task: Task, raw: dict[tuple[str, str], list[Any]]) -> dict[str, Any]:
    """What ``lm_eval.evaluate`` returns for this task, made by the same function, as JSON."""
    from lm_eval.api.metrics import mean
    from lm_eval.evaluator_utils import _process_results
    from lm_eval.utils import handle_non_serializable

    # No bootstrap: the error of a mean has a closed form, filled in below; other metrics get none.
    collected = {task.name: {"task": task.harness, "raw_metrics": raw, "logged_samples": []}}
    results = _process_results(collected, {}, bootstrap_iters=0)._to_eval_results()
    aggregation = task.harness.aggregation()
    for metric, filtered in raw:
        if aggregation.get(metric) is mean and len(raw[metric, filtered]) > 1:
            error = document_metrics.mean(raw[metric, filtered]).stderr
            results["results"][task.name][f"{metric}_stderr,{filtered}"] = error
    plain: dict[str, Any] = json.loads(json.dumps(results, default=handle_non_serializable))
    return plain


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


def finite(scored: JobResult, which: slice) -> str:
    """What is wrong with a cell's log-likelihoods, or empty."""
    bad = int(np.count_nonzero(~np.isfinite(scored.logliks[which])))
    return f"{bad} of {which.stop - which.start} log-likelihoods are not finite" if bad else ""


def part(scored: JobResult, which: slice) -> JobResult:
    """The answers to some of the requests."""
    return JobResult(logliks=scored.logliks[which], greedy=scored.greedy[which], how=scored.how)
