"""What the chart of the web page is drawn from: per task the measured runs, the targets, and the curves along compute.

Scores are fractions; numbers have seven digits, more than are ever shown, so that the page stays small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..figures import marks
from ..records.answer import Answer, has_number, is_planned
from ..records.forecast import Curve, Forecast, LadderRun, Scores, Sweep
from ..records.quantities import Quantity
from ..sections import content
from ..sections.content import Content, Pair
from ..text import wording as w
from ..text.metric_names import score_name
from ..text.numbers import finite

DASHES = ("12 3", "7 3", "2 3", "9 3 2 3")
Value = float | None


@dataclass(frozen=True, kw_only=True)
class PageRecipe:
    """How a recipe is named and drawn, line and mark; ``shown``: from the start."""

    name: str
    line: str
    dash: str
    colour: str
    mark: str
    shown: bool


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
class PageLine:
    """Forecasts of one recipe along compute, or its ``law`` where no planned runs were forecast by it."""

    recipe: int
    law: bool
    flops: list[float]
    forecast: list[Value]
    low: list[Value]
    high: list[Value]


@dataclass(frozen=True, kw_only=True)
class PageTrack:
    """The curves at ``m`` tokens per parameter; without ``m`` they are laws, and the slider has only targets."""

    m: Value
    lines: list[PageLine]
    direct: list[Value]


@dataclass(frozen=True, kw_only=True)
class PageSpan:
    """What one recipe says of one target."""

    forecast: Value
    low: Value
    high: Value
    grade: str | None


@dataclass(frozen=True, kw_only=True)
class PageTarget:
    """A target of a task; ``spans`` are per recipe, None where it made no forecast."""

    name: str
    planned: bool
    params: Value
    tokens: Value
    flops: float
    spans: list[PageSpan | None]
    direct: Value
    measured: Value


@dataclass(frozen=True, kw_only=True)
class PageTask:
    """One entry of the task list; ``why`` says why its answer has no number."""

    label: str
    score: str
    chance: Value
    carried: Value
    why: str
    runs: list[PageRun]
    targets: list[PageTarget]
    tracks: list[PageTrack]


@dataclass(frozen=True, kw_only=True)
class PageData:
    """Everything the script needs; ``task`` and ``target`` are those of the headline."""

    title: str
    level: str
    recipes: list[PageRecipe]
    tasks: list[PageTask]
    task: str
    target: str


def page_data(c: Content, a: Answer, lead: Forecast | None) -> PageData:
    """The data of a result; ``lead`` is the forecast that the headline tells."""
    return PageData(
        title=c.title,
        level=c.level,
        recipes=[_recipe(c, a, recipe, DASHES[i % len(DASHES)]) for i, recipe in enumerate(c.recipes)],
        tasks=[_task(c, a, pair) for pair in ordered(c, a)],
        task="" if lead is None else task_label(c, (lead.family, lead.task)),
        target="" if lead is None else w.clean(lead.target),
    )


def _recipe(c: Content, a: Answer, recipe: str, dash: str) -> PageRecipe:
    """Of the answer the line has the colour of laws in every figure; the others' lines and marks are of one colour."""
    colour, mark = marks.recipe_mark(recipe)
    answers = recipe == a.recipe
    line = marks.LAW if answers else colour
    return PageRecipe(
        name=c.recipe_names[recipe], line=line, dash="" if answers else dash, colour=colour, mark=mark, shown=answers
    )


def ordered(c: Content, a: Answer) -> list[Pair]:
    """Tasks in the order of page one, then those that are not on it."""
    return list(dict.fromkeys([*((f.family, f.task) for f in a.rows), *c.pairs]))


def task_label(c: Content, pair: Pair) -> str:
    """What a task is called on the page and in its address."""
    return w.clean(c.pair_name(pair))


def _task(c: Content, a: Answer, pair: Pair) -> PageTask:
    measured = next((s for s in c.result.scores if (s.family, s.task) == pair), None)
    groups = {target: rows for (family, task, target), rows in c.groups.items() if (family, task) == pair}
    answered = next((f for f in a.rows if (f.family, f.task) == pair), None)
    some = next(iter(groups.values()))[0] if groups else None
    return PageTask(
        label=task_label(c, pair),
        score=score_name(some.metric if some else "" if measured is None else measured.metric),
        chance=_short(measured.chance if measured else some.chance if some else None),
        carried=_short(some.baselines.carry_forward if some else None),
        why="" if answered is None or has_number(answered) else why_none(c, answered),
        runs=[] if measured is None else _runs(c, measured),
        targets=[_target(c, target, rows) for target, rows in groups.items()],
        tracks=_tracks(c, pair),
    )


def why_none(c: Content, f: Forecast) -> str:
    """Why there is no number."""
    said = [w.summary(reason) for reason in f.reasons] or c.notes_of(f)
    return "; ".join(dict.fromkeys(said)) or "the recipe could not answer"


def _runs(c: Content, measured: Scores) -> list[PageRun]:
    """The measured runs of a task, with their sizes, the smallest first."""
    ladder = {run.run: run for run in c.result.ladder}
    scored = zip(measured.runs, measured.accuracy, strict=True)
    made = [_run(ladder[run], y) for run, y in scored if run in ladder and finite(y) is not None]
    return sorted(made, key=lambda run: run.flops)


def _run(run: LadderRun, score: float) -> PageRun:
    return PageRun(name=w.clean(run.run), y=score, params=run.params, tokens=run.tokens, flops=run.flops, role=run.role)


def _target(c: Content, name: str, rows: list[Forecast]) -> PageTarget:
    one = rows[0]
    return PageTarget(
        name=w.clean(name),
        planned=is_planned(c.result, name),
        params=finite(one.params),
        tokens=finite(one.tokens),
        flops=one.flops,
        spans=[_span(f) for f in content.by_recipe(c, rows)],
        direct=_short(one.baselines.direct),
        measured=finite(one.actual),
    )


def _span(f: Forecast | None) -> PageSpan | None:
    if f is None:
        return None
    return PageSpan(forecast=_short(f.forecast), low=_short(f.low), high=_short(f.high), grade=f.grade)


def _tracks(c: Content, pair: Pair) -> list[PageTrack]:
    """The curves by tokens per parameter; of recipes that were not forecast along compute the laws of their figures."""
    by_m: dict[float, list[Sweep]] = {}
    for sweep in c.result.sweeps:
        if (sweep.family, sweep.task) == pair and sweep.recipe in c.recipes:
            by_m.setdefault(sweep.token_multiplier, []).append(sweep)
    laws = _laws(c, pair)
    made = [_track(c, m, by_m[m], laws) for m in sorted(by_m)]
    return made or ([PageTrack(m=None, lines=laws, direct=[])] if laws else [])


def _track(c: Content, m: float, swept: Sequence[Sweep], laws: Sequence[PageLine]) -> PageTrack:
    lines = [_line(c, sweep) for sweep in swept]
    beside = [law for law in laws if law.recipe not in {line.recipe for line in lines}]
    return PageTrack(m=m, lines=[*lines, *beside], direct=[_short(v) for v in swept[0].direct])


def _line(c: Content, sweep: Sweep) -> PageLine:
    return PageLine(
        recipe=c.recipes.index(sweep.recipe),
        law=False,
        flops=list(sweep.flops),
        forecast=[_short(v) for v in sweep.forecast],
        low=[_short(v) for v in sweep.low],
        high=[_short(v) for v in sweep.high],
    )


def _laws(c: Content, pair: Pair) -> list[PageLine]:
    """The laws that the figures draw from compute to the score, one a recipe."""
    drawn: dict[str, list[Curve]] = {}
    for figure in c.result.figures:
        if (figure.family, figure.task) == pair and figure.recipe in c.recipes:
            for panel in figure.panels:
                if (panel.x_quantity, panel.y_quantity) == (Quantity.FLOPS, Quantity.ACCURACY):
                    drawn.setdefault(figure.recipe, []).extend(panel.curves)
    lead = {f.recipe: f for f in c.forecasts if (f.family, f.task) == pair and f.target in c.answer.targets}
    return [_law(c.recipes.index(r), _nearest(curves, lead.get(r))) for r, curves in drawn.items() if curves]


def _nearest(curves: Sequence[Curve], f: Forecast | None) -> Curve:
    """Of curves at several tokens per parameter the one that runs nearest to the forecast of page one's target."""
    if f is None or not has_number(f):
        return curves[0]
    return min(curves, key=lambda curve: abs(_at(curve, f.flops) - (f.forecast or 0.0)))


def _at(curve: Curve, flops: float) -> float:
    """A curve's value at the point nearest to so much compute."""
    return min(zip(curve.x, curve.y, strict=True), key=lambda point: abs(point[0] - flops))[1]


def _law(recipe: int, curve: Curve) -> PageLine:
    y, low, high = ([_short(v) for v in values] for values in (curve.y, curve.low, curve.high))
    flops = [float(f"{x:.7g}") for x in curve.x]
    return PageLine(recipe=recipe, law=True, flops=flops, forecast=y, low=low, high=high)


def _short(value: Value) -> Value:
    known = finite(value)
    return None if known is None else float(f"{known:.7g}")
