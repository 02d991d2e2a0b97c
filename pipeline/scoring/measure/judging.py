"""What a task makes of the texts that were written: its filters and metrics, in the order of lm-eval's evaluator."""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..requests.kinds.base import Task

Values = dict[str, Any]  # metric to its value of one document, as the task's aggregation takes it


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Filter to what it took out of every request's texts, and to the values of every document's metrics."""

    filtered: dict[str, list[Any]]
    values: dict[str, list[Values]]
    lost: int = 0  # documents whose metrics could not be computed within the limits: nothing of them is right

    @property
    def raw(self) -> dict[tuple[str, str], list[Any]]:
        """(metric, filter) to its values, as lm-eval's evaluator collects them."""
        found: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for name, documents in self.values.items():
            for document in documents:
                for metric, value in document.items():
                    found[metric, name].append(value)
        return found


def judge(task: Task, texts: Sequence[Sequence[str]], process: Callable[[Any, list[Any]], Values]) -> Judged:
    """Judge the texts: one sequence for every request of the task, in order, as many as it is repeated.

    ``process`` is ``task.harness.process_results``, or what runs it elsewhere.
    """
    for request, written in zip(task.requests, texts, strict=True):
        request.resps, request.filtered_resps = list(written), {}
    task.harness.apply_filters()
    names = list(task.requests[0].filtered_resps)
    values: dict[str, list[Values]] = {}
    for name in names:
        # A task's own code may change the document it is given.
        values[name] = [
            process(copy.deepcopy(question.doc), [request.filtered_resps[name] for request in question.requests])
            for question in task.questions
        ]
    filtered = {name: [request.filtered_resps[name] for request in task.requests] for name in names}
    for request in task.requests:
        request.resps, request.filtered_resps = [], {}
    return Judged(filtered=filtered, values=values)


def shown(filtered: Any, repeat: int, repeats: int) -> str:
    """What a filter took out of one of the repeated texts of a request."""
    if isinstance(filtered, list | tuple) and len(filtered) == repeats:
        filtered = filtered[repeat]
    return filtered if isinstance(filtered, str) else json.dumps(filtered, default=str, ensure_ascii=False)
