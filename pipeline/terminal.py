"""What people see: a progress bar on a terminal, tables, and nothing on stdout that a machine would trip over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.results import Forecast, Result

MOST_ROWS = 60
FILE_WIDTH = 160  # columns when the output is no terminal: a table in a log is not cut to 80


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=FILE_WIDTH)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar on stderr while it is a terminal; nothing otherwise (cron, pipes)."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn(title), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn(),
               TextColumn("{task.description}"))  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def step(what: str, done: int, total: int) -> None:
            bar.update(task, description=escape(what), completed=done, total=total)

        yield step


def headline(result: Result) -> None:
    """The headline table: forecast, interval, baselines and actual, in percent."""
    level = f"{100 * result.forecasts[0].level:.0f} % interval" if result.forecasts else "interval"
    families = len({f.family for f in result.forecasts}) > 1
    table = Table(title=escape(result.title), title_justify="left")
    for name in ("task", "target", "recipe"):
        table.add_column(name)
    for name in ("forecast", level, "direct", "carry fwd", "actual"):
        table.add_column(name, justify="right")
    table.add_column("")
    for f in result.forecasts[:MOST_ROWS]:
        task = f"{f.family}: {f.task}" if families else f.task
        table.add_row(
            escape(task), escape(f.target), f.recipe, _percent(f.forecast), _interval(f),
            _percent(f.baselines.direct), _percent(f.baselines.carry_forward), _percent(f.actual), _verdict(f),
        )  # fmt: skip
    console = _console()
    console.print(table)
    if (more := len(result.forecasts) - MOST_ROWS) > 0:
        console.print(f"… and {more} more rows in forecasts.csv")
    held = [f for f in result.forecasts if f.actual is not None and f.low is not None and f.high is not None]
    if held:
        inside = sum(f.low <= f.actual <= f.high for f in held)  # type: ignore[operator]
        console.print(f"{inside} of {len(held)} held-out scores are inside their interval; "
                      "* has notes, see the report", highlight=False)  # fmt: skip


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
        table.add_row(escape(law.family), escape(law.task), law.recipe, law.law, numbers, str(law.n), law.status)
    _console().print(table)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _interval(f: Forecast) -> str:
    return "–" if f.low is None or f.high is None else f"{100 * f.low:.1f}–{100 * f.high:.1f}"


def _verdict(f: Forecast) -> str:
    flag = "" if f.status == "ok" else "*"
    if f.actual is None or f.low is None or f.high is None:
        return flag
    return ("in" if f.low <= f.actual <= f.high else "[bold]out[/bold]") + flag
