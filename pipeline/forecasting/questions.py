"""Questions beside the forecast: compute for a score, the better family, the run to add, what held so far."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account, AccountRecord, listed
from benchcast.reports.records.base import Frozen
from benchcast.reports.records.forecast import BacktestSummary, Forecast
from benchcast.reports.text.numbers import count, typed
from benchcast.stages.fit.newton import Array
from benchcast.stages.forecast.scoring_rules import logit
from pydantic import Field
from scipy.stats import norm

from ..core.config import Config, Target
from ..core.errors import InputError
from ..data import ingest
from ..data.ingest import Data
from .context import contexts_of, target_table
from .job import matching_scores
from .jobs import assign_roles, build_jobs, documents_of, jobs_of
from .next_run import MULTIPLIERS, candidates, expected_reduction
from .recipes.auto import AutoSettings
from .recipes.auto import fit as auto
from .references import with_references
from .run import account_of

GRID = 40  # budgets tried per question
SEARCHED = 1e5  # times the ladder's largest run: the largest budget tried
ANSWER_ALL = AutoSettings(refuse=False)
Progress = Callable[[str, int, int], None]


class ComputeRequirement(Frozen):
    """Training FLOPs that a score needs, with the budgets at which the interval's ends reach it."""

    family: str
    task: str
    accuracy: float
    token_multiplier: float
    flops: float | None = Field(description="null: not reached in the range searched")
    low: float | None = Field(description="budget at which the upper end of the interval reaches it")
    high: float | None = Field(description="budget at which the lower end does; null: beyond the range searched")
    params: float | None
    tokens: float | None
    searched: tuple[float, float]
    grade: str | None


class FamilyComparison(Frozen):
    """Two families at one target: probability that the first scores higher."""

    task: str
    first: str
    second: str
    forecast: tuple[float, float]
    interval: tuple[tuple[float, float], tuple[float, float]]
    probability: float
    grades: tuple[str | None, str | None]


class RunSuggestion(Frozen):
    """A run to add, and by how much it is expected to shrink the standard error at the target."""

    family: str
    task: str
    target: str
    params: float
    tokens: float
    flops: float
    shrinks: float = Field(description="expected share by which the standard error at the target falls")
    per_flop: float = Field(description="that share per budget")


def solve(
    config: Config, base: Path, data: Path | Data | None, task: str, accuracy: float, multiplier: float
) -> list[ComputeRequirement]:
    """FLOPs needed to reach ``accuracy`` (a fraction) on ``task``, at ``multiplier`` tokens per parameter."""
    loaded = with_references(config, base, ingest.read_data(config.data, base, data))
    table = loaded.table
    roles = assign_roles(config, table)
    ladder = table[table["run"].map(roles).eq("fit")]
    low, high = float(ladder["flops"].min()), float(ladder["flops"].max()) * SEARCHED
    budgets = np.geomspace(low, high, GRID)
    targets = tuple(Target(name=f"solve {i}", flops=c, token_multiplier=multiplier) for i, c in enumerate(budgets))
    # All tasks, since each is judged by the record of all: the same numbers as ``benchcast run`` gives.
    jobs = jobs_of(
        _asking(config, targets), table, documents=documents_of(config, loaded, base), references=loaded.references
    )
    contexts = contexts_of(jobs)
    labels = list(dict.fromkeys(job.task for job in jobs))
    wanted = set(matching_scores(labels, task))
    if not wanted:
        raise InputError(f"--task {task!r}: matches no task (there are {listed(labels, 6)})")
    requirements = []
    for job in jobs:
        if job.task in wanted:
            series = sorted(auto.run(job, ANSWER_ALL, contexts[job.family]).forecasts, key=lambda f: f.flops)
            requirements.append(_requirement(series, accuracy, multiplier, (low, high)))
    return requirements


def _requirement(
    series: list[Forecast], accuracy: float, multiplier: float, searched: tuple[float, float]
) -> ComputeRequirement:
    flops, low, high = (_crossing(series, field, accuracy) for field in ("forecast", "high", "low"))
    params = None if flops is None else math.sqrt(flops / (6 * multiplier))
    at = None if flops is None else min(series, key=lambda f: abs(math.log(f.flops / flops)))
    return ComputeRequirement(
        family=series[0].family,
        task=series[0].task,
        accuracy=accuracy,
        token_multiplier=multiplier,
        flops=flops,
        low=low,
        high=high,
        params=params,
        tokens=None if params is None else params * multiplier,
        searched=searched,
        grade=at.grade if at else None,
    )


def _crossing(series: list[Forecast], field: str, accuracy: float) -> float | None:
    """Budget from which on a series stays at or above ``accuracy``; linear in log C between grid points."""
    values = np.array([getattr(f, field) if getattr(f, field) is not None else np.nan for f in series], dtype=float)
    above = values >= accuracy
    if not above[-1]:
        return None
    first = int(np.flatnonzero(~above)[-1]) + 1 if not above.all() else 0
    if first == 0:
        return series[0].flops
    (x0, x1), (y0, y1) = np.log([series[first - 1].flops, series[first].flops]), values[first - 1 : first + 1]
    share = (accuracy - y0) / (y1 - y0) if np.isfinite(y0) and y1 > y0 else 1.0
    return float(np.exp(x0 + share * (x1 - x0)))


def compare(
    config: Config,
    base: Path,
    data: Path | Data | None,
    first: str,
    second: str,
    flops: float,
    multiplier: float,
    account: Account | None = None,
) -> list[FamilyComparison]:
    """Probability, task by task, that family ``first`` beats ``second`` at a budget; errors taken as independent.

    Raises
    ------
    InputError
        When one is no family, or no task has a forecast with an interval of both; ``account`` names single such tasks.
    """
    changed = _asking(config, (Target(name="compared", flops=flops, token_multiplier=multiplier),))
    loaded = with_references(config, base, ingest.read_data(config.data, base, data))
    jobs = jobs_of(changed, loaded.table, documents=documents_of(config, loaded, base), references=loaded.references)
    families = {job.family for job in jobs}
    for name in (first, second):
        if name not in families:
            raise InputError(f"{name!r} is not a family of the table (it has {', '.join(sorted(families))})")
    contexts = contexts_of(job for job in jobs if job.family in (first, second))
    made = [f for c in contexts.values() for job in c.jobs for f in auto.run(job, ANSWER_ALL, c).forecasts]
    by: dict[tuple[str, str], Forecast] = {(f.family, f.task): f for f in made}
    comparisons = []
    for task in dict.fromkeys(job.task for job in jobs):
        pair = [by.get((name, task)) for name in (first, second)]
        both = [f for f in pair if f is not None and None not in (f.forecast, f.low, f.high)]
        if len(both) == 2:
            comparisons.append(_compared(task, both[0], both[1]))
        elif account is not None:
            account.leave(f"tasks without a forecast and interval of both {first!r} and {second!r}", task)
    if not comparisons:
        lacking = [f for f in made if None in (f.forecast, f.low, f.high)]
        why = listed(list(dict.fromkeys(f"{f.family}: {n}" for f in lacking for n in (f.reasons or f.notes[:1]))), 4)
        raise InputError(
            f"no task has a forecast with an interval of both {first!r} and {second!r}: nothing to compare"
            + (f" ({why}); add runs to the ladder" if why else "; they have no task in common")
        )
    return comparisons


def _compared(task: str, a: Forecast, b: Forecast) -> FamilyComparison:
    center = [float(logit(f.forecast or 0.0)) for f in (a, b)]
    scale = [
        float(logit(f.high or 0.0) - logit(f.low or 0.0)) / (2 * float(norm.ppf(0.5 + f.level / 2))) for f in (a, b)
    ]
    chance = float(norm.cdf((center[0] - center[1]) / math.hypot(*scale)))
    ends = [(f.low or 0.0, f.high or 0.0) for f in (a, b)]
    return FamilyComparison(
        task=task,
        first=a.family,
        second=b.family,
        forecast=(a.forecast or 0.0, b.forecast or 0.0),
        interval=(ends[0], ends[1]),
        probability=chance,
        grades=(a.grade, b.grade),
    )


def suggest(
    config: Config,
    base: Path,
    data: Path | Data | None,
    budget: float,
    max_per_target: int = 5,
    account: Account | None = None,
) -> list[RunSuggestion]:
    """The runs within ``budget`` FLOPs that would shrink each target's standard error most; ties by cost.

    ``account`` names the tasks without an answer: their targets say no parameters and tokens.
    """
    loaded = with_references(config, base, ingest.read_data(config.data, base, data))
    jobs = build_jobs(
        config,
        loaded.table,
        assign_roles(config, loaded.table),
        documents_of(config, loaded, base),
        loaded.references,
    )
    unfitted = auto.unfitted(next((r for r in config.recipes if isinstance(r, AutoSettings)), AutoSettings()))
    suggestions = []
    for family, context in contexts_of(jobs).items():
        forecaster = context.forecaster(unfitted)
        targets = target_table(context.jobs[0].targets).dropna(subset=["params", "tokens"])
        targets = targets.sort_values("flops", kind="stable")
        pooled = context.pooled(unfitted, context.jobs[0].targets)
        for task, data_of_task in forecaster.tasks_.items():
            grid = _candidates_within(data_of_task.finals, budget)
            if targets.empty:
                if account is not None:
                    account.leave("tasks without a target of known parameters and tokens: nothing to suggest", task)
                continue
            shares = expected_reduction(data_of_task, pooled.weights(task, list(targets["run"])), grid, targets)
            for share, run in zip(shares.T, targets["run"], strict=True):
                suggestions += _best(grid, share, budget, max_per_target, family=family, task=task, target=str(run))
    if not suggestions:
        raise InputError("targets: parameters and tokens of a target are needed to say which run tells most about it")
    return suggestions


def _candidates_within(finals: pd.DataFrame, budget: float) -> pd.DataFrame:
    grid = candidates(finals, budget)
    if grid.empty:
        smallest = float(finals["params"].min())
        least = 6 * smallest**2 * MULTIPLIERS[0]
        raise InputError(
            f"--budget {typed(budget)}: no run of {count(smallest)} parameters fits (at least {typed(least)} FLOPs)"
        )
    return grid


def _best(
    grid: pd.DataFrame, share: Array, budget: float, most: int, *, family: str, task: str, target: str
) -> list[RunSuggestion]:
    """Of the candidates those that buy most within the budget; of runs that buy much the same the cheapest first."""
    per_flop = share / grid["flops"].to_numpy()
    order = np.lexsort((grid["flops"], -np.round(share, 2)))[:most]
    return [
        RunSuggestion(
            family=family,
            task=task,
            target=target,
            params=float(grid["params"].iloc[i]),
            tokens=float(grid["tokens"].iloc[i]),
            flops=float(grid["flops"].iloc[i]),
            shrinks=float(share[i]),
            per_flop=float(per_flop[i] * budget),
        )
        for i in order
    ]


def backtest(
    config: Config, base: Path, data: Path | Data | None, progress: Progress | None = None
) -> tuple[list[BacktestSummary], AccountRecord]:
    """How ``auto`` did on the ladder's own runs, forecast from cheaper ones; and what the reader has to say.

    Raises
    ------
    InputError
        As ``run`` does.
    """
    loaded = with_references(config, base, ingest.read_data(config.data, base, data))
    roles = assign_roles(config, loaded.table)
    jobs = jobs_of(config, loaded.table, roles, documents_of(config, loaded, base), loaded.references)
    contexts = contexts_of(jobs)
    recipes = [r for r in config.recipes if isinstance(r, AutoSettings)] or [AutoSettings()]
    summaries: list[BacktestSummary] = []
    for done, job in enumerate(jobs):
        if progress:
            progress(f"{job.family}: {job.task}", done, len(jobs))
        for settings in recipes:
            summaries += auto.backtest_summaries(job, settings, contexts[job.family])
    if not summaries:
        runs = {family: len(set(loaded.table["run"][loaded.table["family"].eq(family)])) for family in contexts}
        told = ", ".join(f"{family}: {count} runs" for family, count in runs.items())
        raise InputError(
            "nothing can be backtested: it takes five or more runs, cheap ones to fit and dearer ones to forecast "
            f"({told}); add runs to the ladder"
        )
    return summaries, account_of(config, loaded, roles)


def _asking(config: Config, targets: tuple[Target, ...]) -> Config:
    """The config with other targets, its held-out runs still held out."""
    held = tuple(t.run for t in config.targets if t.run is not None)
    runs = config.runs.model_copy(update={"exclude": (*config.runs.exclude, *held)})
    return config.model_copy(update={"targets": targets, "runs": runs})
