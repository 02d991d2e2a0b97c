"""The ``auto`` recipe: ``AutoForecaster`` on all tasks of a family, its forecasts as results.

The published recipes stand beside it unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.forecast import Alternative, BacktestSummary, Forecast, TaskBacktest
from benchcast.stages.forecast.aggregate import MEAN
from benchcast.stages.forecast.auto import AutoForecaster
from benchcast.stages.forecast.pooled import PooledBacktest, TargetForecast
from benchcast.stages.notices import Notice, grading, recipes

from ...chains.base import ASSUMED, baselines, baselines_at, common_fields
from ...chains.base import actual as actual_of
from ...chains.figures import sig
from ...context import FamilyContext, target_table
from ...job import Job, RecipeOutput, TargetRun
from ...references import admitted_by
from .settings import AutoSettings

TRIAL_DIGITS = 5  # of a forecast in the backtest: a mark in a figure needs no more
BITS = "bits_per_byte"
NO_NUMBER: dict[str, Any] = {"forecast": None, "low": None, "high": None, "stderr": None}


def run(job: Job, settings: AutoSettings, context: FamilyContext) -> RecipeOutput:
    """Forecast one task; the family's backtest comes with its first task."""
    output = RecipeOutput(backtests=backtest_summaries(job, settings, context))
    pooled = _pooled(job, settings, context)
    output.trials += _trials(pooled, job)
    output.forecasts += _forecasts(job, pooled, settings, context)
    return output


def unfitted(settings: AutoSettings) -> AutoForecaster:
    """The forecaster that the settings of the config ask for."""
    return AutoForecaster(
        average_last=settings.last,
        n_validation_losses=settings.losses,
        min_runs=settings.fewest,
        max_cutoffs=settings.cutoffs,
        extended=settings.wide,
    )


def backtest_summaries(job: Job, settings: AutoSettings, context: FamilyContext) -> list[BacktestSummary]:
    """How the forecaster did on the ladder's own runs: with the first job over all tasks, then on each label's own."""
    summaries = []
    if context.is_first(job):
        summaries += _summaries(context.pooled(unfitted(settings), job.targets), job, "")
    return summaries + _summaries(_pooled(job, settings, context), job, job.task)


def _pooled(job: Job, settings: AutoSettings, context: FamilyContext) -> PooledBacktest:
    """The pooled forecasts that hold the job's: of an average whose tasks are all there, from them and from itself."""
    pooled = context.pooled(unfitted(settings), job.targets)
    fitted = set(context.forecaster(unfitted(settings)).history_.origins)  # not those that no run ever scored on
    whole = job.members and set(job.members) <= {each.task for each in context.jobs} & fitted
    return pooled.average(job.members, job.task, pooled.facts[job.task]) if whole else pooled


def _summaries(pooled: PooledBacktest, job: Job, task: str) -> list[BacktestSummary]:
    """Error and coverage on the ladder's own runs, by extrapolation ratio; ``task`` empty for all of them."""
    return [
        BacktestSummary(
            recipe="auto",
            family=job.family,
            task=task,
            n=part.n,
            ratio_low=part.ratio_low,
            ratio_high=part.ratio_high if math.isfinite(part.ratio_high) else None,
            error=part.error,
            carry_error=part.carry_error,
            coverage=part.coverage,
            width=part.width,
            interval_score=part.interval_score,
            delta_score=part.delta_score,
        )
        for part in pooled.performance(job.level, task)
    ]


def _trials(pooled: PooledBacktest, job: Job) -> list[TaskBacktest]:
    """Every forecast of the ladder's own runs from cheaper ones whose truth is known; none is no entry.

    Those that the summaries count: cuts along size and length teach the interval, but have no ratio of compute.
    """
    own = pooled.own_forecasts(job.level, job.task)
    own = own[own["axis"].eq("flops")]
    if own.empty:
        return []
    columns = ("ratio", "forecast", "low", "high", "actual")
    series = {name: tuple(sig(float(v), TRIAL_DIGITS) for v in own[name]) for name in columns}
    return [TaskBacktest(recipe="auto", family=job.family, task=job.task, run=tuple(map(str, own["run"])), **series)]


def _forecasts(job: Job, pooled: PooledBacktest, settings: AutoSettings, context: FamilyContext) -> Iterator[Forecast]:
    forecaster = context.forecaster(unfitted(settings))
    average_last = forecaster.average_last_
    direct, seen = baselines(job, average_last)
    largest = float(seen["flops"].max()) if len(seen) else math.nan
    names = [target.name for target in job.targets]
    measured = job.finals(average_last, ["accuracy"], names).set_index("run")["accuracy"]
    facts = pooled.facts[job.task]
    asides: list[Notice] = [recipes.LAW_RAISED(fit, error=why) for fit, why in facts.failures.items()]
    asides += [grading.AVERAGE_BOTH_WAYS()] if MEAN in pooled.forecasts.paths else []
    asides += admitted_by(job, forecaster.tasks_[job.task].loss_names)
    gold = _gold_loss(job, forecaster)
    for target in job.targets:
        actual = float(measured.get(target.name, np.nan))
        common = common_fields("auto", job, target, average_last) | {
            "baselines": baselines_at(direct, seen, target),
            "actual": actual if math.isfinite(actual) else None,
        }
        forecast = pooled.forecast(job.task, target.name, job.level)
        about = [*_about(job, target, largest), *facts.signal.warnings()]
        said = asides
        if target.name in gold.index:
            loss, last = gold.loc[target.name], float(seen[BITS].dropna().iloc[-1])
            common |= {"middle": float(loss["mean"]), "middle_actual": actual_of(job, target, average_last, BITS)}
            said = [grading.GOLD_LOSS(loss=loss["mean"], low=loss["low"], high=loss["high"], last=last), *asides]
        if forecast is not None:
            yield _made(common, about, forecast, settings, said)
        elif facts.signal.never_right:
            yield _never_right(common, about, said)
        else:
            yield _failed(common, about)


def _gold_loss(job: Job, forecaster: AutoForecaster) -> pd.DataFrame:
    """By target the loss of the reference answers, of tasks whose guesses are never right: scores may be zero long."""
    known = job.rows[BITS].notna().any() if BITS in job.rows else False
    if job.chance != 0 or job.members or not known:
        return pd.DataFrame()
    return forecaster.gold_loss(job.task, target_table(job.targets), job.level).set_index("run")


def _never_right(common: dict[str, Any], about: list[Notice], asides: list[Notice]) -> Forecast:
    codes, why = _by_code(about), grading.NEVER_RIGHT()
    notes = (grading.REFUSED(reasons=why), *codes.values(), *asides)
    return Forecast(**common, **NO_NUMBER, status="refused", notes=notes, grade="D", reasons=(why,), codes=tuple(codes))


def _failed(common: dict[str, Any], about: list[Notice]) -> Forecast:
    codes = _by_code([*about, grading.FEW_POINTS(named=True)])
    why = (recipes.NO_FORECAST(why="too little data"),)
    return Forecast(**common, **NO_NUMBER, status="failed", notes=why, grade="D", codes=tuple(codes))


def _made(
    common: dict[str, Any], about: list[Notice], forecast: TargetForecast, settings: AutoSettings, asides: list[Notice]
) -> Forecast:
    warnings = _by_code([*about, *forecast.warnings])
    refused = forecast.grade == "D" and settings.refuse
    numbers = {"forecast": forecast.mean, "low": forecast.low, "high": forecast.high, "stderr": forecast.stderr}
    notes = (*warnings.values(), *asides, *([ASSUMED] if forecast.sampling_assumed and not refused else []))
    if refused:
        notes = (grading.REFUSED(reasons="; ".join(forecast.reasons)), *notes)
    every = (Alternative(form=path.name, forecast=mean, weight=weight) for path, mean, weight in forecast.by_path)
    return Forecast(
        **common,
        **(NO_NUMBER if refused else numbers),
        status="refused" if refused else "warning" if warnings else "ok",
        notes=notes,
        grade=forecast.grade,
        reasons=forecast.reasons,
        codes=tuple(warnings),
        inflation=forecast.inflation,
        tested_ratio=10**forecast.reach.tested_flops if forecast.reach.any_tested else None,
        alternatives=() if refused else tuple(every),
    )


def _by_code(notices: Iterable[Notice]) -> dict[str, Notice]:
    """Each code once, where it came first, with what was said of it last."""
    return {notice.code: notice for notice in notices}


def _about(job: Job, target: TargetRun, largest: float) -> list[Notice]:
    """Warnings that follow from what the target is."""
    warnings = []
    if target.family and target.family != job.family:
        warnings.append(grading.FAMILY_CHANGE(named=True))
    if "anneal" in target.name.lower():
        warnings.append(grading.ANNEALING(named=True))
    if target.convention != job.convention:
        warnings.append(grading.MIXED_FLOPS(named=True))
    if target.budget.flops < largest:
        warnings.append(grading.WITHIN_LADDER(named=True))
    return [*warnings, *job.differences(target)]
