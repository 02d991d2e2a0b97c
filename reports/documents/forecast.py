"""Write a result as PDF, JSON and CSV: the same input gives the same bytes, and a failure leaves old files alone."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

from ..records.forecast import Result
from ..records.nightly import News
from ..sections import content, decision, news, optimum, others, pictures, published, questions, trust
from ..sections.content import Content, Entry, Method
from ..sections.decision import PageOne
from ..sections.news import Latest
from ..sections.optimum import Best
from ..sections.others import Others
from ..sections.picture import Files, Picture
from ..sections.pictures import Section, Sheet
from ..sections.provenance import Origin, origin
from ..sections.published import Published
from ..sections.trust import Trust
from ..text import fonts
from ..text.strict_json import without_nan
from ..text.table import Table
from . import writing
from .page import page_bytes
from .typesetting import is_mathematics, json_bytes, set_pages, unset

COLUMNS = (
    *("recipe", "family", "task", "target", "params", "tokens", "flops", "forecast", "low", "high", "level", "stderr"),
    *("status", "notes", "direct", "carry_forward", "actual", "chance", "middle", "middle_actual", "grade", "reasons"),
    *("codes", "inflation", "tested_ratio", "metric"),
)


@dataclass(frozen=True, kw_only=True)
class ForecastPages:
    """All that ``template.typ`` sets, in the order of its pages; figures are named by their files."""

    title: str
    unset: str
    news: Latest | None
    page_one: PageOne
    level: str
    score: str
    others: Others | None
    published: Published | None
    index: list[Entry]
    sections: list[Section]
    small: list[Sheet]
    more: int
    trust: Trust | None
    laws: Table
    law_notes: list[str]
    diagnostics: Picture | None
    methods: list[Method]
    ladder: Table
    coverage: Picture | None
    optimum: list[Best]
    provenance: Origin
    forecasts: Table
    notes: list[str]


def write(
    result: Result, out: Path, stem: str = "report", html: bool = False, latest: News | None = None
) -> dict[str, Path]:
    """Write ``<stem>.pdf``, ``result.json``, ``forecasts.csv`` and with ``html`` ``<stem>.html`` into ``out``.

    Returns their paths by kind: pdf, json, csv, html.

    ``latest``, of a nightly pass, comes first in PDF and page. Everything is made in memory before the first file is
    touched, and each file is replaced in one step.

    Raises
    ------
    ReportError
        When it cannot be typeset.
    OSError
        When the place cannot be written.
    """
    if stem in ("", ".", "..") or Path(stem).name != stem:
        raise ValueError(f"stem must be a plain file name, not {stem!r}")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    made = {
        "pdf": (out / f"{stem}.pdf", pdf_bytes(result, latest)),
        "json": (out / "result.json", json_bytes(result.model_dump(mode="json", by_alias=True))),
        "csv": (out / "forecasts.csv", csv_bytes(result)),
    }
    if html:
        made |= {"html": (out / f"{stem}.html", page_bytes(result, latest))}
    writing.write_all(dict(made.values()))
    return {kind: path for kind, (path, _) in made.items()}


def csv_bytes(result: Result) -> bytes:
    """The forecasts, one a line: fractions as in the JSON, notes joined by `` | ``, empty for null."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for f in result.forecasts:
        lists = {"notes": f.notes, "reasons": f.reasons, "codes": f.codes}
        joined = {name: " | ".join(texts) for name, texts in lists.items()}
        writer.writerow(without_nan(f.model_dump(mode="json") | f.baselines.model_dump(mode="json")) | joined)
    return buffer.getvalue().encode("utf-8", "replace")


def pdf_bytes(result: Result, latest: News | None = None) -> bytes:
    """The report.

    Raises
    ------
    ReportError
        When it cannot be typeset.
    """
    with fonts.fonts_for(result, latest):
        data, files = build(result, latest)
        return set_pages("template.typ", data, files)


def build(result: Result, latest: News | None = None) -> tuple[ForecastPages, Files]:
    """The template's data, and the figures it names."""
    c = Content(result)
    files: Files = {}
    law_table, law_notes = content.laws(c)
    first = decision.page_one(c, files)
    sections, small = pictures.task_sections(c, files), pictures.small_multiples(c, files)
    methods = [replace(m, math=is_mathematics(m.formula)) for m in content.methods(c)]
    pages = ForecastPages(
        title=c.title,
        unset=unset(),
        news=None if latest is None else news.section(latest, files),
        # What is registered of a tracked run is its band, of which the news tell.
        page_one=first if latest is None else decision.without(first, questions.ON_RECORD),
        level=c.level,
        score=c.score,
        others=others.section(c, files),
        published=published.with_mathematics(published.section(c), methods),
        index=content.index(c, pictures.places(sections, small)),
        sections=sections,
        small=small,
        more=max(0, len(c.pairs) - content.DETAILED) if law_table.rows else 0,
        trust=trust.section(c, files),
        laws=law_table,
        law_notes=law_notes,
        diagnostics=pictures.residuals(c, files),
        methods=methods,
        ladder=content.ladder(c),
        coverage=pictures.ladder(c, files),
        optimum=optimum.section(c, files),
        provenance=origin(result.provenance),
        forecasts=content.all_forecasts(c),
        notes=content.notes(c),
    )
    return pages, files
