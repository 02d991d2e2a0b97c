"""The history, and what the doctor found, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ...nightly.schedule.doctor import Check
from .forecast import shown


def show(series: Sequence[Mapping[str, Any]], passes: Sequence[Mapping[str, Any]]) -> None:
    """A table of forecasts and what was measured per series, then the messages of all passes."""
    console = _console()
    for each in series:
        title = f"{each['target']}: {each['task']} ({each['recipe']}, {each['family']})"
        table = Table(title=shown(title), title_justify="left")
        for column in ("pass", "forecast of the end", "measured"):
            table.add_column(column)
        if each["registered"]:
            table.add_row("registered", _interval(*(each["registered"][k] for k in ("forecast", "low", "high"))), "")
        for time, *said in zip(*(each[k] for k in ("times", "forecast", "low", "high")), strict=True):
            measured = ", ".join(f"{v:.1%} at {d:.3g} tokens" for when, v, d in each["measured"] if when == time)
            table.add_row(f"{time:%Y-%m-%d %H:%M}", _interval(*said), measured)
        console.print(table)
    for entry in passes:
        for message in entry.get("messages", ()):
            console.print(shown(f"{entry['time'][:16].replace('T', ' ')} {message}"), highlight=False)


def _interval(middle: float | None, low: float | None, high: float | None) -> str:
    if middle is None:
        return "—"
    return f"{middle:.1%}" if low is None or high is None else f"{middle:.1%} ({low:.1%} to {high:.1%})"


def checked(found: Sequence[Check]) -> None:
    """A line per check."""
    console = _console()
    for each in found:
        mark = "[green]ok[/green]  " if each.ok else "[red]FAIL[/red]"
        console.print(f"{mark} {shown(each.what)}: {shown(each.says)}", highlight=False)


def _console() -> Console:
    console = Console(emoji=False)
    return console if console.is_terminal else Console(width=160, emoji=False)
