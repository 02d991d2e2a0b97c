"""Thin ladders: the first few runs of each ladder, and its later runs as targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.forecasting import run as forecast

from .marks import GRADES, Marks, by_grade, forecasts_of, mean_marks, miss_of
from .suites import CONFIGS, LABELS, Suite, config_of, markdown

FIRST_RUNS = (3, 4, 5, 6)


def forecasts(suite: Suite, family: str, count: int) -> pd.DataFrame:
    """What ``benchcast run`` says of a family's later runs when the first ``count`` of them are its ladder."""
    runs = suite.runs(family)
    config = config_of(
        suite.name,
        runs={"fit": runs[:count], "exclude": ()},
        targets=[{"run": run} for run in runs[count:]],
    )
    return forecasts_of(forecast.run(config, CONFIGS, suite.data))


def report(suites: Sequence[str], testbeds: Path) -> None:
    """Print every ladder at every count of runs, and their means."""
    lines: list[dict[str, str]] = []
    means: list[dict[str, str]] = []
    for name in suites:
        suite = Suite.read(name, testbeds)
        for family in suite.contexts():
            label, marks, direct = LABELS.get(family, family), [], []
            for count in FIRST_RUNS:
                rows = forecasts(suite, family, count)
                marks.append(Marks.of(rows))
                direct.append(miss_of(rows, "direct"))
                grades = ", ".join(f"{g} {n}" for g in GRADES if (n := int(rows["grade"].eq(g).sum())))
                lines.append(_line(f"{label}, first {count}", marks[-1], direct[-1]) | {"grades": grades})
                print(f"  {label}, first {count}: {by_grade(rows)}", flush=True)
            means.append(_line(label, mean_marks(marks), float(np.mean(direct))))
    print("\nThin ladders; a refused task counts with its carry-forward\n")
    print(markdown(lines))
    print(f"\nThe mean over the first {', '.join(map(str, FIRST_RUNS))} runs\n")
    print(markdown(means))


def _line(label: str, marks: Marks, direct: float) -> dict[str, str]:
    better = "yes" if marks.miss < min(marks.carry, direct) else "NO"
    cells = {"ladder": label} | marks.cells()
    return cells | {"refused": f"{marks.refused:.2f}", "direct": f"{direct:.2f}", "below both": better}
