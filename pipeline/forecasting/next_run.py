"""The run that would tell most about a target: candidates in a budget, each put in as expected, all fitted again."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from benchcast.reports.records.answer import Answer, has_number
from benchcast.reports.records.forecast import Forecast, NextRun
from benchcast.stages.fit.newton import Array
from benchcast.stages.forecast.backtest import sampling_error
from benchcast.stages.forecast.design import std_after, std_reduction
from benchcast.stages.forecast.pathways import ForecastPath, first_laws
from benchcast.stages.forecast.pooling import POOLING
from benchcast.stages.forecast.task_data import TaskData

from .context import FamilyContext, target_table
from .recipes.auto import AutoSettings
from .recipes.auto import fit as auto

TRIED = 12  # candidates per task that are put in and fitted
SIZES = 8  # model sizes tried per number of tokens per parameter
MULTIPLIERS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
SHARE = 0.1  # of the target's FLOPs: what the next run may cost on page one


def next_run(answer: Answer, contexts: Mapping[str, FamilyContext], settings: AutoSettings) -> NextRun | None:
    """The run that is expected to narrow the widest interval of an answer most.

    It costs at most a tenth of the target's FLOPs, or as much as the ladder's largest run. None where no number was
    given, or where the target tells no size or lies within the ladder.
    """
    widest = max(filter(_asks_for_more, answer.rows), key=_width, default=None)
    if widest is None:
        return None
    context = contexts[widest.family]
    unfitted = auto.unfitted(settings)
    forecaster = context.forecaster(unfitted)
    if widest.task not in forecaster.tasks_:
        return None
    task, targets = forecaster.tasks_[widest.task], context.jobs[0].targets
    largest = float(task.finals["flops"].max())
    budget = max(SHARE * widest.flops, largest)
    table = target_table(t for t in targets if t.name == widest.target)
    grid = candidates(task.finals, budget)
    if grid.empty or widest.flops <= largest:
        return None
    weights = context.pooled(unfitted, targets).weights(widest.task, [widest.target])
    shares = expected_reduction(task, weights, grid, table)[:, 0]
    best = grid.iloc[int(np.lexsort((grid["flops"], -np.round(shares, 2)))[0])]
    return NextRun(
        family=widest.family,
        task=widest.task,
        target=widest.target,
        params=float(best["params"]),
        tokens=float(best["tokens"]),
        flops=float(best["flops"]),
        budget=budget,
        shrinks=float(shares.max()),
    )


def _asks_for_more(f: Forecast) -> bool:
    return f.actual is None and bool(f.params and f.tokens) and has_number(f) and None not in (f.low, f.high)


def _width(f: Forecast) -> float:
    return (f.high or 0.0) - (f.low or 0.0)


def candidates(finals: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Runs that could be added: sizes from the ladder's smallest on, at several tokens per parameter, within budget."""
    smallest = float(finals["params"].min())
    rows = []
    for multiplier in MULTIPLIERS:
        largest = math.sqrt(budget / (6 * multiplier))
        if largest >= smallest:
            rows += [(n, n * multiplier) for n in np.geomspace(smallest, largest, SIZES)]
    grid = pd.DataFrame(rows, columns=["params", "tokens"])
    return grid.assign(flops=6 * grid["params"] * grid["tokens"], token_multiplier=grid["tokens"] / grid["params"])


def expected_reduction(
    task: TaskData, weights: Mapping[ForecastPath, Array], grid: pd.DataFrame, targets: pd.DataFrame
) -> Array:
    """Share by which each candidate of ``grid`` would lower each target's standard error, (k, m).

    Candidates that do little for the first laws (c-optimality) are not tried out, and get 0.
    """
    shares = []
    for loss in task.loss_names:
        shares += [std_reduction(law, grid, targets.tail(1)) for law in first_laws(task.finals, loss).values()]
    rough = np.mean(shares, axis=0) if shares else np.zeros(len(grid))
    tried = np.argsort(-rough, kind="stable")[:TRIED]
    now, after = std_after(task, weights, grid.iloc[tried], targets)
    # No run of the ladder takes off the sampling error of the score to come.
    left = POOLING.own_sampling_share * np.nan_to_num(sampling_error(task.finals)) ** 2
    now, after = np.sqrt(now**2 + left), np.sqrt(after**2 + left)
    reduction = np.zeros((len(grid), len(targets)))
    reduction[tried] = np.maximum(1 - after / np.maximum(now, 1e-12), 0.0)
    return reduction
