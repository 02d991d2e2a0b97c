"""Forecasts along compute: what a planned run of every size would get, by the same recipes, for the web page's slider.

A stop of the sweep is a planned target like any other, so ``benchcast forecast CONFIG --flops C --token-multiplier M``
prints the very number that the sweep holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from benchcast.reports.records.forecast import Forecast, Scores, Sweep
from benchcast.stages.compute.budget import complete_budget

from ..core.settings import RecipeSettings
from .context import FittedLadders, contexts_of
from .job import Job, TargetRun
from .recipes import run_recipe

PER_DECADE = 10  # stops; of two significant digits, so that they can be typed
BEYOND = 100.0  # how far beyond the largest fitted run the stops reach, and ten times beyond the largest target
MAX_STOPS = 48  # in all; fewer per decade where the span is long
MAX_MULTIPLIERS = 2
USUAL_MULTIPLIER = 20.0  # tokens per parameter where no target says otherwise


def stops(smallest: float, largest: float) -> list[float]:
    """Round FLOPs from one value to the other, evenly spaced in the logarithm."""
    decades = math.log10(largest / smallest)
    each = next((n for n in (PER_DECADE, 5, 4, 2, 1) if n * decades <= MAX_STOPS), 1)
    first, last = math.floor(each * math.log10(smallest)), math.ceil(each * math.log10(largest))
    return list(dict.fromkeys(float(f"{10 ** (k / each):.1e}") for k in range(first, last + 1)))


def multipliers(targets: Sequence[TargetRun]) -> list[float]:
    """Tokens per parameter of the targets, to two digits; the last-named targets first where there are too many."""
    known = [t.budget.tokens / t.budget.params for t in targets if t.budget.tokens and t.budget.params]
    rounded = dict.fromkeys(float(f"{m:.1e}") for m in reversed(known))
    return sorted(list(rounded)[:MAX_MULTIPLIERS]) or [USUAL_MULTIPLIER]


def planned(job: Job) -> dict[float, tuple[TargetRun, ...]]:
    """The stops of a job as planned targets, by their tokens per parameter."""
    fitted = job.fitted_rows["flops"].to_numpy(dtype=float)
    furthest = max([BEYOND * fitted.max(), *(10 * t.budget.flops for t in job.targets)])
    ends = np.quantile(fitted, 0.25), furthest
    return {
        multiplier: tuple(
            TargetRun(
                name=f"{flops:g} {multiplier:g}",
                budget=complete_budget(flops, None, None, multiplier),
                convention=job.convention,
            )
            for flops in stops(*ends)
        )
        for multiplier in multipliers(job.targets)
    }


def sweeps(
    jobs: Sequence[Job], recipes: Iterable[RecipeSettings], drawn: int, ladders: FittedLadders | None = None
) -> tuple[Sweep, ...]:
    """Every recipe of the first ``drawn`` jobs along compute: a sweep per number of tokens per parameter.

    ``ladders`` are the forecasters that were fitted for the same jobs: their fits serve here again.
    """
    # Recipes that judge a task by the whole suite look at all jobs: they get all of them with these targets.
    plans = [planned(job) for job in jobs]
    planned_jobs = [
        replace(job, targets=tuple(chain.from_iterable(plan.values())), draw=False)
        for job, plan in zip(jobs, plans, strict=True)
    ]
    contexts = contexts_of(planned_jobs, ladders)
    made: list[Sweep] = []
    for settings in recipes:
        for job, plan in zip(planned_jobs[:drawn], plans, strict=False):
            part = run_recipe(settings, job, contexts[job.family])
            for task in dict.fromkeys(f.task for f in part.forecasts):
                by_name = {f.target: f for f in part.forecasts if f.task == task}
                for multiplier, targets in plan.items():
                    made.append(_collect([by_name[target.name] for target in targets], multiplier))
    return tuple(made)


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
