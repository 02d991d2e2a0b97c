"""Does ``benchcast suggest`` pick well? Tried on published ladders, with runs that were really trained, or simulated.

    python benchmarks/suggest.py --testbeds DIR [--simulated] [olmo_ladder gadre2024 demo]

Of the runs in a band of equal cost (within a factor of 2.5) all are taken out of the ladder and ranked as ``suggest``
ranks them; then each is put back alone, everything is fitted again, and the width of the target's interval is compared
with that of the median candidate. A share above one half is better than a coin.

A band has a handful of runs, each with its own luck. ``--simulated`` averages the luck out: candidates of exactly equal
cost but different shape, whose losses and scores are drawn DRAWS times around what the fits to the whole ladder expect,
with the scatter of the ladder's own runs; everything is fitted again to each draw.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.core.config import Config, RunsSettings, load
from benchcast.data import ingest
from benchcast.forecasting.context import FamilyContext, contexts_of, target_table
from benchcast.forecasting.job import Job
from benchcast.forecasting.jobs import jobs_of
from benchcast.forecasting.next_run import expected_reduction
from benchcast.stages import DirectAccuracy
from benchcast.stages.forecast.auto import AutoForecaster
from benchcast.stages.forecast.design import expected_scores, pooled_std
from benchcast.stages.forecast.pathways import ForecastPath, Question, first_laws, predict_all
from benchcast.stages.forecast.pooled import PooledBacktest
from benchcast.stages.forecast.task_data import TaskData

CONFIGS = Path(__file__).parents[1] / "configs"
TARGETS = {
    "gadre2024": ("*-open_lm_1b-[!1]*", "*-open_lm_7b*"),
    "olmo_ladder": ("peteish*",),
    "demo": ("640K-10x", "1.3M-*"),
}
TASKS = 12  # of each suite, those with the strongest trend: the others have no interval worth shrinking
BAND, FEWEST = 2.5, 3
FORECASTER = AutoForecaster(max_cutoffs=3)
SHAPES, DRAWS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0), 20


def rising_jobs(suite: str, testbeds: Path) -> dict[str, list[Job]]:
    settings = load(CONFIGS / f"{suite}.yaml", Config)
    plain = settings.model_dump() | {"recipes": ["auto"], "targets": [{"run": t} for t in TARGETS[suite]]}
    config = Config.model_validate(plain).model_copy(update={"runs": RunsSettings()})
    table = ingest.read_data(config.data, CONFIGS, None if suite == "demo" else testbeds / suite).table
    families = contexts_of(jobs_of(config, table))
    return {family: rising(context.jobs) for family, context in families.items()}


def fitted(jobs: Sequence[Job]) -> tuple[dict[str, TaskData], PooledBacktest, pd.DataFrame]:
    """What the tasks were fitted on, the pooled forecasts, and the targets."""
    context = FamilyContext(jobs=tuple(jobs))
    targets = jobs[0].targets
    return context.forecaster(FORECASTER).tasks_, context.pooled(FORECASTER, targets), target_table(targets)


def rising(jobs: Sequence[Job]) -> list[Job]:
    def trend(job: Job) -> float:
        ends = job.finals(1, ["accuracy"])
        return -float(ends[["flops", "accuracy"]].corr(method="spearman").iloc[0, 1])

    return sorted(jobs, key=trend)[:TASKS]


def bands(jobs: list[Job]) -> list[pd.DataFrame]:
    """Sets of the dearer half of the ladder's runs that cost nearly the same."""
    ends = jobs[0].finals(1, ["accuracy"]).sort_values("flops")
    upper = ends[ends["flops"] >= ends["flops"].median()]
    found, start = [], 0
    while start < len(upper):
        least = upper["flops"].iloc[start]
        part = upper[upper["flops"].between(least, BAND * least)]
        if len(part) >= FEWEST:
            found.append(part)
        start += len(part)
    return found


def widths(jobs: list[Job], runs: frozenset[str]) -> pd.DataFrame:
    """Interval width and the paths' own standard deviation of every (task, target), fitted on ``runs``."""
    _, pooled, _ = fitted([replace(job, fit_runs=runs) for job in jobs])
    intervals = pooled.intervals(jobs[0].level)
    rows = pooled.forecasts.rows.assign(width=intervals.high - intervals.low, spread=pooled.pooled.std)
    rows = rows[rows["target"].astype(bool)].sort_values("cutoff").groupby(["task", "run"]).tail(1)
    return rows.set_index(["task", "run"])[["width", "spread"]].sort_index()


def trial(jobs: list[Job], part: pd.DataFrame) -> pd.DataFrame:
    """A row per (task, target): widths by candidate in units of the median candidate's, of the first choice."""
    rest = frozenset(jobs[0].fit_runs - set(part["run"]))
    tasks, pooled, targets = fitted([replace(job, fit_runs=rest) for job in jobs])
    after = {run: widths(jobs, rest | {run}) for run in part["run"]}
    rows = []
    for task, data in tasks.items():
        shrinks = expected_reduction(data, pooled.weights(task, list(targets["run"])), part, targets)
        for j, (_, target) in enumerate(targets.iterrows()):
            first = str(part["run"].iloc[int(np.argmax(shrinks[:, j]))])
            row = {"task": task, "target": target["run"], "first": first}
            for kind in ("width", "spread"):
                every = {run: float(table.loc[(task, target["run"]), kind]) for run, table in after.items()}
                row[kind] = every[first] / float(np.median(list(every.values())))
            rows.append(row)
    return pd.DataFrame(rows)


def shapes(finals: pd.DataFrame) -> pd.DataFrame:
    """Runs that cost as much as the ladder's dearest, of different tokens per parameter, no smaller than its models."""
    flops, multiplier = float(finals["flops"].max()), np.array(SHAPES)
    params = np.sqrt(flops / (6 * multiplier))
    grid = pd.DataFrame({"params": params, "tokens": params * multiplier, "token_multiplier": multiplier})
    return grid[grid["params"] >= finals["params"].min()].assign(flops=flops).reset_index(drop=True)


def simulated(jobs: list[Job]) -> pd.DataFrame:
    """A row per (task, target): mean spread over draws after the first choice, in units of the median candidate's."""
    tasks, pooled, every = fitted(jobs)
    rng, rows = np.random.default_rng(0), []
    targets = every.dropna(subset=["params", "tokens"])
    for task, data in tasks.items():
        grid = shapes(data.finals)
        if len(grid) < FEWEST or targets.empty:
            continue
        weights = pooled.weights(task, list(targets["run"]))
        shrinks = expected_reduction(data, weights, grid, targets)
        after = drawn(data, weights, grid, targets, rng)
        for j, run in enumerate(targets["run"]):
            first = int(np.argmax(shrinks[:, j]))
            rows.append(
                {
                    "task": task,
                    "target": run,
                    "first": f"M={grid['token_multiplier'][first]:g}",
                    "spread": after[first, j] / float(np.median(after[:, j])),
                }
            )
    return pd.DataFrame(rows)


def drawn(
    task: TaskData,
    weights: Mapping[ForecastPath, np.ndarray],
    grid: pd.DataFrame,
    targets: pd.DataFrame,
    rng: np.random.Generator,
) -> np.ndarray:
    """Spread of the pooled forecast after each candidate, (k, m), averaged over draws of its scores."""
    expected = expected_scores(task, weights, grid)
    # Of the closest law: what is left is scatter, not the law's own misfit.
    noise = {
        loss: min((law.residual_std_ for law in first_laws(task.finals, loss).values() if law.log_link), default=0.01)
        for loss in task.loss_names
    }
    direct = DirectAccuracy().fit(task.finals[["flops"]].to_numpy(), task.finals["accuracy"].to_numpy())
    cases = []
    for _ in range(DRAWS):
        for i in range(len(grid)):
            row = expected.iloc[[i]].copy()
            for loss in task.loss_names:
                row[loss] *= np.exp(rng.normal(0, noise[loss]))
            row["accuracy"] = np.clip(row["accuracy"] + rng.normal(0, direct.residual_std_), 0, 1)
            longer = pd.concat([task.finals, row], ignore_index=True)
            cases.append(Question(replace(task, finals=longer), targets))
    spread = np.array([pooled_std(said, weights)[1] for said in predict_all(cases)])
    return np.asarray(spread.reshape(DRAWS, len(grid), len(targets)).mean(axis=0))


def show(found: pd.DataFrame, kind: str) -> None:
    ratio = found[kind].to_numpy()
    print(
        f"  {kind}: first choice over median candidate {np.exp(np.mean(np.log(ratio))):.3f}; "
        f"narrower in {np.mean(ratio < 1):.2f}, equal in {np.mean(ratio == 1):.2f} of {len(ratio)}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", default=list(TARGETS))
    parser.add_argument("--testbeds", type=Path, required=True)
    parser.add_argument("--simulated", action="store_true", help="equal costs, and luck averaged out")
    args = parser.parse_args()
    for suite in args.suites:
        for family, jobs in rising_jobs(suite, args.testbeds).items():
            if args.simulated:
                found = simulated(jobs)
                print(f"{suite} {family}, candidates that cost as much as the dearest run")
                show(found, "spread")
                print(f"  chosen: {found['first'].value_counts().to_dict()}", flush=True)
                continue
            for part in bands(jobs):
                found = trial(jobs, part)
                print(
                    f"{suite} {family}, {len(part)} runs of {part['flops'].min():.2g}–{part['flops'].max():.2g} FLOPs"
                )
                show(found, "width")
                show(found, "spread")
                print(f"  chosen: {found['first'].value_counts().to_dict()}", flush=True)


if __name__ == "__main__":
    main()
