"""What every measure gives, and what they share: rows of the ladder table and lm-eval's own results."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ...core.errors import TaskError
from ...data import document_metrics
from ...data.document_metrics import Mean
from ..inference.worker import JobResult
from ..requests.kinds.base import Part, Task
from ..store.partial import AnsweredPiece

# Where a function of a task file stood in memory, which lm-eval's copy of the task's configuration names.
ADDRESS = re.compile(r"(?<=\w) at 0x[0-9a-f]+(?=>)")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A cell's content: rows of the ladder table, lm-eval's results (JSON-like), one table row per answer.

    ``aside`` is what has no row: why, and which of the task's metrics or how many of its documents.
    """

    rows: list[dict[str, Any]]
    results: dict[str, Any]
    documents: pd.DataFrame
    aside: dict[str, str] = field(default_factory=dict)


def rows(shared: dict[str, Any], means: dict[str, Mean]) -> list[dict[str, Any]]:
    """Rows of the table, one per metric, with what they share."""
    return [{**shared, "metric": name, "value": mean.value, "stderr": mean.stderr} for name, mean in means.items()]


def lm_eval_results(task: Task, raw: dict[tuple[str, str], list[Any]]) -> dict[str, Any]:
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
    content = json.dumps(results, default=handle_non_serializable)
    plain: dict[str, Any] = json.loads(ADDRESS.sub("", content))
    return plain


def finite(scored: JobResult, which: slice) -> str:
    """What is wrong with a cell's log-likelihoods, or empty."""
    bad = int(np.count_nonzero(~np.isfinite(scored.logliks[which])))
    return f"{bad} of {which.stop - which.start} log-likelihoods are not finite" if bad else ""


def joined(whole: Part, answered: Sequence[AnsweredPiece | None]) -> JobResult:
    """The answers to a part from those to its pieces.

    Raises
    ------
    TaskError
        When the answers to a piece are gone.
    """
    total = sum(len(piece.requests) for piece in whole.pieces)
    texts, logliks = [""] * total, np.zeros(len(whole.encoded))
    greedy, how = np.zeros(len(whole.encoded), dtype=bool), dict[str, Any]()
    for piece, answers in zip(whole.pieces, answered, strict=True):
        if answers is None or len(answers.texts) != len(piece.requests) or len(answers.logliks) != len(piece.golds):
            raise TaskError("answers that were kept are gone; run it again with --retry-failed")
        for position, text in zip(piece.requests, answers.texts, strict=True):
            texts[position] = text
        which = np.array(piece.golds, dtype=np.int64)
        logliks[which], greedy[which] = answers.logliks, answers.greedy
        how |= answers.how
    return JobResult(logliks=logliks, greedy=greedy, how=how, texts=tuple(texts))


def part(scored: JobResult, which: slice) -> JobResult:
    """The answers to some of the requests."""
    return replace(scored, logliks=scored.logliks[which], greedy=scored.greedy[which])
