"""Errors a user can act on: one line each, no traceback, exit code 2 for bad input and 1 for failed work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchcast.reports.text.wording import plain as plain


class BenchcastError(Exception):
    """Work that failed for a reason the message explains."""

    exit_code = 1


class InputError(BenchcastError):
    """The user's config, table or arguments are wrong; nothing was written."""

    exit_code = 2


MOST_FAULTS = 20
MOST_LETTERS = 1000


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: where (file, row or config key), what, and what to do about it."""

    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        line = plain(f"{self.where}: {self.what}" + (f" ({self.fix})" if self.fix else ""))
        return line if len(line) <= MOST_LETTERS else line[:MOST_LETTERS] + " …"


class FaultsError(InputError):
    """Every fault of one input, reported together: the first twenty, then a count; ``faults`` has them all."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        self.account: tuple[str, ...] = ()  # what the reader left out or decided before it stopped
        lines = [str(fault) for fault in self.faults[:MOST_FAULTS]]
        if more := len(self.faults) - len(lines):
            lines.append(f"and {more} more faults of the same input")
        super().__init__("\n".join(lines))


def first_line(error: BaseException) -> str:
    """An exception as one line that says what it is."""
    text = plain(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
