"""What alert rules look at: the inputs of a pass, a forecast that failed, a tracked run, and one task of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a pass with nothing new does without scipy
    from benchcast.stages.monitor.sequential import Series, Verdict

    from ...core.config import Target
    from ...data.ingest import Data
    from ..tracking.bands import Band
    from ..tracking.points import Point

EVERY = "*"  # in a failure: every checkpoint, or every task


@dataclass(frozen=True, kw_only=True)
class PassInputs:
    """What a pass has when its checkpoints are scored and its table is read, before it forecasts.

    Attributes
    ----------
    places
        Checkpoints that are there, "run at step" or a folder, to their run.
    known
        The same as of earlier passes.
    failures
        (checkpoint, task, reason) of what could not be scored; ``*`` stands for all.
    scored, left
        Cells that were scored now, and cells that are left for the next pass.
    waiting
        Checkpoints that are still being written.
    bad_lines
        Numbers of the lines of ``history`` that were no record of a pass.
    began
        When this pass began, UTC.
    latest
        The latest time that an earlier pass wrote down; None when there was none.
    accept_gone
        Whether the user says that checkpoints which are gone are meant to be.
    """

    data: Data
    data_digest: str
    history: Path
    began: datetime
    latest: datetime | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)
    failures: Sequence[tuple[str, str, str]] = ()
    scored: int = 0
    left: int = 0
    waiting: Sequence[str] = ()
    bad_lines: Sequence[int] = ()
    accept_gone: bool = False


@dataclass(frozen=True, kw_only=True)
class ForecastProblem:
    """A forecast that could not be made: ``subject`` is whose, empty for the refreshed forecast as a whole.

    ``error`` says why, and ``of_config`` whether the config is to blame; without an error, ``recipe`` gave no forecast
    of any task.
    """

    subject: str
    error: str = ""
    of_config: bool = False
    recipe: str = ""


@dataclass(frozen=True, kw_only=True)
class ObservedRun:
    """A run that is held against its registered band.

    Attributes
    ----------
    target
        The target as it is planned now.
    points
        Task to its scored checkpoints, in the order of tokens.
    bands
        Task to the band that was registered.
    versions_then, versions_now
        Task to the versions of it that the ladder was asked, when registered and now.
    setup_then, setup_now
        How scores are computed, in words, when registered and now.
    """

    target: Target
    points: Mapping[str, Sequence[Point]]
    bands: Mapping[str, Band]
    versions_then: Mapping[str, Sequence[str]]
    versions_now: Mapping[str, Sequence[str]]
    setup_then: str
    setup_now: str

    @property
    def name(self) -> str:
        """The target's name."""
        return str(self.target.name)


@dataclass(frozen=True, kw_only=True)
class ObservedTask:
    """One task of a tracked run: its scores beside the band, what the tests say, and which checkpoints are new.

    ``fresh`` are the tokens of the new checkpoints.
    """

    target: str
    task: str
    series: Series
    verdict: Verdict
    fresh: Collection[float]

    @property
    def subject(self) -> str:
        """What a condition of it is about."""
        return f"{self.target}, {self.task}"

    def last_hit(self, flags: Sequence[bool]) -> int | None:
        """The last checkpoint that is flagged, of those that are new and the last one of the run; None without any.

        ``flags`` has one entry per checkpoint.
        """
        tokens = self.series.tokens.tolist()
        looked_at = [i for i, seen in enumerate(tokens) if seen in self.fresh or i == len(tokens) - 1]
        return max((i for i in looked_at if flags[i]), default=None)
