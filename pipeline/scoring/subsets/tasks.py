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
    """Score of guessing a right answer, over all documents; NaN where a document has no two to choose from."""
    if any(len(q.answers) < 2 or not q.golds or not q.by_choice for q in task.questions) or not task.questions:
        return math.nan
    return sum(len(q.golds) / len(q.answers) for q in task.questions) / len(task.questions)
