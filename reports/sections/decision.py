"""Page one for those who decide: the answer of each task, its cost, how sure it is, what could be wrong, what next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchcast.stages.notices import Notice, Severity, grading, read_all

from ..figures import answer as answer_figure
from ..records.answer import has_number
from ..records.forecast import Forecast
from ..text import wording as w
from ..text.metric_names import metric_label
from ..text.numbers import finite, percent, score_range
from ..text.table import Column, Table, table
from ..text.wording import NAME
from .content import Content
from .headline import headline
from .picture import Files, Picture
from .questions import Block, blocks, room, who

MOST = 42  # answers on page one
WIDTH, LETTER = 172.0, 0.178  # millimetres: of the page; of a letter, for a point of its size
FEW_REFUSED = 12  # more answers without a number than these are counted, not listed
SIZES = {10: (7.0, 9.5, 10.0), 16: (5.6, 9.0, 9.0), 26: (4.6, 8.0, 8.5), MOST: (3.55, 7.2, 7.5)}  # by rows at most
GRADES = {
    "A": "at most 2 points",
    "B": "at most 4 points",
    "C": "more, or farther beyond the ladder than was tested, or in the backtest no better than carrying forward",
    "D": "the ladder gives no ground for a number",
}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the table and the figure beside it are set: millimetres; ``type`` (table), ``text`` (below it): points."""

    row: float
    head: float
    foot: float
    strip: float
    type: float
    text: float


@dataclass(frozen=True, kw_only=True)
class PageOne:
    """All of page one but title and figures of the nightly pass; ``answers`` and ``strip`` have rows of one height."""

    headline: str
    answers: Table | None
    strip: Picture | None
    layout: Layout
    below: tuple[str, ...]
    blocks: tuple[Block, ...]


def page_one(c: Content, files: Files) -> PageOne:
    """Page one of a result; its figure goes into ``files``."""
    rows = listed(c)
    layout = _layout(len(rows))
    return PageOne(
        headline=headline(c.result),
        answers=_answers(c, rows, layout) if rows else None,
        strip=_strip(c, rows, layout, files),
        layout=layout,
        below=tuple(below(c)),
        blocks=tuple(blocks(c)),
    )


def listed(c: Content) -> list[Forecast | str]:
    """The rows of page one: answers, those without a number last; over those of each of several families its name.

    Answers without a number are only counted where they are many.
    """
    families = c.answer.families
    rows: list[Forecast | str] = []
    for family in families:
        own = [f for f in c.answer.rows if f.family == family]
        lacking = [f for f in own if not has_number(f)]
        few = len(lacking) <= FEW_REFUSED or len(lacking) == len(own)
        shown = [f for f in own if has_number(f)] + (lacking if few else [])
        name = own[0].target if len(c.answer.targets) > 1 else f"family {family}"
        rows += [*[name] * (len(families) > 1), *shown[: MOST // len(families) - (len(families) > 1)]]
    return rows


def _layout(rows: int) -> Layout:
    """Few rows are set wide, many so that all of them and the lines below fit on the page."""
    row, size, text = SIZES[min(most for most in SIZES if rows <= most)]
    return Layout(row=row, head=9.0, foot=6.0, strip=60.0, type=size, text=text)


def _answers(c: Content, rows: Sequence[Forecast | str], layout: Layout) -> Table:
    known, graded = any(finite(f.actual) is not None for f in c.answer.rows), c.answer.graded
    several = _metric(c) == ""
    columns: list[Column] = [("Task", "l", 4.4), *[("Metric", "l", 2.2)] * several, ("Forecast", "r", 1.7)]
    columns += [(f"{c.level} interval", "r", 1.9)] + [("Grade", "c", 1.3)] * graded + [("Carried forward", "r", 1.7)]
    columns += [("Measured", "r", 2.4)] * known
    share = columns[0][2] / sum(width for _, _, width in columns)
    letters = int((WIDTH - layout.strip) * share / (LETTER * layout.type))
    empty = [""] * (len(columns) - 1)
    cells = [
        [w.shortened(f, letters), *empty] if isinstance(f, str) else _cells(c, f, letters, several, known) for f in rows
    ]
    rules = [i for i, f in enumerate(rows) if i and _closes_averages(rows[i - 1], f)]
    return table(columns, cells, rules)


def _cells(c: Content, f: Forecast, most: int, several: bool, known: bool) -> list[str]:
    number = [percent(f.forecast), score_range(f.low, f.high)] if has_number(f) else ["none", ""]
    grade = [f.grade or ""] * c.answer.graded
    name = [w.shortened(c.short.get(f.task, f.task), most), *[metric_label(f.metric)] * several]
    return [*name, *number, *grade, percent(f.baselines.carry_forward), *[_measured(f)] * known]


def _closes_averages(before: Forecast | str, row: Forecast | str) -> bool:
    """Whether the averages end above a row."""
    return isinstance(before, Forecast) and bool(before.members) and isinstance(row, Forecast) and not row.members


def _metric(c: Content) -> str:
    """The metric of all answers; empty where they have several, and a column names them."""
    metrics = {metric_label(f.metric) for f in c.answer.rows}
    return metrics.pop() if len(metrics) == 1 else ""


def _measured(f: Forecast) -> str:
    low, high, actual = finite(f.low), finite(f.high), finite(f.actual)
    outside = None not in (low, high, actual) and not (low or 0) <= (actual or 0) <= (high or 0)
    return percent(f.actual) + " outside" * outside


def _strip(c: Content, rows: Sequence[Forecast | str], layout: Layout, files: Files) -> Picture | None:
    drawn = [None if isinstance(f, str) else f for f in rows]
    if not answer_figure.has_marks(drawn):
        return None
    inch = 25.4
    strip = answer_figure.Strip(
        width=layout.strip / inch, head=layout.head / inch, row=layout.row / inch, foot=layout.foot / inch
    )
    files["answer.svg"] = answer_figure.strip_svg(drawn, strip)
    alt = f"Dot plot of the table beside it: forecasts with their {c.level} interval, the largest run, and chance."
    return Picture(file="answer.svg", alt=alt, caption="")


def below(c: Content, paged: bool = True) -> list[str]:
    """How to read the table, and why a task has no number; ``paged``: with what stands on other pages."""
    rows = c.answer.rows
    if not rows:
        return []
    metric = f", {_metric(c)}" if _metric(c) else ""
    lines = [f"In percent{metric}. Carried forward: {_largest(c)} again, as one would expect without any law."]
    if c.answer.graded:
        letters = [letter for letter in GRADES if any(f.grade == letter for f in rows)]
        lines.append("Grades by expected miss: " + "; ".join(f"{letter}, {GRADES[letter]}" for letter in letters) + ".")
    return [*lines, *_refusals(c), *(_more(c) if paged else ())]


def _largest(c: Content) -> str:
    fitted_runs = [run for run in c.result.ladder if run.role == "fit"]
    families = {run.family for run in fitted_runs}
    if not fitted_runs or len(families) > 1:
        return "the score of the ladder's largest run"
    return f"the score of the ladder's largest run, {w.clean(max(fitted_runs, key=lambda run: run.flops).run, NAME)},"


def _more(c: Content) -> list[str]:
    shown = {id(f) for f in listed(c)}
    left = [f for f in c.answer.rows if id(f) not in shown]
    lacking = sum(not has_number(f) for f in left)
    lines = [f"{lacking} tasks without a number are not listed here."] if lacking else []
    more = len(left) - lacking
    return lines + [f"{more} more rows are in the table of all forecasts, on the last pages."] * bool(more)


def _refusals(c: Content) -> list[str]:
    """Why there is no number, reason by reason; a forecast may be refused for several."""
    refused: dict[str, list[Forecast]] = {}
    losses: list[str] = []
    for f in c.answer.rows:
        if not has_number(f):
            for reason in f.reasons or _failures(f):
                refused.setdefault(w.summary(reason), []).append(f)
            losses += [f"{c.row_name(f, NAME)}: {n}." for n in f.notes if n.code == grading.GOLD_LOSS.name]
    ordered = sorted(refused.items(), key=lambda item: -len(item[1]))
    most = room(c)
    told = [f"No number for {who(c, part).replace('every', 'any')}: {why}." for why, part in ordered[:most]]
    return [*told, *losses[:most]]


def _failures(f: Forecast) -> tuple[Notice, ...]:
    """Why a forecast failed that no grade refused."""
    failed = tuple(note for note in f.notes if note.severity == Severity.FAILURE)
    return failed or f.notes[:1] or read_all(("too little data",))


def without(page: PageOne, name: str) -> PageOne:
    """The page without one block."""
    return replace(page, blocks=tuple(block for block in page.blocks if block.name != name))
