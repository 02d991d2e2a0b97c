"""What people see: a progress bar on a terminal, tables, and nothing on stdout that a machine would trip over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer
from benchcast.reports.records.forecast import LawFit, Result
from benchcast.reports.sections.headline import headline
from benchcast.reports.text import answer_table, forecast_table
from benchcast.reports.text.numbers import estimate
from benchcast.reports.text.table import Table, as_rich, shown
from benchcast.reports.text.wording import plain
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

FILE_WIDTH = 140  # columns when the output is no terminal: a table in a log is not cut to 80


def console(width: int = FILE_WIDTH) -> Console:
    """Where tables go; ``width`` holds where the output is no terminal."""
    # A task may be called ``:fire:``, which rich would replace by a picture.
    here = Console(emoji=False)
    return here if here.is_terminal else Console(width=width, emoji=False)


def say(text: str) -> None:
    """A line below a table, shown as it is."""
    console().print(shown(text), highlight=False)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar on stderr while it is a terminal; nothing otherwise (cron, pipes)."""
    errors = Console(stderr=True, emoji=False)
    if not errors.is_terminal:
        yield None
        return
    columns = (
        TextColumn(title),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("", total=None)

        def step(what: str, done: int, total: int) -> None:
            bar.update(task, description=shown(what), completed=done, total=total)

        yield step


def forecasts(
    result: Result, paths: Mapping[str, Path] | None = None, also: Sequence[str] = (), every: bool = False
) -> None:
    """Page one's table, or with ``every`` all targets and recipes; last the answer in a sentence, and the report.

    Where there is no number at all, the first line says so, why, and what to do; the lines below the table name the
    tasks of every cause.
    """
    if not numbered(result):
        say(headline(result))
    here = console()
    table = forecast_table.headline(result) if every else answer_table.on_terminal(result, here.width)
    here.print(as_rich(table))
    for line in table.notes:
        say(line)
    if numbered(result):
        typer.echo()
        say(headline(result))
    for line in also:
        typer.echo(line)
    written(paths or {})


def numbered(result: Result) -> bool:
    """Whether any score was forecast."""
    return any(f.forecast is not None for f in result.forecasts)


def written(paths: Mapping[str, Path]) -> None:
    """Say where the report is; the PDF last, for whoever reads the last line."""
    for kind, label in (("html", "web page"), ("pdf", "report")):
        if kind in paths:
            typer.echo(f"{label}: {plain(str(paths[kind]))}")


def laws(result: Result) -> None:
    """Every fitted law with its estimates and standard errors."""
    head = ("family", "task", "recipe", "law", "estimates (± standard error)", "n", "status")
    rows = tuple(_law(law) for law in result.laws)
    console().print(as_rich(Table(head=head, rows=rows, align="lllllll", title="Fitted laws")))


def _law(law: LawFit) -> list[str]:
    estimates = ", ".join(f"{name} {estimate(value, law.stderrs[name])}" for name, value in law.estimates.items())
    return [law.family, law.task, law.recipe, law.law, estimates, str(law.n), law.status]
