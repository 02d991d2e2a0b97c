"""What the recipes have in common: baselines, diagnosed laws as result rows, and a chain's forecasts as results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from benchcast.reports.records.forecast import Baselines, Forecast, LawFit, RecipeName
from benchcast.reports.text.metric_names import score_name
from benchcast.stages.fit.estimate import FitStatus
from benchcast.stages.fit.newton import Array
from benchcast.stages.forecast.chain import Chain
from benchcast.stages.forecast.grading import documents
from benchcast.stages.forecast.pooling import POOLING
from benchcast.stages.laws.accuracy.direct_accuracy import DirectAccuracy
from benchcast.stages.laws.base import Law
from benchcast.stages.notices import Notice, grading, recipes
from scipy.stats import norm

from ..job import Job, TargetRun
from .diagnostics import diagnose

ASSUMED = recipes.ASSUMED_ERROR(points=100 * POOLING.untested_error)
VALUES = ("forecast", "low", "high", "stderr", "middle")
TOP_RUNS = 3  # the largest runs, which are held against chance
CHANCE_STDERRS, CHANCE_MARGIN = 2.0, 0.02  # above chance: standard errors, or a fraction where none is known


@dataclass(frozen=True, kw_only=True)
class ChainInputs:
    """What a chain goes by.

    Attributes
    ----------
    targets : DataFrame
        A row per target of the job with the first law's columns (NaN: unknown).
    loss_name : str
        The intermediate loss; empty where the table has none.
    average_last : int
        A run's value is the mean of its last so many checkpoints.
    runs : names, optional
        Runs that the recipe saw; by default all that may be fitted.
    """

    targets: pd.DataFrame
    loss_name: str
    average_last: int
    runs: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class FittedOn:
    """What a law was fitted on: inputs (n, columns), values (n,), and the runs they are of."""

    X: Array
    y: Array
    runs: Sequence[str]

    @classmethod
    def of(cls, rows: pd.DataFrame, columns: Sequence[str], y: str) -> FittedOn:
        """Columns of a table with a row per observation, which names its run."""
        X, values = rows[list(columns)].to_numpy(dtype=float), rows[y].to_numpy(dtype=float)
        return cls(X=X, y=values, runs=list(rows["run"]))


def baselines(
    job: Job, average_last: int, runs: Iterable[str] | None = None
) -> tuple[DirectAccuracy | None, pd.DataFrame]:
    """The one-step law on the runs the recipe saw, and those runs ordered by compute."""
    seen = job.finals(average_last, ["accuracy"], runs).sort_values("flops")
    if len(seen) < 2:
        return None, seen
    return DirectAccuracy().fit(seen[["flops"]].to_numpy(), seen["accuracy"]), seen


def baselines_at(direct: DirectAccuracy | None, seen: pd.DataFrame, target: TargetRun) -> Baselines:
    """What a forecast of a target has to beat."""
    one_step = None if direct is None else float(direct.predict([[target.budget.flops]])[0])
    return Baselines(direct=one_step, carry_forward=float(seen["accuracy"].iloc[-1]) if len(seen) else None)


def actual(job: Job, target: TargetRun, average_last: int, column: str = "accuracy") -> float | None:
    """The measured value of a target, averaged over its last checkpoints as the ladder's runs are."""
    if not target.family:  # a run that does not exist yet
        return None
    rows = job.rows[job.rows["run"].eq(target.name)]
    if column not in rows or rows[column].isna().all():
        return None
    return float(rows[column].dropna().tail(average_last).mean())


def describe(
    recipe: RecipeName,
    job: Job,
    law: Law,
    fitted: FittedOn,
    *,
    task: str | None = None,
    y_unit: str | None = None,
) -> LawFit:
    """A fitted law as a result row, with its diagnostics where figures are wanted."""
    return LawFit(
        recipe=recipe,
        family=job.family,
        task=job.task if task is None else task,
        law=type(law).__name__,
        formula=law.formula,
        source=law.source,
        x_unit=law.x_unit,
        y_unit=y_unit or law.y_unit,
        estimates={k: float(v) for k, v in law.estimates_.items()},
        stderrs={k: _finite_or_none(v) for k, v in law.stderrs_.items()},
        status=law.status_.value,
        notes=law.notes_,
        n=law.n_points_,
        residual_std=_finite_or_none(law.residual_std_),
        diagnostics=diagnose(law, fitted.X, fitted.y, fitted.runs) if job.draw else (),
    )


def forecasts(
    recipe: RecipeName, job: Job, chain: Chain | None, inputs: ChainInputs, warnings: Sequence[Notice]
) -> list[Forecast]:
    """Forecast every target of a job.

    ``warnings`` hold for all targets. A target whose inputs are unknown, or whose laws could not be given an
    uncertainty, gets no number: there is no forecast without an interval.
    """
    average_last, X = inputs.average_last, inputs.targets
    direct, seen = baselines(job, average_last, inputs.runs)
    largest = float(seen["flops"].max()) if len(seen) else math.nan
    gate = _gate(job, seen)
    laws = () if chain is None else (chain.first, chain.second)
    law_notes = [note.about(type(law).__name__) for law in laws for note in law.notes_]
    known = X.notna().all(axis=1).to_numpy()
    values = _values(chain, X[known], job.level) if chain is not None and known.any() else None
    row = np.cumsum(known) - 1
    fitted = job.fitted_rows
    questions = _questions(fitted)
    same = bool(fitted["accuracy"].nunique() <= 1)
    made = []
    for i, target in enumerate(job.targets):
        flagged = [*warnings, *_about_target(job, target, largest), *gate]
        value: dict[str, Any] = dict.fromkeys(VALUES)
        notes: list[Notice] = list(law_notes)
        status: Literal["ok", "warning", "failed"] = "failed"
        if values is None or not known[i]:
            why = "params and tokens of the target are needed" if chain else "too little data"
            notes.append(recipes.NO_FORECAST(why=why))
        elif not np.isfinite(values[row[i]]).all():
            notes.append(recipes.NO_FORECAST(why="the laws have no uncertainty"))
        else:
            widened, assumed = at_least_sampled(values[row[i]], questions, job.level, same)
            flagged += [ASSUMED] if assumed else []
            value = dict(zip(VALUES, map(float, widened), strict=True))
            if value["middle"] == 0.0:
                flagged.append(recipes.ZERO_LOSS())
            if value["forecast"] in (0.0, 1.0):
                flagged.append(recipes.CUT())
            status = "warning" if flagged or notes else "ok"
        made.append(
            Forecast(
                **common_fields(recipe, job, target, average_last),
                **value,
                status=status,
                codes=tuple(one.code for one in job.differences(target)),
                notes=tuple(dict.fromkeys([*flagged, *notes])),
                baselines=baselines_at(direct, seen, target),
                actual=actual(job, target, average_last),
                middle_actual=actual(job, target, average_last, inputs.loss_name),
            )
        )
    return made


def common_fields(recipe: RecipeName, job: Job, target: TargetRun, average_last: int) -> dict[str, Any]:
    """What every forecast of a target says, whatever its recipe."""
    return {
        "recipe": recipe,
        "family": job.family,
        "task": job.task,
        "target": target.name,
        "params": target.budget.params,
        "tokens": target.budget.tokens,
        "flops": target.budget.flops,
        "level": job.level,
        "metric": job.metric,
        "last": average_last,
        "members": dict(job.members),
        "chance": job.chance,
    }


def _values(chain: Chain, X: pd.DataFrame, level: float) -> Array:
    """A row of ``VALUES`` per target; NaN where a law has no covariance."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        result = chain.forecast(X.to_numpy(dtype=float), level)
    values = np.column_stack([result.mean, result.low, result.high, result.stderr, result.intermediate_loss])
    return np.where(FitStatus.ABNORMAL in (chain.first.status_, chain.second.status_), np.nan, values)


def _questions(rows: pd.DataFrame) -> float:
    known = [rows[c].to_numpy(dtype=float) for c in ("accuracy", "stderr") if c in rows]
    return documents(*known) if len(known) == 2 else math.nan


def at_least_sampled(values: Array, questions: float, level: float, same: bool = False) -> tuple[Array, bool]:
    """``VALUES`` with an interval no narrower than the sampling error of the score to come, of so many ``questions``.

    Runs that all score the same leave laws no residual, but the next score is still measured on so many questions only.
    Where that is unknown (NaN), and the interval has no width or all scores are the ``same``, one is assumed: True.
    """
    score, low, high, stderr, loss = values
    assumed = not math.isfinite(questions)
    if assumed and not same and high > low:
        return values, False
    rate = min(max(score, 1 / questions), 1 - 1 / questions) if questions > 1 else 0.5
    error = POOLING.untested_error if assumed else math.sqrt(rate * (1 - rate) / questions)
    half = float(norm.ppf(0.5 + level / 2)) * error
    low, high = min(low, max(score - half, 0.0)), max(high, min(score + half, 1.0))
    return np.array([score, low, high, max(stderr, error), loss]), assumed


def _about_target(job: Job, target: TargetRun, largest: float) -> list[Notice]:
    notes = []
    if target.family and target.family != job.family:
        notes.append(grading.FAMILY_CHANGE(family=target.family, fitted=job.family))
    if target.convention != job.convention:
        notes.append(grading.MIXED_FLOPS(target=target.convention or "unnamed", ladder=job.convention or "unnamed"))
    if target.budget.flops < largest:
        notes.append(grading.WITHIN_LADDER())
    return [*notes, *job.differences(target)]


def _gate(job: Job, seen: pd.DataFrame) -> list[Notice]:
    """A score that never leaves chance says nothing about where it will leave it."""
    if job.chance is None or not len(seen):
        return []
    top = seen["accuracy"].tail(TOP_RUNS)
    error = float(seen["stderr"].tail(TOP_RUNS).mean()) if "stderr" in seen else math.nan
    margin = CHANCE_STDERRS * error if math.isfinite(error) else CHANCE_MARGIN
    if top.max() < job.chance + margin:
        return [recipes.NOT_ABOVE_CHANCE(score=score_name(job.metric))]
    return []


def _finite_or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
