"""From a source to a validated ladder table: the one place that knows every reader."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import pandas as pd

from pipeline import schema
from pipeline.config import DataSettings
from pipeline.errors import InputError

# Published testbeds can be downloaded; the others need a path.
PUBLISHED = {"overtraining": "pipeline.sources.overtraining", "model_ladder": "pipeline.sources.model_ladder"}


# What other tools wrote: module of the reader.
WRITTEN = {
    "lm_eval": "pipeline.sources.lm_eval",
    "every_eval_ever": "pipeline.sources.every_eval_ever",
    "trainer": "pipeline.sources.trainer",
    "wandb": "pipeline.sources.wandb_csv",
}


@dataclass(frozen=True)
class Data:
    """A validated ladder table, where it came from, and what is known about it."""

    table: pd.DataFrame
    label: str
    about: tuple[str, ...] = ()


def read(settings: DataSettings, base: Path, override: Path | str | pd.DataFrame | None = None) -> Data:
    """Read and validate the table a config names.

    Parameters
    ----------
    base : Path
        Folder that relative paths of the config start from.
    override : path or DataFrame, optional
        ``--data`` of the command line; a frame is a ladder table and is only validated.

    Raises
    ------
    InputError
        When a path is needed and missing, or the data has faults.
    """
    if isinstance(override, pd.DataFrame):
        return Data(schema.validate(override, "table"), "table in memory")
    path = Path(override) if override is not None else (base / settings.path if settings.path else None)
    if settings.source == "demo" and override is None:
        return demo()
    if settings.source in PUBLISHED:
        module = importlib.import_module(PUBLISHED[settings.source])
        if path is None:
            from pipeline.sources.download import fetch  # pooch is only needed to download

            path = fetch(settings.source)
        table = schema.validate(module.read(path), str(path))
        return Data(table, f"{settings.source}: {path.name}", module.ABOUT)
    if path is None:
        raise InputError(f"data.path: is missing (source {settings.source!r} needs a file or folder; or give --data)")
    if not path.exists():
        raise InputError(f"{path}: does not exist (data.path of the config, or --data)")
    if settings.source in WRITTEN:
        reader = importlib.import_module(WRITTEN[settings.source])
        table = reader.read(path)
        about = [reader.without_nll(table)] if settings.source == "lm_eval" else []
        return Data(table, f"{settings.source}: {path.name}", tuple(filter(None, about)))
    return Data(schema.read(path), path.name)


def merged(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Two ladder tables as one: scores of one tool beside losses of another, for the same runs.

    Where one does not tell a checkpoint's step and the other has one of the same run and tokens, it is that step.

    Raises
    ------
    InputError
        When they repeat or contradict each other.
    """
    both = pd.concat([first, second], ignore_index=True)
    where = ["run", "tokens"]
    steps = both.dropna(subset=["step"]).drop_duplicates(where).set_index(where)["step"]
    told = pd.Series(steps.reindex(pd.MultiIndex.from_frame(both[where])).to_numpy(), index=both.index)
    return schema.validate(both.assign(step=both["step"].fillna(told)), "both tables together")


def demo() -> Data:
    """The ladder this project trained and scored itself, shipped as package data."""
    folder = files("pipeline.demo_ladder")
    with as_file(folder / "ladder.csv") as path:
        table = schema.read(path)
    about: Sequence[str] = json.loads((folder / "provenance.json").read_text())["about"]
    return Data(table, "demo ladder (package data)", tuple(about))
