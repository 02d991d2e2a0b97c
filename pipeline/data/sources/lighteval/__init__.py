"""What ``lighteval`` wrote, and the first Open LLM Leaderboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...source import FileSource

if TYPE_CHECKING:
    import pandas as pd
    from benchcast.reports.records.account import Account

    from ....core.errors import Fault
    from ..lm_eval.files import Records


@dataclass(frozen=True, kw_only=True)
class LightevalSource(FileSource):
    """Results whose models ``ladder.yaml`` places (a ``ResultsSource``)."""

    def result_files(self, folder: Path, account: Account, faults: list[Fault]) -> Records:
        """The result files below a folder, oldest first, and other tools' files by tool."""
        from . import reader

        return reader.result_files(folder, account, faults)

    def read_placed(self, folder: Path, account: Account, placed: Mapping[str, Any]) -> pd.DataFrame:
        """The folder's ladder table, with ``placed`` for the content of its ``ladder.yaml``."""
        from . import reader

        return reader.read_lighteval(folder, account, dict(placed))


def _read(path: Path, account: Account) -> pd.DataFrame:
    from . import reader

    return reader.read_lighteval(path, account)


SOURCE = LightevalSource(
    name="lighteval",
    about="a folder of results of lighteval, or of the first Open LLM Leaderboard",
    read_table=_read,
    tools=("lighteval", "the first Open LLM Leaderboard"),
    rank=30,
)
