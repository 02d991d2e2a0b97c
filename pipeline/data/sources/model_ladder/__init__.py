"""The published model ladder (arXiv 2412.04403)."""

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

    return reader.read_model_ladder(path, account), reader.ABOUT


SOURCE = PublishedSource(
    name="model_ladder",
    about="the model-ladder testbed (arXiv 2412.04403), downloaded where no folder is given",
    read_table=_read,
    base="https://raw.githubusercontent.com/allenai/OLMo-ladder/"
    "67a3f440f787d020da35e3ca8eeae475fae754f5/src/scripts/paper/data/ladder-runs/",
    rank=80,
)
