"""Does ``benchcast suggest`` pick well? Simulated on published ladders: every candidate was really trained.

    python benchmarks/suggest.py --testbeds DIR [olmo_ladder gadre2024 demo]

Of the runs in a band of equal cost (within a factor of 2.5) all are taken out of the ladder and ranked as ``suggest``
ranks them; then each is put back alone, everything is fitted again, and the width of the target's interval is compared
with that of the median candidate. A share above one half is better than a coin.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import forecast, ingest
from pipeline.config import AutoSettings, Config, RunsSettings, load
from pipeline.questions import expected_shrinkage
from pipeline.recipes import suite as suites
from pipeline.recipes.common import Job

CONFIGS = Path(__file__).parents[1] / "configs"
TARGETS = {
    "gadre2024": ("*-open_lm_1b-[!1]*", "*-open_lm_7b*"), "olmo_ladder": ("peteish*",), "demo": ("640K-10x", "1.3M-*")
}  # fmt: skip
TASKS = 12  # of each suite, those with the strongest trend: the others have no interval worth shrinking
BAND, FEWEST = 2.5, 3
SETTINGS = AutoSettings(cutoffs=3)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", default=list(TARGETS))
    parser.add_argument("--testbeds", type=Path, required=True)
    args = parser.parse_args()
    for suite in args.suites:
        for family, jobs in jobs_of(suite, args.testbeds).items():
            for part in bands(jobs):
                found = trial(jobs, part)
                print(
                    f"{suite} {family}, {len(part)} runs of {part['flops'].min():.2g}–{part['flops'].max():.2g} FLOPs"
                )
                for kind in ("width", "spread"):
                    ratio = found[kind].to_numpy()
                    mean = np.exp(np.mean(np.log(ratio)))
                    print(
                        f"  {kind}: first choice over median candidate {mean:.3f}; "
                        f"narrower in {np.mean(ratio < 1):.2f}, equal in {np.mean(ratio == 1):.2f} of {len(ratio)}",
                        flush=True,
                    )
                print(f"  chosen: {found['first'].value_counts().to_dict()}", flush=True)


if __name__ == "__main__":
    main()
