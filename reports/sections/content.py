"""What the report says, as plain strings and tables: the template only sets them."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from benchcast.stages.notices import Notice, grading

from ..figures.multiples import Small
from ..records.answer import answer, has_number
from ..records.forecast import Forecast, LawFit, Result
from ..text import forecast_table
from ..text import wording as w
from ..text.metric_names import common_name, short_tasks, spelled
from ..text.numbers import DASH, count, estimate, finite, interval, level, percent, scientific
from ..text.table import Cell, Column, Row, Table, table
from ..text.wording import NAME, recipe_name

Key = tuple[str, str, str]
Pair = tuple[str, str]
DETAILED = 12  # (family, task) pairs with figures and parameters
INDEXED = 8  # more (family, task) pairs than these get an index


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
        self.steps = {law.law: w.step(law.x_unit, law.y_unit) for law in result.laws}
        affected = Counter(note for f in self.forecasts for note in self.notes_of(f))
        first = {self._told(note) for f in self.forecasts for note in f.notes if note.page_one == 0}
        self.notes = {note: index + 1 for index, (note, _) in enumerate(_by_weight(affected, first))}
        self.affected = affected
        self.one_each = len({(f.family, f.target) for f in self.forecasts}) == len(self.families)
        self.graded = any(f.grade for f in self.forecasts)
        self.answer = answer(result)
        self.answers = [*self.answer.rows, *self.answer.others]
        self.known = [f for f in self.answers if finite(f.actual) is not None]
        self.recipe_names = {recipe: recipe_name(recipe) for recipe in self.recipes}
        self.sizes = {run.run: run.params for run in result.ladder}
        self.title = w.clean(result.title, 160) or "Benchcast report"
        self.short = short_tasks((f.task, f.metric) for f in self.forecasts)
        score = common_name(f.metric for f in self.forecasts)
        self.score = score[:1].upper() + score[1:]

    def notes_of(self, f: Forecast) -> list[str]:
        """A forecast's notes, each once; why it was refused without the numbers, which differ from task to task."""
        refused = [f"no number is given: {w.summary(reason)}" for reason in f.reasons]
        notes: list[str] = []
        for note in f.notes:
            notes += refused if note.code == grading.REFUSED.name else [self._told(note)]
        return list(dict.fromkeys(notes))

    def _told(self, note: Notice) -> str:
        """A note as people read it: what it says of a law is said of the step that this law takes."""
        step = self.steps.get(note.subject)
        return w.clean(note.about(step) if step else note)

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

    def row_name(self, f: Forecast, most: int) -> str:
        """What an answer is called beside its metric: its task, and its family where there are several.

        A name longer than ``most`` loses its middle, so that its end, which tells it from others, stays.
        """
        about = f" ({w.shortened(f.family, most // 2)})" if len(self.answer.families) > 1 else ""
        return w.shortened(self.short.get(f.task, f.task), most - w.display_width(about)) + about

    def heading(self, pair: Pair) -> str:
        """A task's name over its figures: a score that is no accuracy has its metric in words."""
        family, task = pair
        metric = next((f.metric for f in self.forecasts if (f.family, f.task) == pair), "")
        about = f" ({family})" if len(self.families) > 1 else ""
        return w.clean(spelled(task, metric) + about, 90)

    def _fitting(self, task: str, most: int) -> str:
        return self.short.get(task, task) if most and len(task) > most else task

    def small(self, pair: Pair) -> Small:
        """A task along compute."""
        return Small.of(self.result, *pair, self.pair_name(pair, 27))

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


def basis(c: Content) -> str:
    """What the answer stands on: the runs that were fitted."""
    fitted = [run for run in c.result.ladder if run.role == "fit"]
    if not fitted:
        return "No run was fitted."
    params, flops = [run.params for run in fitted], [run.flops for run in fitted]
    runs = f"{len(fitted)} training runs" if len(fitted) > 1 else "One training run"
    sizes, costs = _span(count(min(params)), count(max(params))), _span(scientific(min(flops)), scientific(max(flops)))
    return f"{runs} of {sizes} parameters and {costs} FLOPs."


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def inside(f: Forecast) -> str:
    """``in`` or ``out`` of the interval; a dash where either is unknown."""
    return {True: "in", False: "out", None: DASH}[forecast_table.inside(f)]


def all_forecasts(c: Content) -> Table:
    """Every forecast: task and target span their recipes."""
    many, more = len(c.families) > 1, len(c.targets) > 1
    columns: list[Column] = [("Family", "l", 1.4)] * many + [("Task", "l", 2.4)] + [("Target", "l", 1.5)] * more
    columns += [("Recipe", "l", 1.7), ("Forecast", "r", 1.1), (f"{c.level} interval", "r", 1.6), ("Direct", "r", 0.9)]
    columns += [("Carried forward", "r", 1.3), ("Measured", "r", 1.3), ("Inside", "c", 0.9)]
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
    marks = ", ".join(str(number) for number in sorted({c.notes[note] for note in c.notes_of(f)}))
    cells = [recipe_name(f.recipe), percent(f.forecast), interval(f.low, f.high)]
    cells += [percent(value) for value in (base.direct, base.carry_forward, f.actual)]
    grade = [f.grade or DASH] * c.graded
    return [*cells, inside(f), *grade, f"{f.status} {marks}".strip()]


def by_recipe(c: Content, group: Sequence[Forecast]) -> list[Forecast | None]:
    """The forecasts of one task and target, one per recipe of the report; None where a recipe made none."""
    return [next((f for f in group if f.recipe == recipe), None) for recipe in c.recipes]


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


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """How forecasts did whose scores were measured: mean misses as fractions, scores with an interval and inside it."""

    runs: int
    miss: float
    carried: float | None
    inside: int
    stated: int


def held_out(rows: Iterable[Forecast]) -> HeldOut | None:
    """The record of the forecasts with a number and a measured score; None where there are none."""
    known = [(f, actual) for f in rows if has_number(f) and (actual := finite(f.actual)) is not None]
    if not known:
        return None
    carried = [abs(base - actual) for f, actual in known if (base := finite(f.baselines.carry_forward)) is not None]
    marks = [mark for f, _ in known if (mark := forecast_table.inside(f)) is not None]
    return HeldOut(
        runs=len({f.target for f, _ in known}),
        miss=statistics.fmean(abs((f.forecast or 0.0) - actual) for f, actual in known),
        carried=statistics.fmean(carried) if carried else None,
        inside=sum(marks),
        stated=len(marks),
    )
