"""The table of page one, for the PDF and a terminal: a row per task of the answer, averages first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..records.answer import Answer, answer, has_number
from ..records.forecast import Forecast, Result
from . import forecast_table
from . import wording as w
from .metric_names import metric_label, short_tasks
from .numbers import finite, level, percent, score_range
from .table import Column, Table, table

MOST = 42  # rows
NAME, LEAST = 60, 12  # characters of a task's name on a terminal: at most, at least
FEW_REFUSED = 12  # more answers without a number than these are counted, not listed
Listed = Forecast | str


def listed(a: Answer) -> list[Listed]:
    """The rows: answers, those without a number last; over those of each of several families its name.

    Answers without a number are only counted where they are many.
    """
    families = a.families
    rows: list[Listed] = []
    for family in families:
        own = [f for f in a.rows if f.family == family]
        lacking = [f for f in own if not has_number(f)]
        few = len(lacking) <= FEW_REFUSED or len(lacking) == len(own)
        shown = [f for f in own if has_number(f)] + (lacking if few else [])
        name = own[0].target if len(a.targets) > 1 else f"family {family}"
        rows += [*[name] * (len(families) > 1), *shown[: MOST // len(families) - (len(families) > 1)]]
    return rows


def left_out(a: Answer, rows: Sequence[Listed]) -> list[str]:
    """How many answers are not among the rows, and where they are."""
    shown = {id(f) for f in rows}
    left = [f for f in a.rows if id(f) not in shown]
    lacking = sum(not has_number(f) for f in left)
    lines = [_lacking(lacking)] if lacking else []
    more = len(left) - lacking
    return lines + [f"{more} more rows are in the table of all forecasts, on the last pages."] * bool(more)


def _lacking(number: int) -> str:
    tasks = f"{number} tasks" if number > 1 else "1 task"
    return f"{tasks} without a number {'are' if number > 1 else 'is'} not listed here."


def common_metric(a: Answer) -> str:
    """The metric of all answers; empty where they have several, and a column names them."""
    metrics = {metric_label(f.metric) for f in a.rows}
    return metrics.pop() if len(metrics) == 1 else ""


def columns(a: Answer, nominal: str) -> list[Column]:
    """What the table says of every answer; ``nominal``: the level of the intervals in words, ``90 %``."""
    several = common_metric(a) == ""
    heads: list[Column] = [("Task", "l", 4.4), *[("Metric", "l", 2.2)] * several, ("Forecast", "r", 1.7)]
    heads += [(f"{nominal} interval", "r", 1.9)] + [("Grade", "c", 1.3)] * a.graded + [("Carried forward", "r", 1.7)]
    return heads + [("Measured", "r", 2.4)] * _known(a)


def answer_table(a: Answer, rows: Sequence[Listed], short: Mapping[str, str], nominal: str, letters: int) -> Table:
    """A row per answer; ``short`` are shorter names of tasks, ``letters`` the width of their column in characters."""
    heads = columns(a, nominal)
    empty = [""] * (len(heads) - 1)
    cells = [[w.shortened(f, letters), *empty] if isinstance(f, str) else _cells(a, f, short, letters) for f in rows]
    rules = [i for i, f in enumerate(rows) if i and _closes_averages(rows[i - 1], f)]
    return table(heads, cells, rules)


def _cells(a: Answer, f: Forecast, short: Mapping[str, str], letters: int) -> list[str]:
    name = w.shortened(short.get(f.task, f.task), letters)
    metric = [metric_label(f.metric)] * (common_metric(a) == "")
    number = [percent(f.forecast), score_range(f.low, f.high)] if has_number(f) else ["none", ""]
    grade = [f.grade or ""] * a.graded
    return [name, *metric, *number, *grade, percent(f.baselines.carry_forward), *[_measured(f)] * _known(a)]


def _known(a: Answer) -> bool:
    return any(finite(f.actual) is not None for f in a.rows)


def _measured(f: Forecast) -> str:
    return percent(f.actual) + " outside" * (forecast_table.inside(f) is False)


def _closes_averages(before: Listed, row: Listed) -> bool:
    """Whether the averages end above a row."""
    return isinstance(before, Forecast) and bool(before.members) and isinstance(row, Forecast) and not row.members


def on_terminal(result: Result, width: int) -> Table:
    """The rows and numbers of page one, and below how to read them; ``width`` characters, long names lose their middle.

    Without rows where nothing was forecast.
    """
    a = answer(result)
    rows = listed(a)
    nominal = " / ".join(dict.fromkeys(level(f.level) for f in result.forecasts))
    short = short_tasks((f.task, f.metric) for f in result.forecasts)
    made = answer_table(a, rows, short, nominal, NAME)
    # Beside the names: the other columns, each with its line and two spaces.
    beside = sum(max(len(str(row[i])) + 3 for row in (made.head, *made.rows)) for i in range(1, len(made.head)))
    if rows:
        made = answer_table(a, rows, short, nominal, max(LEAST, min(NAME, width - beside - 4)))
    return replace(made, title=result.title, notes=tuple(_notes(result, a, rows, nominal)))


def _notes(result: Result, a: Answer, rows: Sequence[Listed], nominal: str) -> list[str]:
    metric = f", {common_metric(a)}" if a.rows and common_metric(a) else ""
    grades = "; grades A to D, D: no number is given" if a.graded else ""
    lines = [f"in percent{metric}; carried forward: the score of the ladder's largest run again{grades}"]
    held = [forecast_table.inside(f) for f in (*a.rows, *a.others) if forecast_table.inside(f) is not None]
    if held:
        lines.append(f"held-out runs: {sum(map(bool, held))} of {len(held)} scores are inside the {nominal} interval")
    lines += [*forecast_table.without_number(a.rows), *forecast_table.mixed(result.forecasts)]
    shown = sum(isinstance(f, Forecast) for f in rows)
    if len(result.forecasts) > shown:
        more = f"{len(a.rows) - shown} more tasks are not shown; " if len(a.rows) > shown else ""
        lines.append(f"{more}--all lists every target and recipe")
    return lines
