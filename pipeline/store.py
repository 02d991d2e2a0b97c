"""Files appear whole or not at all: written beside their place and moved there."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import BenchcastError

if TYPE_CHECKING:
    import pandas as pd


def write_text(text: str, path: Path, mode: int = 0o644) -> None:
    """Write a UTF-8 text file atomically, with these permissions.

    Raises
    ------
    BenchcastError
        When the place cannot be written; what was there is untouched.
    """
    _write(path, lambda part: part.write_text(text, encoding="utf-8"), mode)


def write_bytes(data: bytes, path: Path) -> None:
    """Write a file atomically; see ``write_text``."""
    _write(path, lambda part: part.write_bytes(data))


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a ladder table as CSV, or as Parquet or JSON (a list of rows) when the name ends so."""
    if path.suffix == ".parquet":
        _write(path, lambda part: table.to_parquet(part, index=False))
    elif path.suffix == ".json":
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        write_text(json.dumps(rows, indent=0, ensure_ascii=False, allow_nan=False) + "\n", path)
    else:
        _write(path, lambda part: table.to_csv(part, index=False, lineterminator="\n"))


def _write(path: Path, write: Callable[[Path], object], mode: int = 0o644) -> None:
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        part = Path(name)
        write(part)
        part.chmod(mode)
        os.replace(part, path)
    except OSError as error:
        raise BenchcastError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
