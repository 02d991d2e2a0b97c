"""Gemstones: accuracies, and the gold answer's NLL of every document, of models of many shapes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchcast.reports.records.account import Account

    from ...source import Data


@dataclass(frozen=True, kw_only=True)
class GemstonesSource:
    """A folder of ``accuracy.csv`` and an ``.npz`` of documents per task."""

    name: str = "gemstones"
    about: str = (
        "a folder of `accuracy.csv` and `<task>.npz` with the NLL of every document (Gemstones, arXiv 2502.06857)"
    )
    needs_path: bool = True
    takes_path: bool = True
    rank: int = 90
    tools: tuple[str, ...] = ()

    def read(self, path: Path | None, account: Account) -> Data:
        """The table of accuracies and losses, and the documents."""
        if path is None:
            raise TypeError("source 'gemstones' needs a path")
        from ...source import Data
        from . import reader

        table, documents = reader.read_gemstones(path, account)
        return Data(table=table, label=f"{self.name}: {path.name}", about=reader.ABOUT, documents=documents)


SOURCE = GemstonesSource()
