"""Errors a user can act on: one line each, no traceback, exit code 2 for bad input and 1 for failed work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class BenchcastError(Exception):
    """Work that failed for a reason the message explains."""

    exit_code = 1


class InputError(BenchcastError):
    """The user's config, table or arguments are wrong; nothing was written."""

    exit_code = 2


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: where (file, row or config key), what, and what to do about it."""

    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.fix})" if self.fix else "")


class FaultsError(InputError):
    """Every fault of one input, reported together."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def first_line(error: BaseException) -> str:
    """An exception as one line that says what it is."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
