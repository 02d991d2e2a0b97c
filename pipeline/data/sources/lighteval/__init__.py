"""What ``lighteval`` wrote, and the first Open LLM Leaderboard."""

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

    return reader.read_lighteval(path, account, placed)


def _files(folder: Path, account: Account, faults: list[Fault]) -> Records:
    from . import reader

    return reader.result_files(folder, account, faults)


SOURCE = PlacedResultsSource(
    name="lighteval",
    about="a folder of results of lighteval, or of the first Open LLM Leaderboard",
    read_table=_read,
    find_files=_files,
    tools=("lighteval", "the first Open LLM Leaderboard"),
    rank=30,
)
