"""A task with some of its documents."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace

from ..requests.kinds.base import Task


def cut(task: Task, documents: Sequence[int]) -> Task:
    """The task with some of its questions only, each put as among all of them: prompts are built before."""
    questions = tuple(task.questions[number] for number in documents)
    harness = copy.copy(task.harness)
    harness._instances = [request for question in questions for request in question.requests]  # what filters go over
    return replace(task, questions=questions, harness=harness)


def chance_of(task: Task) -> float:
    """Score of guessing one of the answers, over all documents; NaN where a document has no two to choose from."""
    answers = [len(question.answers) for question in task.questions]
    return sum(1 / n for n in answers) / len(answers) if min(answers, default=0) > 1 else math.nan
