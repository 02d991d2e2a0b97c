"""What the report says, as plain strings and tables: the template only sets them."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from benchcast.stages.notices import grading

from ..figures.multiples import Small
from ..records.forecast import Forecast, LawFit, Result
from ..text import forecast_table
from ..text import wording as w
from ..text.metric_names import common_name, short_tasks
from ..text.numbers import DASH, count, estimate, finite, interval, level, percent, percent_range, scientific
from ..text.table import Cell, Column, Row, Table, table
from ..text.wording import NAME, recipe_name

Key = tuple[str, str, str]
Pair = tuple[str, str]
FULL_ROWS = 20  # forecasts in the page-one table; more go to an appendix and page one has a row per task and target
COMPACT_ROWS = 10
PAGE_ONE_NOTES = 6
DETAILED = 12  # (family, task) pairs with figures and parameters
FOREST_GROUPS = 48
INDEXED = 8  # more (family, task) pairs than these get an index
ANSWER = "auto"  # the recipe whose numbers are the answer where it ran; the others stand in the appendix


class Content:
    """One result, indexed for the report."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.forecasts = list(result.forecasts)
        self.recipes = list(dict.fromkeys(f.recipe for f in self.forecasts))
        self.targets = list(dict.fromkeys(f.target for f in self.forecasts))
        self.families = list(dict.fromkeys(f.family for f in self.forecasts))
        self.pairs = list(dict.fromkeys((f.family, f.task) for f in self.forecasts))
        self.groups = self._groups()
        self.level = " / ".join(dict.fromkeys(level(f.level) for f in self.forecasts)) or "90 %"
        affected = Counter(note for f in self.forecasts for note in notes_of(f))
        first = {w.clean(note) for f in self.forecasts for note in f.notes if note.page_one == 0}
        self.notes = {note: index + 1 for index, (note, _) in enumerate(_by_weight(affected, first))}
        self.affected = affected
        self.one_each = len({(f.family, f.target) for f in self.forecasts}) == len(self.families)
        self.graded = any(f.grade for f in self.forecasts)
        answers = [f for f in self.forecasts if f.recipe == ANSWER]
        self.answers = answers or self.forecasts
        self.known = [f for f in self.answers if finite(f.actual) is not None]
        self.recipe_names = {recipe: recipe_name(recipe) for recipe in self.recipes}
        self.sizes = {run.run: run.params for run in result.ladder}
        self.title = w.clean(result.title, 160) or "Benchcast report"
        self.short = short_tasks((f.task, f.metric) for f in self.forecasts)
        score = common_name(f.metric for f in self.forecasts)
        self.score = score[:1].upper() + score[1:]

    def _groups(self) -> dict[Key, list[Forecast]]:
        """Forecasts by (family, task, target): tasks in order of appearance, targets together, recipes inside."""
        groups: dict[Key, list[Forecast]] = {}
        for family, task in self.pairs:
            for target in self.targets:
                key = (family, task, target)
                rows = [f for f in self.forecasts if (f.family, f.task, f.target) == key]
                if rows:
                    groups[key] = sorted(rows, key=lambda f: self.recipes.index(f.recipe))
        return groups

    def pair_name(self, pair: Pair, most: int = 0) -> str:
        """A task's name, with its family where there are several; its short name if longer than ``most``."""
        family, task = pair
        about = f" ({family})" if len(self.families) > 1 else ""
        return w.clean(self._fitting(task, most - len(about) if most else 0) + about, most)

    def _fitting(self, task: str, most: int) -> str:
        return self.short.get(task, task) if most and len(task) > most else task

    def small(self, pair: Pair) -> Small:
        """Title, measured runs (FLOPs, accuracy, role) and forecasts of a task."""
        ladder = {run.run: run for run in self.result.ladder}
        measured_ = [s for s in self.result.scores if (s.family, s.task) == pair]
        runs: list[tuple[float, float, str]] = [
            (ladder[run].flops, accuracy, ladder[run].role)
            for s in measured_
            for run, accuracy in zip(s.runs, s.accuracy, strict=True)
            if run in ladder
        ]
        return self.pair_name(pair, 34), runs, [f for f in self.forecasts if (f.family, f.task) == pair]

    def label(self, key: Key, most: int) -> str:
        """A group's name: only the parts that differ within this report."""
        family, task, target = key
        alone = len(self.families) == len(self.targets) == 1
        task = self._fitting(task, most if alone else most - 6 if most else 0)
        if len(self.families) > 1 and self.one_each:  # the family says which target it is
            return w.clean(f"{task} · {w.clean(family, max(6, most - len(task) - 3) if most else 0)}", most)
        if len(self.families) > 1:
            target = target.removeprefix(family).lstrip("-_ ") or target
        others = [family] * (len(self.families) > 1) + [target] * (len(self.targets) > 1)
        # The task is what a row is about: the other parts share what room it leaves.
        room = max(6, (most - len(task)) // max(len(others), 1) - 3) if most else 0
        short = [w.clean(part, room) for part in others]
        return w.clean(" · ".join([task, *short]), most)


def _by_weight(affected: Counter[str], first: Collection[str]) -> list[tuple[str, int]]:
    """Notes, most frequent first; before all others those that come ``first``."""
    return sorted(affected.most_common(), key=lambda item: item[0] not in first)


def notes_of(f: Forecast) -> list[str]:
    """A forecast's notes, each once; why it was refused without the numbers, which differ from task to task."""
    refused = [f"no number is given: {w.summary(reason)}" for reason in f.reasons]
    notes: list[str] = []
    for note in f.notes:
        notes += refused if note.code == grading.REFUSED.name else [w.clean(note)]
    return list(dict.fromkeys(notes))


@dataclass(frozen=True)
class Entry:
    """A place of the index: where a task is shown, by name."""

    name: str
    key: str


def index(c: Content, places: Iterable[tuple[Pair, str]]) -> list[Entry]:
    """Where each task is shown, by name; nothing for a report whose tasks are seen at a glance.

    ``places`` are the tasks with the label of the section or sheet that shows each.
    """
    if len(c.pairs) <= INDEXED:
        return []
    named = sorted((w.clean(c.pair_name(pair), NAME), key) for pair, key in dict(places).items())
    return [Entry(name, key) for name, key in named]


def question(c: Content) -> list[str]:
    """What was asked and how far the answer reaches, in sentences."""
    fitted = [run for run in c.result.ladder if run.role == "fit"]
    who = w.clean(c.targets[0], 80) if len(c.targets) == 1 else f"these {len(c.targets)} models"
    names = {task for _, task in c.pairs}
    tasks = "this task" if len(names) == 1 else f"{len(names)} tasks"
    lines = [f"What will {who} score on {tasks}? " if c.forecasts else "Nothing was forecast. "]
    if fitted:
        params, flops = [run.params for run in fitted], [run.flops for run in fitted]
        lines[0] += (
            f"Answered from {len(fitted)} training runs of {count(min(params))} to {count(max(params))} parameters "
            f"and {scientific(min(flops))} to {scientific(max(flops))} FLOPs."
        )
    return [*lines, verdict(c)]


def verdict(c: Content) -> str:
    """How the forecasts did where the truth is known, against both baselines on the same rows."""
    refused = sum(f.status == "refused" for f in c.answers)
    failed = sum(f.status == "failed" or f.forecast is None for f in c.answers) - refused
    tail = f" {failed} of {len(c.answers)} forecasts could not be made." if failed else ""
    tail += f" For {refused} of {len(c.answers)} no number is given." if refused else ""
    rows = _comparable(c.known)
    if not rows:
        return "No measured score is known yet, so only the intervals say how far to trust these numbers." + tail
    forecast, direct, carried = (_mean_error(rows, get) for get in GETTERS)
    bounded, inside = _coverage(c.known)
    return (
        f"Where the score has been measured, the forecasts miss by {forecast} points on average, the direct law by "
        f"{direct}, and carrying the largest ladder model's score forward by {carried} ({len(rows)} forecasts); "
        f"{inside} of {bounded} measured scores lie inside the {c.level} interval." + tail
    )


Getter = Callable[[Forecast], float | None]
GETTERS: tuple[Getter, ...] = (
    lambda f: f.forecast,
    lambda f: f.baselines.direct,
    lambda f: f.baselines.carry_forward,
)


def _comparable(rows: Iterable[Forecast]) -> list[Forecast]:
    """Rows with a measured score, a forecast and both baselines: the only fair comparison."""
    return [f for f in rows if all(finite(value) is not None for value in (f.actual, *(get(f) for get in GETTERS)))]


def _mean_error(rows: Sequence[Forecast], get: Getter) -> str:
    """Mean absolute error in points."""
    misses = [abs(value - f.actual) for f in rows if (value := get(f)) is not None and f.actual is not None]
    return percent(statistics.fmean(misses)) if misses else DASH


def _coverage(rows: Iterable[Forecast]) -> tuple[int, int]:
    """How many measured scores have an interval, and how many lie in it."""
    marks = [inside(f) for f in rows]
    return sum(m != DASH for m in marks), sum(m == "in" for m in marks)


def inside(f: Forecast) -> str:
    """``in`` or ``out`` of the interval; a dash where either is unknown."""
    return {True: "in", False: "out", None: DASH}[forecast_table.inside(f)]


def scorecard(c: Content) -> Table:
    """One row per recipe: how many forecasts, how wide, how wrong."""
    rows = []
    for recipe in c.recipes:
        made = [f for f in c.forecasts if f.recipe == recipe]
        bounds = [(finite(f.low), finite(f.high)) for f in made]
        widths = [high - low for low, high in bounds if low is not None and high is not None]
        state = Counter(f.status for f in made)
        fair = _comparable(made)
        bounded, hit = _coverage(made)
        rows.append(
            [recipe_name(recipe), str(len(made)), *(str(state[word]) for word in ("ok", "warning", "failed"))]
            + [percent(statistics.median(widths)) if widths else DASH, f"{hit} of {bounded}" if bounded else DASH]
            + [_mean_error(fair, get) for get in GETTERS]
        )
    heads = ["Recipe", "Forecasts", "ok", "warning", "failed", "Median width", "Inside"]
    heads += ["Mean miss", "of direct law", "of carry-fwd."]
    widths_ = [1.8, 1.2, 0.7, 1.0, 0.9, 1.5, 1.1, 1.3, 1.5, 1.5]
    return table([(h, "l" if i == 0 else "r", widths_[i]) for i, h in enumerate(heads)], rows)


def targets(c: Content) -> Table:
    """The models forecast, and how far beyond the ladder each lies."""
    largest = max((run.flops for run in c.result.ladder if run.role == "fit"), default=None)
    rows = []
    for name in c.targets:
        f = next(f for f in c.forecasts if f.target == name)
        params, tokens = finite(f.params), finite(f.tokens)
        ratio = f"{tokens / params:.3g}" if params and tokens else DASH
        beyond = f"{f.flops / largest:.3g}×" if largest else DASH
        rows.append([w.clean(name, NAME), count(params), count(tokens), scientific(f.flops), ratio, beyond])
    columns: list[Column] = [("Target", "l", 2.5), ("Parameters", "r", 1), ("Tokens", "r", 1), ("FLOPs", "r", 1)]
    return table([*columns, ("Tokens/param.", "r", 1.2), ("Compute, × largest ladder run", "r", 2.4)], rows)


def headline(c: Content) -> Table:
    """Every forecast: task and target span their recipes."""
    many, more = len(c.families) > 1, len(c.targets) > 1
    columns: list[Column] = [("Family", "l", 1.4)] * many + [("Task", "l", 2.4)] + [("Target", "l", 1.5)] * more
    columns += [("Recipe", "l", 1.7), ("Forecast", "r", 1.1), (f"{c.level} interval", "r", 1.6), ("Direct", "r", 0.9)]
    columns += [("Carry-fwd.", "r", 1.4), ("Actual", "r", 0.9), ("Inside?", "c", 0.9)]
    columns += [("Grade", "c", 0.9)] * c.graded + [("Status, notes", "l", 1.9)]
    rows: list[Row] = []
    rules = []
    for (family, task, target), group in c.groups.items():
        names = [family] * many + [task] + [target] * more
        rules.append(len(rows))
        for index, f in enumerate(group):
            spans = [Cell(w.clean(name, NAME), len(group)) if index == 0 else None for name in names]
            rows.append([*spans, *_forecast_cells(c, f)])
    return table(columns, rows, rules)


def _forecast_cells(c: Content, f: Forecast) -> list[str]:
    """The numbers of one forecast."""
    base = f.baselines
    marks = ", ".join(str(number) for number in sorted({c.notes[note] for note in notes_of(f)}))
    cells = [recipe_name(f.recipe), percent(f.forecast), interval(f.low, f.high)]
    cells += [percent(value) for value in (base.direct, base.carry_forward, f.actual)]
    grade = [f.grade or DASH] * c.graded
    return [*cells, inside(f), *grade, f"{f.status} {marks}".strip()]


def compact(c: Content) -> Table:
    """One row per task and target, a column per recipe: page one of a large result."""
    recipes: list[Column] = [(recipe_name(r), "r", 1.9) for r in c.recipes]
    columns: list[Column] = [("Task", "l", 3.1), *recipes]
    columns += [("Direct", "r", 1.1), ("Carry-fwd.", "r", 1.1), ("Actual", "r", 0.8)]
    rows = []
    for key, group in list(c.groups.items())[:COMPACT_ROWS]:
        cells = [_compact_cell(f) for f in by_recipe(c, group)]
        spread = [percent_range(known(map(get, group))) for get in forecast_table.COMMON]
        rows.append([c.label(key, 30), *cells, *spread])
    return table(columns, rows)


def by_recipe(c: Content, group: Sequence[Forecast]) -> list[Forecast | None]:
    """The forecasts of one task and target, one per recipe of the report; None where a recipe made none."""
    return [next((f for f in group if f.recipe == recipe), None) for recipe in c.recipes]


def _compact_cell(f: Forecast | None) -> str:
    if f is None or finite(f.forecast) is None:
        return DASH
    return f"{percent(f.forecast)} ({interval(f.low, f.high)})"


def known(values: Iterable[float | None]) -> list[float]:
    """The numbers among them."""
    return [v for value in values if (v := finite(value)) is not None]


def notes(c: Content) -> list[str]:
    """Every note once, with its number and how many forecasts carry it."""
    return [f"{n}. {text} ({c.affected[text]} of {len(c.forecasts)} forecasts)" for text, n in c.notes.items()]


def laws(c: Content) -> tuple[Table, list[str]]:
    """Parameters of the laws of the detailed tasks, and of laws that belong to no single task; their notes."""
    shown = set(c.pairs[:DETAILED])
    groups: dict[Key, list[LawFit]] = {}
    for law in c.result.laws:
        if (law.family, law.task) in shown or _shared(c, law):
            groups.setdefault((law.recipe, law.family, law.task), []).append(law)
    remarks: dict[str, int] = {}
    rows: list[Row] = []
    rules = []
    for (recipe, family, task), group in groups.items():
        rules.append(len(rows))
        name = f"{family} · {task}" if len(c.families) > 1 else task
        for index, law in enumerate(group):
            names = (recipe_name(recipe), w.clean(name, NAME) or DASH)
            spans = [Cell(text, len(group)) if index == 0 else None for text in names]
            rows.append([*spans, *_law_cells(law, remarks)])
    columns: list[Column] = [("Recipe", "l", 1.4), ("Task", "l", 2.0), ("Law", "l", 1.7)]
    columns += [("Parameters ± standard error", "l", 5.0), ("n", "r", 0.5)]
    columns += [("Resid.\u00a0s.d.", "r", 1.05), ("Status", "l", 1.2)]
    return table(columns, rows, rules), [f"{n}. {text}" for text, n in remarks.items()]


def _shared(c: Content, law: LawFit) -> bool:
    """A law of no forecast task, such as the loss law of a whole family."""
    return (law.family, law.task) not in set(c.pairs)


def _law_cells(law: LawFit, remarks: dict[str, int]) -> list[str]:
    """Law, parameters, n, residual standard deviation, status; new notes are entered in ``remarks``."""
    values = (f"{w.parameter(k)} = {estimate(v, law.stderrs.get(k))}" for k, v in law.estimates.items())
    unbroken = ";  ".join(w.clean(value).replace(" ", w.NBSP) for value in values)
    residual = finite(law.residual_std)
    spread = DASH if residual is None else f"{residual:.2g}"
    marks = [str(remarks.setdefault(w.clean(note), len(remarks) + 1)) for note in dict.fromkeys(law.notes)]
    status = f"{law.status} {', '.join(marks)}".strip()
    return [w.clean(law.law, NAME), unbroken, str(law.n), spread, status]


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a recipe's law is written, and where it comes from."""

    recipe: str
    law: str
    formula: str
    source: str
    units: str
    math: bool = False  # whether the formula is mathematics that can be set


def methods(c: Content) -> list[Method]:
    """Each law's formula and source, once."""
    seen: dict[tuple[str, str], Method] = {}
    for law in c.result.laws:
        units = f"{w.clean(law.x_unit)} → {w.clean(law.y_unit)}"
        names = (recipe_name(law.recipe), w.clean(law.law, NAME))
        method = Method(recipe=names[0], law=names[1], formula=law.formula, source=w.clean(law.source), units=units)
        seen.setdefault((law.recipe, law.formula), method)
    return list(seen.values())


def ladder(c: Content) -> Table:
    """The runs, as given."""
    many = len({run.family for run in c.result.ladder}) > 1
    columns: list[Column] = [("Run", "l", 2.2)] + [("Family", "l", 1.4)] * many
    columns += [("Parameters", "r", 1.1), ("Tokens", "r", 1), ("FLOPs", "r", 1.2)]
    columns += [("Tokens/param.", "r", 1.2), ("Checkpoints", "r", 1.1), ("Role", "l", 1)]
    rows = []
    for run in c.result.ladder:
        ratio = f"{run.tokens / run.params:.3g}" if run.params else DASH
        names = [w.clean(run.run, NAME)] + [w.clean(run.family, NAME)] * many
        sizes = [count(run.params), count(run.tokens), scientific(run.flops, 2), ratio]
        rows.append([*names, *sizes, str(run.checkpoints), run.role])
    return table(columns, rows)
