"""What can be asked of a checkpoint, one file for each kind; a new kind of task is entered in ``TASK_KINDS``."""

from __future__ import annotations

from ....core.errors import TaskError
from .base import TaskKind
from .choices import Choices
from .generation import Generation
from .rolling import Rolling

TASK_KINDS: tuple[TaskKind, ...] = (Choices(), Generation(), Rolling())
BY_OUTPUT_TYPE = {output_type: kind for kind in TASK_KINDS for output_type in kind.output_types}


def kind_of(output_type: str) -> TaskKind:
    """The kind of lm-eval's tasks of an output type.

    Raises
    ------
    TaskError
        When such tasks are not scored.
    """
    if output_type not in BY_OUTPUT_TYPE:
        known = " and ".join((", ".join(list(BY_OUTPUT_TYPE)[:-1]), list(BY_OUTPUT_TYPE)[-1]))
        raise TaskError(f"is of type {output_type}; only {known} tasks are scored")
    return BY_OUTPUT_TYPE[output_type]
