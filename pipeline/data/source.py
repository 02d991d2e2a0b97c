"""What a source of data is: something that ``data.source`` of a config names and that gives a ladder table.

A new source is one module in ``sources/`` with a ``SOURCE`` (or a package with one in its ``__init__``), and its test.
The module is imported to check a config, so its top must be light: pandas and the reader are imported by ``read``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pandas as pd
    from benchcast.reports.records.account import Account, AccountRecord

    from ..core.errors import Fault
    from .documents.collect import Documents

ResultFiles = tuple[list[Any], dict[str, list[str]]]  # of a tool, oldest first; and the other files by their tool
LAST = 100  # rank of a source that does not say where it stands among the others


def _empty() -> AccountRecord:
    from benchcast.reports.records.account import AccountRecord

    return AccountRecord()


@dataclass(frozen=True, kw_only=True, repr=False)
class Data:
    """A validated ladder table, where it came from, and what is known about it."""

    table: pd.DataFrame
    label: str
    about: tuple[str, ...] = ()
    account: AccountRecord = field(default_factory=_empty)
    documents: Documents | None = None
    """What is known of every document; read when it is asked for."""

    references: pd.DataFrame | None = None
    """Models that are no part of the ladder, in the schema of the table: of another family, older, larger."""

    def __repr__(self) -> str:
        runs, tasks = self.table["run"].nunique(), self.table["task"].nunique()
        least, most = self.table["params"].min(), self.table["params"].max()
        size = f"{least:,.0f} to {most:,.0f} parameters"
        return f"<Data: {runs} runs of {size}, {tasks} tasks, {len(self.table)} rows; {self.label}>"


class Source(Protocol):
    """A source by its name; ``FileSource`` and ``PublishedSource`` below are the two usual kinds."""

    @property
    def name(self) -> str:
        """What a config and ``benchcast ingest`` call it."""

    @property
    def about(self) -> str:
        """What it is, in one line for the documentation."""

    @property
    def needs_path(self) -> bool:
        """Whether a file or folder must be given; it exists when ``read`` is called."""

    @property
    def takes_path(self) -> bool:
        """Whether one can be given; with ``--data`` a source that takes none gives way to a ladder table."""

    @property
    def rank(self) -> int:
        """Its place in lists of all sources."""

    @property
    def tools(self) -> tuple[str, ...]:
        """Tools whose files it reads, as ``foreign.tool`` calls them; empty where a file does not tell its tool."""

    def read(self, path: Path | None, account: Account) -> Data:
        """The validated table; ``account`` is told what was left out and decided.

        Raises
        ------
        InputError
            With every fault of the data.
        """


@runtime_checkable
class ResultsSource(Protocol):
    """A source of results whose models ``ladder.yaml`` places; ``benchcast init`` drafts the file for it."""

    @property
    def name(self) -> str:
        """What a config calls it."""

    def result_files(self, folder: Path, account: Account, faults: list[Fault]) -> ResultFiles:
        """The result files below a folder, oldest first, and other tools' files by tool."""

    def read_placed(self, folder: Path, account: Account, placed: Mapping[str, Any]) -> pd.DataFrame:
        """The folder's ladder table, with ``placed`` for the content of its ``ladder.yaml``."""


@dataclass(frozen=True, kw_only=True)
class FileSource:
    """A source that is read from a file or folder, by a function that imports its reader when it is called."""

    name: str
    about: str
    read_table: Callable[[Path, Account], pd.DataFrame]
    tools: tuple[str, ...] = ()
    rank: int = LAST
    needs_path: bool = True
    takes_path: bool = True

    def read(self, path: Path | None, account: Account) -> Data:
        """The reader's table, labelled by the source and the file."""
        if path is None:
            raise TypeError(f"source {self.name!r} needs a path")
        return Data(table=self.read_table(path, account), label=f"{self.name}: {path.name}")


@dataclass(frozen=True, kw_only=True)
class PlacedResultsSource(FileSource):
    """A folder of results of a tool, whose models ``ladder.yaml`` places (a ``ResultsSource``)."""

    read_table: Callable[..., pd.DataFrame]  # takes, third, what to take for the content of ``ladder.yaml``
    find_files: Callable[[Path, Account, list[Fault]], ResultFiles]
    read_whole: Callable[[Path, Account], tuple[pd.DataFrame, Documents | None]] | None = None  # with the documents

    def read(self, path: Path | None, account: Account) -> Data:
        """The table, and the documents where the reader knows them."""
        if path is None or self.read_whole is None:
            return super().read(path, account)
        table, documents = self.read_whole(path, account)
        return Data(table=table, label=f"{self.name}: {path.name}", documents=documents)

    def result_files(self, folder: Path, account: Account, faults: list[Fault]) -> ResultFiles:
        """The result files below a folder, oldest first, and other tools' files by tool."""
        return self.find_files(folder, account, faults)

    def read_placed(self, folder: Path, account: Account, placed: Mapping[str, Any]) -> pd.DataFrame:
        """The folder's ladder table, with ``placed`` for the content of its ``ladder.yaml``."""
        return self.read_table(folder, account, dict(placed))


@dataclass(frozen=True, kw_only=True)
class PublishedSource:
    """A published testbed: read from a folder, or downloaded where none is given."""

    name: str
    about: str
    read_table: Callable[[Path, Account], tuple[pd.DataFrame, Sequence[str]]]  # with lines on what the numbers are
    base: str  # address of a fixed commit that the files of ``files.sha256`` lie below
    tools: tuple[str, ...] = ()
    rank: int = LAST
    needs_path: bool = False
    takes_path: bool = True

    def read(self, path: Path | None, account: Account) -> Data:
        """The testbed's table, from the folder or the user's cache, where it is downloaded to."""
        from . import schema

        if path is None:
            from .download import fetch  # pooch is only needed to download

            path = fetch(self.name, self.base)
        table, lines = self.read_table(path, account)
        table = schema.validate(table, str(path), account)
        return Data(table=table, label=f"{self.name}: {path.name}", about=tuple(lines))
