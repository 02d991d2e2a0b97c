"""What a reader did with what it was given: read, taken, left out and why, and what a rule decided.

Every reader keeps one. The command line prints it on stderr, the result carries it in its provenance, so that nothing
is left out, and no rule decides, without a person being able to see it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from benchcast.stages.notices import Notice
from pydantic import BaseModel, ConfigDict, Field

from .notices import StoredNotice

SHOWN = 5
MOST_LINES = 20


class LeftOut(BaseModel):
    """Things of one kind that were left out for one reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(description="what they are and why they do not count")
    count: int
    examples: tuple[str, ...] = Field(default=(), description="the first few, by name")

    def __str__(self) -> str:
        more = f" and {self.count - len(self.examples)} more" if self.count > len(self.examples) else ""
        return f"left out {self.count}: {self.reason}" + (
            f": {', '.join(self.examples)}{more}" if self.examples else ""
        )


class AccountRecord(BaseModel):
    """An account as it goes into the result."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    read: dict[str, int] = Field(default={}, description="what was read: kind to count")
    taken: dict[str, int] = Field(default={}, description="what of it is in the table: kind to count")
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[StoredNotice, ...] = Field(default=(), description="what a rule decided, or two sources disagree on")

    def lines(self) -> tuple[str, ...]:
        """The account for people: what was left out and decided, then the sums."""
        first = self.told()
        sums = [f"{verb} {_counted(what)}" for verb, what in (("read", self.read), ("took", self.taken)) if what]
        return (*first, *(["; ".join(sums)] if sums else []))

    def decisions(self) -> tuple[str, ...]:
        """All that was left out and decided, a line each."""
        return (*map(str, self.left_out), *self.notes)

    def told(self) -> tuple[str, ...]:
        """Only what was left out and decided, the first lines and a count; the record itself has them all."""
        lines = self.decisions()
        more = len(lines) - MOST_LINES
        return lines if more <= 0 else (*lines[:MOST_LINES], f"and {more} more such lines (all are in --json)")


class Account:
    """Keeps count while a reader works; ``record()`` is what it says in the end."""

    def __init__(self) -> None:
        self._read: dict[str, int] = {}
        self._taken: dict[str, int] = {}
        self._left: dict[str, dict[str, None]] = {}
        self._more: dict[str, int] = {}  # left out by other readers, by reason, without their names
        self._notes: dict[Notice, None] = {}

    def read(self, kind: str, count: int = 1) -> None:
        """So many more things of a kind, such as ``result files``, were read."""
        self._read[kind] = self._read.get(kind, 0) + count

    def taken(self, kind: str, count: int) -> None:
        """So many things of a kind, such as ``rows``, are in the table."""
        self._taken[kind] = count

    def leave(self, reason: str, *names: str) -> None:
        """These were left out for this reason; the same name and reason count once."""
        self._left.setdefault(reason, {}).update(dict.fromkeys(names))

    def note(self, notice: Notice) -> None:
        """A rule decided something, or two statements of one fact do not agree."""
        self._notes[notice] = None

    def add(self, other: AccountRecord) -> None:
        """What another reader's account says, after this one's."""
        for kind, count in other.read.items():
            self.read(kind, count)
        for left in other.left_out:
            self.leave(left.reason, *left.examples)
            self._more[left.reason] = self._more.get(left.reason, 0) + left.count - len(left.examples)
        self._notes |= dict.fromkeys(other.notes)

    def record(self) -> AccountRecord:
        """The account as it stands."""
        left = tuple(
            LeftOut(reason=reason, count=len(names) + self._more.get(reason, 0), examples=tuple(islice(names, SHOWN)))
            for reason, names in self._left.items()
        )
        return AccountRecord(read=self._read, taken=self._taken, left_out=left, notes=tuple(self._notes))


def _counted(what: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in what.items())


def listed(names: Iterable[object], most: int = SHOWN) -> str:
    """``a, b, c and 4 more``: names in a message, bounded."""
    every = [str(name) for name in names]
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")
