"""What OLMES (``oe-eval``) wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...source import PlacedResultsSource

if TYPE_CHECKING:
    import pandas as pd
    from benchcast.reports.records.account import Account

    from ....core.errors import Fault
    from ..lm_eval.files import Records


def _read(path: Path, account: Account, placed: dict[str, Any] | None = None) -> pd.DataFrame:
    from . import reader

    return reader.read_olmes(path, account, placed)


def _files(folder: Path, account: Account, faults: list[Fault]) -> Records:
    from . import reader

    return reader.result_files(folder, account, faults)


SOURCE = PlacedResultsSource(
    name="olmes",
    about="a folder of results of OLMES (`oe-eval`), with predictions where they were kept",
    read_table=_read,
    find_files=_files,
    tools=("OLMES",),
    rank=35,
)
