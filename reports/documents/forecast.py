"""Write a result as PDF, JSON and CSV: the same input gives the same bytes, and a failure leaves old files alone."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typst

from ..figures import diagnostics, multiples
from ..figures import ladder_map as coverage
from ..figures.forest import ONE_COLUMN, TALLEST, forest_figure
from ..figures.panels import panel_figure
from ..sections import content, decision, news, trust
from ..sections.content import Content
from ..text import fonts, wording
from . import writing
from .page import page_bytes

HERE = Path(__file__).parent / "templates"
COLUMNS = (
    "recipe",
    "family",
    "task",
    "target",
    "params",
    "tokens",
    "flops",
    "forecast",
    "low",
    "high",
    "level",
    "stderr",
    "status",
    "notes",
    "direct",
    "carry_forward",
    "actual",
    "chance",
    "middle",
    "middle_actual",
    "grade",
    "reasons",
    "codes",
    "inflation",
    "tested_ratio",
)
PARTS = ("style.typ", "sheet.typ", "decision.typ", "trust.typ")
Files = dict[str, bytes]
typeset: Any = typst.compile  # its stub knows nothing of files in memory


class ReportError(RuntimeError):
    """The report could not be set; nothing was written."""


def write(
    result: Mapping[str, Any],
    out: Path,
    stem: str = "report",
    html: bool = False,
    latest: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Write ``<stem>.pdf``, ``result.json``, ``forecasts.csv`` and with ``html`` ``<stem>.html`` into ``out``.

    Returns their paths by kind: pdf, json, csv, html.

    ``result`` is ``Result.model_dump(mode="json", by_alias=True)``; ``latest``, of a nightly pass, is what
    ``news.section`` takes, and comes first in PDF and page. Everything is made in memory before the first file
    is touched, and each file is replaced in one step.
    """
    if stem in ("", ".", "..") or Path(stem).name != stem:
        raise ValueError(f"stem must be a plain file name, not {stem!r}")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    made = {
        "pdf": (out / f"{stem}.pdf", pdf_bytes(result, latest)),
        "json": (out / "result.json", json_bytes(result)),
        "csv": (out / "forecasts.csv", csv_bytes(result)),
    }
    if html:
        made["html"] = out / f"{stem}.html", page_bytes(result, latest)
    writing.write_all(dict(made.values()))
    return {kind: path for kind, (path, _) in made.items()}


def json_bytes(result: Mapping[str, Any]) -> bytes:
    """The result as given, NaN and infinity as null."""
    text = json.dumps(_no_nan(result), indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8", "replace")


def _no_nan(value: Any) -> Any:
    """The same structure with null for what JSON cannot say."""
    if isinstance(value, Mapping):
        return {key: _no_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_no_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def csv_bytes(result: Mapping[str, Any]) -> bytes:
    """The forecasts, one a line: fractions as in the JSON, notes joined by `` | ``, empty for null."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for forecast in _no_nan(result["forecasts"]):
        lists = {key: " | ".join(forecast.get(key, ())) for key in ("notes", "reasons", "codes")}
        writer.writerow({**forecast, **forecast["baselines"], **lists})
    return buffer.getvalue().encode("utf-8", "replace")


def pdf_bytes(result: Mapping[str, Any], latest: Mapping[str, Any] | None = None) -> bytes:
    """The report. PDF/UA (accessible) where the fonts have every character, plain tagged PDF otherwise."""
    with fonts.fonts_for({"result": result, "latest": latest}):
        data, files = build(result)
        data["news"] = news.section(latest) if latest else None
        if latest:  # what is registered is the band of the tracked run
            data["facts"] = [line for line in data["facts"] if line != decision.NOT_LOOKED_UP]
        return set_pages("template.typ", data, files)


def set_pages(template: str, data: Mapping[str, Any], files: Files) -> bytes:
    """Typeset a template of this package with its data and figures."""
    sources = {"main.typ": (HERE / template).read_bytes(), **{p: (HERE / p).read_bytes() for p in PARTS}}
    data = {**data, "fonts": fonts.current().families}
    files = {**sources, "data.json": json.dumps(data).encode(), **files}
    try:
        return _compile(files, ["ua-1"])
    except typst.TypstError:
        try:
            return _compile(files, [])
        except typst.TypstError as error:
            raise ReportError(f"the report could not be typeset: {error}") from error


def _compile(files: Files, standards: list[str]) -> bytes:
    """Typeset from memory: only this package's folder could be read, no font but the chosen ones, no date."""
    known = typst.Fonts(include_system_fonts=False, font_paths=[str(fonts.BUNDLED), *fonts.current().folders])
    pdf = typeset(
        files, root=str(HERE), font_paths=known, ignore_system_fonts=True, format="pdf", pdf_standards=standards
    )
    return bytes(pdf)


def build(result: Mapping[str, Any]) -> tuple[dict[str, Any], Files]:
    """The template's data, and the figures it names."""
    c = Content(result)
    files: Files = {}
    large = len(c.forecasts) > content.FULL_ROWS
    law_table, law_notes = content.laws(c)
    sections, small = _sections(c, files), _multiples(c, files)
    data = {
        "title": wording.clean(result["title"], 160) or "Benchcast report",
        "unset": unset(),
        "question": content.question(c),
        "level": c.level,
        "targets": content.targets(c),
        "scorecard": content.scorecard(c),
        "headline": content.headline(c),
        "compact": content.compact(c) if large else None,
        "compact_more": max(0, len(c.groups) - content.COMPACT_ROWS) if large else 0,
        "notes": content.notes(c),
        "page_one_notes": content.PAGE_ONE_NOTES,
        "answers": decision.answers(c),
        "dangers": decision.dangers(c),
        "facts": decision.facts(c),
        "forest": _forest(c, files),
        "index": content.index(c, sections, small),
        "sections": sections,
        "small": small,
        "more": max(0, len(c.pairs) - content.DETAILED) if law_table["rows"] else 0,
        "trust": trust.section(c, files),
        "laws": law_table,
        "law_notes": law_notes,
        "diagnostics": _diagnostics(c, files),
        "methods": _checked(content.methods(c)),
        "ladder": content.ladder(c),
        "coverage": _coverage(c, files),
        "provenance": content.provenance(c),
    }
    return data, files


def unset() -> str:
    """What to do about characters that no font here has; empty when every one is shown."""
    missing = fonts.current().missing
    if not missing:
        return ""
    named = ", ".join(f"U+{ord(c):04X}" for c in missing[:8]) + ", …" * (len(missing) > 8)
    return f"No font here has {named}: pip install 'benchcast[cjk]', or install a font that has them."


def _forest(c: Content, files: Files) -> dict[str, str] | None:
    """The page-one figure."""
    if not c.groups:
        return None
    graded = decision.listed(c)
    kept = {id(f) for f in graded or c.forecasts}
    groups = [(key, [f for f in rows if id(f) in kept]) for key, rows in c.groups.items()]
    drawn = [(key, rows) for key, rows in groups if rows]
    chosen = drawn[: decision.MOST if graded else content.FOREST_GROUPS]
    tallest = decision.LOW if len(graded) > decision.MANY else TALLEST
    names = {recipe: content.recipe_name(recipe) for recipe in c.recipes}
    most = 40 if len(chosen) <= ONE_COLUMN else 26
    files["forest.svg"] = forest_figure([(c.label(key, most), rows) for key, rows in chosen], names, c.level, tallest)
    left = len(drawn) - len(chosen)
    more = f" The first {len(chosen)} of {len(drawn)} are drawn; the others are in result.json." if left else ""
    caption = f"Forecasts with {c.level} prediction intervals, baselines, and measured scores where known.{more}"
    return {"file": "forest.svg", "alt": f"Dot plot. {caption}", "caption": caption}


def _sections(c: Content, files: Files) -> list[dict[str, Any]]:
    """One section per (family, task) with a figure per recipe, for the first few."""
    sections: list[dict[str, Any]] = []
    for pair in c.pairs[: content.DETAILED]:
        chosen = [f for f in c.result["figures"] if (f["family"], f["task"]) == pair and f["panels"]]
        items = [_item(c, figure, files) for figure in chosen]
        if items:
            heading = wording.clean(c.pair_name(pair), 90)
            sections.append({"heading": heading, "items": items, "pair": pair, "key": f"task{len(sections)}"})
    return sections


def _multiples(c: Content, files: Files) -> list[dict[str, Any]]:
    """Small panels of the tasks without a section, some to a page."""
    drawn = {(f["family"], f["task"]) for f in c.result["figures"] if f["panels"]} & set(c.pairs[: content.DETAILED])
    left = [pair for pair in c.pairs if pair not in drawn]
    sheets = []
    for start in range(0, len(left), multiples.MOST):
        part = left[start : start + multiples.MOST]
        file = f"small{start}.svg"
        names = {recipe: content.recipe_name(recipe) for recipe in c.recipes}
        files[file] = multiples.multiples_figure([c.small(pair) for pair in part], names, c.level)
        which = " of tasks without a page of their own" if drawn else ""
        caption = f"Accuracy (%) against training FLOPs{which}: runs, and forecasts with their {c.level} interval."
        alt = f"{caption} {', '.join(wording.clean(c.pair_name(pair), content.NAME) for pair in part)}."
        sheets.append({"file": file, "alt": alt, "caption": caption, "pairs": part, "key": f"small{start}"})
    return sheets


def _coverage(c: Content, files: Files) -> dict[str, str] | None:
    """The map of the ladder."""
    drawn = coverage.coverage_figure(c.result["ladder"], c.forecasts)
    if drawn is None:
        return None
    files["coverage.svg"] = drawn
    caption = (
        "Runs and targets by parameters and training tokens. Dashed: equal tokens per parameter. Dotted: equal FLOPs."
    )
    return {"file": "coverage.svg", "alt": f"Scatter plot. {caption}", "caption": caption}


def _diagnostics(c: Content, files: Files) -> dict[str, str] | None:
    """Residuals against leverage of the laws of the detailed tasks."""
    names = {recipe: content.recipe_name(recipe) for recipe in c.recipes}
    shown = diagnostics.panels(c.result["laws"], c.pairs, content.DETAILED, names)
    if not shown:
        return None
    files["diagnostics.svg"] = diagnostics.diagnostics_figure(shown)
    caption = (
        "Residuals against leverage, a mark per run and task. Dashed: three standard deviations, and a leverage of one "
        "half, beyond which a run holds the law more than all others together; runs beyond are named."
    )
    return {"file": "diagnostics.svg", "alt": f"Scatter plots. {caption}", "caption": caption}


def _item(c: Content, figure: Mapping[str, Any], files: Files) -> dict[str, str]:
    """One figure and its caption."""
    key = tuple(figure[k] for k in ("recipe", "family", "task"))
    rows = [f for f in c.forecasts if tuple(f[k] for k in ("recipe", "family", "task")) == key]
    file = f"panels{len(files)}.svg"
    files[file] = panel_figure(figure, rows, c.level)
    caption = f"{content.recipe_name(figure['recipe'])} recipe. " + "; ".join(map(_sentence, rows)) + "." * bool(rows)
    return {"file": file, "alt": f"Fitted laws of {wording.clean(figure['task'])}. {caption}", "caption": caption}


def _sentence(f: Mapping[str, Any]) -> str:
    """A forecast in words."""
    target, actual = wording.clean(f["target"], content.NAME), wording.finite(f["actual"])
    measured = "" if actual is None else f", measured {wording.percent(actual)} %"
    if wording.finite(f["forecast"]) is None:
        return f"{target}: no forecast{measured}"
    within = f" ({wording.level(f['level'])} interval {wording.interval(f['low'], f['high'])})"
    return f"{target}: {wording.percent(f['forecast'])} %{within}{measured}"


def _checked(methods: Iterable[dict[str, str]]) -> list[dict[str, Any]]:
    """Formulas marked as mathematics if they are; anything else is shown as it is written."""
    return [method | {"math": is_mathematics(method["formula"])} for method in methods]


def is_mathematics(formula: str) -> bool:
    """Whether Typst can set it. Code, and the module that reads files, are refused before it is tried."""
    if "#" in formula or re.search(r"\bstd\b", formula):
        return False
    source = b'#set document(title: "f")\n#eval(json("data.json"), mode: "math")'
    try:
        typeset(
            {"main.typ": source, "data.json": json.dumps(formula).encode()},
            root=str(HERE),
            ignore_system_fonts=True,
            format="pdf",
        )
    except typst.TypstError:
        return False
    return True
