"""Page one for those who decide: the answer of each task, its cost, how sure it is, what could be wrong, what next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchcast.stages.notices import Notice, Severity, grading, read_all

from ..figures import answer as answer_figure
from ..records.answer import has_number
from ..records.forecast import Forecast
from ..text import wording as w
from ..text.answer_table import MOST, Listed, answer_table, columns, common_metric, left_out, listed
from ..text.table import Table
from ..text.wording import NAME
from .content import Content
from .headline import headline
from .picture import Files, Picture
from .questions import Block, blocks, room, who

WIDTH, LETTER = 172.0, 0.178  # millimetres: of the page; of a letter, for a point of its size
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
    rows = listed(c.answer)
    layout = _layout(len(rows))
    return PageOne(
        headline=headline(c.result),
        answers=_answers(c, rows, layout) if rows else None,
        strip=_strip(c, rows, layout, files),
        layout=layout,
        below=tuple(below(c)),
        blocks=tuple(blocks(c)),
    )


def _layout(rows: int) -> Layout:
    """Few rows are set wide, many so that all of them and the lines below fit on the page."""
    row, size, text = SIZES[min(most for most in SIZES if rows <= most)]
    return Layout(row=row, head=9.0, foot=6.0, strip=60.0, type=size, text=text)


def _answers(c: Content, rows: Sequence[Listed], layout: Layout) -> Table:
    heads = columns(c.answer, c.level)
    share = heads[0][2] / sum(width for _, _, width in heads)
    letters = int((WIDTH - layout.strip) * share / (LETTER * layout.type))
    return answer_table(c.answer, rows, c.short, c.level, letters)


def _strip(c: Content, rows: Sequence[Listed], layout: Layout, files: Files) -> Picture | None:
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
    metric = f", {common_metric(c.answer)}" if common_metric(c.answer) else ""
    lines = [f"In percent{metric}. Carried forward: {_largest(c)} again, as one would expect without any law."]
    if c.answer.graded:
        letters = [letter for letter in GRADES if any(f.grade == letter for f in rows)]
        lines.append("Grades by expected miss: " + "; ".join(f"{letter}, {GRADES[letter]}" for letter in letters) + ".")
    return [*lines, *_refusals(c), *(left_out(c.answer, listed(c.answer)) if paged else ())]


def _largest(c: Content) -> str:
    fitted_runs = [run for run in c.result.ladder if run.role == "fit"]
    families = {run.family for run in fitted_runs}
    if not fitted_runs or len(families) > 1:
        return "the score of the ladder's largest run"
    return f"the score of the ladder's largest run, {w.clean(max(fitted_runs, key=lambda run: run.flops).run, NAME)},"


def _refusals(c: Content) -> list[str]:
    """Why there is no number, reason by reason; a forecast may be refused for several."""
    refused: dict[str, list[tuple[Forecast, Notice]]] = {}
    losses: list[str] = []
    for f in c.answer.rows:
        if not has_number(f):
            for reason in f.reasons or _failures(f):
                refused.setdefault(w.summary(reason), []).append((f, reason))
            losses += [f"{c.row_name(f, NAME)}: {n}." for n in f.notes if n.code == grading.GOLD_LOSS.name]
    ordered = sorted(refused.values(), key=lambda part: -len(part))
    most = room(c)
    told = []
    for part in ordered[:most]:
        tasks = who(c, [f for f, _ in part]).replace("every", "any")
        told.append(f"No number for {tasks}: {w.shared([reason for _, reason in part])}.")
    return [*told, *losses[:most]]


def _failures(f: Forecast) -> tuple[Notice, ...]:
    """Why a forecast failed that no grade refused."""
    failed = tuple(note for note in f.notes if note.severity == Severity.FAILURE)
    return failed or f.notes[:1] or read_all(("too little data",))


def without(page: PageOne, name: str) -> PageOne:
    """The page without one block."""
    return replace(page, blocks=tuple(block for block in page.blocks if block.name != name))
