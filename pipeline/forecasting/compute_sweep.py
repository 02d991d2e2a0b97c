"""Forecasts along compute: what a planned run of every size would get, by the same recipes, for the web page's slider.

A stop of the sweep is a planned target like any other, so ``benchcast forecast CONFIG --flops C --token-multiplier M``
prints the very number that the sweep holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from benchcast.reports.records.forecast import Forecast, Scores, Sweep
from benchcast.stages.compute.budget import complete_budget

from ..core.config import RecipeSettings
from .recipes import RECIPES, Found, Job
from .recipes.base import TargetRun

PER_DECADE = 10  # stops; of two significant digits, so that they can be typed
BEYOND = 100.0  # how far beyond the largest fitted run the stops reach, and ten times beyond the largest target
MOST_STOPS = 48  # in all; fewer per decade where the span is long
MOST_MULTIPLIERS = 2
USUAL_MULTIPLIER = 20.0  # tokens per parameter where no target says otherwise


def stops(smallest: float, largest: float) -> list[float]:
    """Round FLOPs from one value to the other, evenly spaced in the logarithm."""
    decades = math.log10(largest / smallest)
    each = next((n for n in (PER_DECADE, 5, 4, 2, 1) if n * decades <= MOST_STOPS), 1)
    first, last = math.floor(each * math.log10(smallest)), math.ceil(each * math.log10(largest))
    return list(dict.fromkeys(float(f"{10 ** (k / each):.1e}") for k in range(first, last + 1)))


def multipliers(targets: Sequence[TargetRun]) -> list[float]:
    """Tokens per parameter of the targets, to two digits; the last-named targets first where there are too many."""
    known = [t.budget.tokens / t.budget.params for t in targets if t.budget.tokens and t.budget.params]
    rounded = dict.fromkeys(float(f"{m:.1e}") for m in reversed(known))
    return sorted(list(rounded)[:MOST_MULTIPLIERS]) or [USUAL_MULTIPLIER]


def planned(job: Job) -> tuple[TargetRun, ...]:
    """The stops of a job as planned targets."""
    fitted = job.rows.loc[job.rows["run"].isin(job.fit_runs), "flops"].to_numpy(dtype=float)
    furthest = max([BEYOND * fitted.max(), *(10 * t.budget.flops for t in job.targets)])
    ends = np.quantile(fitted, 0.25), furthest
    return tuple(
        TargetRun(
            f"{flops:g} {multiplier:g}", complete_budget(flops, None, None, multiplier), convention=job.convention
        )
        for multiplier in multipliers(job.targets)
        for flops in stops(*ends)
    )


def sweeps(jobs: Sequence[Job], recipes: Iterable[RecipeSettings], drawn: int) -> tuple[Sweep, ...]:
    """Every recipe of the first ``drawn`` jobs along compute: a sweep per number of tokens per parameter."""
    shared: dict[Any, Any] = {}
    # Recipes that judge a task by the whole suite look at all jobs: they get all of them with these targets.
    asked = [replace(job, targets=planned(job), draw=False, shared=shared) for job in jobs]
    shared["jobs"] = asked
    found: list[Sweep] = []
    for settings in recipes:
        for job in asked[:drawn]:
            # mypy cannot pair the recipe's name with its settings; the registry does.
            part: Found = RECIPES[settings.name](job, settings)  # type: ignore[operator]
            # An average comes twice: forecast directly, and as the mean of its tasks.
            for task in dict.fromkeys(f.task for f in part.forecasts):
                by_name = {f.target: f for f in part.forecasts if f.task == task}
                for multiplier in dict.fromkeys(t.name.split()[1] for t in job.targets):
                    rows = [by_name[t.name] for t in job.targets if t.name.split()[1] == multiplier]
                    found.append(_collect(rows, float(multiplier)))
    return tuple(found)


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
