"""All tasks of one family at once: what ``auto`` needs, since a task's forms are judged by the whole suite's record."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from benchcast.stages.forecast.aggregate import combine
from benchcast.stages.forecast.backtest import BacktestForecasts, backtest
from benchcast.stages.forecast.conformal import CalibratedIntervals, calibrate
from benchcast.stages.forecast.pathways import CARRY, ForecastPath, TaskData
from benchcast.stages.forecast.pooling import PooledForecasts, pool
from benchcast.stages.forecast.rolling_origin import SAME
from benchcast.stages.forecast.scoring_rules import interval_score
from numpy.typing import NDArray
from scipy.stats import norm

from ...core.config import AutoSettings
from .base import Job, finals

TASK_LOSSES = ("nll_choice", "bits_per_byte")  # nll is bits_per_byte in another unit
NO_LOSS = frozenset(
    {
        "run",
        "step",
        "params",
        "tokens",
        "flops",
        "token_multiplier",
        "accuracy",
        "stderr",
        "chance",
        "nll",
        *TASK_LOSSES,
    }
)
MANY = 4  # tasks that make a process worth starting
LONG = 20  # checkpoints a run from which the last few are averaged
SKIP, SMOOTH, POINTS = 0.1, 5, 12  # of a run's checkpoints: share skipped, moving average, points kept
GRADED = 0.9  # level of the intervals that a grade is for: asking for another makes no forecast better or worse


@dataclass(frozen=True)
class Suite:
    """One family: the jobs by task, and the backtest with its pooled and calibrated forecasts."""

    jobs: dict[str, Job]
    ladders: dict[str, TaskData]
    middles: dict[str, tuple[str, ...]]
    trials: BacktestForecasts
    pooled: PooledForecasts
    calibrated: CalibratedIntervals
    graded: CalibratedIntervals
    last: int
    level: float
    targets: dict[str, pd.DataFrame] = field(default_factory=dict)

    def combined(self, job: Job, label: str) -> Suite:
        """An average as the mean of its tasks' forecasts: a suite of one task, ``label``."""
        named = replace(
            self,
            jobs={label: job},
            ladders={label: self.ladders[job.task]},
            middles={label: ()},
            targets={label: self.targets[job.task]},
        )
        if not self.trials.paths:  # so few runs that nothing was fitted: there is nothing to combine
            return named
        trials, pooled = combine(self.trials, self.pooled, job.members, label)
        made, graded = (calibrate(trials, pooled, each) for each in (self.level, GRADED))
        return replace(named, trials=trials, pooled=pooled, calibrated=made, graded=graded)

    def weights(self, task: str, runs: Sequence[str]) -> dict[ForecastPath, NDArray[np.float64]]:
        """What every form counts in the forecasts of some targets, (m,)."""
        rows = self.trials.rows
        mine = rows[rows["task"].eq(task) & rows["target"]].sort_values("cutoff", kind="stable")
        places = mine.reset_index().groupby("run")["index"].last().reindex(runs)
        share = np.array(
            [np.zeros(len(self.trials.paths)) if pd.isna(at) else self.pooled.weights[int(at)] for at in places]
        )
        return dict(zip(self.trials.paths, share.T, strict=True))

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        """How every row of the backtest fared: ratio, error, carry, hit, width, score and delta.

        ``score`` is the interval score, and ``delta`` that of the heaviest form's own interval (delta method).
        """
        trials, made = self.trials, self.calibrated
        actual = trials.rows["actual"].to_numpy(dtype=float)
        if not len(actual):
            return pd.DataFrame(columns=["ratio", "error", "carry", "hit", "width", "score", "delta"], dtype=float)
        row = np.arange(len(actual))
        heaviest = np.argmax(np.where(np.isfinite(trials.mean), self.pooled.weights, -1.0), axis=1)
        center = trials.mean[row, heaviest]
        half = norm.ppf(0.5 + self.level / 2) * np.nan_to_num(trials.stderr[row, heaviest])
        carry = next(i for i, f in enumerate(trials.paths) if f.first == CARRY)
        return pd.DataFrame(
            {
                "ratio": 10**trials.decades,
                "error": np.abs(self.pooled.mean - actual),
                "carry": np.abs(trials.mean[:, carry] - actual),
                "hit": made.holds(actual).astype(float),
                "width": made.high - made.low,
                "score": interval_score(made.low, made.high, actual, self.level),
                "delta": interval_score(center - half, center + half, actual, self.level),
            }
        )


def build(jobs: Sequence[Job], settings: AutoSettings) -> Suite:
    """Backtest every task of one family's ``jobs``."""
    last = settings.last or (5 if _long(jobs) else 1)
    losses = _best_losses(jobs, last, settings.losses, settings.fewest)
    by_task = {job.task: job for job in jobs}
    middles = {t: tuple(m for m in (*TASK_LOSSES, *losses) if m in j.rows) for t, j in by_task.items()}
    ladders = {t: _ladder(j, middles[t], last, settings.wide) for t, j in by_task.items()}
    targets = {t: _targets(j, last) for t, j in by_task.items()}
    trials = backtest(ladders, middles, targets, settings.fewest, settings.cutoffs, _workers(len(ladders)))
    pooled = pool(trials)
    level = jobs[0].level
    calibrated, graded = (calibrate(trials, pooled, each) for each in (level, GRADED))
    return Suite(by_task, ladders, middles, trials, pooled, calibrated, graded, last, level, targets)


def _workers(tasks: int) -> int:
    """One process per core, but none for a few tasks: starting them takes longer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, 8, tasks // MANY))


def _long(jobs: Sequence[Job]) -> bool:
    rows = jobs[0].rows
    return bool(rows[rows["run"].isin(jobs[0].fit_runs)].groupby("run").size().median() >= LONG)


def _best_losses(jobs: Sequence[Job], last: int, most: int, fewest: int) -> tuple[str, ...]:
    """The validation losses whose order of the runs is most like that of the mean accuracy.

    Of the cheapest runs only, which every cutoff of the backtest has seen: later ones must not choose for it.
    """
    ends = pd.concat([job.finals(last, ["accuracy"]) for job in jobs])
    budgets = ends.drop_duplicates("run")["flops"].sort_values()
    first = budgets.iloc[min(fewest, len(budgets)) - 1]
    seen = ends[ends["flops"] <= first * SAME]
    mean = seen.groupby("run", sort=False)["accuracy"].mean()
    names = dict.fromkeys(c for job in jobs for c in job.rows.columns if c not in NO_LOSS)
    found = []
    for name in names:
        job = next(j for j in jobs if name in j.rows)
        loss = job.finals(last, [name]).set_index("run")[name]
        both = pd.concat([loss, mean], axis=1, join="inner").dropna()
        if len(both) >= max(3, len(mean) // 2) and both.nunique().min() > 1:
            found.append((float(both.corr(method="spearman").iloc[0, 1]), name))
    return tuple(name for _, name in sorted(found)[:most])


def _ladder(job: Job, middles: Sequence[str], last: int, wide: bool) -> TaskData:
    """A row per run: the accuracy, and each middle quantity where it is known."""
    rows = job.rows[job.rows["run"].isin(job.fit_runs)]
    ends = finals(rows, last, ["accuracy"])
    for middle in middles:
        known = finals(rows, last, [middle, "accuracy"]).set_index("run")[middle]
        ends[middle] = ends["run"].map(known)
    return TaskData(ends, job.chance or 0.0, _checkpoints(rows, middles), wide)


def _checkpoints(rows: pd.DataFrame, middles: Sequence[str]) -> pd.DataFrame | None:
    """Smoothed checkpoints of every run, evenly thinned; nothing where runs have only one."""
    if rows.groupby("run").size().max() < 3:
        return None
    smooth = SMOOTH if rows.groupby("run").size().median() >= LONG else 1
    columns = [*middles, "accuracy"]
    parts = []
    for run, part in rows.groupby("run", sort=False):
        kept = part[columns].iloc[min(int(np.ceil(SKIP * len(part))), len(part) - 1) :]
        smoothed = kept.rolling(smooth, min_periods=1).mean()
        chosen = np.unique(np.linspace(0, len(smoothed) - 1, min(POINTS, len(smoothed))).round().astype(int))
        parts.append(smoothed.iloc[chosen].assign(run=run))
    return pd.concat(parts, ignore_index=True)


def _targets(job: Job, last: int) -> pd.DataFrame:
    """The targets with all that first laws need; the actual is averaged over the last checkpoints."""
    measured = finals(job.rows, last, ["accuracy"]).set_index("run")["accuracy"]
    return pd.DataFrame(
        {
            "run": t.name,
            "flops": t.budget.flops,
            "params": t.budget.params or np.nan,
            "tokens": t.budget.tokens or np.nan,
            "token_multiplier": t.budget.token_multiplier or np.nan,
            "actual": float(measured.get(t.name, np.nan)),
        }
        for t in job.targets
    )
