"""How much one run may score, and in which order."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .checkpoints.discover import Checkpoint


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one run may do: at most so many checkpoints, none begun ``until`` (on ``time.monotonic``'s clock).

    What is left is for the next run. With ``newest_first`` the checkpoints whose files were written last come first.
    """

    checkpoints: int | None = None
    until: float | None = None
    newest_first: bool = False

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self.until is not None and time.monotonic() >= self.until


def chosen(lacking: list[Checkpoint], limits: Limits) -> tuple[list[Checkpoint], list[Checkpoint]]:
    """As many of them as the limits allow, in the order in which to score them, and the rest."""
    if limits.newest_first:
        lacking = sorted(lacking, key=_written, reverse=True)
    return lacking[: limits.checkpoints], lacking[len(lacking[: limits.checkpoints]) :]


def _written(checkpoint: Checkpoint) -> float:
    """When the weights were written last, seconds since 1970; 0 when they are gone."""
    try:
        return max((path.stat().st_mtime for path in checkpoint.files.weights), default=0.0)
    except OSError:
        return 0.0
