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
        """The validated table; of ``scores.csv`` the documents are those of a store ``scores`` beside it."""
        from .. import schema
        from ..documents.stored import stored_documents
        from ..source import Data

        if path is None:
            raise TypeError("source 'table' needs a path")
        table = schema.read_table(path, account)
        beside = path.parent / path.name.partition(".")[0]
        documents = stored_documents(beside) if beside.is_dir() else None
        return Data(table=table, label=path.name, documents=documents)


SOURCE = TableSource()
