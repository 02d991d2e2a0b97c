"""What people see: a progress bar on a terminal, tables, and nothing on stdout that a machine would trip over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.results import Forecast, Result

MOST_ROWS = 40
FILE_WIDTH = 140  # columns when the output is no terminal: a table in a log is not cut to 80


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
    """A row per task and target, a column per recipe with its interval, the baselines, the actual; in percent."""
    recipes = list(dict.fromkeys(f.recipe for f in result.forecasts))
    families = len({f.family for f in result.forecasts}) > 1
    table = Table(title=escape(result.title), title_justify="left")
    table.add_column("task")
    table.add_column("target")
    for name in (*recipes, "direct", "carry fwd", "actual"):
        table.add_column(name, justify="right")
    groups: dict[tuple[str, str, str], dict[str, Forecast]] = {}
    for f in result.forecasts:
        groups.setdefault((f.family, f.task, f.target), {})[f.recipe] = f
    for (family, task, target), row in list(groups.items())[:MOST_ROWS]:
        any_recipe = next(iter(row.values()))
        table.add_row(
            escape(f"{family}: {task}" if families else task),
            escape(target),
            *(_cell(row.get(recipe)) for recipe in recipes),
            _percent(any_recipe.baselines.direct),
            _percent(any_recipe.baselines.carry_forward),
            _percent(any_recipe.actual),
        )
    console = _console()
    console.print(table)
    if (more := len(groups) - MOST_ROWS) > 0:
        console.print(f"… and {more} more rows in the report and in forecasts.csv")
    level = f"{100 * result.forecasts[0].level:.0f} %" if result.forecasts else ""
    console.print(f"forecast in percent with its {level} interval; * has notes, see the report", highlight=False)
    held = [f for f in result.forecasts if _inside(f) is not None]
    if held:
        inside = sum(_inside(f) is True for f in held)
        console.print(
            f"{inside} of {len(held)} held-out scores are inside their interval; ! is outside", highlight=False
        )


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


def _cell(f: Forecast | None) -> str:
    if f is None or f.forecast is None or f.low is None or f.high is None:
        return "–" if f is None or f.status == "ok" else "– *"
    mark = ("!" if _inside(f) is False else "") + ("" if f.status == "ok" else "*")
    return f"{100 * f.forecast:.1f} ({100 * f.low:.0f}–{100 * f.high:.0f}) {mark:<2}"


def _inside(f: Forecast) -> bool | None:
    if f.actual is None or f.low is None or f.high is None:
        return None
    return f.low <= f.actual <= f.high
