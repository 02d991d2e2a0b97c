"""The demo ladder, which this project trained and scored itself; it is package data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchcast.reports.records.account import Account

    from ..source import Data


@dataclass(frozen=True, kw_only=True)
class DemoSource:
    """The demo ladder; it takes no path."""

    name: str = "demo"
    about: str = "the demo ladder: small models that this project trained and scored, shipped with the package"
    needs_path: bool = False
    takes_path: bool = False
    rank: int = 0
    tools: tuple[str, ...] = ()

    def read(self, path: Path | None, account: Account) -> Data:
        """The table and what is known about it."""
        import json
        from importlib.resources import as_file, files

        from .. import schema
        from ..documents.packed import packed_documents
        from ..source import Data

        folder = files("benchcast.demo_ladder")
        with as_file(folder / "ladder.csv") as file:
            table = schema.read_table(file)
        about = json.loads((folder / "provenance.json").read_text())["about"]
        packed = folder / "documents.npz"
        documents = packed_documents(lambda: as_file(packed)) if packed.is_file() else None
        return Data(table=table, label="demo ladder (package data)", about=tuple(about), documents=documents)


SOURCE = DemoSource()
