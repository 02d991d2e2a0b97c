"""The ``auto`` recipe: every admissible form, weighed and calibrated by the ladder's own backtest, graded.

The published recipes stand beside it unchanged. What it does at the target it did at every earlier point of the
ladder, with what was known there; that record is its interval, its grade and the backtest section of the report.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.forecast import Alternative, BacktestSummary, Baselines, Forecast
from benchcast.stages.forecast.aggregate import MEAN
from benchcast.stages.forecast.backtest import sampling_error
from benchcast.stages.forecast.grading import Signal, grade, signal, typical_miss
from benchcast.stages.forecast.pooling import OWN_SAMPLE, UNTESTED
from benchcast.stages.notices import Notice, grading, recipes
from numpy.typing import NDArray
from scipy.stats import norm

from ...core.config import AutoSettings
from . import suite as suites
from .base import ASSUMED, Found, Job, TargetRun, baselines
from .suite import Suite
from .trials import trials

RATIOS = (1.0, 3.0, 10.0, math.inf)  # bins of the extrapolation ratio


def run(job: Job, settings: AutoSettings) -> Found:
    """Forecast one task; its suite is backtested once, when its first task comes along."""
    key = ("auto", job.family, settings)
    found = Found()
    if key not in job.shared:
        jobs = [j for j in job.shared["jobs"] if j.family == job.family]
        job.shared[key] = suites.build(jobs, settings)
        found.backtests += list(_tested(job.shared[key], job.family, ""))
    suite: Suite = job.shared[key]
    heard = _signal(job, suite)
    _add(found, job, suite, heard, settings)
    if job.members and set(job.members) <= set(suite.jobs):
        # The average as the mean of its tasks, beside the average forecast directly.
        label = f"{job.task} ({MEAN.name})"
        _add(found, replace(job, task=label), suite.combined(job, label), heard, settings)
    return found


def _add(found: Found, job: Job, suite: Suite, heard: Signal, settings: AutoSettings) -> None:
    found.backtests += list(_tested(suite, job.family, job.task))
    found.trials += trials(suite, job.family, job.task)
    found.forecasts += [_forecast(job, suite, target, heard, settings) for target in job.targets]


def _signal(job: Job, suite: Suite) -> Signal:
    late = job.rows[job.rows["run"].isin(job.fit_runs)].groupby("run", sort=False).tail(8)
    return signal(suite.ladders[job.task].finals, job.chance, late)


def _forecast(job: Job, suite: Suite, target: TargetRun, heard: Signal, settings: AutoSettings) -> Forecast:
    rows = suite.trials.rows
    mine = rows["task"].eq(job.task) & rows["run"].eq(target.name) & rows["target"]
    places = np.flatnonzero(mine.to_numpy())
    direct, seen = baselines(job, suite.last)
    common: dict[str, Any] = {
        "recipe": "auto",
        "family": job.family,
        "task": job.task,
        "target": target.name,
        "level": job.level,
        "metric": job.metric,
        "last": suite.last,
        "members": dict(job.members),
        "params": target.budget.params,
        "tokens": target.budget.tokens,
        "flops": target.budget.flops,
        "chance": job.chance,
        "actual": _measured(suite, job.task, target.name),
        "baselines": Baselines(
            direct=None if direct is None else float(direct.predict([[target.budget.flops]])[0]),
            carry_forward=float(seen["accuracy"].iloc[-1]) if len(seen) else None,
        ),
    }
    empty: dict[str, Any] = {"forecast": None, "low": None, "high": None, "stderr": None}
    said = [*_about(job, target, float(seen["flops"].max()) if len(seen) else math.nan), *heard.warnings()]
    if not len(places):
        codes = _by_code([*said, grading.FEW_POINTS(named=True)])
        why = (recipes.NO_FORECAST(why="too little data"),)
        return Forecast(**common, **empty, status="failed", notes=why, grade="D", codes=tuple(codes))
    at = places[np.argmax(rows["cutoff"].to_numpy(dtype=float)[places])]
    made, decades = suite.calibrated, float(suite.trials.decades[at])
    said += _of_fits(suite, places, at, decades)
    half = float(suite.graded.high[at] - suite.graded.low[at]) / 2
    own, carry = _typical_misses(suite, job.task, decades)
    said += [grading.NO_SKILL(named=True)] if carry <= own else []
    warnings = _by_code(said)
    mark, reasons = grade(heard, half, own, carry, decades, float(made.tested[at]))
    refused = mark == "D" and settings.refuse
    own_error, assumed = _own_error(suite, job.task, half)
    mean, width = float(suite.pooled.mean[at]), _normal(job.level) * own_error
    value = (
        empty
        if refused
        else {
            "forecast": mean,
            "low": float(min(made.low[at], max(mean - width, 0.0))),
            "high": float(max(made.high[at], min(mean + width, 1.0))),
            "stderr": float(max(made.inflation[at] * suite.pooled.spread[at] / _normal(job.level), own_error)),
        }
    )
    notes = (*warnings.values(), *([ASSUMED] if assumed and not refused else []))
    if refused:
        notes = (grading.REFUSED(reasons="; ".join(reasons)), *notes)
    tested = float(made.tested[at])
    return Forecast(
        **common,
        **value,
        status="refused" if refused else "warning" if warnings else "ok",
        notes=notes,
        grade=mark,
        reasons=reasons,
        codes=tuple(warnings),
        inflation=float(made.inflation[at]),
        tested_ratio=10**tested if math.isfinite(tested) else None,
        alternatives=() if refused else _alternatives(suite, at),
    )


def _own_error(suite: Suite, task: str, half: float) -> tuple[float, bool]:
    """What no interval may be narrower than, and whether it is assumed because the ladder says nothing of it.

    Of a score's sampling error that is what is left between runs that were asked the same questions.
    """
    finals = suite.ladders[task].finals
    if (known := sampling_error(finals)) > 0:
        return math.sqrt(OWN_SAMPLE) * known, False
    assumed = finals["accuracy"].nunique() <= 1 or not half > 0
    return UNTESTED if assumed else 0.0, assumed


def _by_code(notices: Iterable[Notice]) -> dict[str, Notice]:
    """Each code once, where it came first, with what was said of it last."""
    return {notice.code: notice for notice in notices}


def _normal(level: float) -> float:
    return float(norm.ppf(0.5 + level / 2))


def _measured(suite: Suite, task: str, run: str) -> float | None:
    targets = suite.targets[task]
    value = float(targets.loc[targets["run"].eq(run), "actual"].iloc[0])
    return value if math.isfinite(value) else None


def _about(job: Job, target: TargetRun, largest: float) -> list[Notice]:
    """Warnings that follow from what the target is."""
    found = []
    if target.family and target.family != job.family:
        found.append(grading.FAMILY_CHANGE(named=True))
    if "anneal" in target.name.lower():
        found.append(grading.ANNEALING(named=True))
    if target.convention != job.convention:
        found.append(grading.MIXED_FLOPS(named=True))
    if target.budget.flops < largest:
        found.append(grading.WITHIN_LADDER(named=True))
    return [*found, *job.differences(target)]


def _of_fits(suite: Suite, places: NDArray[np.int_], at: int, decades: float) -> list[Notice]:
    """Warnings that follow from the fits and the backtest."""
    found = []
    made = suite.calibrated
    if not math.isfinite(made.tested[at]):
        found.append(grading.UNTESTED(named=True))
    elif decades > made.tested[at] + 0.15:
        found.append(grading.BEYOND_TESTED(named=True))
    if np.sum(suite.pooled.weights[at] * np.nan_to_num(suite.trials.at_bound[at])) > 0.5:
        found.append(grading.BOUND_HIT(named=True))
    others = [p for p in places if p != at]
    if others:
        before = suite.pooled.mean[others[-1]]
        if not made.low[at] <= before <= made.high[at]:
            found.append(grading.LEVERAGE(named=True))
    return found


def _typical_misses(suite: Suite, task: str, decades: float) -> tuple[float, float]:
    """What to expect at this distance, by the backtest: of this procedure, and of carrying forward."""
    frame = suite.outcomes
    known = (~suite.trials.rows["target"] & np.isfinite(frame["error"])).to_numpy()
    mine = suite.trials.rows["task"].eq(task).to_numpy()[known]
    reach = suite.trials.decades[known]
    own, carry = (typical_miss(frame[c].to_numpy()[known], reach, mine, decades) for c in ("error", "carry"))
    return own, carry


def _alternatives(suite: Suite, at: int) -> tuple[Alternative, ...]:
    """The specification curve: every form with what it says, heaviest first."""
    weights, said = suite.pooled.weights[at], suite.trials.mean[at]
    order = [int(i) for i in np.argsort(-weights, kind="stable") if np.isfinite(said[i])]
    forms = suite.trials.paths
    return tuple(Alternative(form=forms[i].name, forecast=float(said[i]), weight=float(weights[i])) for i in order)


def _tested(suite: Suite, family: str, task: str) -> list[BacktestSummary]:
    """Error and coverage on the ladder's own runs, by extrapolation ratio; ``task`` empty for all of them."""
    rows = suite.trials.rows
    frame = suite.outcomes
    keep = ~rows["target"].to_numpy(dtype=bool) & np.isfinite(frame["error"].to_numpy())
    if task:
        keep &= rows["task"].eq(task).to_numpy()
    frame = frame[keep]
    found = []
    for low, high in [*pairwise(RATIOS), (RATIOS[0], RATIOS[-1])]:
        part = frame[(frame["ratio"] >= low) & (frame["ratio"] < high)]
        if len(part):
            found.append(_summary(part, family, task, low, high))
    return found


def _summary(part: pd.DataFrame, family: str, task: str, low: float, high: float) -> BacktestSummary:
    mean = part.mean()
    return BacktestSummary(
        recipe="auto",
        family=family,
        task=task,
        n=len(part),
        ratio_low=low,
        ratio_high=high if math.isfinite(high) else None,
        error=mean["error"],
        carry_error=mean["carry"],
        coverage=mean["hit"],
        width=float(part["width"].median()),
        interval_score=mean["score"],
        delta_score=mean["delta"],
    )
