"""From what a person types to a scored checkpoint: a path, a name in a store, or ``PLACE::NAME``."""

from __future__ import annotations

from pathlib import Path

from benchcast.reports.records.account import Account, listed

from ..core import reading
from ..core.config import Config, ScoreConfig, load
from ..core.errors import InputError, UnreadableError
from . import samples, stored, tables
from .answers import Checkpoint, chosen

SEPARATOR = "::"
Candidates = list[Checkpoint]


def of_config(path: Path, account: Account) -> tuple[Candidates, tuple[str, ...]]:
    """The checkpoints of a config, of its store where it has one, else of its data; and the metrics that it names.

    Raises
    ------
    InputError
        When it is no config, or nothing was scored.
    """
    try:
        raw = reading.yaml_of(reading.text(path))
    except UnreadableError as what:
        raise InputError(f"{path}: cannot be read: {what}") from None
    base = path.resolve().parent
    forecasts = not isinstance(raw, dict) or "score" not in raw or "targets" in raw
    config = load(path, Config) if forecasts else None
    metrics = () if config is None else config.metrics
    scored = load(path, ScoreConfig).score if config is None else config.score
    if scored is not None:
        return stored.checkpoints(base / scored.store), metrics
    assert config is not None
    return tables.checkpoints(config, base, account), metrics


def of_store(folder: Path) -> Candidates:
    """The checkpoints of a store.

    Raises
    ------
    InputError
        When nothing was scored into it.
    """
    return stored.checkpoints(folder)


def checkpoint(given: str, default: Candidates | None, where: str, account: Account, cluster: str | None) -> Checkpoint:
    """The checkpoint that is meant.

    Parameters
    ----------
    given : str
        A name among ``default``; or a store, or lm-eval's results or samples, that hold one checkpoint; or
        ``PLACE::NAME``, one of those that the place holds.
    default : list of Checkpoint, optional
        What ``--config`` or ``--store`` name, and ``where`` that is.

    Raises
    ------
    InputError
        When it means none, or several.
    """
    place, separator, name = given.rpartition(SEPARATOR)
    if separator and place:
        return chosen(_of_place(Path(place), account, cluster), name, place)
    if default is not None:
        return chosen(default, given, where)
    path = Path(given)
    if not path.exists():
        raise InputError(
            f"{given}: does not exist; give a folder of lm-eval results or a store, or a checkpoint's name with "
            "--config or --store"
        )
    every = _of_place(path, account, cluster)
    if len(every) != 1:
        names = listed((c.name for c in every), 8)
        raise InputError(f"{given}: holds {len(every)} checkpoints ({names}); name one: {given}{SEPARATOR}NAME")
    return every[0]


def _of_place(path: Path, account: Account, cluster: str | None) -> Candidates:
    if not path.exists():
        raise InputError(f"{path}: does not exist")
    if (path / stored.PLAN).exists():
        return stored.checkpoints(path)
    return samples.checkpoints(path, account, cluster)
