"""Files appear whole or not at all, through links, with the permissions they had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchcast.reports.documents import writing

from .errors import BenchcastError

if TYPE_CHECKING:
    import pandas as pd


def write_text(text: str, path: Path, mode: int | None = None, durable: bool = False) -> None:
    """Write a UTF-8 text file atomically; half characters are escaped as JSON escapes it.

    Parameters
    ----------
    mode : int, optional
        Permissions, such as 0o600 for a secret; by default those of the file that is there, or what the umask leaves.
    durable : bool
        Return only when it would survive a power failure.

    Raises
    ------
    BenchcastError
        When the place cannot be written; what was there is untouched.
    """
    write_bytes(text.encode("utf-8", "backslashreplace"), path, mode, durable)


def write_bytes(data: bytes, path: Path, mode: int | None = None, durable: bool = False) -> None:
    """Write a file atomically; see ``write_text``."""
    _write(path, lambda file: file.write(data), mode, durable)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a ladder table as CSV, or as Parquet or JSON (a list of rows) when the name ends so."""
    from . import csv_writing  # pandas is only needed to write a table

    if path.suffix == ".parquet":
        _write(path, lambda file: table.to_parquet(file, index=False))
    elif path.suffix == ".json":
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        write_text(json.dumps(rows, indent=0, ensure_ascii=False, allow_nan=False) + "\n", path)
    else:
        write_bytes(csv_writing.encoded(table), path)


def append_line(line: str, path: Path) -> None:
    """Add a line to a text file, durably: all of it or nothing; what stands there is never written again.

    Raises
    ------
    BenchcastError
        When it cannot be written, or the path is not a regular file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writing.append_line(path, line.encode("utf-8", "backslashreplace"))
    except (OSError, ValueError) as error:
        raise BenchcastError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error


def _write(path: Path, fill: writing.Fill, mode: int | None = None, durable: bool = False) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writing.write(path, fill, mode, durable)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        what = getattr(error, "strerror", None) or error
        raise BenchcastError(f"{path}: cannot be written ({what})") from error
