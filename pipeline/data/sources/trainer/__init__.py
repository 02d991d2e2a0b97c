"""What the Hugging Face trainer wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...source import FileSource

if TYPE_CHECKING:
    import pandas as pd
    from benchcast.reports.records.account import Account


def _read(path: Path, account: Account) -> pd.DataFrame:
    from . import reader

    return reader.read_trainer(path, account)


SOURCE = FileSource(
    name="trainer",
    about="evaluation losses in the trainer_state.json files of Hugging Face runs",
    read_table=_read,
    rank=50,
)
