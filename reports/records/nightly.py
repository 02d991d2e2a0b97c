"""What a nightly pass hands to the report: its news, the tracked runs beside their bands, and forecasts over time.

Accuracies are fractions, tokens plain counts.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from pydantic import Field

from .base import Frozen


class TrackedScore(Frozen):
    """The newest score of a run that is under way, beside the band that was registered for it."""

    run: str = Field(default="", description="empty where it tells no rows apart")
    task: str = Field(default="", description="the same")
    tokens: float
    measured: float | None
    low: float | None
    high: float | None
    verdict: str = Field(description="what the rules say, in words")


class News(Frozen):
    """What changed since the pass before: the first section of a nightly report."""

    since: str = Field(default="", description="when the last pass was, as text; empty: there was none")
    changes: tuple[str, ...] = Field(default=(), description="sentences, most important first")
    tracking: tuple[TrackedScore, ...] = ()


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
    alarm: bool


class Ends(Frozen):
    """A forecast of the end of the run; null where there is no number."""

    forecast: float | None
    low: float | None
    high: float | None


class TrackedTask(Frozen):
    """One task of a tracked run."""

    task: str
    metric: str = Field(default="", description="what the scores are; empty: an accuracy")
    band: BandColumns | None = Field(description="null for a mean over tasks: it has one only where there are points")
    points: tuple[TrackedPoint, ...]
    registered: Ends | None = Field(description="the forecast that was registered before the run")
    refreshed: Ends | None = Field(description="the forecast by what is measured now")


class Track(Frozen):
    """A tracked run beside its registered band: an entry of ``tracking.json``."""

    target: str
    run: str
    registered: str = Field(description="when its forecast was registered: UTC, ISO 8601")
    hash: str = Field(description="of the record that holds it")
    planned_tokens: float | None
    tasks: tuple[TrackedTask, ...]
    late: bool = Field(description="whether the run had begun when it was registered")


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
