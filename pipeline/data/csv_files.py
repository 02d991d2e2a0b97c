"""Reading a CSV file that somebody else wrote, every cell as text, with the lines it stands on.

UTF-8 always; the separator is found in the header; every row must have as many cells as the header, and no column may
be there twice unless the caller says what to do with it. Nothing is turned into a number here.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from benchcast.reports.records.account import Account
from benchcast.stages.notices import readers
from numpy.typing import NDArray
from pyarrow import csv as arrow

from ..core import reading
from ..core.errors import UnreadableError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LINE = "line"  # name of the index: the line of the file, as an editor shows it
HUGE = 10**9
Lines = NDArray[np.int64]


def read_csv(
    path: Path, account: Account | None = None, repeated: bool = False, categories: bool = False
) -> pd.DataFrame:
    """A CSV file (``.gz`` too) as a frame of text, empty cells missing; its index is the line in the file.

    Parameters
    ----------
    account : Account, optional
        Told of another separator than the comma.
    repeated : bool
        Whether columns of one name are handed on, instead of being a fault.
    categories : bool
        Columns as pandas categories, which is fast and small for a million rows; else as Python text.

    Raises
    ------
    UnreadableError
        For what is not a table: another encoding, no header, rows of other lengths, a column that appears twice.
    """
    content = reading.unpacked(path).removeprefix(b"\xef\xbb\xbf")
    reading.decoded(content)
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(0)) + 1
        raise UnreadableError(f"line {line} has a NUL byte: is it a CSV file?")
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    if b'"' not in content and content.count(b"\r") != content.count(b"\r\n"):
        raise UnreadableError("has carriage returns inside its lines; save it with one kind of line end")
    head, start = _header(content)
    separator = _separator(head)
    if separator != "," and account is not None:
        account.note(readers.SEPARATED(file=path.name, separator=SEPARATORS[separator]))
    csv.field_size_limit(HUGE)
    try:
        names = [name.strip() for name in next(csv.reader([head], delimiter=separator))]
    except csv.Error as error:
        raise UnreadableError(f"line {start} is not a header of a CSV file: {error}") from None
    if not repeated and (twice := [name for name, count in Counter(names).items() if count > 1]):
        raise UnreadableError(f"has the column {twice[0]!r:.100} twice; keep one of them")
    lines = _lines(content, separator, len(names), start)
    frame = _parsed(content, separator, len(names), start, categories)
    if len(frame) != len(lines):
        raise UnreadableError("is not CSV: a quote is out of place")
    return frame.set_axis(names, axis=1).set_axis(pd.Index(lines, name=LINE))


def _parsed(content: bytes, separator: str, width: int, start: int, categories: bool) -> pd.DataFrame:
    names = [str(i) for i in range(width)]
    cell = pa.dictionary(pa.int32(), pa.string()) if categories else pa.string()
    try:
        table = arrow.read_csv(
            io.BytesIO(content),
            arrow.ReadOptions(column_names=names, skip_rows=start, use_threads=False, block_size=1 << 24),
            arrow.ParseOptions(delimiter=separator, newlines_in_values=b'"' in content),
            arrow.ConvertOptions(
                column_types=dict.fromkeys(names, cell),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return pd.DataFrame(columns=names, dtype=object)
        raise UnreadableError(f"is not CSV: {str(error)[:200]}") from None
    return table.to_pandas()


def _header(content: bytes) -> tuple[str, int]:
    """The header's line, and how many physical lines it and what is empty above it take."""
    reader = io.BytesIO(content)
    for count, line in enumerate(iter(reader.readline, b""), 1):
        if line.strip():
            text = line.decode("utf-8").strip("\r\n")
            if text.count('"') % 2:
                raise UnreadableError(f"line {count}: a quote is not closed in the header")
            return text, count
    raise UnreadableError("is empty")


def _separator(head: str) -> str:
    """The separator that cuts the header into most names; a comma where there is none."""
    bare = re.sub(r'"[^"]*"', "", head)
    return max(SEPARATORS, key=lambda s: (bare.count(s), s == ","))


def _lines(content: bytes, separator: str, width: int, start: int) -> Lines:
    """The line of every row, after each was seen to have ``width`` cells."""
    if b'"' in content:
        return _quoted_lines(content, separator, width, start)
    data = np.frombuffer(content, dtype=np.uint8)
    ends = np.flatnonzero(data == 10)
    if not len(data) or data[-1] != 10:
        ends = np.append(ends, len(data))
    begins = np.append(0, ends[:-1] + 1)
    at = np.flatnonzero(data == ord(separator))
    cells = np.searchsorted(at, ends) - np.searchsorted(at, begins) + 1
    lengths = ends - begins
    blank = lengths == 0
    blank[lengths == 1] = data[begins[lengths == 1]] == 13  # a lone carriage return
    rows = np.arange(len(ends)) + 1
    kept = ~blank & (rows > start)
    if len(wrong := np.flatnonzero(kept & (cells != width))):
        _ragged(int(rows[wrong[0]]), int(cells[wrong[0]]), width, len(wrong))
    return np.asarray(rows[kept], dtype=np.int64)


def _quoted_lines(content: bytes, separator: str, width: int, start: int) -> Lines:
    text = io.StringIO(content.decode("utf-8"), newline="")
    reader = csv.reader(text, delimiter=separator, strict=True)
    rows, begin = [], 1
    try:
        for cells in reader:
            line, begin = begin, reader.line_num + 1
            if line <= start or (not "".join(cells).strip() and len(cells) <= 1):
                continue
            if len(cells) != width:
                _ragged(line, len(cells), width, 1)
            rows.append(line)
    except csv.Error as error:
        raise UnreadableError(f"line {reader.line_num} is not CSV: {error}") from None
    return np.array(rows, dtype=np.int64)


def _ragged(line: int, cells: int, width: int, count: int) -> None:
    more = f" (and {count - 1} more such lines)" if count > 1 else ""
    raise UnreadableError(f"line {line} has {cells} cells, the header has {width}{more}")


NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def unlike(cell: str) -> str:
    """Why a cell is not a plain number: what it looks like, and how to write it."""
    text = cell.strip()
    bare = text.rstrip("%").strip()
    if text.endswith("%") and NUMBER.fullmatch(bare.replace(",", ".")):
        return "looks like a percentage: write it as a fraction"
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", text):
        return "has a separator of thousands, or a decimal comma: write 12000 or 0.312"
    if re.fullmatch(r"[+-]?\d+,\d+([eE][+-]?\d+)?", text):
        return "looks like a decimal comma: write a point"
    if re.fullmatch(r"[+-]?\d+(\.\d+)?\s*[kKmMbBgGtT]", text):
        return "has a suffix: write the number out, such as 7e9"
    if text.lower().strip("+-") in ("nan", "inf", "infinity", "none", "null", "na", "n/a"):
        return "leave the cell empty, or the row out"
    return ""


def numbers(cells: pd.Series | Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cells as floats (NaN where empty), and which of the filled ones are not plain finite numbers."""
    series = pd.Series(cells)
    values = pd.to_numeric(series, errors="coerce").to_numpy(dtype=float)
    filled = series.notna().to_numpy()
    return values, filled & ~np.isfinite(values)
