"""The history, and what the doctor found, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchcast.reports.records.nightly import ForecastSeries
from benchcast.reports.text.numbers import count, percent, within
from benchcast.reports.text.table import Table, as_rich, shown

from ...nightly.schedule.check import Check
from .forecast import console

WIDTH = 160  # columns when the output is no terminal


def show(series: Sequence[ForecastSeries], passes: Sequence[Mapping[str, Any]]) -> None:
    """A table of forecasts and what was measured per series, then the messages of all passes."""
    here = console(WIDTH)
    for each in series:
        here.print(as_rich(history(each)))
    for entry in passes:
        for message in entry.get("messages", ()):
            here.print(shown(f"{entry['time'][:16].replace('T', ' ')} {message}"), highlight=False, soft_wrap=True)


def history(series: ForecastSeries) -> Table:
    """A row per pass: what was forecast, and what was measured of the run under way."""
    rows = []
    if series.registered is not None:
        ends = series.registered
        rows.append(["registered", within(ends.forecast, ends.low, ends.high, percent), ""])
    for time, forecast, low, high in zip(series.times, series.forecast, series.low, series.high, strict=True):
        measured = [f"{percent(m.value)} at {count(m.tokens)} tokens" for m in series.measured if m.time == time]
        rows.append([f"{time:%Y-%m-%d %H:%M}", within(forecast, low, high, percent), ", ".join(measured)])
    title = f"{series.target}: {series.task} ({series.recipe}, {series.family}), in percent"
    return Table(head=("pass", "forecast of the end", "measured"), rows=tuple(rows), align="lll", title=title)


def checked(checks: Sequence[Check]) -> None:
    """A line per check."""
    here = console(WIDTH)
    for each in checks:
        mark = "[green]ok[/green]  " if each.ok else "[red]FAIL[/red]"
        here.print(f"{mark} {shown(each.what)}: {shown(each.says)}", highlight=False, soft_wrap=True)
