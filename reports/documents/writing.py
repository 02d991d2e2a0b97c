"""Writing files: whole or not at all, through what the path already is, with the permissions it already has.

What a path is decides how it is written:

- nothing, or a regular file: a new file beside it takes its place in one step. The new one has the permissions and,
  where allowed, the owner of the old one; a file that was not there gets what the umask leaves.
- a link: it stays, and what it points at is written as above.
- a FIFO, a terminal, another character device, or an open file of a process (``/dev/stdout``, ``/proc/self/fd/1``,
  ``>(command)`` of a shell): it is opened and written, never replaced.
- a folder, a disk, a socket: an error.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

Fill = Callable[[BinaryIO], object]
LINKS = 40  # as many as Linux follows
READER = 10.0  # seconds that somebody may take to open the other end of a FIFO
LETTERS = 20  # of a file's name in that of the new file beside it: the name may be as long as a name can be


@dataclass(frozen=True, kw_only=True)
class Destination:
    """What a path leads to: a regular file (or none yet) at ``path``, or something to be opened and written."""

    path: Path
    status: os.stat_result | None = None
    opened: bool = False  # is written as it is, not replaced
    handle: int | None = None  # of this process


def place(path: Path) -> Destination:
    """Where writing to a path goes.

    Raises
    ------
    OSError
        When nothing can be written there: a folder, a disk, a socket, links that lead nowhere or in a circle.
    """
    at = Path(path)
    for _ in range(LINKS):
        handle = _own_handle(at)
        if handle is not None:
            return Destination(path=at, opened=True, handle=handle)
        try:
            at_path = at.lstat()
        except FileNotFoundError:
            return Destination(path=at)
        if not stat.S_ISLNK(at_path.st_mode):
            return _existing(at, at_path)
        if _of_process(at):  # the link's text is not a path: it names a pipe, or a file that may be deleted
            return Destination(path=at, status=at.stat(), opened=True)
        at = at.parent / at.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _existing(at: Path, status: os.stat_result) -> Destination:
    kind = status.st_mode
    if stat.S_ISDIR(kind):
        raise OSError(errno.EISDIR, "is a folder; name a file")
    if stat.S_ISBLK(kind) or stat.S_ISSOCK(kind):
        raise OSError(errno.EINVAL, "is a disk; name a file" if stat.S_ISBLK(kind) else "is a socket; name a file")
    if stat.S_ISREG(kind) and not os.access(at, os.W_OK):
        raise OSError(errno.EACCES, "is write-protected; change its permissions, or name another file")
    return Destination(path=at, status=status, opened=not stat.S_ISREG(kind))


def _of_process(path: Path) -> bool:
    """Whether it is one of the open files that Linux shows of a process."""
    parent = os.path.realpath(path.parent)
    return parent.startswith("/proc/") and parent.endswith("/fd") and path.name.isdecimal()


def _own_handle(path: Path) -> int | None:
    """The number of an open file of this process; None for any other path."""
    if not path.name.isdecimal():
        return None
    parent = os.path.realpath(path.parent)
    folders = rf"/proc/{os.getpid()}(/task/\d+)?/fd|{re.escape(os.path.realpath('/dev/fd'))}"
    return int(path.name) if re.fullmatch(folders, parent) else None


def write(path: Path, fill: Fill, mode: int | None = None, durable: bool = False) -> None:
    """Write one file; see ``write_all``. ``fill`` is given the open file."""
    _write([(Path(path), fill)], mode, durable)


def write_all(files: Mapping[Path, bytes], mode: int | None = None, durable: bool = True) -> None:
    """Write all files beside their places, then move them there; a failure before that changes nothing.

    Parameters
    ----------
    mode : int, optional
        Permissions, such as 0o600 for a secret; by default those of the file that is there, or what the umask leaves.
    durable : bool
        Return only when the disk has the content and the name: power may fail then.

    Raises
    ------
    OSError
        When a place cannot be written; what was there is untouched.
    """
    _write([(Path(path), _filling(data)) for path, data in files.items()], mode, durable)


def _filling(data: bytes) -> Fill:
    return lambda file: file.write(data)


def _write(files: list[tuple[Path, Fill]], mode: int | None, durable: bool) -> None:
    places = [(place(path), fill) for path, fill in files]
    with contextlib.ExitStack() as stack:
        staged = [
            (stack.enter_context(_staged(where, fill, mode, durable)), where.path)
            for where, fill in places
            if not where.opened
        ]
        for part, target in staged:
            os.replace(part, target)
    if durable:
        for folder in {where.path.parent for where, _ in places if not where.opened}:
            sync_folder(folder)
    for where, fill in places:
        if where.opened:
            _pour(where, fill)


@contextlib.contextmanager
def _staged(where: Destination, fill: Fill, mode: int | None, durable: bool) -> Iterator[Path]:
    """A new file beside its place with the content; removed unless it was moved."""
    old = where.status
    part = where.path.with_name(f".{where.path.name[:LETTERS]}.{secrets.token_hex(8)}.part")
    # Never more open than it will be; O_EXCL: nobody can have put a link there before.
    narrow = 0o600 if old is not None or mode is not None else 0o666
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, narrow)
    try:
        with os.fdopen(handle, "wb") as file:
            fill(file)
            file.flush()
            if old is not None and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                with contextlib.suppress(OSError):  # only root may give files away
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            if mode is not None or old is not None:
                os.fchmod(file.fileno(), mode if mode is not None else stat.S_IMODE(old.st_mode if old else 0))
            if durable:
                os.fsync(file.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)


def _pour(where: Destination, fill: Fill) -> None:
    """Write what is not a regular file: all of the content is made first, since it cannot be taken back."""
    made = io.BytesIO()
    fill(made)
    for stream in (sys.stdout, sys.stderr):  # what was said before comes before
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    handle = os.dup(where.handle) if where.handle is not None else _opened(where)
    try:
        left = memoryview(made.getvalue())
        while left:
            left = left[os.write(handle, left) :]
    finally:
        os.close(handle)


def _opened(where: Destination) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC
    if where.status is None or not stat.S_ISFIFO(where.status.st_mode):
        return os.open(where.path, flags)
    until = time.monotonic() + READER
    while True:  # opened at once, a FIFO that nobody reads would hold this process for ever
        try:
            handle = os.open(where.path, flags | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > until:
                raise OSError(errno.ENXIO, f"is a FIFO that nobody has opened to read for {READER:g} s") from None
            time.sleep(0.05)
            continue
        os.set_blocking(handle, True)
        return handle


def append_line(path: Path, line: bytes) -> None:
    """Add a line to the end of a file and have the disk know it: all of the line, or nothing.

    Where an editor or a copy has dropped the last newline, it is put back first, so that no two lines become one.

    Raises
    ------
    OSError
        When it cannot be written, or is not a regular file; what was there is as it was.
    """
    where = place(path)
    if where.opened:
        raise OSError(errno.EINVAL, "is a device or a FIFO, not a file")
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(where.path, flags, 0o666)
    try:
        size = os.fstat(handle).st_size
        whole = size == 0 or os.pread(handle, 1, size - 1) == b"\n"
        try:
            left = memoryview((b"" if whole else b"\n") + line + b"\n")
            while left:
                left = left[os.write(handle, left) :]
            os.fsync(handle)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if where.status is None:
        sync_folder(where.path.parent)


def sync_folder(folder: Path) -> None:
    """Have the disk know the names in a folder; file systems that cannot are left alone."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
