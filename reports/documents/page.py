"""A result as one self-contained web page: no network, no framework, the data inside it.

Names may be anything: data is JSON in which nothing can end the element that holds it, the script only ever sets text,
and a content security policy lets the browser run this package's script and style and no other.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..figures.forest import look
from ..records.forecast import Forecast, LadderRun, Result, Scores, Sweep
from ..records.nightly import News
from ..sections import content, decision, news
from ..sections.content import Content
from ..sections.news import Latest
from ..sections.provenance import origin
from ..text.metric_names import score_name
from ..text.numbers import finite
from ..text.table import Row
from ..text.wording import clean
from .typesetting import template_data

TEMPLATE = Path(__file__).parent / "templates" / "page.html"
DASHES = ("", "7 3", "2 3", "9 3 2 3")
# What could end the element, start a comment or a script in it, or break a line where JavaScript sees one.
ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


@dataclass(frozen=True, kw_only=True)
class PageRecipe:
    """How a recipe is named and drawn."""

    name: str
    colour: str
    dash: str


@dataclass(frozen=True, kw_only=True)
class PageRun:
    """A measured run of a task."""

    name: str
    y: float
    params: float
    tokens: float
    flops: float
    role: str


@dataclass(frozen=True, kw_only=True)
class PageSweep:
    """Forecasts of one recipe along compute, at ``m`` tokens per parameter."""

    recipe: int
    m: float
    flops: tuple[float, ...]
    forecast: list[float | None]
    low: list[float | None]
    high: list[float | None]
    direct: list[float | None]


@dataclass(frozen=True, kw_only=True)
class PageTask:
    """One entry of the task list: what was measured, and the forecasts along compute."""

    label: str
    score: str
    chance: float | None
    runs: list[PageRun]
    sweeps: list[PageSweep]


@dataclass(frozen=True, kw_only=True)
class PageCell:
    """One forecast; ``notes`` are the numbers of its notes."""

    forecast: float | None
    low: float | None
    high: float | None
    notes: list[int]
    grade: str | None


@dataclass(frozen=True, kw_only=True)
class PageRow:
    """One line of the table of forecasts: a task and a target, the recipes side by side."""

    task: int
    target: str
    cells: list[PageCell | None]
    direct: float | None
    carried: float | None
    actual: float | None


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything the page shows, names already on one line."""

    title: str
    question: list[str]
    dangers: list[str]
    decision: list[str]
    level: str
    recipes: list[PageRecipe]
    tasks: list[PageTask]
    rows: list[PageRow]
    notes: list[str]
    facts: tuple[Row, ...]
    news: Latest | None


def page_bytes(result: Result, latest: News | None = None) -> bytes:
    """The page, UTF-8; the same result gives the same bytes."""
    c = Content(result)
    template = TEMPLATE.read_text("utf-8")
    style, script = (_between(template, f"<{tag}>", f"</{tag}>") for tag in ("style", "script"))
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    filled = template.replace("{{POLICY}}", policy).replace("{{TITLE}}", html.escape(_title(c)))
    before, after = filled.split("{{DATA}}")  # last, and not by replace: the data may say anything
    data = template_data(page(c, latest))
    return (before + embedded(data) + after).encode("utf-8", "replace")


def _title(c: Content) -> str:
    return c.title.replace("{{", "{ {")


def _between(text: str, start: str, end: str) -> str:
    return text.split(start, 1)[1].split(end, 1)[0]


def _hash(text: str) -> str:
    """A source expression of a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def embedded(value: Any) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(ESCAPES)


def page(c: Content, latest: News | None = None) -> Page:
    """What the page's script shows."""
    looks = [(recipe, look(recipe)[0], dash) for recipe, dash in zip(c.recipes, DASHES * 9, strict=False)]
    return Page(
        title=_title(c),
        question=content.question(c),
        dangers=decision.dangers(c),
        decision=decision.facts(c),
        level=c.level,
        recipes=[PageRecipe(name=c.recipe_names[r], colour=colour, dash=dash) for r, colour, dash in looks],
        tasks=[_task(c, pair) for pair in c.pairs],
        rows=[_row(c, key) for key in c.groups],
        notes=content.notes(c),
        facts=origin(c.result.provenance).facts.rows,
        news=None if latest is None else news.section(latest),
    )


def _task(c: Content, pair: content.Pair) -> PageTask:
    measured = next((s for s in c.result.scores if (s.family, s.task) == pair), None)
    return PageTask(
        label=clean(c.pair_name(pair)),
        score=score_name("" if measured is None else measured.metric),
        chance=None if measured is None else finite(measured.chance),
        runs=[] if measured is None else _runs(c, measured),
        sweeps=[_sweep(c, s) for s in c.result.sweeps if (s.family, s.task) == pair],
    )


def _runs(c: Content, measured: Scores) -> list[PageRun]:
    """The measured runs of a task, with their sizes."""
    ladder = {run.run: run for run in c.result.ladder}
    scored = zip(measured.runs, measured.accuracy, strict=True)
    return [_run(ladder[run], y) for run, y in scored if run in ladder and finite(y) is not None]


def _run(run: LadderRun, accuracy: float) -> PageRun:
    return PageRun(
        name=clean(run.run), y=accuracy, params=run.params, tokens=run.tokens, flops=run.flops, role=run.role
    )


def _sweep(c: Content, sweep: Sweep) -> PageSweep:
    return PageSweep(
        recipe=c.recipes.index(sweep.recipe),
        m=sweep.token_multiplier,
        flops=sweep.flops,
        forecast=[finite(v) for v in sweep.forecast],
        low=[finite(v) for v in sweep.low],
        high=[finite(v) for v in sweep.high],
        direct=[finite(v) for v in sweep.direct],
    )


def _row(c: Content, key: content.Key) -> PageRow:
    group = c.groups[key]
    family, task, target = key
    return PageRow(
        task=c.pairs.index((family, task)),
        target=clean(target),
        cells=[_cell(c, f) for f in content.by_recipe(c, group)],
        direct=finite(group[0].baselines.direct),
        carried=finite(group[0].baselines.carry_forward),
        actual=finite(group[0].actual),
    )


def _cell(c: Content, f: Forecast | None) -> PageCell | None:
    if f is None:
        return None
    marks = sorted({c.notes[note] for note in content.notes_of(f)})
    return PageCell(forecast=finite(f.forecast), low=finite(f.low), high=finite(f.high), notes=marks, grade=f.grade)
