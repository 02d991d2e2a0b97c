"""From a source to a validated ladder table, with the account of how it was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from benchcast.reports.records.account import Account

from ..core.config import DataSettings
from ..core.errors import FaultsError, InputError
from . import schema, sources
from .source import Data, Source

__all__ = ["Data", "demo", "merge_tables", "read_data"]


def read_data(settings: DataSettings, base: Path, override: Path | str | pd.DataFrame | Data | None = None) -> Data:
    """Read and validate the table a config names.

    Parameters
    ----------
    base : Path
        Folder that relative paths of the config start from.
    override : path or DataFrame, optional
        ``--data`` of the command line; a frame is a ladder table and is only validated, data that were read are taken.

    Raises
    ------
    InputError
        When a path is needed and missing, or the data has faults.
    """
    if isinstance(override, Data):
        return override
    account = Account()
    try:
        return _read(settings, base, override, account)
    except FaultsError as error:
        error.account = account.record().told()
        raise


def _read(settings: DataSettings, base: Path, override: Path | str | pd.DataFrame | None, account: Account) -> Data:
    if isinstance(override, pd.DataFrame):
        return _counted(schema.validate(override, "table", account), "table in memory", account)
    source = sources.all_sources()[settings.source]
    if override is not None and not source.takes_path:
        source = sources.all_sources()["table"]
    given = None if settings.path is None else base / settings.path
    path = Path(override) if override is not None else given
    data = source.read(_checked(source, path), account)
    counted = _counted(data.table, data.label, account, data.about)
    return replace(counted, documents=data.documents)


def _checked(source: Source, path: Path | None) -> Path | None:
    """The path, which is given and exists where the source needs one."""
    if source.needs_path and path is None:
        raise InputError(f"data.path: is missing (source {source.name!r} needs a file or folder; or give --data)")
    if source.needs_path and path is not None and not path.exists():
        raise InputError(f"{path}: does not exist (data.path of the config, or --data)")
    return path


def _counted(table: pd.DataFrame, label: str, account: Account, about: Sequence[str] = ()) -> Data:
    """The table with the account of how it was read."""
    if apart := schema.unpaired(table):
        account.note(apart)
    if odd := schema.unusual(table):
        account.note(odd)
    account.taken("rows", len(table))
    for column in ("run", "task"):
        account.taken(f"{column}s", table[column].nunique())
    return Data(table=table, label=label, about=tuple(about), account=account.record())


def merge_tables(first: Data, second: Data) -> Data:
    """Two ladder tables as one: scores of one tool beside losses of another, for the same runs.

    Where one does not tell a checkpoint's step and the other has one of the same run and tokens, it is that step.

    Raises
    ------
    InputError
        When they repeat or contradict each other.
    """
    account = Account()
    for part in (first, second):
        account.add(part.account)
    both = pd.concat([first.table, second.table], ignore_index=True)
    where = ["run", "tokens"]
    steps = both.dropna(subset=["step"]).drop_duplicates(where).set_index(where)["step"]
    known = pd.Series(steps.reindex(pd.MultiIndex.from_frame(both[where])).to_numpy(), index=both.index)
    table = schema.validate(both.assign(step=both["step"].fillna(known)), "both tables together", account)
    data = _counted(table, f"{second.label} with {first.label}", account, (*first.about, *second.about))
    return replace(data, documents=first.documents or second.documents)


def demo() -> Data:
    """The ladder this project trained and scored itself, shipped as package data."""
    return read_data(DataSettings(source="demo"), Path())
