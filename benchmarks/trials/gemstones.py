"""Gemstones: many shapes of small models, five checkpoints each, to models four times as large and to five lengths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.core.config import Config, load
from benchcast.data import ingest
from benchcast.data.source import Data
from benchcast.forecasting import run as forecast

from .marks import Marks, by_grade, forecasts_of
from .suites import CONFIGS, markdown

LARGEST_FITTED = 0.12e9  # parameters
TARGETS = (0.47e9, 0.55e9)
# Inside the ladder: the largest size that is fitted, and the sizes that are then targets.
INSIDE = ((0.07e9, (0.1e9, LARGEST_FITTED)), (0.1e9, (0.1e9, LARGEST_FITTED)))
CHECKPOINTS = 5
MARK = "@"  # between a run and the step of a checkpoint that is taken for a run


def five(table: pd.DataFrame) -> pd.DataFrame:
    """Of every run five checkpoints, spread evenly over its tokens."""
    kept = []
    for _, part in table[["run", "tokens"]].drop_duplicates().groupby("run", sort=False):
        ordered = part.sort_values("tokens")
        places = np.unique(np.linspace(0, len(ordered) - 1, CHECKPOINTS).round().astype(int))
        kept.append(ordered.iloc[places])
    return table.merge(pd.concat(kept), on=["run", "tokens"])


def taken_for_runs(table: pd.DataFrame) -> pd.DataFrame:
    """Every checkpoint under a name of its own."""
    return table.assign(run=table["run"] + MARK + table["step"].astype(int).astype(str))


def cuts(inside: bool) -> Iterator[tuple[float, tuple[float, float]]]:
    """The largest size that is fitted, and the sizes of the targets; inside the ladder or beyond it."""
    yield from INSIDE if inside else ((LARGEST_FITTED, TARGETS),)


def report(testbeds: Path, inside: bool) -> None:
    """Print the forecasts in every way; with ``inside`` nothing above the ladder's sizes is kept."""
    config = load(CONFIGS / "gemstones.yaml", Config)
    data = ingest.read_data(config.data, CONFIGS, testbeds / "gemstones")
    for largest, (least, most) in cuts(inside):
        sizes = data.table["params"]
        small = five(data.table[sizes <= largest])
        big = taken_for_runs(five(data.table[(sizes >= least) & (sizes <= most) & (sizes > largest)]))
        models = small["run"].nunique()
        print(
            f"\nGemstones: {models} models up to {largest:.3g} parameters, to {big['run'].nunique()} checkpoints of ",
            end="",
        )
        print(f"{big['params'].min():.3g} to {big['params'].max():.3g}\n")
        lines = []
        ways = {
            "checkpoints of a run": (pd.concat([small, big]), data, False),
            "with documents": (pd.concat([small, big]), data, True),
            "runs of their own": (pd.concat([taken_for_runs(small), big]), data, False),
        }
        for way, (table, source, documents) in ways.items():
            rows = _forecasts(config, replace(source, table=table.reset_index(drop=True)), big, documents)
            print(f"  {way}: {by_grade(rows)}", flush=True)
            for task, part in (("all", rows), *rows.groupby("task", sort=True)):
                grades = ", ".join(f"{g} {n}" for g, n in part["grade"].value_counts().sort_index().items())
                lines.append({"ladder": way, "task": task} | Marks.of(part).cells() | {"grades": grades})
        print()
        print(markdown(lines))


def _forecasts(config: Config, data: Data, targets: pd.DataFrame, documents: bool) -> pd.DataFrame:
    changed = config.model_dump() | {
        "recipes": ["auto"],
        "figures": 0,
        "documents": documents,
        "targets": [{"run": run} for run in dict.fromkeys(targets["run"])],
    }
    return forecasts_of(forecast.run(Config.model_validate(changed), CONFIGS, data))
