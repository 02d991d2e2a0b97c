"""What the ``lm_eval`` command wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...source import PlacedResultsSource

if TYPE_CHECKING:
    import pandas as pd
    from benchcast.reports.records.account import Account

    from ....core.errors import Fault
    from ...documents.collect import Documents
    from .files import Records


def _read(path: Path, account: Account, placed: dict[str, Any] | None = None) -> pd.DataFrame:
    from . import reader

    return reader.read_lm_eval(path, account, placed)


def _read_whole(path: Path, account: Account) -> tuple[pd.DataFrame, Documents | None]:
    from . import reader

    return reader.read_with_documents(path, account)


def _files(folder: Path, account: Account, faults: list[Fault]) -> Records:
    from . import files

    return files.result_files(folder, account, faults)


SOURCE = PlacedResultsSource(
    name="lm_eval",
    about="a folder of results of lm-eval 0.3 or 0.4, with samples where they were logged",
    read_table=_read,
    read_whole=_read_whole,
    find_files=_files,
    tools=("lm-eval",),
    rank=20,
)
