"""Arrays that somebody else wrote: ``.npz`` read without pickle, and no larger than the file says it can be."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from lzma import LZMAError
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import reading
from ..core.errors import UnreadableError

# What zipfile and numpy raise for content that is not whole; NotImplementedError for a compression that is not known.
BROKEN = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, ValueError, NotImplementedError)
# What a header that is no Python literal may end in. It has 64 KiB at most, so memory is not what is short.
NO_HEADER = (ValueError, TypeError, SyntaxError, tokenize.TokenError, MemoryError, RecursionError)
ENCRYPTED = 1  # of a member's flags


def names(path: Path) -> tuple[str, ...]:
    """The names of the arrays in an ``.npz`` file.

    Raises
    ------
    UnreadableError
        Where it is none.
    """
    reading.check(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None
    except BROKEN as error:
        raise UnreadableError(f"is not a complete .npz file ({_said(error)})") from None


def read_arrays(path: Path, wanted: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Some arrays of an ``.npz`` file, by name.

    Raises
    ------
    UnreadableError
        In one line: not a regular file, no whole archive, an array that is missing, holds Python objects, or is larger
        than what was written of it.
    """
    reading.check(path)
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            there = {info.filename: info for info in archive.infolist()}
            if sum(info.file_size for info in there.values()) > reading.MOST_TABLE:
                raise UnreadableError(f"unpacks to more than {reading.MOST_TABLE / 2**20:.0f} MiB")
            for name in wanted:
                if f"{name}.npy" not in there:
                    raise UnreadableError(f"has no array {name!r}")
                arrays[name] = _array(archive, there[f"{name}.npy"], name)
    except UnreadableError:
        raise
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None
    except BROKEN as error:
        raise UnreadableError(f"is not a complete .npz file ({_said(error)})") from None
    return arrays


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    """One array, whose header must not claim more than its bytes can hold."""
    if info.flag_bits & ENCRYPTED:
        raise UnreadableError(f"array {name!r} is encrypted")
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in header:
            raise UnreadableError(f"array {name!r} has a header of version {version}, which is not known")
        try:
            shape, _, dtype = header[version](file)
        except NO_HEADER:
            raise UnreadableError(f"array {name!r} has a header that cannot be read") from None
    if dtype.hasobject:
        raise UnreadableError(f"array {name!r} holds Python objects, which are not read; save numbers or text")
    if math.prod(shape) * dtype.itemsize > info.file_size:
        raise UnreadableError(f"array {name!r} says it is larger than the file")
    with archive.open(info) as file:
        read: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return read


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
