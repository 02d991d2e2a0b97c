"""What results print and write, for ``print(result)``, a notebook, ``result.to_frame()`` and ``result.write("out")``.

The records (``benchcast.reports.records``) know no renderer; the package's face tells them that it is this module.
What draws is imported when it is first asked for: a PDF needs Typst and Matplotlib, a table needs neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchcast.reports.records.forecast import Result
from benchcast.reports.records.plan import PlanResult
from benchcast.reports.records.settlement import Settlement

from .core.errors import BenchcastError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def as_line(record: Result | PlanResult) -> str:
    """The answer in a sentence."""
    from benchcast.reports.sections import headline, plan

    return headline.headline(record) if isinstance(record, Result) else plan.summary(record)


def as_text(record: Result | PlanResult) -> str:
    """The headline table, or a plan's answers, as plain text."""
    from benchcast.reports.text import forecast_table, plan_table

    return forecast_table.as_text(record) if isinstance(record, Result) else plan_table.as_text(record)


def as_html(record: Result | PlanResult) -> str:
    """The same for a notebook; every name is escaped."""
    from benchcast.reports.text import forecast_table, plan_table, table

    made = forecast_table.headline(record) if isinstance(record, Result) else plan_table.answers(record)
    return table.as_html(made)


def as_frame(record: Result | PlanResult) -> pd.DataFrame:
    """The forecasts, or a plan's answers, one a row."""
    from benchcast.reports.text import forecast_table, plan_table

    return forecast_table.frame(record) if isinstance(record, Result) else plan_table.frame(record)


def as_figure(record: Result, task: str | None = None, family: str | None = None) -> Figure:
    """The figure of page one, or one task along compute.

    Raises
    ------
    BenchcastError
        When the result has no such task, or several families have it.
    """
    from benchcast.reports.figures.answer import answer_figure
    from benchcast.reports.figures.multiples import Small, task_figure
    from benchcast.reports.records.answer import answer, has_number
    from benchcast.reports.text import fonts
    from benchcast.reports.text.wording import recipe_name

    with fonts.fonts_for(record):
        if task is None:
            found = answer(record)
            several = len(found.families) > 1
            rows = [(f"{f.task} ({f.family})" if several else f.task, f) for f in found.rows if has_number(f)]
            if not rows:
                raise BenchcastError(f"there is no forecast to plot: {as_line(record)}")
            return answer_figure(rows)
        family = _family(record, task, family)
        names = {f.recipe: recipe_name(f.recipe) for f in record.forecasts}
        return task_figure(Small.of(record, family, task, task), names)


def _family(record: Result, task: str, family: str | None) -> str:
    """The family in which a task was forecast."""
    having = list(dict.fromkeys(f.family for f in record.forecasts if f.task == task))
    if not having:
        tasks = ", ".join(dict.fromkeys(f.task for f in record.forecasts))
        raise BenchcastError(f"task {task!r} was not forecast; there are: {tasks}")
    if family is None and len(having) > 1:
        raise BenchcastError(f"task {task!r} was forecast in several families: give family= one of {', '.join(having)}")
    if family is not None and family not in having:
        raise BenchcastError(f"task {task!r} was not forecast in family {family!r}; it was in {', '.join(having)}")
    return family or having[0]


def write_report(record: Result | PlanResult | Settlement, out: Path, html: bool = False) -> dict[str, Path]:
    """Typeset a record into a folder, with its JSON beside it; paths by kind. ``html``: of a run, its web page too.

    Raises
    ------
    BenchcastError
        When it cannot be typeset, or the place not be written; what was there is untouched.
    """
    from benchcast.reports.documents import forecast, plan, settlement
    from benchcast.reports.documents.typesetting import ReportError

    try:
        if isinstance(record, Result):
            return forecast.write(record, out, html=html)
        if isinstance(record, PlanResult):
            return plan.write(record, out)
        return settlement.write(record, out)
    except OSError as error:
        raise BenchcastError(f"{out}: cannot be written ({error.strerror or error})") from error
    except ReportError as error:
        raise BenchcastError(f"the report could not be typeset: {error}") from error
