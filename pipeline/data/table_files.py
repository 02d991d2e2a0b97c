"""A table's file as a frame: CSV (``.gz`` too), Parquet, or JSON as a list of rows; bounded, nothing validated."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from benchcast.reports.records.account import Account

from ..core import reading
from ..core.errors import UnreadableError
from . import csv_files

MOST_ROWS = 200_000_000


def read_table_file(path: Path, account: Account | None = None) -> pd.DataFrame:
    """The rows of a file; those of a CSV file as text, with the line as index.

    Raises
    ------
    UnreadableError
        For any other file, and one that is broken.
    """
    if path.suffix == ".parquet":
        return _parquet(path)
    if path.suffix == ".json":
        return _json(path)
    return csv_files.read_csv(path, account, categories=True)


def _parquet(path: Path) -> pd.DataFrame:
    reading.check(path)
    try:
        with pq.ParquetFile(path) as file:
            size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
            if size > reading.MOST_TABLE or file.metadata.num_rows > MOST_ROWS:
                raise UnreadableError(f"unpacks to {size / 2**20:.0f} MiB in {file.metadata.num_rows} rows: too many")
            return file.read().to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise UnreadableError(f"is not a Parquet file: {' '.join(str(error).split())[:200]}") from None


def _json(path: Path) -> pd.DataFrame:
    rows = reading.json_of(reading.data(path, reading.MOST_TABLE))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableError("is not a list of rows ({column: value, …})")
    for number, row in enumerate(rows):
        if nested := [key for key, value in row.items() if isinstance(value, list | dict)]:
            raise UnreadableError(f"row {number + 1} (from 1): {nested[0]!r} holds a list or object, not a value")
    return pd.DataFrame(rows)
