"""Thin ladders: the first few runs of each ladder, and its later runs as targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.forecasting import run as forecast

from .marks import GRADES, Marks, by_grade, forecasts_of, mean_marks, miss_of
from .suites import CONFIGS, LABELS, Suite, config_of, markdown

FIRST_RUNS = (3, 4, 5, 6)


def forecasts(suite: Suite, family: str, count: int) -> pd.DataFrame:
    """What ``benchcast run`` says of a family's later runs when the first ``count`` of them are its ladder.

    A refused task says nothing; ``told`` is the number that it would have said.
    """
    runs = suite.runs(family)
    config = config_of(
        suite.name,
        recipes=[{"name": "auto", "refuse": False}],
        runs={"fit": runs[:count], "exclude": ()},
        targets=[{"run": run} for run in runs[count:]],
    )
    rows = forecasts_of(forecast.run(config, CONFIGS, suite.data))
    rows["told"] = rows["said"].fillna(rows["carry"])
    rows.loc[rows["grade"].eq("D"), ["said", "low", "high"]] = np.nan
    return rows


def report(suites: Sequence[str], testbeds: Path) -> None:
    """Print every ladder at every count of runs, and their means."""
    lines: list[dict[str, str]] = []
    means: list[dict[str, str]] = []
    for name in suites:
        suite = Suite.read(name, testbeds)
        for family in suite.contexts():
            label, marks = LABELS.get(family, family), []
            others: dict[str, list[float]] = {"direct": [], "told": []}
            for count in FIRST_RUNS:
                rows = forecasts(suite, family, count)
                marks.append(Marks.of(rows))
                for name, misses in others.items():
                    misses.append(miss_of(rows, name))
                grades = ", ".join(f"{g} {n}" for g in GRADES if (n := int(rows["grade"].eq(g).sum())))
                last = {name: misses[-1] for name, misses in others.items()}
                lines.append(_line(f"{label}, first {count}", marks[-1], last) | {"grades": grades})
                print(f"  {label}, first {count}: {by_grade(rows)}", flush=True)
            mean = {name: float(np.mean(misses)) for name, misses in others.items()}
            means.append(_line(label, mean_marks(marks), mean))
    print("\nThin ladders; a refused task counts with its carry-forward; all told: with what would have been said\n")
    print(markdown(lines))
    print(f"\nThe mean over the first {', '.join(map(str, FIRST_RUNS))} runs\n")
    print(markdown(means))


def _line(label: str, marks: Marks, others: Mapping[str, float]) -> dict[str, str]:
    direct = others["direct"]
    better = "yes" if marks.miss < min(marks.carry, direct) else "NO"
    cells = {"ladder": label} | marks.cells()
    cells |= {"refused": f"{marks.refused:.2f}", "all told": f"{others['told']:.2f}"}
    return cells | {"direct": f"{direct:.2f}", "below both": better}
