"""A result as one self-contained web page: no network, no framework, the data inside it.

What page one says, every forecast, notes and provenance are plain HTML: they are read, searched and printed without
a script. The script draws the chart, sorts and filters.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from ..records.answer import has_number
from ..records.forecast import Forecast, Result
from ..records.nightly import News
from ..sections import content, decision, news, published, questions
from ..sections.content import Content
from ..sections.headline import headline, lead
from ..sections.picture import Files
from ..sections.provenance import origin
from ..text import wording as w
from ..text.metric_names import metric_label
from ..text.numbers import DASH, brief, finite, percent, score_range
from . import markup
from .markup import element, name, paragraphs
from .page_data import page_data, task_label
from .typesetting import template_data

EVERYTHING = (
    "In percent, with the prediction interval in brackets. Letters are grades: how far a forecast may be trusted. "
    "Raised numbers: the notes below. Choose a task to see it in the chart."
)
MANY = 20  # answers: the table of more scrolls within itself
ANY = 1000  # characters of a name: on the page none is cut
STYLES, SCRIPTS = ("web.css", "page.css"), ("tables.js", "chart.js", "page.js")


def page_bytes(result: Result, latest: News | None = None) -> bytes:
    """The page, UTF-8; the same result gives the same bytes."""
    c = Content(result)
    data = page_data(c, c.answer, _leading(c))
    parts = {
        "TITLE": markup.markup([element("title", c.title)]),
        "HEADING": markup.markup([element("h1", c.title)]),
        "NEWS": markup.markup(_news(latest)),
        "ANSWER": markup.markup(_answer(c, latest is not None)),
        "EVERYTHING": markup.markup(_everything(c)),
        "NOTES": markup.markup(_notes(c)),
        "PROVENANCE": markup.markup(_provenance(c)),
        "DATA": markup.embedded(template_data(data)),
    }
    return markup.filled("page.html", STYLES, SCRIPTS, parts)


def _leading(c: Content) -> Forecast | None:
    """The forecast that the headline tells first: the chart begins with it."""
    if not c.answer.numbers:
        return next(iter(c.answer.rows), None)
    return lead(c.answer) if len(c.answer.families) == 1 else c.answer.numbers[0]


# ---- what page one says ----


def _news(latest: News | None) -> list[Element]:
    """What a nightly pass has to tell, before everything else."""
    if latest is None:
        return []
    files: Files = {}
    told = news.section(latest, files)
    alerts = [element("h2", "Alerts"), *paragraphs(told.alerts)] if told.alerts else []
    return [
        element(
            "section",
            element("p", told.verdict, class_="lead bad" if told.urgent else "lead"),
            *(part for run in told.runs for part in _tracked(run, files)),
            *([markup.sheet(told.tracking, "Tracked runs beside their bands")] if told.tracking else []),
            *alerts,
            element("h2", told.heading),
            *paragraphs(told.changes),
            id="news",
        ),
        element("h2", "The forecast with the scores so far"),
    ]


def _tracked(run: news.RunNews, files: Files) -> list[Element]:
    """The verdict on one run, and its figure."""
    figure = []
    if run.picture is not None:
        figure = [picture(files[run.picture.file], run.picture.alt), element("p", run.picture.caption, class_="small")]
    words = [element("p", line, class_=kind) for line, kind in _lines(run) if line]
    return [*words, *figure]


def _lines(run: news.RunNews) -> list[tuple[str, str | None]]:
    return [(run.verdict, "bad" if run.urgent else None), (run.detail, None), (run.record, "small")]


def picture(svg: bytes, alt: str) -> Element:
    """A figure of the report inside the page."""
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    return markup.scrolling(element("img", src=source, alt=alt, class_="figure"), "Figure")


def _answer(c: Content, nightly: bool) -> list[Element]:
    """Page one of the report: headline, a row per task, and what it cost, how sure it is, what next."""
    blocks = [b for b in questions.blocks(c, paged=False) if not (nightly and b.name == questions.ON_RECORD)]
    return [
        element("p", headline(c.result), class_="lead"),
        *([_answers(c)] if c.answer.rows else []),
        *paragraphs(decision.below(c, paged=False), "small"),
        element("dl", *(part for block in blocks for part in _block(block))),
    ]


def _block(block: questions.Block) -> list[Element]:
    return [element("dt", block.name), element("dd", *paragraphs(block.lines))]


def _answers(c: Content) -> Element:
    """The table of page one: a row per task, averages first."""
    known = any(finite(f.actual) is not None for f in c.answer.rows)
    heads = ["Task", "Forecast", f"{c.level} interval", *["Grade"] * c.answer.graded, "Carried forward"]
    rows = (_answer_row(c, f, known) for f in c.answer.rows)
    head = _head([*heads, *["Measured"] * known], 1)
    table = element("table", head, element("tbody", *rows), class_="sortable tight")
    kind = "narrow tall" if len(c.answer.rows) > MANY else "narrow"
    return markup.scrolling(table, "The answer, a row per task", kind)


def _answer_row(c: Content, f: Forecast, known: bool) -> Element:
    base = f.baselines.carry_forward
    said = element("b", percent(f.forecast)) if has_number(f) else "none"
    outside = element("b", " outside", class_="bad") if content.inside(f) == "out" else None
    link = element("a", name(c.row_name(f, ANY)), href=address(task_label(c, (f.family, f.task)), w.clean(f.target)))
    return element(
        "tr",
        element(
            "th", link, element("span", f" {metric_label(f.metric)}", class_="small"), scope="row", class_="left name"
        ),
        element("td", said, data_v=finite(f.forecast)),
        element("td", score_range(f.low, f.high), data_v=finite(f.low)),
        *[element("td", f.grade or DASH)] * c.answer.graded,
        element("td", percent(base), data_v=finite(base)),
        *[element("td", percent(f.actual), outside, data_v=finite(f.actual))] * known,
    )


def _head(heads: Sequence[str], names: int) -> Element:
    """The heading of a table whose first columns are names."""
    sides = ["left"] * names + [None] * (len(heads) - names)
    cells = (element("th", text, scope="col", class_=side) for text, side in zip(heads, sides, strict=True))
    return element("thead", element("tr", *cells))


# ---- everything ----


def address(task: str, target: str) -> str:
    """The part of the page's address that shows a task and a target in the chart."""
    return "#" + urlencode({"task": task, "run": target})


def _everything(c: Content) -> list[Element]:
    """A row per task and target, the recipes side by side: sorted and filtered by the script."""
    if not c.groups:
        return []
    heads = ["Task", "Run", *(c.recipe_names[r] for r in c.recipes), "Direct law", "Carried forward", "Measured"]
    rows = (_row(c, key) for key in c.groups)
    grid = element("table", _head(heads, 2), element("tbody", *rows, id="rows"), class_="sortable sticky")
    beside = published.section(c)
    words = [EVERYTHING, *(beside.about if beside else ())]
    return [*paragraphs(words, "small"), markup.scrolling(grid, "All forecasts, a row per task and run")]


def _row(c: Content, key: content.Key) -> Element:
    family, task, target = key
    label, group = task_label(c, (family, task)), c.groups[key]
    link = element("a", name(label), href=address(label, w.clean(target)))
    base, actual = group[0].baselines, group[0].actual
    return element(
        "tr",
        element("th", link, scope="row", class_="left name"),
        element("td", name(w.clean(target)), class_="left name"),
        *(_forecast(c, f) for f in content.by_recipe(c, group)),
        *(_number(value) for value in (base.direct, base.carry_forward, actual)),
        data_task=label,
    )


def _number(value: float | None) -> Element:
    return element("td", percent(value), data_v=finite(value))


def _forecast(c: Content, f: Forecast | None) -> Element:
    """``61.2 (58–64) A``, with a mark where the measured score is outside, and the numbers of its notes."""
    if f is None:
        return element("td", DASH)
    marks = ", ".join(str(number) for number in sorted({c.notes[note] for note in c.notes_of(f)}))
    said = (
        f"{percent(f.forecast)} {brief(f.low, f.high)}"
        if has_number(f) and f.low is not None and f.high is not None
        else DASH
    )
    outside = element("b", " outside", class_="bad") if content.inside(f) == "out" else None
    grade = element("b", f" {f.grade}") if f.grade else None
    return element("td", said, grade, outside, element("sup", marks) if marks else None, data_v=finite(f.forecast))


def _notes(c: Content) -> list[Element]:
    return paragraphs(content.notes(c), "small")


def _provenance(c: Content) -> list[Element]:
    return [markup.sheet(origin(c.result.provenance).facts, "Versions and digests")]
