"""What the Weights & Biases web page exports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...source import FileSource

if TYPE_CHECKING:
    import pandas as pd
    from benchcast.reports.records.account import Account


def _read(path: Path, account: Account) -> pd.DataFrame:
    from . import reader

    return reader.read_wandb(path, account)


SOURCE = FileSource(
    name="wandb",
    about="CSV exports of the Weights & Biases web page: a panel, or the table of runs",
    read_table=_read,
    rank=60,
)
