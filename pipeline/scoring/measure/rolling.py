"""Losses of texts that are tasks: lm-eval's perplexities in ``results.json``, and their losses in the table.

``val_bpb`` is lm-eval's ``bits_per_byte``, over the bytes that the task counts (wikitext's are those of the page before
it is cleaned); ``val_loss`` is nats per token of the text that was asked. Both are sums over documents divided by sums.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd

from ...data import document_metrics
from ..inference.worker import JobResult
from ..requests.kinds.base import Task
from ..requests.kinds.rolling import text_of
from ..requests.kinds.texts import Windows
from .base import Measured, lm_eval_results, rows

BY_BYTES = ("bits_per_byte", "byte_perplexity")  # metrics of lm-eval that pair a log-likelihood with its bytes
ONLY_RESULTS = "metrics of texts that are not losses of the table: only in results.json"


def of_rolling(task: Task, part: Windows, scored: JobResult, limit: int) -> Measured:
    """A cell's content from the windows' log-likelihoods; ``n`` is the number of documents."""
    total = len(task.questions)
    logliks = np.bincount(part.documents, weights=scored.logliks, minlength=total)
    tokens = np.bincount(part.documents, weights=part.encoded.answers, minlength=total)
    raw: dict[tuple[str, str], list[Any]] = defaultdict(list)
    sizes = np.zeros(total)
    for number, question in enumerate(task.questions):
        values = task.harness.process_results(question.doc, [float(logliks[number])])
        sizes[number] = _bytes(values, text_of(question))
        for metric, value in values.items():
            raw[metric, "none"].append(value)
    means = {
        "val_loss": document_metrics.ratio(-logliks, tokens),
        "val_bpb": document_metrics.ratio(-logliks / math.log(2), sizes),
    }
    shared = {"task": task.name, "num_fewshot": task.num_fewshot, "n": total, "task_version": task.version}
    others = [metric for metric, _ in raw if metric != "bits_per_byte"]
    return Measured(
        rows=rows(shared, means),
        results=lm_eval_results(task, raw),
        documents=windows_frame(part, scored, sizes.astype(np.int64)),
        aside={ONLY_RESULTS: ", ".join(others)} if others else {},
    )


def windows_frame(part: Windows, scored: JobResult, sizes: Any) -> pd.DataFrame:
    """One row per window; ``document_bytes`` are of the whole document, at its first window."""
    first = np.concatenate([[True], np.diff(part.documents) > 0])
    return pd.DataFrame(
        {
            "doc_id": part.documents,
            "loglik": scored.logliks,
            "greedy": scored.greedy,
            "answer_tokens": part.encoded.answers,
            "prompt_tokens": part.encoded.prompts,
            "document_bytes": np.where(first, sizes[part.documents], 0),
        }
    )


def _bytes(values: dict[str, Any], text: str) -> int:
    """How many bytes a document counts for: as its metrics say, else those of its text."""
    for metric in BY_BYTES:
        pair = values.get(metric)
        if isinstance(pair, tuple | list) and len(pair) == 2:
            return int(pair[1])
    return len(text.encode("utf-8"))
