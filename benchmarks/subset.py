"""Fewer documents on published models: what k of a task's documents say about all of them, and about a forecast.

    python benchmarks/subset.py --testbeds DIR [--documents 200] [--inside] [--forecast]
    python benchmarks/subset.py --demo [--documents 200]

The order is that of time. The documents are chosen by five checkpoints of every model of at most 0.1B parameters that
were asked all of them, and then every other model is estimated from the chosen ones alone: those of up to 0.12B
(--inside, where the method and its constants were chosen), or those of 0.47-0.54B, which nothing was chosen by. With
--forecast the ladder of at most 0.12B is forecast to the large models twice, with its own losses and with those of the
models that did not choose replaced by their estimates; the accuracies are the same, since only losses are published
for every document. --demo does all of it on the package's own ladder, where right and wrong is known too: models of
at most 182K parameters choose, and losses and accuracies of the larger ones are estimated from 200 of 800 documents.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast import demo_ladder
from benchcast.core.config import Config, load
from benchcast.data import ingest
from benchcast.forecasting import run as forecast
from benchcast.stages.documents.subset import Estimate, Subset, choose, estimate, evenly
from documents import LADDER, POSITIONS, TASKS, Task, read
from trials.gemstones import TARGETS, five, taken_for_runs
from trials.marks import forecasts_of
from trials.suites import CONFIGS, config_of

CHOOSING = 0.1e9  # parameters; models up to there are asked everything
DEMO_CHOOSING = 0.2e6
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


def demo(count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Errors of accuracies in points and of losses in percent, and what estimates do to the demo's forecasts."""
    config = config_of("demo", documents=False)
    data = ingest.read_data(config.data, CONFIGS, None)
    table, errors_of = data.table.copy(), []
    with np.load(Path(demo_ladder.__file__).with_name("documents.npz"), allow_pickle=False) as arrays:
        places = pd.DataFrame({name: arrays[name] for name in ("run", "step", "params")})
        small = places["params"].to_numpy() <= DEMO_CHOOSING
        for task in sorted({name.split("/")[0] for name in arrays.files if "/" in name}):
            nll = arrays[f"{task}/nll"].astype(float)
            values = {"nll": nll, "nll_mean_prob": np.exp(-nll)}
            values |= {m: arrays[f"{task}/{m}/correct"].astype(float) for m in ("acc", "acc_norm")}
            subset = choose({k: v[small] for k, v in values.items()}, places["run"][small].tolist(), count)
            for i in np.flatnonzero(~small):
                here = table["run"].eq(places["run"][i]) & table["step"].eq(places["step"][i]) & table["task"].eq(task)
                for name, documents in values.items():
                    found, full = estimate(subset, documents[i, subset.documents], name), documents[i].mean()
                    simple = documents[i].std() * np.sqrt(1 / count - 1 / nll.shape[1])
                    scale = 100 if name.startswith("acc") else 100 / full
                    error = {"missed": found.value - full, "stated": found.estimation, "simple sample": simple}
                    cells = {k: scale * v for k, v in error.items()}
                    errors_of.append({"task": task, "value": name, "method": subset.method} | cells)
                    value, stderr = found.value, found.stderr
                    if name == "nll_mean_prob":
                        value, stderr = -np.log(value), stderr / value
                    table.loc[here & table["metric"].eq(name), ["value", "stderr"]] = value, stderr
                    if name == "nll":
                        bits = np.array([value, stderr]) / np.log(2)
                        table.loc[here & table["metric"].eq("bits_per_byte"), ["value", "stderr"]] = bits
    # What is forecast has no documents here: it stays as measured.
    full, fewer = (
        forecasts_of(forecast.run(config, CONFIGS, replace(data, table=t))).set_index(["task", "target"])
        for t in (data.table, table)
    )
    moved = pd.DataFrame({"moved": 100 * (fewer["said"] - full["said"])})
    for name, said in (("missed, all", full), ("missed, some", fewer)):
        moved[name] = 100 * (said["said"] - said["actual"]).abs()
    return pd.DataFrame(errors_of), moved.reset_index()


def report_demo(count: int) -> None:
    missed, moved = demo(count)
    missed["inside 90 %"] = 100.0 * (missed["missed"].abs() <= LEVEL_90 * missed["stated"])
    missed["median"] = missed["missed"].abs()
    missed["rms"] = missed["missed"] ** 2
    table = missed.groupby(["value", "task"]).mean(numeric_only=True)
    table["rms"] = table["rms"] ** 0.5
    print(f"{count} documents; accuracies in points, the others in percent of themselves")
    print(table[["rms", "stated", "simple sample", "inside 90 %"]].round(2).to_string())
    print(missed.groupby("value")[["inside 90 %", "median", "stated", "simple sample"]].mean().round(2).to_string())
    print("\nforecasts, points")
    print(moved.groupby("task").mean(numeric_only=True).round(2).to_string())
    print(f"mean move {moved['moved'].abs().mean():.2f}, largest {moved['moved'].abs().max():.2f}")
    print(moved[["missed, all", "missed, some"]].mean().round(2).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--testbeds", type=Path)
    parser.add_argument("--documents", type=int, default=200, metavar="K")
    parser.add_argument("--inside", action="store_true", help="estimate models of the ladder's own sizes instead")
    parser.add_argument("--forecast", action="store_true", help="what the estimates do to a forecast")
    parser.add_argument("--demo", action="store_true", help="the package's own ladder, accuracies too")
    arguments = parser.parse_args()
    if arguments.demo:
        report_demo(arguments.documents)
        return
    if arguments.testbeds is None:
        parser.error("--testbeds DIR or --demo")
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
