"""A pass says nothing but what it has to: what libraries print goes to a file, what it did to a log."""

from __future__ import annotations

import logging
import logging.handlers
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

from ..core.errors import plain
from ..core.redact import redacted
from ..scoring.progress import Progress

LOG_BYTES, LOG_FILES = 1 << 20, 5  # of one file of the log, and how many are kept
OUTPUT_BYTES = 1 << 20  # of output.log; a fuller one is begun anew by the next pass


class PassLogger(Progress):
    """Speaks for a pass: ``note`` to the log (and stdout when verbose), ``say`` to stderr and the log; no secrets."""

    def __init__(self, logger: logging.Logger, out: int, err: int, *, verbose: bool) -> None:
        self._logger, self._out, self._err, self._verbose = logger, out, err, verbose
        self._secrets: list[str] = []

    def hide(self, secrets: Iterable[str]) -> None:
        """Never say these."""
        self._secrets.extend(secrets)

    def _clean(self, text: str) -> str:
        """Without secrets, and without what would move a terminal's cursor."""
        return "\n".join(map(plain, redacted(text, self._secrets).split("\n")))

    def log(self, text: str) -> None:
        """Only for the log."""
        text = self._clean(text)
        self._logger.info("%s", text)

    def note(self, text: str) -> None:
        """Worth remembering."""
        text = self._clean(text)
        self._logger.info("%s", text)
        if self._verbose:
            _write(self._out, text)

    def say(self, text: str) -> None:
        """Worth telling."""
        text = self._clean(text)
        self._logger.warning("%s", text)
        _write(self._err, text)

    def line(self, text: str) -> None:
        """See ``Progress``."""
        self.note(text)

    def done(self, source: str, cells: int, seconds: float) -> None:
        """See ``Progress``."""
        self.note(f"{source}: {cells} cells in {seconds:.1f} s")


@contextmanager
def pass_logger(folder: Path, *, verbose: bool) -> Iterator[PassLogger]:
    """Turn the process's stdout and stderr, and those of its children, into ``output.log`` meanwhile."""
    logger = logging.getLogger(__package__)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logging.raiseExceptions = False  # a full disk is told by what must be written
    handler = _Log(
        folder / "reevaluate.log",
        maxBytes=LOG_BYTES,
        backupCount=LOG_FILES - 1,
        encoding="utf-8",
        errors="backslashreplace",
        delay=True,
    )
    handler.setFormatter(logging.Formatter(f"%(asctime)s {os.getpid()} %(levelname)s %(message)s"))
    logger.addHandler(handler)
    _flush()
    out, err = os.dup(1), os.dup(2)
    try:
        with suppress(OSError):
            sink = _sink(folder / "output.log", OUTPUT_BYTES)
            os.dup2(sink, 1)
            os.dup2(sink, 2)
            os.close(sink)
        yield PassLogger(logger, out, err, verbose=verbose)
    finally:
        _flush()
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(out)
        os.close(err)
        logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()


class _Log(logging.handlers.RotatingFileHandler):
    """A log that its owner alone can read: what a program says when it fails is not known before."""

    def _open(self) -> TextIOWrapper:
        return os.fdopen(_sink(Path(self.baseFilename)), "a", encoding=self.encoding, errors=self.errors)


def _sink(path: Path, most: int | None = None) -> int:
    """A file of one's own to append to; begun anew over ``most`` bytes. A FIFO that nobody reads is an error."""
    full = most is not None and path.exists() and path.stat().st_size > most
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | (os.O_TRUNC if full else 0)
    handle = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        with suppress(OSError):  # another's, that may be written
            os.fchmod(handle, 0o600)
    return handle


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()


def _write(handle: int, text: str) -> None:
    with suppress(OSError):  # nobody listens any more
        os.write(handle, (text + "\n").encode("utf-8", "replace"))
