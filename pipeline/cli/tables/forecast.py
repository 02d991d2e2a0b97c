"""What people see: a progress bar on a terminal, tables, and nothing on stdout that a machine would trip over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchcast.reports.records.forecast import Result
from benchcast.reports.text import tables as show
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ...core.errors import plain

MOST_ROWS = 40
FILE_WIDTH = 140  # columns when the output is no terminal: a table in a log is not cut to 80


def shown(text: object) -> str:
    """Somebody else's text for a table or a line: control characters and markup are shown, never obeyed."""
    return escape(plain(str(text)))


def _console() -> Console:
    # A task may be called ``:fire:``, which rich would replace by a picture.
    console = Console(emoji=False)
    return console if console.is_terminal else Console(width=FILE_WIDTH, emoji=False)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar on stderr while it is a terminal; nothing otherwise (cron, pipes)."""
    console = Console(stderr=True, emoji=False)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn(title),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def step(what: str, done: int, total: int) -> None:
            bar.update(task, description=shown(what), completed=done, total=total)

        yield step


def headline(result: Result) -> None:
    """A row per task and target, a column per recipe with its interval, the baselines, the actual; in percent."""
    head, rows = show.headline(result)
    table = Table(title=shown(result.title), title_justify="left")
    for i, name in enumerate(head):
        table.add_column(shown(name), justify="left" if i < 2 else "right")
    for row in rows[:MOST_ROWS]:
        table.add_row(*map(shown, row))
    console = _console()
    console.print(table)
    if (more := len(rows) - MOST_ROWS) > 0:
        console.print(f"… and {more} more rows in the report and in forecasts.csv")
    for line in show.footnotes(result):
        console.print(shown(line), highlight=False)


def laws(result: Result) -> None:
    """Every fitted law with its estimates and standard errors."""
    table = Table(title="Fitted laws", title_justify="left")
    for name in ("family", "task", "recipe", "law", "estimates (± standard error)", "n", "status"):
        table.add_column(name)
    for law in result.laws:
        numbers = ", ".join(
            f"{name} {value:.4g}" + (f" ± {error:.2g}" if (error := law.stderrs[name]) is not None else "")
            for name, value in law.estimates.items()
        )
        table.add_row(shown(law.family), shown(law.task), law.recipe, law.law, numbers, str(law.n), law.status)
    _console().print(table)
