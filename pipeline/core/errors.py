"""Everything that can go wrong and be said in one line: the tree of errors, with the exit codes of the command line.

::

    BenchcastError                  1   work that failed for a reason the message explains
    ├── InputError                  2   the config, the data or the arguments are wrong; nothing was written
    │   └── FaultsError             2   every fault of one input, reported together
    │       └── NothingMeantError   2   an entry of ``score.checkpoints`` means nothing that is here
    ├── LaterError                 75   nothing is wrong, but nothing can be done now (nightly)
    ├── NotToldError                1   a channel did not take an alert (nightly; told in the log, the pass goes on)
    ├── WorkerLostError             1   a scoring worker died before it answered (tried again, then recorded)
    ├── BrokenError                 1   a stored cell is not what was written (scored again)
    ├── TaskError                   1   a task cannot be asked (recorded, the other tasks go on)
    └── CheckpointError             1   a checkpoint cannot be scored (recorded, the other checkpoints go on)
        ├── NotHereError                a model's revision is not on this machine
        │   └── NotWholeError           it is, and lacks files
        ├── NotTrainedError             it has seen no tokens: it is left out
        └── ChangedError                it changed while it was scored: it is scored again
    ValueError
    └── UnreadableError                 a file cannot be read; its reader makes a fault of it, with the file's name
        └── ContradictionError          two parts of it cannot both be right

Two kinds of errors belong to the ground that this package's other wings stand on, which imports nothing of it:
``stages.fit.errors.FitError`` (a ``ValueError``: data that no law can be fitted to) and
``reports.documents.forecast.ReportError`` (a document that could not be typeset; the command line makes a
``BenchcastError`` of it). Any other exception is a mistake in Benchcast: exit code 1, and ``--debug`` shows where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchcast.reports.text.wording import plain as plain

MOST_FAULTS = 20  # that are printed; ``faults`` has them all
MOST_LETTERS = 1000  # of a fault's line, so that one of many columns cannot fill the screen
LATER = 75  # EX_TEMPFAIL of sysexits.h: whoever started the command may try again


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


class NothingMeantError(FaultsError):
    """An entry of ``score.checkpoints`` that means nothing that is here."""


def first_line(error: BaseException) -> str:
    """An exception as one line that says what it is."""
    text = plain(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


class LaterError(BenchcastError):
    """Nothing is wrong, but nothing can be done now: another pass is at work, or there is nothing to forecast from."""

    exit_code = LATER


class NotToldError(BenchcastError):
    """A channel did not take a message; it is tried again in the next pass."""


class WorkerLostError(BenchcastError):
    """A worker died before it answered: killed, out of memory, or its machine went away."""


class BrokenError(BenchcastError):
    """A cell, or a record of a failure, that is not what was written; the message names its file."""


class TaskError(BenchcastError):
    """A task that cannot be asked, or not of this checkpoint; the others go on."""


class CheckpointError(BenchcastError):
    """One checkpoint, or one task on it, that cannot be scored; the others go on."""


class NotHereError(CheckpointError):
    """A revision of a model that is not on this machine."""


class NotWholeError(NotHereError):
    """A revision of a model that lacks files."""


class NotTrainedError(CheckpointError):
    """A checkpoint before the first step, which has no place on a ladder; it is left out."""


class ChangedError(CheckpointError):
    """The checkpoint is no longer the one that was hashed."""


class UnreadableError(ValueError):
    """A file that cannot be read; the message says why, in one line without the file's name."""


class ContradictionError(UnreadableError):
    """Samples and results, or two parts of a sample, that cannot both be right; the message says what."""
