"""Fewer documents on published models: what k of a task's documents say about all of them, and about a forecast.

    python benchmarks/subset.py --testbeds DIR [--documents 200] [--inside] [--forecast]

The order is that of time. The documents are chosen by five checkpoints of every model of at most 0.1B parameters that
were asked all of them, and then every other model is estimated from the chosen ones alone: those of up to 0.12B
(--inside, where the method and its constants were chosen), or those of 0.47-0.54B, which nothing was chosen by. With
--forecast the ladder of at most 0.12B is forecast to the large models twice, with its own losses and with those of the
models that did not choose replaced by their estimates; the accuracies are the same, since only losses are published
for every document.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.core.config import Config, load
from benchcast.data import ingest
from benchcast.forecasting import run as forecast
from benchcast.stages.documents.subset import Estimate, Subset, choose, estimate, evenly
from documents import LADDER, POSITIONS, TASKS, Task, read
from trials.gemstones import TARGETS, five, taken_for_runs
from trials.marks import forecasts_of
from trials.suites import CONFIGS

CHOOSING = 0.1e9  # parameters; models up to there are asked everything
LEVEL_90 = 1.645
WAYS = ("even distances", "1 checkpoint", "1 run", "3 runs", "all runs")


def choosing(task: Task, way: str) -> np.ndarray:
    """The checkpoints that choose, a mask."""
    places = task.matrix.places
    small = places[places["params"] <= CHOOSING].sort_values("params")["run"].unique()
    runs = small[: {"1 checkpoint": 1, "1 run": 1, "3 runs": 3}.get(way, len(small))]
    positions = POSITIONS[-1:] if way == "1 checkpoint" else POSITIONS
    return places["run"].isin(runs).to_numpy() & np.isin(task.position, positions)


def chosen(task: Task, way: str, count: int) -> Subset:
    """The documents that are asked, and what they weigh."""
    if way == "even distances":
        return evenly(task.matrix.documents, count)
    rows = choosing(task, way)
    nll = task.matrix.nll[rows].astype(float)
    return choose({"nll": nll, "probability": np.exp(-nll)}, task.matrix.places["run"][rows].tolist(), count)


def estimates(subset: Subset, nll: np.ndarray) -> tuple[Estimate, Estimate]:
    """Of the mean loss and of the mean probability of one checkpoint."""
    asked = nll[subset.documents].astype(float)
    return estimate(subset, asked, "nll"), estimate(subset, np.exp(-asked), "probability")


def errors(task: Task, way: str, count: int, inside: bool) -> dict[str, object]:
    """How far estimates are off the mean loss of all documents, percent of it."""
    subset = chosen(task, way, count)
    params = task.matrix.places["params"].to_numpy()
    others = (params > CHOOSING) & (params <= LADDER) if inside else params > LADDER
    found = [estimates(subset, row)[0] for row in task.matrix.nll[others]]
    full = task.matrix.nll[others].astype(float).mean(axis=1)
    missed = np.array([e.value for e in found]) - full
    stated = np.array([e.estimation for e in found])
    percent = 100 * np.abs(missed) / full
    return {
        "way": way,
        "task": task.name,
        "checkpoints": int(others.sum()),
        "median": np.median(percent),
        "q95": np.quantile(percent, 0.95),
        "max": percent.max(),
        "within 1 %": 100 * np.mean(percent <= 1),
        "inside 90 %": 100 * np.mean(np.abs(missed) <= LEVEL_90 * stated),
        "stated": 100 * np.mean(stated / full),
    }


def with_estimates(table: pd.DataFrame, tasks: dict[str, Task], way: str, count: int) -> pd.DataFrame:
    """The ladder table, where the losses of models that did not choose are estimates with their errors."""
    table = table.copy()
    for name, task in tasks.items():
        subset = chosen(task, way, count)
        places = task.matrix.places
        for i in np.flatnonzero((places["params"] > CHOOSING) | (way == "even distances")):
            loss, probability = estimates(subset, task.matrix.nll[i])
            here = table["run"].eq(places["run"][i]) & table["step"].eq(places["step"][i]) & table["task"].eq(name)
            for metric, value, stderr in (
                ("nll_token", loss.value, loss.stderr),
                ("nll_mean_prob", -np.log(probability.value), probability.stderr / probability.value),
            ):
                table.loc[here & table["metric"].eq(metric), ["value", "stderr"]] = value, stderr
    return table


def forecasts(testbeds: Path, count: int) -> pd.DataFrame:
    """A row per target checkpoint, task and way: how far the forecast is from that with all documents, points."""
    config = load(CONFIGS / "gemstones.yaml", Config)
    data = ingest.read_data(config.data, CONFIGS, testbeds / "gemstones")
    sizes = data.table["params"]
    small = five(data.table[sizes <= LADDER])
    big = taken_for_runs(five(data.table[(sizes >= TARGETS[0]) & (sizes <= TARGETS[1])]))
    settings = config.model_dump() | {"recipes": ["auto"], "figures": 0, "documents": False}
    asked = Config.model_validate(settings | {"targets": [{"run": run} for run in dict.fromkeys(big["run"])]})
    tasks = {name: read(testbeds / "gemstones", name, LADDER) for name in TASKS}
    full, rows = None, []
    for way in ("all documents", "even distances", "all runs"):
        table = small if way == "all documents" else with_estimates(small, tasks, way, count)
        both = replace(data, table=pd.concat([table, big], ignore_index=True))
        said = forecasts_of(forecast.run(asked, CONFIGS, both)).set_index(["task", "target"])
        full = said if full is None else full
        moved = 100 * (said["said"] - full["said"]).abs()
        missed = 100 * (said["said"] - said["actual"]).abs()
        rows.append(pd.DataFrame({"way": way, "moved": moved, "missed": missed}).reset_index())
    return pd.concat(rows, ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--testbeds", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=200, metavar="K")
    parser.add_argument("--inside", action="store_true", help="estimate models of the ladder's own sizes instead")
    parser.add_argument("--forecast", action="store_true", help="what the estimates do to a forecast")
    arguments = parser.parse_args()
    most = LADDER if arguments.inside else np.inf
    tasks = [read(arguments.testbeds / "gemstones", name, most) for name in TASKS]
    table = pd.DataFrame([errors(task, way, arguments.documents, arguments.inside) for way in WAYS for task in tasks])
    print(f"{arguments.documents} documents; error of the mean loss, percent of it; stated: mean standard error")
    for way, rows in table.groupby("way", sort=False):
        print(f"\n{way}\n{rows.drop(columns='way').round(2).to_string(index=False)}")
    print(f"\nmean over tasks\n{table.groupby('way', sort=False).mean(numeric_only=True).round(2).to_string()}")
    if arguments.forecast:
        moved = forecasts(arguments.testbeds, arguments.documents)
        grouped = moved.groupby(["way", "task"], sort=False)
        print("\nforecasts: how far they moved from those with all documents, and how far they missed, points")
        print(grouped[["moved", "missed"]].agg(["mean", "max"]).round(2).to_string())
        print(moved.groupby("way", sort=False)[["moved", "missed"]].agg(["mean", "max"]).round(2).to_string())


if __name__ == "__main__":
    main()
