"""The figures of a run's report, drawn and captioned; each goes into ``files`` under the name that the page uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..figures import diagnostics, ladder_map, multiples
from ..figures.panels import panel_figure
from ..records.forecast import Figure, Forecast
from ..text.numbers import finite, interval, level, percent
from ..text.wording import NAME, clean, recipe_name
from . import content
from .content import Content, Pair
from .picture import Files, Picture, picture


@dataclass(frozen=True, kw_only=True)
class Section:
    """A task with a figure per recipe; ``key`` labels its page."""

    heading: str
    items: tuple[Picture, ...]
    pair: Pair
    key: str


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A page of small panels, one a task."""

    file: str
    alt: str
    caption: str
    pairs: tuple[Pair, ...]
    key: str


def places(sections: list[Section], sheets: list[Sheet]) -> Iterator[tuple[Pair, str]]:
    """Every task with the label of the page that shows it."""
    yield from ((section.pair, section.key) for section in sections)
    yield from ((pair, sheet.key) for sheet in sheets for pair in sheet.pairs)


def task_sections(c: Content, files: Files) -> list[Section]:
    """One section per (family, task) with a figure per recipe, for the first few."""
    sections: list[Section] = []
    for pair in c.pairs[: content.DETAILED]:
        chosen = [f for f in c.result.figures if (f.family, f.task) == pair and f.panels]
        items = tuple(_panels(c, figure, files) for figure in chosen)
        if items:
            sections.append(Section(heading=c.heading(pair), items=items, pair=pair, key=f"task{len(sections)}"))
    return sections


def _panels(c: Content, figure: Figure, files: Files) -> Picture:
    """One figure and its caption."""
    key = (figure.recipe, figure.family, figure.task)
    rows = [f for f in c.forecasts if (f.recipe, f.family, f.task) == key]
    file = f"panels{len(files)}.svg"
    files[file] = panel_figure(figure, rows, c.sizes, c.level)
    caption = f"{recipe_name(figure.recipe)} recipe. " + "; ".join(map(_sentence, rows)) + "." * bool(rows)
    return picture(file, f"Fitted laws of {clean(figure.task)}.", caption)


def _sentence(f: Forecast) -> str:
    """A forecast in words."""
    target, actual = clean(f.target, NAME), finite(f.actual)
    measured = "" if actual is None else f", measured {percent(actual)} %"
    if finite(f.forecast) is None:
        return f"{target}: no forecast{measured}"
    within = f" ({level(f.level)} interval {interval(f.low, f.high)})"
    return f"{target}: {percent(f.forecast)} %{within}{measured}"


def small_multiples(c: Content, files: Files) -> list[Sheet]:
    """Small panels of the tasks without a section, some to a page."""
    drawn = {(f.family, f.task) for f in c.result.figures if f.panels} & set(c.pairs[: content.DETAILED])
    left = [pair for pair in c.pairs if pair not in drawn]
    which = " of tasks without a page of their own" if drawn else ""
    caption = f"{c.score} (%) against training FLOPs{which}: runs, and forecasts with their {c.level} interval."
    sheets = []
    for start in range(0, len(left), multiples.MOST):
        part = left[start : start + multiples.MOST]
        file = f"small{start}.svg"
        files[file] = multiples.multiples_figure([c.small(pair) for pair in part], c.recipe_names, c.level)
        alt = f"{caption} {', '.join(clean(c.pair_name(pair), NAME) for pair in part)}."
        sheets.append(Sheet(file=file, alt=alt, caption=caption, pairs=tuple(part), key=f"small{start}"))
    return sheets


def ladder(c: Content, files: Files) -> Picture | None:
    """The map of the ladder."""
    drawn = ladder_map.coverage_figure(c.result.ladder, c.forecasts)
    if drawn is None:
        return None
    files["coverage.svg"] = drawn
    caption = (
        "Runs and targets by parameters and training tokens. Dashed: equal tokens per parameter. Dotted: equal FLOPs."
    )
    return picture("coverage.svg", "Scatter plot.", caption)


def residuals(c: Content, files: Files) -> Picture | None:
    """Residuals against leverage of the laws of the detailed tasks."""
    shown = diagnostics.panels(c.result.laws, c.pairs, content.DETAILED, c.recipe_names)
    if not shown:
        return None
    files["diagnostics.svg"] = diagnostics.diagnostics_figure(shown)
    caption = (
        "Residuals against leverage, a mark per run and task. Dashed: three standard deviations, and a leverage of one "
        "half, beyond which a run holds the law more than all others together; runs beyond are named."
    )
    return picture("diagnostics.svg", "Scatter plots.", caption)
