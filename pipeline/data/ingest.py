"""From a source to a validated ladder table: the one place that knows every reader."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

import pandas as pd
from benchcast.reports.records.account import Account, Record

from ..core.config import DataSettings
from ..core.errors import FaultsError, InputError
from . import schema

# Published testbeds can be downloaded; the others need a path.
PUBLISHED = {
    "overtraining": "benchcast.data.sources.published.overtraining",
    "model_ladder": "benchcast.data.sources.published.model_ladder",
}


# What other tools wrote: module of the reader.
WRITTEN = {
    "lm_eval": "benchcast.data.sources.lm_eval.reader",
    "lighteval": "benchcast.data.sources.lighteval",
    "every_eval_ever": "benchcast.data.sources.every_eval_ever.reader",
    "trainer": "benchcast.data.sources.trainer.reader",
    "wandb": "benchcast.data.sources.wandb.reader",
}


@dataclass(frozen=True)
class Data:
    """A validated ladder table, where it came from, and what is known about it."""

    table: pd.DataFrame
    label: str
    about: tuple[str, ...] = ()
    account: Record = field(default_factory=Record)


def read(settings: DataSettings, base: Path, override: Path | str | pd.DataFrame | Data | None = None) -> Data:
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
    path = Path(override) if override is not None else (base / settings.path if settings.path else None)
    if settings.source == "demo" and override is None:
        return demo()
    if settings.source in PUBLISHED:
        module = importlib.import_module(PUBLISHED[settings.source])
        if path is None:
            from .sources.published.download import fetch  # pooch is only needed to download

            path = fetch(settings.source)
        table = schema.validate(module.read(path, account), str(path), account)
        return _counted(table, f"{settings.source}: {path.name}", account, module.ABOUT)
    if path is None:
        raise InputError(f"data.path: is missing (source {settings.source!r} needs a file or folder; or give --data)")
    if not path.exists():
        raise InputError(f"{path}: does not exist (data.path of the config, or --data)")
    if settings.source in WRITTEN:
        reader = importlib.import_module(WRITTEN[settings.source])
        return _counted(reader.read(path, account), f"{settings.source}: {path.name}", account)
    return _counted(schema.read(path, account), path.name, account)


def _counted(table: pd.DataFrame, label: str, account: Account, about: Sequence[str] = ()) -> Data:
    """The table with the account of how it was read."""
    if apart := schema.unpaired(table):
        account.note(apart)
    if odd := schema.unusual(table):
        account.note(odd)
    account.taken("rows", len(table))
    for column in ("run", "task"):
        account.taken(f"{column}s", table[column].nunique())
    return Data(table, label, tuple(about), account.record())


def merged(first: Data, second: Data) -> Data:
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
    told = pd.Series(steps.reindex(pd.MultiIndex.from_frame(both[where])).to_numpy(), index=both.index)
    table = schema.validate(both.assign(step=both["step"].fillna(told)), "both tables together", account)
    return _counted(table, f"{second.label} with {first.label}", account, (*first.about, *second.about))


def demo() -> Data:
    """The ladder this project trained and scored itself, shipped as package data."""
    folder = files("benchcast.demo_ladder")
    with as_file(folder / "ladder.csv") as path:
        table = schema.read(path)
    about: Sequence[str] = json.loads((folder / "provenance.json").read_text())["about"]
    return _counted(table, "demo ladder (package data)", Account(), about)
