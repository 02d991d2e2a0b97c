"""The ``auto`` recipe: every admissible form, weighed and calibrated by the ladder's own backtest, graded.

The published recipes stand beside it unchanged. What it does at the target it did at every earlier point of the
ladder, with what was known there; that record is its interval, its grade and the backtest section of the report.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from pipeline.config import AutoSettings
from pipeline.recipes import suite as suites
from pipeline.recipes.common import Found, Job, TargetRun, baselines
from pipeline.recipes.suite import Suite
from pipeline.results import Alternative, Baselines, Forecast, Tested
from stages.forms import CARRY
from stages.quality import CODES, Signal, grade, signal
from stages.scoring_rules import interval_score

RATIOS = (1.0, 3.0, 10.0, math.inf)  # bins of the extrapolation ratio
SHRINK = 5.0  # forecasts' worth of evidence that the suite's error counts against the task's own
NEAR = 0.5  # decades: backtests so near to the target's ratio count most


def run(job: Job, settings: AutoSettings) -> Found:
    """Forecast one task; its suite is backtested once, when its first task comes along."""
    key = ("auto", job.family, settings)
    found = Found()
    if key not in job.shared:
        jobs = [j for j in job.shared["jobs"] if j.family == job.family]
        job.shared[key] = suites.build(jobs, settings)
        found.backtests += list(_tested(job.shared[key], job.family, ""))
    suite: Suite = job.shared[key]
    found.backtests += list(_tested(suite, job.family, job.task))
    heard = _signal(job, suite)
    found.forecasts += [_forecast(job, suite, target, heard, settings) for target in job.targets]
    return found


def _signal(job: Job, suite: Suite) -> Signal:
    late = job.rows[job.rows["run"].isin(job.fit_runs)].groupby("run", sort=False).tail(8)
    return signal(suite.ladders[job.task].finals, job.chance, late)


def _forecast(job: Job, suite: Suite, target: TargetRun, heard: Signal, settings: AutoSettings) -> Forecast:
    rows = suite.trials.rows
    mine = rows["task"].eq(job.task) & rows["run"].eq(target.name) & rows["target"]
    places = np.flatnonzero(mine.to_numpy())
    direct, seen = baselines(job, suite.last)
    common: dict[str, Any] = {
        "recipe": "auto", "family": job.family, "task": job.task, "target": target.name, "level": job.level,
        "params": target.budget.params, "tokens": target.budget.tokens, "flops": target.budget.flops,
        "chance": job.chance, "actual": _measured(suite, job.task, target.name),
        "baselines": Baselines(
            direct=None if direct is None else float(direct.predict([[target.budget.flops]])[0]),
            carry_forward=float(seen["accuracy"].iloc[-1]) if len(seen) else None,
        ),
    }  # fmt: skip
    empty: dict[str, Any] = {"forecast": None, "low": None, "high": None, "stderr": None}
    codes = [*_about(job, target, float(seen["flops"].max()) if len(seen) else math.nan), *heard.codes()]
    if not len(places):
        codes.append("few-points")
        return Forecast(
            **common, **empty, status="failed", notes=("no forecast: too little data",), grade="D", codes=_unique(codes)
        )
    at = places[np.argmax(rows["cutoff"].to_numpy(dtype=float)[places])]
    made, decades = suite.calibrated, float(suite.trials.decades[at])
    codes += _more_codes(suite, places, at, decades)
    half = float(made.high[at] - made.low[at]) / 2
    mark, reasons = grade(heard, half, _typical_miss(suite, job.task, decades), decades, float(made.tested[at]))
    refused = mark == "D" and settings.refuse
    value = empty if refused else {
        "forecast": float(suite.pooled.mean[at]), "low": float(min(made.low[at], suite.pooled.mean[at])),
        "high": float(max(made.high[at], suite.pooled.mean[at])),
        "stderr": float(made.inflation[at] * suite.pooled.spread[at] / _normal(job.level)),
    }  # fmt: skip
    notes: tuple[str, ...] = tuple(f"{CODES[c]} ({c})" for c in _unique(codes))
    if refused:
        notes = (f"not forecastable from this ladder: {'; '.join(reasons)}", *notes)
    tested = float(made.tested[at])
    return Forecast(
        **common, **value, status="refused" if refused else "warning" if codes else "ok", notes=notes, grade=mark,
        reasons=reasons, codes=_unique(codes), inflation=float(made.inflation[at]),
        tested_ratio=10**tested if math.isfinite(tested) else None,
        alternatives=() if refused else _alternatives(suite, at),
    )  # fmt: skip


def _unique(codes: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))


def _normal(level: float) -> float:
    return float(norm.ppf(0.5 + level / 2))


def _measured(suite: Suite, task: str, run: str) -> float | None:
    targets = suite.targets[task]
    value = float(targets.loc[targets["run"].eq(run), "actual"].iloc[0])
    return value if math.isfinite(value) else None


def _about(job: Job, target: TargetRun, largest: float) -> list[str]:
    """Codes that follow from what the target is."""
    found = []
    if target.family and target.family != job.family:
        found.append("family-change")
    if "anneal" in target.name.lower():
        found.append("annealing")
    if target.convention != job.convention:
        found.append("mixed-flops")
    if target.budget.flops < largest:
        found.append("within-ladder")
    return found


def _more_codes(suite: Suite, places: NDArray[np.int_], at: int, decades: float) -> list[str]:
    """Codes that follow from the fits and the backtest."""
    found = []
    made = suite.calibrated
    if not math.isfinite(made.tested[at]):
        found.append("untested")
    elif decades > made.tested[at] + 0.15:
        found.append("beyond-tested")
    if np.sum(suite.pooled.weights[at] * np.nan_to_num(suite.trials.at_bound[at])) > 0.5:
        found.append("bound-hit")
    others = [p for p in places if p != at]
    if others:
        before = suite.pooled.mean[others[-1]]
        if not made.low[at] <= before <= made.high[at]:
            found.append("leverage")
    return found


def _typical_miss(suite: Suite, task: str, decades: float) -> float:
    """Mean absolute error of this procedure near this distance, the task's own shrunk towards the suite's."""
    rows = suite.trials.rows
    miss = np.abs(suite.pooled.mean - rows["actual"].to_numpy(dtype=float))
    known = ~rows["target"].to_numpy(dtype=bool) & np.isfinite(miss)
    if not known.any():
        return math.nan
    reach = suite.trials.decades[known]
    near = np.exp(-0.5 * ((reach - min(decades, reach.max())) / NEAR) ** 2)
    mine = rows["task"].to_numpy()[known] == task
    everyone = float(np.average(miss[known], weights=near))
    own = float(np.average(miss[known][mine], weights=near[mine])) if mine.any() else everyone
    count = float(near[mine].sum())
    return (count * own + SHRINK * everyone) / (count + SHRINK)


def _alternatives(suite: Suite, at: int) -> tuple[Alternative, ...]:
    """The specification curve: every form with what it says, heaviest first."""
    weights, said = suite.pooled.weights[at], suite.trials.mean[at]
    order = [int(i) for i in np.argsort(-weights, kind="stable") if np.isfinite(said[i])]
    forms = suite.trials.forms
    return tuple(Alternative(form=forms[i].name, forecast=float(said[i]), weight=float(weights[i])) for i in order)


def _tested(suite: Suite, family: str, task: str) -> list[Tested]:
    """Error and coverage on the ladder's own runs, by extrapolation ratio; ``task`` empty for all of them."""
    rows = suite.trials.rows
    frame = _outcomes(suite)
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


def _summary(part: pd.DataFrame, family: str, task: str, low: float, high: float) -> Tested:
    mean = part.mean()
    return Tested(
        recipe="auto", family=family, task=task, n=len(part),
        ratio_low=low, ratio_high=high if math.isfinite(high) else None,
        error=mean["error"], carry_error=mean["carry"], coverage=mean["hit"],
        width=float(part["width"].median()), interval_score=mean["score"], delta_score=mean["delta"],
    )  # fmt: skip


def _outcomes(suite: Suite) -> pd.DataFrame:
    trials, made, mean = suite.trials, suite.calibrated, suite.pooled.mean
    actual = trials.rows["actual"].to_numpy(dtype=float)
    row = np.arange(len(actual))
    heaviest = np.argmax(np.where(np.isfinite(trials.mean), suite.pooled.weights, -1.0), axis=1)
    center, spread = trials.mean[row, heaviest], 1.645 * np.nan_to_num(trials.stderr[row, heaviest])
    carry = [i for i, f in enumerate(trials.forms) if f.first == CARRY]
    return pd.DataFrame(
        {
            "ratio": 10**trials.decades,
            "error": np.abs(mean - actual),
            "carry": np.abs(trials.mean[:, carry[0]] - actual),
            "hit": ((actual >= made.low) & (actual <= made.high)).astype(float),
            "width": made.high - made.low,
            "score": interval_score(made.low, made.high, actual),
            "delta": interval_score(center - spread, center + spread, actual),
        }
    )
