"""What every recipe needs: the rows of one task, targets, baselines, and turning fits into results."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from benchcast.reports.records.forecast import (
    BacktestSummary,
    Baselines,
    Curve,
    Diagnostic,
    Figure,
    Forecast,
    LawFit,
    Panel,
    Point,
    RecipeName,
    TaskBacktest,
)
from benchcast.reports.records.quantities import Quantity
from benchcast.stages.compute.budget import TrainingBudget
from benchcast.stages.fit.estimate import FitStatus
from benchcast.stages.forecast.chain import Chain
from benchcast.stages.forecast.grading import documents
from benchcast.stages.forecast.pooling import UNTESTED
from benchcast.stages.laws.accuracy.direct_accuracy import DirectAccuracy
from benchcast.stages.laws.base import Law
from benchcast.stages.notices import Notice, grading, recipes
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from ...data.asked import Differences

Array = NDArray[np.float64]
GRID = 30
ASSUMED = recipes.ASSUMED_ERROR(points=100 * UNTESTED)
VALUES = ("forecast", "low", "high", "stderr", "middle")
FIGURE = {"quantiles": 16, "steps": 11}  # a drawn band needs less precision than a printed number


@dataclass(frozen=True)
class TargetRun:
    """A target with what is known about it; ``family`` is empty for a run that does not exist yet."""

    name: str
    budget: TrainingBudget
    family: str = ""
    convention: str = ""  # how its FLOPs are counted


@dataclass(frozen=True)
class Job:
    """One (family, task): every checkpoint of its runs, which of them may be fitted, and the targets.

    ``rows`` has a row per checkpoint, ordered by tokens within a run: run, step, params, tokens, flops,
    token_multiplier, accuracy, and a column per loss that the table has.
    """

    family: str
    task: str
    metric: str
    rows: pd.DataFrame
    fit_runs: frozenset[str]
    targets: tuple[TargetRun, ...]
    chance: float | None
    level: float
    convention: str = ""
    draw: bool = True  # whether figures are wanted
    members: Mapping[str, float] = field(default_factory=dict)  # of an average: weight by task
    shared: dict[Any, Any] = field(default_factory=dict)  # laws that do not depend on the task
    mixed: Differences = field(default_factory=dict)  # what is known to differ in how the scores came about

    def differences(self, target: TargetRun) -> tuple[Notice, ...]:
        """What differs within the ladder, or between it and a target."""
        return tuple(self.mixed.get(target.name, self.mixed.get("", ())))

    def finals(self, last: int, columns: Sequence[str], runs: Iterable[str] | None = None) -> pd.DataFrame:
        """One row per fitted run: its last checkpoint, ``columns`` averaged over its last ``last`` ones."""
        wanted = self.fit_runs if runs is None else runs
        return finals(self.rows[self.rows["run"].isin(wanted)], last, columns)


@dataclass
class Found:
    """What a recipe returns for one job."""

    forecasts: list[Forecast] = field(default_factory=list)
    laws: list[LawFit] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    backtests: list[BacktestSummary] = field(default_factory=list)
    trials: list[TaskBacktest] = field(default_factory=list)


def finals(rows: pd.DataFrame, last: int, columns: Sequence[str]) -> pd.DataFrame:
    """One row per run (``rows`` has a run's checkpoints together): its last complete one, ``columns`` averaged."""
    values = rows[list(columns)].to_numpy(dtype=float)
    complete = np.flatnonzero(np.isfinite(values).all(axis=1))
    runs = rows["run"].to_numpy()[complete]
    ends = np.flatnonzero(np.append(runs[1:] != runs[:-1], True)) if len(runs) else np.array([], dtype=int)
    starts = np.append(0, ends[:-1] + 1)
    found = rows.iloc[complete[ends]].reset_index(drop=True)
    for j, column in enumerate(columns):
        found[column] = [
            values[complete[max(start, end + 1 - last) : end + 1], j].mean()
            for start, end in zip(starts, ends, strict=False)
        ]
    return found


def matching(runs: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The runs that any of the shell patterns matches, case-sensitively."""
    return [run for run in runs if any(run == p or fnmatch.fnmatchcase(run, p) for p in patterns)]


def baselines(job: Job, last: int, runs: Iterable[str] | None = None) -> tuple[DirectAccuracy | None, pd.DataFrame]:
    """The one-step law on the runs the recipe saw, and those runs ordered by compute."""
    seen = job.finals(last, ["accuracy"], runs).sort_values("flops")
    if len(seen) < 2:
        return None, seen
    return DirectAccuracy().fit(seen[["flops"]].to_numpy(), seen["accuracy"]), seen


def actual(job: Job, target: TargetRun, last: int, column: str = "accuracy") -> float | None:
    """The measured value of a target, averaged over its last checkpoints as the ladder's runs are."""
    if not target.family:  # a run that does not exist yet
        return None
    rows = job.rows[job.rows["run"].eq(target.name)]
    if column not in rows or rows[column].isna().all():
        return None
    return float(rows[column].dropna().tail(last).mean())


def describe(
    recipe: RecipeName,
    job: Job,
    law: Law,
    diagnostics: tuple[Diagnostic, ...] = (),
    task: str | None = None,
    y_unit: str | None = None,
) -> LawFit:
    """A fitted law as a result row."""
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
        stderrs={k: _plain(v) for k, v in law.stderrs_.items()},
        status=law.status_.value,
        notes=law.notes_,
        n=law.n_points_,
        residual_std=_plain(law.residual_std_),
        diagnostics=diagnostics if job.draw else (),
    )


def forecasts(
    recipe: RecipeName,
    job: Job,
    chain: Chain | None,
    X: pd.DataFrame,
    middle: str,
    last: int,
    warnings: Sequence[Notice],
    runs: Iterable[str] | None = None,
) -> list[Forecast]:
    """Forecast every target of a job; ``X`` has a row per target with the first law's columns (NaN: unknown).

    ``warnings`` hold for all targets. A target whose inputs are unknown, or whose laws could not be given an
    uncertainty, gets no number: there is no forecast without an interval.
    """
    direct, seen = baselines(job, last, runs)
    largest = float(seen["flops"].max()) if len(seen) else math.nan
    gate = _gate(job, seen)
    law_notes = (
        [] if chain is None else [n.about(type(w).__name__) for w in (chain.first, chain.second) for n in w.notes_]
    )
    known = X.notna().all(axis=1).to_numpy()
    values = _values(chain, X[known], job.level) if chain is not None and known.any() else None
    row = np.cumsum(known) - 1
    fitted = job.rows[job.rows["run"].isin(job.fit_runs)]
    asked = _questions(fitted)
    same = bool(fitted["accuracy"].nunique() <= 1)
    found = []
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
            said, assumed = at_least_sampled(values[row[i]], asked, job.level, same)
            flagged += [ASSUMED] if assumed else []
            value = dict(zip(VALUES, map(float, said), strict=True))
            if value["middle"] == 0.0:
                flagged.append(recipes.ZERO_LOSS())
            if value["forecast"] in (0.0, 1.0):
                flagged.append(recipes.CUT())
            status = "warning" if flagged or notes else "ok"
        found.append(
            Forecast(
                recipe=recipe,
                family=job.family,
                task=job.task,
                target=target.name,
                params=target.budget.params,
                tokens=target.budget.tokens,
                flops=target.budget.flops,
                level=job.level,
                metric=job.metric,
                last=last,
                members=dict(job.members),
                status=status,
                codes=tuple(one.code for one in job.differences(target)),
                notes=tuple(dict.fromkeys([*flagged, *notes])),
                chance=job.chance,
                baselines=_baselines(direct, seen, target),
                actual=actual(job, target, last),
                middle_actual=actual(job, target, last, middle),
                **value,
            )
        )
    return found


def _values(chain: Chain, X: pd.DataFrame, level: float) -> Array:
    """A row of ``VALUES`` per target; NaN where a law has no covariance."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        result = chain.forecast(X.to_numpy(dtype=float), level)
    values = np.column_stack([result.mean, result.low, result.high, result.stderr, result.intermediate_loss])
    return np.where(FitStatus.ABNORMAL in (chain.first.status_, chain.second.status_), np.nan, values)


def _questions(rows: pd.DataFrame) -> float:
    known = [rows[c].to_numpy(dtype=float) for c in ("accuracy", "stderr") if c in rows]
    return documents(*known) if len(known) == 2 else math.nan


def at_least_sampled(values: Array, asked: float, level: float, same: bool = False) -> tuple[Array, bool]:
    """``VALUES`` with an interval no narrower than the sampling error of the score to come, of ``asked`` questions.

    Runs that all score the same leave laws no residual, but the next score is still measured on so many questions only.
    Where that is unknown (NaN), and the interval has no width or all scores are the ``same``, one is assumed: True.
    """
    score, low, high, stderr, middle = values
    assumed = not math.isfinite(asked)
    if assumed and not same and high > low:
        return values, False
    rate = min(max(score, 1 / asked), 1 - 1 / asked) if asked > 1 else 0.5
    error = UNTESTED if assumed else math.sqrt(rate * (1 - rate) / asked)
    half = float(norm.ppf(0.5 + level / 2)) * error
    low, high = min(low, max(score - half, 0.0)), max(high, min(score + half, 1.0))
    return np.array([score, low, high, max(stderr, error), middle]), assumed


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
    top = seen["accuracy"].tail(3)
    error = float(seen["stderr"].tail(3).mean()) if "stderr" in seen else math.nan
    margin = 2 * error if math.isfinite(error) else 0.02
    if top.max() < job.chance + margin:
        return [recipes.NOT_ABOVE_CHANCE()]
    return []


def _baselines(direct: DirectAccuracy | None, seen: pd.DataFrame, target: TargetRun) -> Baselines:
    one_step = None if direct is None else float(direct.predict([[target.budget.flops]])[0])
    return Baselines(direct=one_step, carry_forward=float(seen["accuracy"].iloc[-1]) if len(seen) else None)


# ---- figures ----


def points(rows: pd.DataFrame, x: str, y: str, role: str, group: str = "") -> list[Point]:
    """Rows as points of a panel; rows without both values are left out."""
    if rows.empty:
        return []
    kept = rows.dropna(subset=[x, y])
    groups = kept[group].map(short) if group else [""] * len(kept)
    return [
        Point(x=sig(a), y=sig(b), run=str(run), role=role, group=str(g))  # type: ignore[arg-type]
        for a, b, run, g in zip(kept[x], kept[y], kept["run"], groups, strict=True)
    ]


def law_curve(law: Law, X: Array, x: Array, level: float, label: str = "") -> Curve:
    """A single law on a grid."""
    spread = law.predict_distribution(X)
    half = student.ppf(0.5 + level / 2, max(spread.dof, 1e-9))
    ends = [spread.mean + sign * half * scale for scale in (spread.curve_stderr, spread.std) for sign in (-1, 1)]
    with np.errstate(over="ignore"):  # far outside the ladder an end may be no number: it is not drawn
        series = [np.exp(s) if law.log_link else s for s in (spread.mean, *ends)]
    return _curve(label, x, *series)


def chain_curves(chain: Chain, grids: dict[str, Array], x: Array, level: float) -> list[Curve]:
    """A chain on one or more grids that share the x axis, labelled."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        result = chain.forecast(np.concatenate(list(grids.values())), level, **FIGURE)
    series = [result.mean, result.curve_low, result.curve_high, result.low, result.high]
    parts = [s.reshape(len(grids), len(x)) for s in series]
    return [_curve(label, x, *(part[i] for part in parts)) for i, label in enumerate(grids)]


def _curve(label: str, x: Array, *series: Array) -> Curve:
    keep = np.all([np.isfinite(s) for s in (x, *series)], axis=0)
    grid, mean, band_low, band_high, low, high = (tuple(sig(v) for v in s[keep]) for s in (x, *series))
    return Curve(label=label, x=grid, y=mean, curve_low=band_low, curve_high=band_high, low=low, high=high)


@dataclass(frozen=True)
class Axis:
    """What an axis shows, and what is written beside it: a loss may be called anything, ``error_web`` too."""

    quantity: Quantity
    label: str


FLOPS, TOKENS = Axis(Quantity.FLOPS, "training FLOPs"), Axis(Quantity.TOKENS, "training tokens")


def panel(x: Axis, y: Axis, marks: list[Point], curves: list[Curve]) -> Panel:
    """One set of axes; compute and tokens are logarithmic."""
    return Panel(
        x_label=x.label,
        y_label=y.label,
        x_log=x.quantity.is_logarithmic,
        x_quantity=x.quantity,
        y_quantity=y.quantity,
        y_is_accuracy=y.quantity.is_share,
        points=tuple(marks),
        curves=tuple(curves),
    )


def short(count: float) -> str:
    """1.4B, 190M, 56K: a model size as people write it."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if count >= size:
            scaled = count / size
            return f"{scaled:.2g}{unit}" if scaled < 10 else f"{scaled:.0f}{unit}"
    return f"{count:g}"


def sig(value: float, digits: int = 7) -> float:
    """Rounded to significant digits: figures need no more, and files stay small."""
    return float(f"{value:.{digits - 1}e}")


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
