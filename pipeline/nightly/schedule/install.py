"""Having the pass run by itself: a marked line in the user's crontab, or a user timer of systemd.

Both start a small script in the folder of the pass, readable by its owner only, which has the paths and the environment
of the day it was installed: cron starts its children with next to none. An install that fails leaves nothing behind.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path
from typing import Protocol

from ...core.errors import BenchcastError, InputError
from . import cron, script
from .programs import all_or_nothing, run, says
from .systemd import Timer

MARK = "# benchcast: "


class Scheduler(Protocol):
    """Somewhere that starts the pass; every method returns lines to print."""

    def install(self, at: str) -> list[str]:
        """Have it start at these times; all of it, or nothing is changed."""

    def remove(self) -> list[str]:
        """Undo that."""

    def show(self) -> list[str]:
        """What is installed; empty if nothing is."""


def scheduler_for(config: Path, *, systemd: bool) -> Scheduler:
    """The place for a config's pass.

    Raises
    ------
    InputError
        When its path cannot stand in a crontab.
    """
    path = config.resolve()
    if any(ord(c) < 32 for c in str(path)):
        raise InputError(f"{path!r}: a path with control characters cannot stand in a crontab; rename it")
    return SystemdTimer(path) if systemd else Crontab(path)


class Crontab:
    """The user's crontab; every line but our own is kept byte for byte."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._mark = MARK.encode() + os.fsencode(config)

    def install(self, at: str) -> list[str]:
        """See ``Scheduler``."""
        times = cron.cron(at)
        kept = self._others(before := _crontab())
        with all_or_nothing() as undo:
            path, lines = script.write(self._config, undo)
            line = self._line(times, f"/bin/sh {shlex.quote(str(path))}")
            _write_crontab(kept + line + b"\n", before)
        return [line.decode(errors="replace"), *lines]

    def line(self, at: str, command: str) -> str:
        """A line to paste, that is known as our own later."""
        return self._line(cron.cron(at), command).decode(errors="replace")

    def _line(self, times: str, command: str) -> bytes:
        # In a crontab a % ends the command, quoted or not, unless a backslash is before it.
        escaped = command.replace("%", r"\%")
        return os.fsencode(f"{times} {escaped} ") + self._mark.replace(b"%", rb"\%")

    def remove(self) -> list[str]:
        """See ``Scheduler``."""
        before = _crontab()
        ours = self._own(before)
        lines = [f"removed: {line.decode(errors='replace')}" for line in ours]
        if ours:
            _write_crontab(self._others(before), before)
        paths = dict.fromkeys([*filter(None, map(script_of, ours)), *script.places_of(self._config)])
        if not Timer(self._config).show():  # it starts the same script
            lines += [line for path in paths for line in script.delete(path)]
        return lines if ours else [f"{self._config}: is not in the crontab", *lines]

    def show(self) -> list[str]:
        """See ``Scheduler``."""
        return [line.decode(errors="replace") for line in self.lines()]

    def lines(self) -> list[bytes]:
        """Our own lines as they stand there.

        Raises
        ------
        BenchcastError
            When there is no crontab here, or it cannot be read.
        """
        return self._own(_crontab())

    def _own(self, text: bytes) -> list[bytes]:
        return [line for line in text.split(b"\n") if self._is_own(line)]

    def _is_own(self, line: bytes) -> bool:
        return line.rstrip().endswith(b" " + self._mark.replace(b"%", rb"\%")) and not line.lstrip().startswith(b"#")

    def _others(self, text: bytes) -> bytes:
        kept = [line for line in text.removesuffix(b"\n").split(b"\n") if not self._is_own(line)] if text else []
        return b"".join(line + b"\n" for line in kept)


class SystemdTimer(Timer):
    """A timer of systemd, that leaves the script to a crontab that starts it too."""

    def remove(self) -> list[str]:
        """See ``Scheduler``."""
        had = bool(self.show())
        lines = super().remove()
        if had and not _in_crontab(self._config):
            lines += [line for path in script.places_of(self._config) for line in script.delete(path)]
        return lines


def words_of(line: bytes) -> list[str]:
    """The words of a crontab line's command; none where no shell could read it."""
    try:
        return shlex.split(os.fsdecode(line).replace(r"\%", "%"), comments=True)
    except ValueError:
        return []


def script_of(line: bytes) -> Path | None:
    """The script that a line of ours starts; None for a line that was pasted, which starts the pass itself."""
    words = words_of(line)
    return Path(words[words.index("/bin/sh") + 1]) if "/bin/sh" in words[:-1] else None


def _crontab() -> bytes:
    done = run(["crontab", "-l"])
    if done.returncode == 0:
        return done.stdout
    if b"no crontab for" in done.stderr:
        return b""
    raise BenchcastError(f"crontab -l: {says(done)}")


def _put(text: bytes) -> str:
    """Write the crontab; why it could not be written, or empty."""
    try:
        done = run(["crontab", "-"], text) if text else run(["crontab", "-r"])
        if done.returncode != 0:
            return says(done)
        return "" if _crontab() == text else "did not keep what it was given"
    except BenchcastError as error:
        return str(error)


def _write_crontab(text: bytes, before: bytes) -> None:
    try:
        why = _put(text)
    except BaseException:  # an interrupt
        _put_back(before)
        raise
    if why:
        _put_back(before)
        raise BenchcastError(f"crontab: {why}; your crontab is as it was")


def _put_back(before: bytes) -> None:
    """Make the crontab what it was; where even that fails, what it was is kept in a file."""
    try:
        if _crontab() == before:
            return
        why = _put(before)
    except BenchcastError as error:
        why = str(error)
    if why:
        with tempfile.NamedTemporaryFile("wb", prefix="crontab-", delete=False) as kept:
            kept.write(before)
        raise BenchcastError(f"crontab: {why}; it could not be put back: run crontab {kept.name}, which has its lines")


def _in_crontab(config: Path) -> bool:
    try:
        return bool(Crontab(config).show())
    except BenchcastError:  # no crontab here
        return False
