"""Programs of the system that start the pass (crontab, systemctl): run them, and take back what failed half way."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ...core import files as store
from ...core import reading
from ...core.errors import BenchcastError, UnreadableError

SECONDS = 60  # that a program of the system may take


def run(command: Sequence[str], text: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run it; ``text`` is its standard input.

    Raises
    ------
    BenchcastError
        When it is not there, cannot be run, or does not end.
    """
    try:
        return subprocess.run(command, input=text, capture_output=True, timeout=SECONDS, check=False)
    except FileNotFoundError:
        raise BenchcastError(f"{command[0]}: is not installed here") from None
    except OSError as error:
        raise BenchcastError(f"{command[0]}: cannot be run ({error.strerror or error})") from None
    except subprocess.TimeoutExpired:
        raise BenchcastError(f"{command[0]}: did not answer within {SECONDS} s") from None


def says(done: subprocess.CompletedProcess[bytes]) -> str:
    """What it says of its failure, on one line."""
    return " ".join(done.stderr.decode(errors="replace").split()) or f"ended with {done.returncode}"


class Undo:
    """What to put back when a later step fails, last first."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def step(self, back: Callable[[], object]) -> None:
        """Something that takes a step back; it may fail, and the others are taken all the same."""
        self._steps.append(back)

    def file(self, path: Path) -> None:
        """Put a file that is about to be written back as it is now; where there is none, with its folders.

        Raises
        ------
        BenchcastError
            When the file is there and cannot be read.
        """
        absent = [parent for parent in path.parents if not parent.exists()]
        try:
            content = reading.data(path, reading.MOST_CONFIG) if path.exists() else None
        except UnreadableError as what:
            raise BenchcastError(f"{path}: cannot be read: {what}") from None

        def back() -> None:
            if content is not None:
                store.write_bytes(content, path)
                return
            path.unlink(missing_ok=True)
            for folder in absent:
                folder.rmdir()

        self.step(back)

    def all(self) -> None:
        """Take every step back."""
        for back in reversed(self._steps):
            with contextlib.suppress(OSError, BenchcastError):
                back()


@contextlib.contextmanager
def all_or_nothing() -> Iterator[Undo]:
    """Whatever ends it before its end, an interrupt too, leaves everything as it was."""
    undo = Undo()
    try:
        yield undo
    except BaseException:
        undo.all()
        raise
