"""A ladder table that is one already: CSV, Parquet or JSON in the schema of ``data.schema``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchcast.reports.records.account import Account

    from ..source import Data


@dataclass(frozen=True, kw_only=True)
class TableSource:
    """A ladder table, labelled by the name of its file alone."""

    name: str = "table"
    about: str = "a ladder table: CSV (also .csv.gz), Parquet or JSON in Benchcast's own schema"
    needs_path: bool = True
    takes_path: bool = True
    rank: int = 10
    tools: tuple[str, ...] = ()

    def read(self, path: Path | None, account: Account) -> Data:
        """The validated table."""
        from .. import schema
        from ..source import Data

        if path is None:
            raise TypeError("source 'table' needs a path")
        return Data(table=schema.read_table(path, account), label=path.name)


SOURCE = TableSource()
