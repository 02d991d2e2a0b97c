"""Questions beside the forecast: how much compute a score needs, which recipe wins, which run to add."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.reports.records.base import Frozen
from benchcast.reports.records.forecast import Forecast
from benchcast.stages.forecast.backtest import sampling_error
from benchcast.stages.forecast.design import shrinkage, spread_after
from benchcast.stages.forecast.pathways import first_laws
from benchcast.stages.forecast.pooling import OWN_SAMPLE
from benchcast.stages.forecast.scoring_rules import logit
from pydantic import Field
from scipy.stats import norm

from ..core.config import AutoSettings, Config, Target
from ..core.errors import InputError
from ..data import ingest
from ..data.ingest import Data
from . import run as forecasting
from .recipes import suite as suites
from .recipes.base import matching
from .recipes.suite import Suite

GRID = 40  # budgets tried per question
TRIED = 12  # candidates per task that are put in and fitted
MULTIPLIERS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)


class Needed(Frozen):
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


class Compared(Frozen):
    """Two families at one target: probability that the first scores higher."""

    task: str
    first: str
    second: str
    forecast: tuple[float, float]
    interval: tuple[tuple[float, float], tuple[float, float]]
    probability: float
    grades: tuple[str | None, str | None]


class Suggested(Frozen):
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
) -> list[Needed]:
    """FLOPs needed to reach ``accuracy`` (a fraction) on ``task``, at ``multiplier`` tokens per parameter."""
    loaded = ingest.read(config.data, base, data)
    table = loaded.table
    roles = forecasting.assign_roles(config, table)
    ladder = table[table["run"].map(roles).eq("fit")]
    low, high = float(ladder["flops"].min()), float(ladder["flops"].max()) * 1e5
    budgets = np.geomspace(low, high, GRID)
    targets = tuple(Target(name=f"solve {i}", flops=c, token_multiplier=multiplier) for i, c in enumerate(budgets))
    # All tasks, since each is judged by the record of all: the same numbers as ``benchcast run`` gives.
    result = forecasting.run(_asking(config, targets), base, loaded)
    labels = list(dict.fromkeys(f.task for f in result.forecasts))
    wanted = set(matching(labels, [task]))
    if not wanted:
        raise InputError(f"--task {task!r}: matches no task (there are {', '.join(labels[:6])}, …)")
    found = []
    for family, label in dict.fromkeys((f.family, f.task) for f in result.forecasts if f.task in wanted):
        own = sorted((f for f in result.forecasts if (f.family, f.task) == (family, label)), key=lambda f: f.flops)
        found.append(_needed(own, accuracy, multiplier, (low, high)))
    return found


def _needed(own: list[Forecast], accuracy: float, multiplier: float, searched: tuple[float, float]) -> Needed:
    flops, low, high = (_crossing(own, field, accuracy) for field in ("forecast", "high", "low"))
    params = None if flops is None else math.sqrt(flops / (6 * multiplier))
    at = None if flops is None else min(own, key=lambda f: abs(math.log(f.flops / flops)))
    return Needed(
        family=own[0].family,
        task=own[0].task,
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


def _crossing(own: list[Forecast], field: str, accuracy: float) -> float | None:
    """Budget from which on a series stays at or above ``accuracy``; linear in log C between grid points."""
    values = np.array([getattr(f, field) if getattr(f, field) is not None else np.nan for f in own], dtype=float)
    above = values >= accuracy
    if not above[-1]:
        return None
    first = int(np.flatnonzero(~above)[-1]) + 1 if not above.all() else 0
    if first == 0:
        return own[0].flops
    (x0, x1), (y0, y1) = np.log([own[first - 1].flops, own[first].flops]), values[first - 1 : first + 1]
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
) -> list[Compared]:
    """Probability, task by task, that family ``first`` beats ``second`` at a budget; errors taken as independent.

    Raises
    ------
    InputError
        When one is no family, or no task has a forecast with an interval of both; ``account`` names single such tasks.
    """
    asked = _asking(config, (Target(name="compared", flops=flops, token_multiplier=multiplier),))
    result = forecasting.run(asked, base, data)
    by: dict[tuple[str, str], Forecast] = {(f.family, f.task): f for f in result.forecasts}
    families = {f.family for f in result.forecasts}
    for name in (first, second):
        if name not in families:
            raise InputError(f"{name!r} is no family of the table (it has {', '.join(sorted(families))})")
    found = []
    for task in dict.fromkeys(f.task for f in result.forecasts):
        pair = [by.get((name, task)) for name in (first, second)]
        both = [f for f in pair if f is not None and None not in (f.forecast, f.low, f.high)]
        if len(both) == 2:
            found.append(_compared(task, both[0], both[1]))
        elif account is not None:
            account.leave(f"tasks without a forecast and interval of both {first!r} and {second!r}", task)
    if not found:
        raise InputError(
            f"no task has a forecast with an interval of both {first!r} and {second!r}: nothing to compare"
        )
    return found


def _compared(task: str, a: Forecast, b: Forecast) -> Compared:
    center = [float(logit(f.forecast or 0.0)) for f in (a, b)]
    scale = [
        float(logit(f.high or 0.0) - logit(f.low or 0.0)) / (2 * float(norm.ppf(0.5 + f.level / 2))) for f in (a, b)
    ]
    chance = float(norm.cdf((center[0] - center[1]) / math.hypot(*scale)))
    ends = [(f.low or 0.0, f.high or 0.0) for f in (a, b)]
    return Compared(
        task=task,
        first=a.family,
        second=b.family,
        forecast=(a.forecast or 0.0, b.forecast or 0.0),
        interval=(ends[0], ends[1]),
        probability=chance,
        grades=(a.grade, b.grade),
    )


def suggest(
    config: Config, base: Path, data: Path | Data | None, budget: float, most: int = 5, account: Account | None = None
) -> list[Suggested]:
    """The runs within ``budget`` FLOPs that would shrink each target's standard error most; ties by cost.

    ``account`` names the tasks without an answer: their targets say no parameters and tokens.
    """
    table = ingest.read(config.data, base, data).table
    jobs = list(forecasting.build_jobs(config, table, forecasting.assign_roles(config, table)))
    settings = next((r for r in config.recipes if isinstance(r, AutoSettings)), AutoSettings())
    found = []
    for family in dict.fromkeys(job.family for job in jobs):
        suite = suites.build([j for j in jobs if j.family == family], settings)
        for task in suite.jobs:
            part = _suggested(suite, family, task, budget, most)
            if not part and account is not None:
                account.leave("tasks without a target of known parameters and tokens: nothing to suggest", task)
            found += part
    if not found:
        raise InputError("targets: parameters and tokens of a target are needed to say which run tells most about it")
    return found


def candidates(finals: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Runs that could be added: sizes from the ladder's smallest on, at several tokens per parameter, within budget."""
    smallest = float(finals["params"].min())
    rows = []
    for multiplier in MULTIPLIERS:
        largest = math.sqrt(budget / (6 * multiplier))
        if largest >= smallest:
            rows += [(n, n * multiplier) for n in np.geomspace(smallest, largest, 8)]
    grid = pd.DataFrame(rows, columns=["params", "tokens"])
    return grid.assign(flops=6 * grid["params"] * grid["tokens"], token_multiplier=grid["tokens"] / grid["params"])


def expected_shrinkage(suite: Suite, task: str, grid: pd.DataFrame, targets: pd.DataFrame) -> np.ndarray:
    """Share by which each candidate would shrink each target's standard error, (k, m).

    Candidates that do little for the first laws (c-optimality) are not tried out, and get 0.
    """
    ladder, middles = suite.ladders[task], suite.middles[task]
    shares = []
    for middle in middles:
        shares += [shrinkage(law, grid, targets.tail(1)) for law in first_laws(ladder.finals, middle).values()]
    rough = np.mean(shares, axis=0) if shares else np.zeros(len(grid))
    tried = np.argsort(-rough, kind="stable")[:TRIED]
    weights = suite.weights(task, list(targets["run"]))
    now, after = spread_after(ladder, middles, weights, grid.iloc[tried], targets)
    # No run of the ladder takes off the sampling error of the score to come.
    left = OWN_SAMPLE * np.nan_to_num(sampling_error(ladder.finals)) ** 2
    now, after = np.sqrt(now**2 + left), np.sqrt(after**2 + left)
    found = np.zeros((len(grid), len(targets)))
    found[tried] = np.maximum(1 - after / np.maximum(now, 1e-12), 0.0)
    return found


def _suggested(suite: Suite, family: str, task: str, budget: float, most: int) -> list[Suggested]:
    grid = candidates(suite.ladders[task].finals, budget)
    if grid.empty:
        smallest = float(suite.ladders[task].finals["params"].min())
        least = 6 * smallest**2 * MULTIPLIERS[0]
        raise InputError(
            f"--budget {budget:.3g}: no run of {smallest:.3g} parameters fits (at least {least:.3g} FLOPs)"
        )
    targets = suite.targets[task].dropna(subset=["params", "tokens"]).sort_values("flops", kind="stable")
    if targets.empty:
        return []
    shrinks = expected_shrinkage(suite, task, grid, targets)
    found = []
    for share, run in zip(shrinks.T, targets["run"], strict=True):
        per_flop = share / grid["flops"].to_numpy()
        # Ranked by what it buys within the budget; of runs that buy much the same the cheapest first.
        order = np.lexsort((grid["flops"], -np.round(share, 2)))[:most]
        found += [
            Suggested(
                family=family,
                task=task,
                target=str(run),
                params=float(grid["params"].iloc[i]),
                tokens=float(grid["tokens"].iloc[i]),
                flops=float(grid["flops"].iloc[i]),
                shrinks=float(share[i]),
                per_flop=float(per_flop[i] * budget),
            )
            for i in order
        ]
    return found


def _asking(config: Config, targets: tuple[Target, ...]) -> Config:
    """The config with other targets, its held-out runs still held out, and ``auto`` answering every question."""
    held = tuple(t.run for t in config.targets if t.run is not None)
    runs = config.runs.model_copy(update={"exclude": (*config.runs.exclude, *held)})
    return config.model_copy(
        update={
            "targets": targets,
            "runs": runs,
            "figures": 0,
            "recipes": (AutoSettings(refuse=False),),
        }
    )
