"""A task along compute: measured runs, the curve of the forecasts, the targets; and small multiples of many tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from scipy.interpolate import PchipInterpolator

from ..records.answer import answer
from ..records.forecast import Forecast, Result, Sweep
from ..text.metric_names import score_axis
from ..text.numbers import level as level_text
from ..text.numbers import significant
from ..text.wording import clean
from . import marks
from .canvas import WIDTH, Grid, NotebookFigure, axis_ticks, log_label, number, numbers, render, styled

ACROSS, MOST = 4, 24
ROW, MARGIN = 1.32, 0.3  # inches
LINE = 0.14  # inches: a line of the legend
NAMED = 3  # planned runs that are named in a task's figure
SMOOTH = 80  # points that a curve is drawn with
SMALLER = 0.68  # of the usual marks, in a small panel
APART = {"held out": marks.HELD_OUT, "unused": marks.UNUSED}  # roles that are drawn by what they are
LEAST_SPAN = 2.0  # percentage points that an axis shows


@dataclass(frozen=True, kw_only=True)
class Run:
    """A measured run: FLOPs, accuracy (a fraction), its role in the ladder, parameters."""

    flops: float
    accuracy: float
    role: str
    params: float


@dataclass(frozen=True, kw_only=True)
class Small:
    """One task: its title, its runs, the forecasts of its targets, and the course of the forecasts along compute."""

    title: str
    runs: Sequence[Run]
    forecasts: Sequence[Forecast]
    course: Sweep | None = None
    sizes: Sequence[float] = ()

    @classmethod
    def of(cls, result: Result, family: str, task: str, title: str) -> Small:
        """What a result knows of a task; of a graded recipe's forecasts only where there is one."""
        ladder = {run.run: run for run in result.ladder}
        runs = [
            Run(flops=ladder[name].flops, accuracy=value, role=ladder[name].role, params=ladder[name].params)
            for scores in result.scores
            if (scores.family, scores.task) == (family, task)
            for name, value in zip(scores.runs, scores.accuracy, strict=True)
            if name in ladder
        ]
        found = answer(result)
        own = [f for f in result.forecasts if (f.family, f.task) == (family, task)]
        shown = [f for f in own if f.recipe == found.recipe] if found.graded else own
        target = next((f for f in found.rows if (f.family, f.task) == (family, task)), None)
        sweeps = [s for s in result.sweeps if (s.recipe, s.family, s.task) == (found.recipe, family, task)]
        course = min(sweeps, key=lambda s: _distance(s, target), default=None)
        sizes = sorted({run.params for run in result.ladder if run.role == "fit"})
        return cls(title=title, runs=runs, forecasts=shown, course=course, sizes=sizes)


def _distance(sweep: Sweep, target: Forecast | None) -> float:
    """How far a sweep's tokens per parameter are from the target's, in the logarithm."""
    if target is None or not target.params or not target.tokens:
        return 0.0
    return abs(math.log(sweep.token_multiplier * target.params / target.tokens))


def multiples_figure(tasks: Sequence[Small], names: dict[str, str], level: str) -> bytes:
    """Up to ``MOST`` panels of accuracy against FLOPs, as SVG; ``names`` are the recipes' display names."""
    with styled():
        handles, labels = _legend(tasks, names, level)
        lines = math.ceil(len(labels) / ACROSS)
        margin = MARGIN + LINE * max(lines - 1, 0)
        grid = Grid(across=ACROSS, row=ROW, margin=margin, left=0.038, gap=0.05, below=0.27, around=0.5)
        canvas, axes, height = grid.draw(len(tasks))
        for ax, task in zip(axes, tasks, strict=True):
            draw(ax, task, SMALLER)
            ax.set_title(task.title, loc="left", fontsize=6.2, pad=2)
            ax.tick_params(labelsize=5.5, pad=1.5)
        where = (0.5, 1 - 0.02 / height)
        canvas.legend(handles, labels, loc="upper center", bbox_to_anchor=where, ncols=ACROSS, labelspacing=0.25)
        return render(canvas)


def task_figure(task: Small, names: dict[str, str]) -> Figure:
    """One task as a figure of its own, with axes that say what they show."""
    rows = task.forecasts
    with styled():
        canvas = NotebookFigure(figsize=(WIDTH, 3.0))
        ax = canvas.add_axes((0.075, 0.14, 0.6, 0.76))
        ax.set_autoscale_on(False)
        draw(ax, task, 1.0)
        planned = {f.target: f for f in rows if f.actual is None and f.forecast is not None}
        for f in list(planned.values())[:NAMED]:
            place = f.flops, 100 * number(f.high)
            ax.annotate(clean(f.target, 24), place, xytext=(0, 3), textcoords="offset points", fontsize=6, ha="right")
        ax.set_title(task.title, loc="left")
        ax.set_xlabel("training FLOPs", labelpad=2)
        ax.set_ylabel(f"{score_axis(rows[0].metric if rows else '')} (%)", labelpad=2)
        level = level_text(rows[0].level) if rows else ""
        canvas.legend(*_legend([task], names, level), loc="upper left", bbox_to_anchor=(0.7, 0.92), labelspacing=0.6)
    return canvas


def draw(ax: Axes, task: Small, size: float) -> None:
    """Curve below, runs on it, and each forecast with its interval; ``size`` of the marks, as a share of the usual."""
    xs = [run.flops for run in task.runs] + [f.flops for f in task.forecasts] or [1.0]
    low, high = min(xs), max(xs)
    _course(ax, task.course, high)
    for params, role in dict.fromkeys((run.params if run.role == "fit" else 0.0, run.role) for run in task.runs):
        some = [run for run in task.runs if run.role == role and (role != "fit" or run.params == params)]
        look = APART.get(role) or marks.measured(params, task.sizes)
        look = look | {"ms": size * look["ms"], "zorder": 6 if role == "held out" else 3}
        ax.plot([run.flops for run in some], [100 * run.accuracy for run in some], **look)
    recipes = list(dict.fromkeys(f.recipe for f in task.forecasts))
    step = (high / low) ** 0.02
    for f in task.forecasts:
        colour, marker = marks.recipe_mark(f.recipe)
        x = f.flops * step ** (recipes.index(f.recipe) - (len(recipes) - 1) / 2)
        ax.plot([x, x], [100 * number(f.low), 100 * number(f.high)], color=colour, lw=1.3 * size, zorder=4)
        ax.plot(x, 100 * number(f.forecast), marker, color=colour, ms=4.8 * size, mec="white", mew=0.3, zorder=5)
    chances = {number(f.chance) for f in task.forecasts if f.chance}
    for chance in sorted(value for value in chances if math.isfinite(value)):
        ax.axhline(100 * chance, zorder=1, **marks.GUESSING)
    _axes(ax, (low, high), task)


def _course(ax: Axes, course: Sweep | None, furthest: float) -> None:
    """The forecasts along compute, and their intervals, as a smooth curve up to the farthest target."""
    if course is None:
        return
    x = np.log(numbers(course.flops))
    known = np.isfinite(numbers(course.forecast))
    if known.sum() < 2:
        return
    grid = np.linspace(x[known][0], min(x[known][-1], math.log(furthest)), SMOOTH)
    center, low, high = (
        100 * PchipInterpolator(x[known], numbers(series)[known])(grid)
        for series in (course.forecast, course.low, course.high)
    )
    ax.fill_between(np.exp(grid), low, high, color=marks.LAW, alpha=marks.BAND, lw=0, zorder=1)
    ax.plot(np.exp(grid), center, color=marks.LAW, lw=1.0, zorder=2)


def _axes(ax: Axes, ends: tuple[float, float], task: Small) -> None:
    low, high = ends
    ax.set_xscale("log")
    pad = max((high / low) ** 0.06, 1.05)
    ax.set_xlim(low / pad, high * pad)
    ticks = LogLocator(numticks=4).tick_values(low, high)
    ax.xaxis.set_major_locator(FixedLocator([t for t in ticks if low / pad <= t <= high * pad]))
    ax.xaxis.set_major_formatter(FuncFormatter(log_label))
    ax.xaxis.set_minor_locator(NullLocator())
    rows = task.forecasts
    values = [100 * run.accuracy for run in task.runs]
    values += [100 * number(v) for f in rows for v in (f.low, f.high, f.forecast)]
    shown = [v for v in values if math.isfinite(v)]
    if shown:
        room = max(max(shown) - min(shown), LEAST_SPAN)
        axis_ticks(ax, max(min(shown) - 0.08 * room, 0), min(max(shown) + 0.1 * room, 100), "y", 4)


def _legend(tasks: Sequence[Small], names: dict[str, str], level: str) -> tuple[list[Any], list[str]]:
    """Sizes of the runs, held-out runs, the curve, and the forecasts of each recipe that is drawn."""
    entries: dict[str, Any] = {}
    roles = {run.role for task in tasks for run in task.runs}
    if "fit" in roles:
        sizes = marks.size_legend(tasks[0].sizes)
        entries |= {f"{name} parameters": handle for name, handle in sizes.items()}
    if "held out" in roles:
        entries["held out, measured"] = marks.handle(marks.HELD_OUT)
    multipliers = {task.course.token_multiplier for task in tasks if task.course}
    if multipliers:
        which = f"{significant(multipliers.pop())}" if len(multipliers) == 1 else "the target's"
        line = marks.handle({"color": marks.LAW, "lw": 1.0})
        entries[f"forecast at {which} tokens/param."] = line
        entries[f"its {level} interval"] = Patch(facecolor=marks.LAW, alpha=marks.BAND, lw=0)
    drawn = dict.fromkeys(f.recipe for task in tasks for f in task.forecasts)
    for recipe in drawn:
        entries[f"{names.get(recipe, recipe)}, {level} interval"] = marks.forecast_handle(recipe)
    if any(f.chance for task in tasks for f in task.forecasts):
        entries["chance"] = marks.handle(marks.GUESSING)
    return list(entries.values()), list(entries)
