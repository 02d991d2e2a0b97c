"""Whether a task can be forecast from this ladder at all: signal, warnings with codes, and a grade.

Signal to noise as in allenai/signal-and-noise (arXiv 2508.13144): the spread of scores over runs against their scatter
late in training. A grade is what a forecast of this task at this distance may be trusted for, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr
from scipy.stats import t as student

from ..fit.newton import Array
from ..notices import Notice
from ..notices import grading as codes

Grade = Literal["A", "B", "C", "D"]


@dataclass(frozen=True, kw_only=True)
class GradingConstants:
    """What a grade allows: chosen for what a planner may do with a number, and looked at on four ladders' backtests."""

    a_within: float = 0.02
    """Accuracy (fraction): expected miss of an A at most."""

    b_within: float = 0.04
    """Accuracy (fraction): expected miss of a B at most."""

    c_within: float = 0.2
    """Accuracy (fraction): expected miss of a C at most; more is refused."""

    interval_level: float = 0.9
    """Nominal coverage of the interval that a grade is for: asking for another makes no forecast better or worse."""

    near_decades: float = 0.15
    """Decades beyond the farthest tested extrapolation, in compute, size or length, that still count as tested."""

    bandwidth_decades: float = 0.5
    """Decades: backtests so near to the target's distance count most."""

    suite_forecasts: float = 5.0
    """Forecasts' worth of evidence that the suite's error counts against the task's own."""

    few_runs: int = 10
    """Runs: fewer are few for the number of parameters, and a grade is B at best."""

    very_few_runs: int = 6
    """Runs: with fewer the backtest is a handful of forecasts, and a grade is C at best."""

    few_documents: int = 100
    """Questions of a task: with fewer no score is exact, and a grade is B at best."""

    chance_stderrs: float = 2.0
    """Standard errors above chance that the mean of the largest three runs needs."""

    falling: float = -0.5
    """Spearman correlation of score and FLOPs below which the score falls."""

    rising: float = 0.3
    """Spearman correlation of score and FLOPs below which the score shows no trend."""

    late_checkpoints: int = 8
    """Checkpoints of a run, its last ones, whose scatter is the noise of a score."""

    least_noise: float = 1e-4
    """Accuracy (fraction): no noise is below this."""

    bound_weight: float = 0.5
    """Share of the pool's weight on laws at a bound from which that is a warning."""


GRADING = GradingConstants()


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What the ladder's scores of one task tell.

    ``signal_to_noise``: range of the runs' scores over the scatter of one score. ``monotonicity``: Spearman's
    correlation of score and FLOPs. ``above_chance``: mean of the largest three runs over chance, in standard errors
    (NaN where chance is not known). ``documents``: questions of the task, as the standard errors imply (NaN: unknown).
    ``never_right``: guessing is known to score nothing, and so did every run.
    """

    signal_to_noise: float
    monotonicity: float
    above_chance: float
    documents: float
    runs: int
    u_shaped: bool
    never_right: bool = False

    @property
    def at_chance(self) -> bool:
        """Whether the largest runs score no better than guessing."""
        return self.above_chance < GRADING.chance_stderrs

    def warnings(self) -> list[Notice]:
        """Warnings that hold for every target of the task."""
        warnings = []
        if self.at_chance:
            warnings.append(codes.AT_CHANCE(named=True))
        if self.u_shaped:
            warnings.append(codes.U_SHAPED(named=True))
        if self.monotonicity < GRADING.falling:
            warnings.append(codes.INVERSE_SCALING(named=True))
        elif self.monotonicity < GRADING.rising:
            warnings.append(codes.NO_TREND(named=True))
        if self.runs < GRADING.few_runs:
            warnings.append(codes.FEW_POINTS(named=True))
        return warnings


def signal(finals: pd.DataFrame, chance: float | None, late: pd.DataFrame | None = None) -> Signal:
    """Measure the signal of a task.

    Parameters
    ----------
    finals : DataFrame
        A row per run: flops, accuracy, and stderr where it is known.
    chance : float or None
    late : DataFrame, optional
        run and accuracy of the last few checkpoints of every run, whose scatter is the noise.
    """
    rows = finals.dropna(subset=["accuracy"]).sort_values("flops", kind="stable")
    score, stderr = rows["accuracy"].to_numpy(dtype=float), _stderr(rows)
    known = max(_scatter(late), float(np.nanmedian(stderr)) if len(stderr) else 0.0)
    noise = max(known or _roughness(rows), GRADING.least_noise)
    varies = len(rows) > 2 and np.ptp(score) > 0 and rows["flops"].nunique() > 1
    top = rows["accuracy"].tail(3)
    error = noise / np.sqrt(max(len(top), 1))
    return Signal(
        signal_to_noise=float(np.ptp(score) / noise) if len(score) else 0.0,
        monotonicity=float(spearmanr(rows["flops"], score).statistic) if varies else 0.0,
        above_chance=np.nan if chance is None else float((top.mean() - chance) / error),
        documents=documents(score, stderr) if len(stderr) else np.nan,
        runs=rows["model"].nunique() if "model" in rows else len(rows),
        u_shaped=varies and _u_shaped(np.log10(rows["flops"].to_numpy(dtype=float)), score, falls=chance == 0),
        never_right=chance == 0 and len(score) > 0 and not score.any(),
    )


def documents(score: Array, stderr: Array) -> float:
    """How many questions a task has, as the sampling errors (n,) of its scores (n,) imply; NaN where none does.

    A score of 0 or 1 has the error of one question answered otherwise, 1/n.
    """
    known = np.isfinite(score) & np.isfinite(stderr) & (stderr > 0)
    p, error = score[known], stderr[known]
    inside = (p > 0) & (p < 1)
    implied = np.where(inside, p * (1 - p) / error**2, 1 / error)
    return float(np.median(implied)) if len(implied) else float("nan")


def _stderr(rows: pd.DataFrame) -> Array:
    """Sampling errors, NaN where they are not known; without any, none."""
    known = rows["stderr"].to_numpy(dtype=float) if "stderr" in rows else np.array([])
    return known if np.isfinite(known).any() else np.array([])


def _scatter(late: pd.DataFrame | None) -> float:
    """Median standard deviation of the late checkpoints of a run about their own line."""
    if late is None:
        return 0.0
    scatter = []
    for _, part in late.groupby("run", sort=False):
        y = part["accuracy"].dropna().to_numpy(dtype=float)
        if len(y) >= 4:
            steps = np.arange(len(y))
            scatter.append(np.std(y - np.polyval(np.polyfit(steps, y, 1), steps), ddof=2))
    return float(np.median(scatter)) if scatter else 0.0


def _roughness(rows: pd.DataFrame) -> float:
    """Noise where nothing else tells it: how the runs, in order of compute, jump about their own line."""
    score, log_c = rows["accuracy"].to_numpy(dtype=float), np.log(rows["flops"].to_numpy(dtype=float))
    if len(rows) < 4 or np.ptp(log_c) == 0:
        return 0.0
    left = score - np.polyval(np.polyfit(log_c, score, 1), log_c)
    return float(np.sqrt(np.mean(np.diff(left) ** 2) / 2))


def _u_shaped(log_c: Array, score: Array, *, falls: bool) -> bool:
    """A significant parabola (5 %) that opens upwards and turns well inside the ladder.

    ``falls``: the scores before the turn must fall too; from zeros on, a parabola only says when the rise begins.
    """
    n = len(score)
    if n < 6:
        return False
    x = log_c - log_c.mean()
    design = np.column_stack([np.ones(n), x, x**2])
    coefficients, *_ = np.linalg.lstsq(design, score, rcond=None)
    residual = score - design @ coefficients
    variance = residual @ residual / (n - 3) * np.linalg.pinv(design.T @ design)[2, 2]
    if coefficients[2] / np.sqrt(max(variance, 1e-300)) <= student.ppf(0.95, n - 3):
        return False
    turn = -coefficients[1] / (2 * coefficients[2])
    before = x < turn
    if falls and (before.sum() < 2 or np.cov(x[before], score[before])[0, 1] >= 0):
        return False
    return bool(np.quantile(x, 0.25) < turn < np.quantile(x, 0.75))


def typical_miss(miss: Array, decades: Array, in_task: NDArray[np.bool_], reach: float) -> float:
    """Mean absolute error near a distance: the task's own, shrunk towards that of all tasks.

    Parameters
    ----------
    miss, decades : (n,)
        Absolute errors of past forecasts, and log10 of their extrapolation ratios.
    in_task : (n,) of bool
        Which of them are of the task.
    reach : float
        log10 of the extrapolation ratio asked for; beyond the largest tested, that one counts.
    """
    if not len(miss):
        return float("nan")
    near = np.exp(-0.5 * ((decades - min(reach, decades.max())) / GRADING.bandwidth_decades) ** 2)
    everyone = float(np.average(miss, weights=near))
    task_miss = float(np.average(miss[in_task], weights=near[in_task])) if in_task.any() else everyone
    count = float(near[in_task].sum())
    return (count * task_miss + GRADING.suite_forecasts * everyone) / (count + GRADING.suite_forecasts)


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far a target lies beyond the ladder, decades of compute, size and length, and how far was tested.

    Size and length are NaN where a target tells only its compute; what was tested is NaN where nothing was.
    """

    flops: float
    params: float
    tokens: float
    tested_flops: float
    tested_params: float
    tested_tokens: float

    @property
    def any_tested(self) -> bool:
        """Whether any forecast was tested."""
        return bool(np.isfinite(self.tested_flops))

    def untested_axes(self) -> dict[str, tuple[float, float]]:
        """Axes that the target lies farther along than any test: decades, and those tested.

        Compute counts where size or length is not known.
        """
        known = np.isfinite(self.params) and np.isfinite(self.tokens)
        axes = {
            "parameters": (self.params, self.tested_params),
            "tokens": (self.tokens, self.tested_tokens),
        }
        if not known:
            axes = {"FLOPs": (self.flops, self.tested_flops)}
        return {name: pair for name, pair in axes.items() if pair[0] > pair[1] + GRADING.near_decades}


def grade(
    of_task: Signal, half_width: float, typical_miss: float, carry_miss: float, reach: Reach
) -> tuple[Grade, tuple[Notice, ...]]:
    """Grade of one forecast, and the reasons in words.

    A task is refused (D) where the interval, or the record at this distance, says nothing, and where no run was ever
    right: of nothing but zeros every record is perfect. What is at chance, or what
    could not be tested, caps the grade but refuses nothing, and neither does a record no better than that of copying
    the largest score: on the backtests of four ladders their intervals held.

    Parameters
    ----------
    half_width : float
        Half of the calibrated 90 % interval, a fraction of 1.
    typical_miss, carry_miss : float
        Mean absolute error in the backtest nearest to the target's distance (NaN: none): of this procedure, and of
        the largest score carried forward.
    reach : Reach
        How far the target lies beyond the ladder, and how far was tested.
    """
    if of_task.never_right:
        return "D", (codes.NEVER_RIGHT(),)
    expected = max(half_width / 2, typical_miss if np.isfinite(typical_miss) else 0.0)
    if half_width / 2 > GRADING.c_within:
        return "D", (codes.WIDE_INTERVAL(points=200 * half_width),)
    if expected > GRADING.c_within:
        return "D", (codes.BACKTEST_MISS(points=100 * typical_miss),)
    reasons = [codes.EXPECTED_MISS(points=100 * expected)]
    best = 0 if expected <= GRADING.a_within else 1 if expected <= GRADING.b_within else 2
    if of_task.at_chance:
        best = 2
        reasons.append(codes.STAYS_NEAR_CHANCE())
    if carry_miss <= typical_miss:
        best = 2
        reasons.append(codes.BASELINE_AS_GOOD(points=100 * typical_miss, carried=100 * carry_miss))
    if not reach.any_tested:
        best = 2
        reasons.append(codes.UNTESTED())
    elif untested := reach.untested_axes():
        best = 2
        for axis, (far, tested) in untested.items():
            reasons.append(codes.BEYOND_TESTED(axis=axis, ratio=10**far, tested=10**tested))
    if of_task.runs < GRADING.few_runs:
        best = max(best, 2 if of_task.runs < GRADING.very_few_runs else 1)
        reasons.append(codes.FEW_RUNS(runs=of_task.runs))
    if np.isfinite(of_task.documents) and of_task.documents < GRADING.few_documents:
        best = max(best, 1)
        reasons.append(codes.FEW_DOCUMENTS(documents=of_task.documents))
    grades: tuple[Grade, ...] = ("A", "B", "C")
    return grades[best], tuple(reasons)
