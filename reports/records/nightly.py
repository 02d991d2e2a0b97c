"""What a nightly pass hands to the report: its news, the tracked runs beside their bands, and forecasts over time.

Accuracies are fractions, tokens plain counts.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from .base import Frozen


class BandColumns(Frozen):
    """A registered band: forecast and bounds by training tokens."""

    tokens: tuple[float, ...]
    forecast: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


class TrackedPoint(Frozen):
    """A checkpoint of a tracked run: its score, and the band at its tokens."""

    tokens: float
    value: float
    stderr: float
    low: float | None
    forecast: float | None
    high: float | None
    alarm: bool = Field(description="whether any rule speaks")
    step: float | None = Field(default=None, description="of the trainer, where it is known")
    outside: int = Field(default=0, description="-1 below the band, +1 above it, beyond sampling error; 0 otherwise")
    drift: int = Field(default=0, description="-1 shifted down from the forecast, +1 up; 0 otherwise")
    dropped: bool = Field(default=False, description="below the checkpoint before, by more than sampling explains")


class Ends(Frozen):
    """A forecast of the end of the run; null where there is no number."""

    forecast: float | None
    low: float | None
    high: float | None


class TrackedScore(Frozen):
    """The newest score of a run that is under way, beside the band that was registered for it."""

    run: str = Field(default="", description="empty where it tells no rows apart")
    task: str = Field(default="", description="the same")
    tokens: float
    measured: float | None
    low: float | None
    high: float | None
    verdict: str = Field(description="what the rules say, in words")
    registered: Ends | None = Field(default=None, description="the forecast of the end that was registered")
    refreshed: Ends | None = Field(default=None, description="the same by what is measured now")


class TrackedTask(Frozen):
    """One task of a tracked run."""

    task: str
    metric: str = Field(default="", description="what the scores are; empty: an accuracy")
    band: BandColumns | None = Field(description="null for a mean over tasks: it has one only where there are points")
    points: tuple[TrackedPoint, ...]
    registered: Ends | None = Field(description="the forecast that was registered before the run")
    refreshed: Ends | None = Field(description="the forecast by what is measured now")
    is_mean: bool = Field(default=False, description="whether it is the mean of the others")
    problem: str = Field(default="", description="why its scores cannot be held against the band; empty: they can")


class Track(Frozen):
    """A tracked run beside its registered band: an entry of ``tracking.json``."""

    target: str
    run: str
    registered: str = Field(description="when its forecast was registered: UTC, ISO 8601")
    hash: str = Field(description="of the record that holds it")
    planned_tokens: float | None
    tasks: tuple[TrackedTask, ...]
    late: bool = Field(description="whether the run had begun when it was registered")
    problem: str = Field(default="", description="why the run cannot be held against the band; empty: it can")
    newest: float | None = Field(default=None, description="tokens of its newest scored checkpoint, in the band or not")


class Standing(StrEnum):
    """Where a tracked run stands, most urgent first."""

    ALARM = "alarm"
    """A rule speaks at its newest checkpoint."""
    UNJUDGED = "unjudged"
    """It is not what was registered: another scorer, another plan."""
    UNREGISTERED = "unregistered"
    """There is no registered forecast to hold it against."""
    EARLY = "early"
    """Too few checkpoints are scored to say anything."""
    WAITING = "waiting"
    """No checkpoint is scored yet."""
    ON_COURSE = "on course"
    """No rule speaks at its newest checkpoint."""


class Verdict(Frozen):
    """How a tracked run does: the first line of the nightly report, of its messages and of the index of nights."""

    target: str
    run: str
    standing: Standing
    text: str = Field(description="``on course since step 40,000``: what follows the name of the run")
    detail: str = Field(default="", description="where it stands, and what the text leaves out; sentences")

    @property
    def line(self) -> str:
        """The run and its verdict."""
        return f"{self.run}: {self.text}"


class Alert(Frozen):
    """What is wrong for one reason, however many tasks or checkpoints it touches."""

    rule: str
    text: str
    since: str = Field(default="", description="the day of the pass that found it first; empty: this pass")


class News(Frozen):
    """What a nightly report says first: the verdict, the tracked runs, what is wrong, what changed."""

    since: str = Field(default="", description="when the last pass was, as text; empty: there was none")
    verdict: str = Field(default="", description="over all tracked runs, one line")
    verdicts: tuple[Verdict, ...] = Field(default=(), description="of each tracked run")
    alerts: tuple[Alert, ...] = Field(default=(), description="what is wrong now, by cause")
    changes: tuple[str, ...] = Field(default=(), description="sentences, most important first")
    tracking: tuple[TrackedScore, ...] = ()
    tracks: tuple[Track, ...] = Field(default=(), description="the runs beside their registered bands, to draw them")
    report: str = Field(default="", description="the folder that the report is kept in")


class MeasuredAt(NamedTuple):
    """A score of a run under way, and when a pass saw it; a list of three in JSON."""

    time: datetime
    value: float
    tokens: float


class ForecastSeries(Frozen):
    """How the forecast of one target and task moved, pass by pass, beside what was registered and measured."""

    target: str
    task: str
    recipe: str
    family: str
    times: tuple[datetime, ...]
    forecast: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    measured: tuple[MeasuredAt, ...]
    registered: Ends | None
    metric: str = Field(default="", description="what the scores are; empty: an accuracy")
