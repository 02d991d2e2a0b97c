"""What the index page shows: the nights of a tracked run, how the forecasts moved, and the reports of a folder.

Paths are relative to the folder that the page is written into, with ``/``; scores are fractions.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from .base import Frozen
from .nightly import ForecastSeries


class Place(Frozen):
    """A file that a page links to."""

    label: str
    path: str


class Night(Frozen):
    """One pass of the nightly command that found something new."""

    time: datetime
    verdict: str = Field(description="over all tracked runs, one line; empty: none was recorded")
    urgent: bool = Field(description="whether the verdict is bad news")
    messages: tuple[str, ...] = Field(description="what arose or cleared that night")
    scored: int = Field(description="scores made that night, or found of the tracked runs")
    files: tuple[Place, ...] = Field(description="its report")


class RunReport(Frozen):
    """A report that lies in the folder."""

    folder: str
    title: str
    headline: str
    targets: tuple[str, ...]
    tasks: int
    files: tuple[Place, ...]


class Overview(Frozen):
    """Everything on an index page."""

    title: str
    verdict: str = Field(default="", description="of the last night; empty: there was none")
    urgent: bool = False
    standing: tuple[str, ...] = Field(default=(), description="alerts that stand, by cause")
    series: tuple[ForecastSeries, ...] = ()
    nights: tuple[Night, ...] = Field(default=(), description="oldest first")
    runs: tuple[RunReport, ...] = ()
