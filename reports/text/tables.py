"""Results as people meet them in Python: text for a terminal, HTML for a notebook, a pandas frame."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..records.account import listed
from .wording import plain

if TYPE_CHECKING:
    import pandas as pd

    from ..records.forecast import Forecast, Result
    from ..records.plan import PlanResult

MOST_ROWS = 60
Rows = list[list[str]]


def percent(value: float | None) -> str:
    """A fraction in percent, one decimal; a dash for null."""
    return "–" if value is None else f"{100 * value:.1f}"


def inside(f: Forecast) -> bool | None:
    """Whether the measured score lies in the interval; None where either is unknown."""
    if f.actual is None or f.low is None or f.high is None:
        return None
    return f.low <= f.actual <= f.high


def cell(f: Forecast | None) -> str:
    """``61.2 (58–64) B``: grade if any, ``!`` where the measured score is outside, ``*`` where there are notes."""
    if f is None:
        return "–"
    mark = ("!" if inside(f) is False else "") + ("" if f.status == "ok" else "*")
    if f.forecast is None or f.low is None or f.high is None:
        return f"– {f.grade or ''}{mark:<2}"
    return f"{100 * f.forecast:.1f} ({100 * f.low:.0f}–{100 * f.high:.0f}) {f.grade or ''}{mark:<2}"


def groups(result: Result) -> dict[tuple[str, str, str], dict[str, Forecast]]:
    """Forecasts by (family, task, target), then by recipe, in order of appearance."""
    found: dict[tuple[str, str, str], dict[str, Forecast]] = {}
    for f in result.forecasts:
        row = found.setdefault((f.family, f.task, f.target), {})
        # One recipe with two settings is two columns; the second must not take the first one's place.
        count = sum(name.split(" (")[0] == f.recipe for name in row)
        row[f"{f.recipe} ({count + 1})" if count else f.recipe] = f
    return found


COMMON: tuple[Callable[[Forecast], float | None], ...] = (
    lambda f: f.baselines.direct,
    lambda f: f.baselines.carry_forward,
    lambda f: f.actual,
)


def spread(values: Iterable[float | None]) -> str:
    """One number in percent where all agree on it, else their range."""
    shown = [percent(v) for v in sorted(v for v in values if v is not None)]
    return "–" if not shown else shown[0] if shown[0] == shown[-1] else f"{shown[0]}–{shown[-1]}"


def headline(result: Result) -> tuple[list[str], Rows]:
    """Head and rows of the table of forecasts: a row per task and target, a column per recipe."""
    recipes = list(dict.fromkeys(name for row in groups(result).values() for name in row))
    families = len({f.family for f in result.forecasts}) > 1
    rows = []
    for (family, task, target), row in groups(result).items():
        # Recipes may average other checkpoints: where they differ, so do the baselines and the measured score.
        shown = [cell(row.get(recipe)) for recipe in recipes]
        shown += [spread(get(f) for f in row.values()) for get in COMMON]
        rows.append([f"{family}: {task}" if families else task, target, *shown])
    return ["task", "target", *recipes, "direct", "carry fwd", "actual"], rows


def footnotes(result: Result) -> list[str]:
    """How to read the table, and how the forecasts did where the score is known."""
    level = f"{100 * result.forecasts[0].level:.3g} %" if result.forecasts else ""
    grades = "; grades A to D, D: no number is given" if any(f.grade for f in result.forecasts) else ""
    lines = [f"forecast in percent with its {level} interval{grades}; * has notes, see the report"]
    held = [f for f in result.forecasts if inside(f) is not None]
    if held:
        hit = sum(inside(f) is True for f in held)
        lines.append(f"{hit} of {len(held)} held-out scores are inside their interval; ! is outside")
    return [*lines, *_metrics(result), *_mixed(result)]


def _mixed(result: Result) -> list[str]:
    """Scores that are known to have come about differently: the warnings nobody may miss, with their tasks."""
    found: dict[str, dict[str, None]] = {}
    for f in result.forecasts:
        for note in f.notes:
            if note.page_one == 0:
                found.setdefault(note, {})[f.task] = None
    return [f"warning: {note}: {listed(tasks)}" for note, tasks in found.items()]


def _metrics(result: Result) -> list[str]:
    """Which score each number is: one for all, or the tasks of each; nothing where no result says."""
    tasks: dict[str, dict[str, None]] = {}
    for f in result.forecasts:
        if f.metric:
            tasks.setdefault(f.metric, {})[f.task] = None
    if len(tasks) < 2:
        return [f"metric: {metric}" for metric in tasks]
    return ["metric: " + "; ".join(f"{metric} of {listed(names)}" for metric, names in tasks.items())]


def as_text(result: Result) -> str:
    """The headline table as plain text, columns aligned."""
    head, rows = headline(result)
    lines = [plain(result.title), *_aligned(head, rows[:MOST_ROWS])]
    more = [f"… and {len(rows) - MOST_ROWS} more rows"] if len(rows) > MOST_ROWS else []
    return "\n".join([*lines, *more, *map(plain, footnotes(result))])


def as_html(result: Result) -> str:
    """The headline table for a notebook; every name escaped."""
    head, rows = headline(result)
    return _html(result.title, head, rows, footnotes(result))


def plan_rows(result: PlanResult) -> tuple[list[str], Rows]:
    """What each method says about each budget."""
    rows = []
    for answer in result.answers:
        sizes = [_estimate(e.value, e.low, e.high) for e in (answer.params, answer.tokens, answer.token_multiplier)]
        rows.append([f"{answer.flops:.3g}", answer.method, answer.kind, *sizes])
    return ["FLOPs", "method", "kind", "parameters", "tokens", "tokens/param."], rows


def plan_text(result: PlanResult) -> str:
    """The plan's answers as plain text."""
    return "\n".join([plain(result.title), *_aligned(*plan_rows(result))])


def plan_html(result: PlanResult) -> str:
    """The plan's answers for a notebook."""
    return _html(result.title, *plan_rows(result), [])


def _estimate(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" + (f" ({low:.3g}–{high:.3g})" if low is not None and high is not None else "")


def _aligned(head: Sequence[str], rows: Rows) -> list[str]:
    table = [[plain(text) for text in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    lines = []
    for row in table:
        cells = zip(row, widths, strict=True)
        lines.append("  ".join(text.ljust(w) if i < 2 else text.rjust(w) for i, (text, w) in enumerate(cells)).rstrip())
    return lines


def _escaped(text: str) -> str:
    return html.escape(plain(text))


def _html(title: str, head: Sequence[str], rows: Rows, notes: Iterable[str]) -> str:
    line = "".join
    heads = line(f"<th>{_escaped(text)}</th>" for text in head)
    body = line("<tr>" + line(f"<td><bdi>{_escaped(text)}</bdi></td>" for text in row) + "</tr>" for row in rows)
    below = line(f"<div>{_escaped(text)}</div>" for text in notes)
    caption = f"<caption>{_escaped(title)}</caption>"
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{below}"


def frame(result: Result) -> pd.DataFrame:
    """The forecasts, one a row, with the columns of forecasts.csv."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for f in result.forecasts:
        row = f.model_dump(exclude={"baselines", "alternatives"})
        rows.append(row | f.baselines.model_dump() | {"notes": " | ".join(f.notes)})
    return pd.DataFrame(rows)


def plan_frame(result: PlanResult) -> pd.DataFrame:
    """The answers, one a row."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for answer in result.answers:
        row: dict[str, Any] = {"flops": answer.flops, "method": answer.method, "kind": answer.kind}
        for name in ("params", "tokens", "token_multiplier"):
            estimate = getattr(answer, name)
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        rows.append(row | {"source": answer.source})
    return pd.DataFrame(rows)
