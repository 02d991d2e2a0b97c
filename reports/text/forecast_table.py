"""The table of forecasts as people meet it in Python and on a terminal: a row per task and target, a column per recipe.

Percent throughout; grades where there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..records.account import listed
from ..records.forecast import Forecast, Result
from .metric_names import says_metric
from .numbers import DASH, brief, finite, level, percent, percent_range
from .table import Table, as_lines
from .wording import plain

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 60
MOST_CAUSES = 6  # lines on why there is no number


@dataclass(frozen=True, kw_only=True)
class ForecastRow:
    """One task of one target: the forecast of every column that has one."""

    family: str
    task: str
    target: str
    forecasts: Mapping[str, Forecast]


def rows_of(result: Result) -> list[ForecastRow]:
    """Forecasts by family, task and target, then by recipe, in order of appearance."""
    grouped: dict[tuple[str, str, str], list[Forecast]] = {}
    for f in result.forecasts:
        grouped.setdefault((f.family, f.task, f.target), []).append(f)
    return [
        ForecastRow(family=family, task=task, target=target, forecasts=_by_column(group))
        for (family, task, target), group in grouped.items()
    ]


def _by_column(group: list[Forecast]) -> dict[str, Forecast]:
    """One recipe with two settings is two columns; the second does not take the first one's place."""
    columns: dict[str, Forecast] = {}
    times: dict[str, int] = {}
    for f in group:
        times[f.recipe] = times.get(f.recipe, 0) + 1
        columns[f.recipe if times[f.recipe] == 1 else f"{f.recipe} ({times[f.recipe]})"] = f
    return columns


def inside(f: Forecast) -> bool | None:
    """Whether the measured score lies in the interval; None where either is unknown."""
    actual, low, high = finite(f.actual), finite(f.low), finite(f.high)
    if actual is None or low is None or high is None:
        return None
    return low <= actual <= high


def cell(f: Forecast | None) -> str:
    """``61.2 (58–64) B``: grade if any, ``!`` where the measured score is outside, ``*`` where there are notes."""
    if f is None:
        return DASH
    mark = ("!" if inside(f) is False else "") + ("" if f.status == "ok" else "*")
    number = DASH
    if f.forecast is not None and f.low is not None and f.high is not None:
        number = f"{percent(f.forecast)} {brief(f.low, f.high)}"
    return f"{number} {f.grade or ''}{mark:<2}"


# Recipes may average other checkpoints: where they differ, so do the baselines and the measured score.
COMMON: tuple[Callable[[Forecast], float | None], ...] = (
    lambda f: f.baselines.direct,
    lambda f: f.baselines.carry_forward,
    lambda f: f.actual,
)


def headline(result: Result) -> Table:
    """The table of forecasts, with how to read it below."""
    grouped = rows_of(result)
    recipes = list(dict.fromkeys(name for row in grouped for name in row.forecasts))
    families = len({f.family for f in result.forecasts}) > 1
    rows = []
    for row in grouped:
        cells = [cell(row.forecasts.get(recipe)) for recipe in recipes]
        common = [[v for f in row.forecasts.values() if (v := get(f)) is not None] for get in COMMON]
        task = f"{row.family}: {row.task}" if families else row.task
        rows.append([task, row.target, *cells, *map(percent_range, common)])
    head = ("task", "target", *recipes, "direct", "carried forward", "measured")
    align = "ll" + "r" * (len(head) - 2)
    return Table(head=head, rows=tuple(rows), align=align, title=result.title, notes=tuple(footnotes(result)))


def footnotes(result: Result) -> list[str]:
    """How to read the table, and how the forecasts did where the score is known."""
    nominal = level(result.forecasts[0].level) if result.forecasts else ""
    grades = "; grades A to D, D: no number is given" if any(f.grade for f in result.forecasts) else ""
    lines = [f"forecast in percent with its {nominal} interval{grades}; * has notes, see the report"]
    held = [f for f in result.forecasts if inside(f) is not None]
    if held:
        lines.append(f"held-out scores inside their interval: {_records(held)}; ! is outside")
    return [*lines, *without_number(result.forecasts), *_metrics(result), *mixed(result.forecasts)]


def _records(held: Sequence[Forecast]) -> str:
    """How many scores are inside, recipe by recipe: ``auto 17 of 24, ladder 20 of 24``."""
    marks: dict[str, list[bool]] = {}
    for f in held:
        marks.setdefault(f.recipe, []).append(inside(f) is True)
    return ", ".join(f"{recipe} {sum(hits)} of {len(hits)}" for recipe, hits in marks.items())


def without_number(forecasts: Sequence[Forecast]) -> list[str]:
    """Why there is no number, a line for each cause with its tasks; many causes are left to the report."""
    causes: dict[tuple[str, str], dict[str, None]] = {}
    several = len({f.recipe for f in forecasts}) > 1
    for f in forecasts:
        if f.forecast is None and (f.reasons or f.notes):
            by = f" by {f.recipe}" if several else ""
            causes.setdefault((by, "; ".join(f.reasons) or f.notes[0]), {})[f.task] = None
    lines = [f"no number for {listed(tasks)}{by}: {why}" for (by, why), tasks in causes.items()]
    more = len(lines) - MOST_CAUSES
    return lines if more <= 0 else [*lines[:MOST_CAUSES], f"no number: {more} more causes, see the report"]


def mixed(forecasts: Sequence[Forecast]) -> list[str]:
    """Scores that are known to have come about differently: the warnings nobody may miss, with their tasks."""
    noted: dict[str, dict[str, None]] = {}
    for f in forecasts:
        for note in f.notes:
            if note.page_one == 0:
                noted.setdefault(note, {})[f.task] = None
    return [f"warning: {note}: {listed(tasks)}" for note, tasks in noted.items()]


def _metrics(result: Result) -> list[str]:
    """Which score each number is: one for all, or the tasks of each; nothing where no result says, or every name."""
    tasks: dict[str, dict[str, None]] = {}
    for f in result.forecasts:
        if f.metric and not says_metric(f.task, f.metric):
            tasks.setdefault(f.metric, {})[f.task] = None
    if not tasks:
        return []
    if len(tasks) == 1 and not any(says_metric(f.task, f.metric) for f in result.forecasts):
        return [f"metric: {metric}" for metric in tasks]
    return ["metric: " + "; ".join(f"{metric} of {listed(names)}" for metric, names in tasks.items())]


def as_text(result: Result) -> str:
    """The headline table as plain text, columns aligned."""
    t = headline(result)
    more = [f"… and {len(t.rows) - MOST_ROWS} more rows"] if len(t.rows) > MOST_ROWS else []
    return "\n".join([plain(t.title), *as_lines(t.limited(MOST_ROWS)), *more, *map(plain, t.notes)])


def frame(result: Result) -> pd.DataFrame:
    """The forecasts, one a row, with the columns of forecasts.csv."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for f in result.forecasts:
        row = f.model_dump(exclude={"baselines", "alternatives"})
        rows.append(row | f.baselines.model_dump() | {"notes": " | ".join(f.notes)})
    return pd.DataFrame(rows)
