"""What a pass goes by: the config with its ``reevaluate`` section, and how much one pass may score."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.config import Config, ReevaluateSettings, ScoreSettings, load
from ..core.errors import InputError

if TYPE_CHECKING:
    from ..scoring.limits import Limits

SECONDS_PER_HOUR = 3600


def settings_of(path: Path) -> tuple[Config, ReevaluateSettings]:
    """A config and its ``reevaluate`` section.

    Raises
    ------
    InputError
        When it has no such section, or the table it scores into is not the one it forecasts from.
    """
    config = load(path, Config)
    if config.reevaluate is None:  # a config of ``run``, named by mistake, would fill a folder every night
        raise InputError(
            f"{path}: reevaluate: is missing (add reevaluate: {{track: {{TARGET: RUN}}}}, which says what run of the "
            "scores a planned target became; or reevaluate: {} to track none)"
        )
    base = path.resolve().parent
    if config.score is not None:
        table = config.data.path and base / config.data.path
        if config.data.source != "table" or table is None or table.resolve() != (base / config.score.out).resolve():
            raise InputError(
                f"{path}: data: must be {{source: table, path: {config.score.out}}}, the table that is "
                "scored into (score.out)"
            )
    return config, config.reevaluate


def score_settings(config: Config, base: Path) -> ScoreSettings:
    """The score section, without patterns that match nothing yet: the big run may not have begun.

    Raises
    ------
    FaultsError
        From the scorer, when none matches.
    """
    from ..scoring.checkpoints import discover

    assert config.score is not None
    kept = discover.matching(config.score, base)
    return config.score.model_copy(update={"checkpoints": kept}) if kept else config.score


def limits_of(settings: ReevaluateSettings, *, timed: bool = True) -> Limits:
    """What one pass that begins now may score; not ``timed``: within any time."""
    from ..scoring.limits import Limits

    seconds = SECONDS_PER_HOUR * settings.max_hours if timed and settings.max_hours else None
    until = None if seconds is None else time.monotonic() + seconds
    return Limits(checkpoints=settings.max_checkpoints, until=until, newest_first=True)
