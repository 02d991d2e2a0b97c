"""From answers to a cell: lm-eval's own results, the losses it lacks, and the values of every document.

One file for each kind of requests (``requests/kinds``); a new kind is entered in ``MEASURES`` under its name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..inference.worker import JobResult
from .base import Measured, finite, joined, part
from .choices import of_task
from .estimates import estimated
from .generation import of_generation
from .rolling import of_rolling
from .texts import of_text

__all__ = ["Measured", "finite", "joined", "of", "part"]
MEASURES: dict[str, Callable[[Any, Any, JobResult, int], Measured]] = {
    "choices": of_task,
    "generation": of_generation,
    "rolling": of_rolling,
    "texts": of_text,
}


def of(what: Any, asked: Any, scored: JobResult, limit: int) -> Measured:
    """A cell's content from the answers to a task or text: ``asked`` is its part, ``limit`` the context in tokens."""
    measured = MEASURES[what.kind.name](what, asked, scored, limit)
    chosen = getattr(what, "chosen", None)  # texts are asked whole
    return measured if chosen is None else estimated(chosen, measured)
