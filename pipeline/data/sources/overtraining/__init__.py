"""The published over-training testbed (Gadre et al., arXiv 2403.08540)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...source import PublishedSource

if TYPE_CHECKING:
    import pandas as pd
    from benchcast.reports.records.account import Account


def _read(path: Path, account: Account) -> tuple[pd.DataFrame, Sequence[str]]:
    from . import reader

    return reader.read_overtraining(path, account), reader.ABOUT


SOURCE = PublishedSource(
    name="overtraining",
    about="the over-training testbed (arXiv 2403.08540), downloaded where no folder is given",
    read_table=_read,
    base="https://raw.githubusercontent.com/mlfoundations/scaling/a003c4913793ac2ae7ef87b28ecb562955d026d5/exp_data/",
    rank=70,
)
