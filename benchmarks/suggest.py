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
from benchcast.core.config import AutoSettings, Config, RunsSettings, load
from benchcast.data import ingest
from benchcast.forecasting import run as forecast
from benchcast.forecasting.questions import expected_shrinkage
from benchcast.forecasting.recipes import suite as suites
from benchcast.forecasting.recipes.base import Job
from benchcast.stages import DirectAccuracy
from benchcast.stages.forecast.design import expected_scores, pooled_spread
from benchcast.stages.forecast.pathways import ForecastPath, Question, TaskData, first_laws, predict_all

CONFIGS = Path(__file__).parents[1] / "configs"
TARGETS = {
    "gadre2024": ("*-open_lm_1b-[!1]*", "*-open_lm_7b*"),
    "olmo_ladder": ("peteish*",),
    "demo": ("640K-10x", "1.3M-*"),
}
TASKS = 12  # of each suite, those with the strongest trend: the others have no interval worth shrinking
BAND, FEWEST = 2.5, 3
SETTINGS = AutoSettings(cutoffs=3)
SHAPES, DRAWS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0), 20


def jobs_of(suite: str, testbeds: Path) -> dict[str, list[Job]]:
    settings = load(CONFIGS / f"{suite}.yaml", Config)
    plain = settings.model_dump() | {"recipes": ["auto"], "targets": [{"run": t} for t in TARGETS[suite]]}
    config = Config.model_validate(plain).model_copy(update={"runs": RunsSettings()})
    table = ingest.read(config.data, CONFIGS, None if suite == "demo" else testbeds / suite).table
    jobs = list(forecast.build_jobs(config, table, forecast.assign_roles(config, table)))
    by_family: dict[str, list[Job]] = {}
    for job in jobs:
        by_family.setdefault(job.family, []).append(job)
    return {family: rising(part) for family, part in by_family.items()}


def rising(jobs: list[Job]) -> list[Job]:
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
    """Interval width and the forms' own spread of every (task, target), fitted on ``runs``."""
    made = suites.build([replace(job, fit_runs=runs) for job in jobs], SETTINGS)
    rows = made.trials.rows.assign(width=made.calibrated.high - made.calibrated.low, spread=made.pooled.spread)
    rows = rows[rows["target"]].sort_values("cutoff").groupby(["task", "run"]).tail(1)
    return rows.set_index(["task", "run"])[["width", "spread"]].sort_index()


def trial(jobs: list[Job], part: pd.DataFrame) -> pd.DataFrame:
    """A row per (task, target): widths by candidate in units of the median candidate's, of the first choice."""
    rest = frozenset(jobs[0].fit_runs - set(part["run"]))
    base = suites.build([replace(job, fit_runs=rest) for job in jobs], SETTINGS)
    after = {run: widths(jobs, rest | {run}) for run in part["run"]}
    rows = []
    for task in base.jobs:
        shrinks = expected_shrinkage(base, task, part, base.targets[task])
        for j, (_, target) in enumerate(base.targets[task].iterrows()):
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
    suite, rng, rows = suites.build(jobs, SETTINGS), np.random.default_rng(0), []
    for task, ladder in suite.ladders.items():
        targets = suite.targets[task].dropna(subset=["params", "tokens"])
        grid = shapes(ladder.finals)
        if len(grid) < FEWEST or targets.empty:
            continue
        middles, weights = suite.middles[task], suite.weights(task, list(targets["run"]))
        shrinks = expected_shrinkage(suite, task, grid, targets)
        after = drawn(ladder, middles, weights, grid, targets, rng)
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
    ladder: TaskData,
    middles: Sequence[str],
    weights: Mapping[ForecastPath, np.ndarray],
    grid: pd.DataFrame,
    targets: pd.DataFrame,
    rng: np.random.Generator,
) -> np.ndarray:
    """Spread of the pooled forecast after each candidate, (k, m), averaged over draws of its scores."""
    expected = expected_scores(ladder, middles, weights, grid)
    # Of the closest law: what is left is scatter, not the law's own misfit.
    noise = {
        m: min((law.residual_std_ for law in first_laws(ladder.finals, m).values() if law.log_link), default=0.01)
        for m in middles
    }
    direct = DirectAccuracy().fit(ladder.finals[["flops"]].to_numpy(), ladder.finals["accuracy"].to_numpy())
    cases = []
    for _ in range(DRAWS):
        for i in range(len(grid)):
            row = expected.iloc[[i]].copy()
            for middle in middles:
                row[middle] *= np.exp(rng.normal(0, noise[middle]))
            row["accuracy"] = np.clip(row["accuracy"] + rng.normal(0, direct.residual_std_), 0, 1)
            longer = pd.concat([ladder.finals, row], ignore_index=True)
            cases.append(Question(replace(ladder, finals=longer), middles, targets))
    spread = np.array([pooled_spread(said, weights)[1] for said in predict_all(cases)])
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
        for family, jobs in jobs_of(suite, args.testbeds).items():
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
