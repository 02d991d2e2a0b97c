"""Every Eval Ever records, read and written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...source import FileSource

if TYPE_CHECKING:
    import pandas as pd
    from benchcast.reports.records.account import Account


def _read(path: Path, account: Account) -> pd.DataFrame:
    from . import reader

    return reader.read_every_eval_ever(path, account)


SOURCE = FileSource(
    name="every_eval_ever",
    about="Every Eval Ever records (evalevalai.com, schema 0.3), a file or a folder",
    read_table=_read,
    tools=("Every Eval Ever",),
    rank=40,
)
