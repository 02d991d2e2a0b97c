"""Forecasts along compute: what a planned run of every size would get, for curves in figures and the page's slider.

A stop of the sweep is a planned target like any other, so ``benchcast forecast CONFIG --flops C --token-multiplier M``
prints the very number that the sweep holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from benchcast.reports.records.answer import GRADED
from benchcast.reports.records.forecast import Forecast, Scores, Sweep
from benchcast.stages.compute.budget import complete_budget

from ..core.settings import RecipeSettings
from .context import FittedLadders, contexts_of
from .job import Job, TargetRun
from .recipes import run_recipe

PER_DECADE = 10  # stops; of two significant digits, so that they can be typed
FOR_A_CURVE = 2  # stops per decade that a curve is drawn through
BEYOND = 100.0  # how far beyond the largest fitted run the stops reach, and ten times beyond the largest target
MAX_STOPS = 48  # in all; fewer per decade where the span is long
MAX_MULTIPLIERS = 2
USUAL_MULTIPLIER = 20.0  # tokens per parameter where no target says otherwise


def stops(smallest: float, largest: float, per_decade: int = PER_DECADE) -> list[float]:
    """Round FLOPs from one value to the other, evenly spaced in the logarithm."""
    decades = math.log10(largest / smallest)
    each = next((n for n in (PER_DECADE, 5, 4, 2, 1) if n <= per_decade and n * decades <= MAX_STOPS), 1)
    first, last = math.floor(each * math.log10(smallest)), math.ceil(each * math.log10(largest))
    return list(dict.fromkeys(float(f"{10 ** (k / each):.1e}") for k in range(first, last + 1)))


def lead(targets: Sequence[TargetRun]) -> TargetRun | None:
    """The target of page one: the first planned run, else the largest run."""
    planned = (target for target in targets if not target.family)
    return next(planned, max(targets, key=lambda target: target.budget.flops, default=None))


def multipliers(targets: Sequence[TargetRun], most: int = MAX_MULTIPLIERS) -> list[float]:
    """Tokens per parameter of the targets, to two digits; page one's first, then the last-named."""
    first = lead(targets)
    ordered = [*([] if first is None else [first]), *reversed(targets)]
    known = [t.budget.tokens / t.budget.params for t in ordered if t.budget.tokens and t.budget.params]
    rounded = dict.fromkeys(float(f"{m:.1e}") for m in known)
    return sorted(list(rounded)[:most]) or [USUAL_MULTIPLIER]


def planned(job: Job, coarse: bool = False) -> dict[float, tuple[TargetRun, ...]]:
    """The stops of a job as planned targets, by their tokens per parameter; few stops and one multiplier if coarse."""
    fitted = job.fitted_rows["flops"].to_numpy(dtype=float)
    if coarse:
        furthest = max([fitted.max(), *(1.3 * t.budget.flops for t in job.targets)])
        steps = stops(float(fitted.min()), furthest, FOR_A_CURVE)
    else:
        furthest = max([BEYOND * fitted.max(), *(10 * t.budget.flops for t in job.targets)])
        steps = stops(float(np.quantile(fitted, 0.25)), furthest)
    return {
        multiplier: tuple(
            TargetRun(
                name=f"{flops:g} {multiplier:g}",
                budget=complete_budget(flops, None, None, multiplier),
                convention=job.convention,
            )
            for flops in steps
        )
        for multiplier in multipliers(job.targets, 1 if coarse else MAX_MULTIPLIERS)
    }


def sweeps(
    jobs: Sequence[Job],
    recipes: Sequence[RecipeSettings],
    drawn: int,
    ladders: FittedLadders | None = None,
    whole: bool = True,
) -> tuple[Sweep, ...]:
    """Recipes along compute: a sweep per task, recipe and number of tokens per parameter.

    ``whole``: every recipe of the first ``drawn`` jobs at every stop. All other jobs, and without ``whole`` all jobs,
    get what a figure draws a curve through: the recipe of page one, at few stops and page one's tokens per parameter.
    None where ``drawn`` is zero. ``ladders`` are the forecasters that were
    fitted for the same jobs: their fits serve here again.
    """
    if not drawn:
        return ()
    count = min(drawn, len(jobs)) if whole else 0
    answering = [each for each in recipes if each.name == GRADED] or list(recipes[:1])
    made = _swept(jobs, recipes, slice(count), ladders) if count else []
    if count < len(jobs):
        made += _swept(jobs, answering, slice(count, None), ladders, coarse=True)
    return tuple(made)


def _swept(
    jobs: Sequence[Job],
    recipes: Iterable[RecipeSettings],
    chosen: slice,
    ladders: FittedLadders | None,
    coarse: bool = False,
) -> list[Sweep]:
    # Recipes that judge a task by the whole suite look at all jobs: they get all of them with these targets.
    plans = [planned(job, coarse) for job in jobs]
    planned_jobs = [
        replace(job, targets=tuple(chain.from_iterable(plan.values())), draw=False)
        for job, plan in zip(jobs, plans, strict=True)
    ]
    contexts = contexts_of(planned_jobs, ladders)
    made: list[Sweep] = []
    for settings in recipes:
        for job, plan in zip(planned_jobs[chosen], plans[chosen], strict=True):
            part = run_recipe(settings, job, contexts[job.family])
            for task in dict.fromkeys(f.task for f in part.forecasts):
                by_name = {f.target: f for f in part.forecasts if f.task == task}
                for multiplier, targets in plan.items():
                    made.append(_collect([by_name[target.name] for target in targets], multiplier))
    return made


def _collect(rows: Sequence[Forecast], multiplier: float) -> Sweep:
    one = rows[0]
    series = {key: tuple(getattr(f, key) for f in rows) for key in ("flops", "forecast", "low", "high")}
    direct = tuple(f.baselines.direct for f in rows)
    return Sweep(
        recipe=one.recipe, family=one.family, task=one.task, token_multiplier=multiplier, direct=direct, **series
    )


def scores(job: Job) -> Scores:
    """The last measured score of every run of a job."""
    ends = job.rows.dropna(subset=["accuracy"]).groupby("run", sort=False).tail(1)
    return Scores(
        family=job.family,
        task=job.task,
        metric=job.metric,
        chance=job.chance,
        runs=tuple(map(str, ends["run"])),
        accuracy=tuple(map(float, ends["accuracy"])),
    )
