"""Content hashes, so that a forecast names exactly what it was made from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bytes_digest(data: bytes) -> str:
    """SHA-256 of bytes, hex: of what was read, where reading the file again could read another."""
    return hashlib.sha256(data).hexdigest()


def table_digest(table: pd.DataFrame) -> str:
    """SHA-256 of a table's values, independent of row order and of where the files lay."""
    import numpy as np
    import pandas as pd

    rows = pd.util.hash_pandas_object(table.drop(columns=["source"], errors="ignore"), index=False)
    return hashlib.sha256(np.sort(rows.to_numpy()).tobytes()).hexdigest()


def object_digest(value: Any) -> str:
    """SHA-256 of a JSON-like object with sorted keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
