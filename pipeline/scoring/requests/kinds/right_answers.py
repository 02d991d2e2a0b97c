"""Which of given answers are right: as the task file says, or as a task's own metric shows that it counts.

A task that brings its own ``process_results`` may name one right answer and count several (TruthfulQA's second form
says 0 and counts all that its labels call true). So it is asked, without a model: what is the accuracy when one answer
is as good as certain? The answers for which it is above a half are the right ones. Where that tells none of them, or
all, what the task file says counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....core import reading
from ....core.errors import TaskError

CERTAIN, HOPELESS = -0.01, -500.0  # nats of an answer; divided by its length, too, the first is far above the second
ACCURACIES = ("acc", "acc_norm")


@dataclass(frozen=True, kw_only=True)
class RightAnswers:
    """Positions of the right answers, none where they cannot be told.

    ``by_choice`` says that a document is right where a right answer is the best, and not by a share of probability.
    """

    golds: tuple[int, ...]
    by_choice: bool = True


def right_answers(
    harness: Any, requests: Sequence[Any], target: Any, choices: Sequence[str], number: int
) -> RightAnswers:
    """The right ones among a document's ``choices``; ``target`` is what the task file says.

    Raises
    ------
    TaskError
        When the task file names an answer that is not there, and no metric of the task's own says otherwise.
    """
    stated = _stated(target, choices)
    counted = _counted(harness, requests, len(choices)) if callable(harness.config.process_results) else None
    if counted is not None:
        return counted
    if stated is None and callable(harness.config.process_results):
        return RightAnswers(golds=())
    if stated is None:
        raise TaskError(f"document {number}: gold {target!r:.100} is none of its {len(choices)} choices")
    return RightAnswers(golds=stated)


def _stated(target: Any, choices: Sequence[str]) -> tuple[int, ...] | None:
    """Positions by number or text, in the order of the target; None where one of them is no choice."""
    targets = target if isinstance(target, list) else [target]
    found = [choices.index(one) if isinstance(one, str) and one in choices else one for one in targets]
    if not found or any(
        isinstance(one, bool) or not isinstance(one, int) or not 0 <= one < len(choices) for one in found
    ):
        return None
    return tuple(dict.fromkeys(found))


def _counted(harness: Any, requests: Sequence[Any], count: int) -> RightAnswers | None:
    """What the task's own metric counts as right; None where it cannot be asked, or tells nothing."""
    scores = [
        _accuracy(harness, requests, [CERTAIN if j == i else HOPELESS for j in range(count)]) for i in range(count)
    ]
    alike = _accuracy(harness, requests, [CERTAIN] * count)
    if math.isnan(alike) or any(map(math.isnan, scores)):
        return None
    golds = tuple(i for i in range(count) if scores[i] > 0.5)
    return RightAnswers(golds=golds, by_choice=alike in (0.0, 1.0)) if 0 < len(golds) < count else None


def _accuracy(harness: Any, requests: Sequence[Any], logliks: Sequence[float]) -> float:
    """The accuracy of a document with these log-likelihoods, nats; NaN where there is none."""
    results = [(loglik, loglik == CERTAIN) for loglik in logliks]
    results += [(CERTAIN, False)] * (len(requests) - len(results))  # the answers without the prompt
    try:
        values = harness.process_results(requests[0].doc, results)
        value = next(values[metric] for metric in ACCURACIES if metric in values)
    except Exception:  # the code of a task file: anything can come, and will again when answers are there
        return math.nan
    return float(value) if isinstance(value, bool) else reading.number(float(value))
