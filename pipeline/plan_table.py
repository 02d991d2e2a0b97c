"""A user's table of runs for planning: columns by name, every fault with its file, row and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import Fault, FaultsError

MOST_FAULTS = 20


def read(
    path: Path, needed: Sequence[str], optional: Sequence[str], columns: Mapping[str, str], where: Mapping[str, Any]
) -> pd.DataFrame:
    """The rows that match ``where``, with ``needed`` and what there is of ``optional`` as positive floats, and ``run``.

    Raises
    ------
    FaultsError
        For a file that cannot be read, missing columns, values that are no positive numbers, or no row left.
    """
    table = _load(path)
    if unknown := set(columns) - {*needed, *optional, "run"}:
        names = ", ".join((*needed, *optional, "run"))
        raise FaultsError([Fault(f"columns.{sorted(unknown)[0]}", "is no column of this table", f"known: {names}")])
    faults = [
        Fault(f"{path}", f"has no column {columns.get(name, name)!r}",
              f"it has {', '.join(map(str, table.columns[:12]))}; map yours with columns: {{{name}: …}}")
        for name in needed if columns.get(name, name) not in table
    ]  # fmt: skip
    faults += [
        Fault(f"where.{name}", f"{path} has no column {name!r}", f"it has {', '.join(map(str, table.columns[:12]))}")
        for name in where if name not in table
    ]  # fmt: skip
    if faults:
        raise FaultsError(faults)
    for name, value in where.items():
        kept = table[name].eq(value) if not isinstance(value, str) else table[name].astype(str).eq(value)
        table = table[kept]
    if table.empty:
        raise FaultsError([Fault(str(path), "no row is left", "loosen where, or give another table")])
    have = [name for name in (*needed, *optional) if columns.get(name, name) in table]
    out = pd.DataFrame({name: _numbers(table, columns.get(name, name), path) for name in have}, index=table.index)
    run = columns.get("run", "run")
    if run in table:
        out["run"] = table[run].astype(str)
    return out.reset_index(drop=True)


def _load(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except FileNotFoundError:
        raise FaultsError([Fault(str(path), "does not exist", "data.path of the config, or --data")]) from None
    except (OSError, ValueError, UnicodeDecodeError) as error:
        what = " ".join(str(error).split())[:200]
        raise FaultsError([Fault(str(path), f"cannot be read: {what}", "give a CSV or Parquet table")]) from None


def _numbers(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    values = pd.to_numeric(table[name], errors="coerce")
    bad = table.index[~(np.isfinite(values) & (values > 0))]
    if len(bad):
        # The header is line 1, as in an editor.
        faults = [
            Fault(f"{path}: row {int(row) + 2}, column {name}", f"{table[name][row]!r} is no positive number",
                  "correct it, or leave the row out with where")
            for row in bad[:MOST_FAULTS]
        ]  # fmt: skip
        raise FaultsError(faults)
    return values.astype(float)
