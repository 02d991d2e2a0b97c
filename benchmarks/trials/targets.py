"""The held-out targets: ``auto`` against every fixed recipe and baseline. Looked at here and nowhere else."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from benchcast.core.config import Config, RunsSettings, load
from benchcast.forecasting import run as forecast

from .marks import Marks, by_grade, forecasts_of, miss_of
from .suites import CONFIGS, RECIPES, TARGETS, Suite, is_average, markdown, place_of, seventeen

EIGHT = ("mmlu_test", "hellaswag_val", "arc_challenge_test", "socialiqa_val")  # tasks, at two targets
AVERAGES = ("average_17", "average_46")  # as the testbed publishes them: tasks of their own
MEANS = ("mean of 17", "mean of 46")  # of the same tasks, as averages of the config


def report(suites: Sequence[str], testbeds: Path) -> None:
    """Print every suite's table; the model ladder's also for the runs that were published as its ladder."""
    for suite in suites:
        for published in (False, True) if suite == "olmo_ladder" else (False,):
            start = time.perf_counter()
            result = forecast.run(config_at_targets(suite, testbeds, published), CONFIGS, place_of(suite, testbeds))
            took, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            every = forecasts_of(result)
            rows = every[~every["task"].isin(MEANS)]
            show(suite + (" (the published 16 runs)" if published else " (all ladder runs)"), rows)
            print(f"  {took:.1f} s, {peak:.2f} GB")
            if suite == "olmo_ladder":
                show("the visible eight", rows[rows["task"].isin(EIGHT)])
            if suite == "gadre2024":
                show("the published 17", rows[rows["task"].isin(seventeen(list(rows["task"].unique()), testbeds))])
                averages(every)


def config_at_targets(suite: str, testbeds: Path, published_runs: bool) -> Config:
    """Every recipe of a suite at its targets, and the means of tasks where there are published ones."""
    settings = load(CONFIGS / f"{suite}.yaml", Config)
    changed = settings.model_dump() | {
        "recipes": RECIPES[suite],
        "figures": 0,
        "targets": [{"run": pattern} for pattern in TARGETS[suite]],
    }
    if not published_runs:
        changed["runs"] = RunsSettings().model_dump()
    if suite == "gadre2024":
        tasks = [task for task in Suite.read(suite, testbeds).tasks() if not is_average(task)]
        changed["averages"] = dict(zip(MEANS, (seventeen(tasks, testbeds), tasks), strict=True))
    return Config.model_validate(changed)


def show(name: str, rows: pd.DataFrame) -> None:
    """Recipes, baselines and grades of some forecasts, also family by family where there are several."""
    print(f"\n{name}\n")
    lines = []
    families = list(dict.fromkeys(rows["family"]))
    for recipe, part in rows.groupby("recipe", sort=False):
        lines.append(_line(str(recipe), part))
        for family in families if len(families) > 1 else ():
            lines.append(_line(f"{recipe}, {family}", part[part["family"].eq(family)]))
    one = rows[rows["recipe"] == "auto"]
    lines += [{"recipe": b, "n": str(len(one)), "miss": f"{miss_of(one, b):.2f}"} for b in ("direct", "carry")]
    print(markdown(lines))
    print(f"\n  by grade: {by_grade(one)}")
    misses = {
        grade: float((part["said"].fillna(part["carry"]) - part["actual"]).abs().mean())
        for grade, part in one.groupby("grade")
    }
    order = [misses[g] for g in "ABC" if g in misses]
    print(f"  {' < '.join(g for g in 'ABC' if g in misses)} in mean miss: {'yes' if order == sorted(order) else 'NO'}")


def _line(name: str, rows: pd.DataFrame) -> dict[str, str]:
    marks = Marks.of(rows)
    return {"recipe": name} | marks.cells() | {"refused": f"{marks.refused:.2f}"}


def averages(rows: pd.DataFrame) -> None:
    """Means of tasks: the miss as a share of the error that is left, for every recipe."""
    print()
    for task in (*AVERAGES, *MEANS):
        for recipe, part in rows[rows["task"] == task].groupby("recipe", sort=False):
            said = part["said"].fillna(part["carry"])
            relative = 100 * (said - part["actual"]).abs() / (1 - part["actual"])
            each = ", ".join(f"{value:.2f}" for value in relative)
            print(f"  {task}, {recipe}: {relative.mean():.2f} % of the error ({each})")
