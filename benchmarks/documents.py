"""What documents add to a forecast: miss by task of the chains and of both document forms, on published models.

    python benchmarks/documents.py --testbeds DIR [--targets] [--time]

The ladder is the models of at most 0.12B parameters, five checkpoints each. Without ``--targets`` only that ladder is
looked at: its own largest sizes and longest runs are forecast, and that is where constants were chosen. With it, the
models of 0.47-0.54B parameters are forecast from the ladder, once, at the end.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.stages.documents.forecaster import DocumentForecaster
from benchcast.stages.documents.matrix import DocumentMatrix
from benchcast.stages.documents.surface import fit_surfaces
from benchcast.stages.laws.accuracy.loss_sigmoid import NLLToAccuracy
from benchcast.stages.laws.loss.chinchilla import ChinchillaLoss

TASKS = ("arc_challenge", "mmlu", "openbookqa", "piqa", "siqa", "winogrande")
LADDER = 0.12e9  # parameters
POSITIONS = (0, 8, 17, 26, 34)  # of the 35 checkpoints of a model: five, evenly spread over its tokens
EARLY = (0, 2, 4, 7, 9)  # five of the first 100B tokens
LEVEL_90 = 1.645
FORMS = ("carry forward", "mean NLL, Chinchilla", "mean NLL", "nll_mean_prob", "clusters", "factors")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task: its checkpoints' places, accuracies and documents, and the score of guessing."""

    name: str
    matrix: DocumentMatrix
    accuracy: np.ndarray
    chance: float

    @property
    def position(self) -> np.ndarray:
        """Of a checkpoint in its run, from 0."""
        return self.matrix.places.groupby("run")["tokens"].rank().to_numpy().astype(int) - 1


def read(folder: Path, name: str, most: float) -> Task:
    """The models of at most ``most`` parameters; nothing of a larger one is kept."""
    table = pd.read_csv(folder / "accuracy.csv")
    table = table[(table["task"] == name) & (table["params"] <= most)]
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        index = pd.DataFrame({"run": arrays["run"], "step": arrays["step"], "row": np.arange(len(arrays["run"]))})
        both = table.merge(index, on=["run", "step"], validate="1:1").sort_values(["params", "run", "tokens"])
        nll = arrays["nll"][both["row"].to_numpy()]
    return Task(
        name=name,
        matrix=DocumentMatrix(places=both[["run", "step", "params", "tokens"]], nll=nll),
        accuracy=both["acc"].to_numpy(),
        chance=float(both["chance"].iloc[0]),
    )


def splits(task: Task, targets: bool) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, fitted rows, forecast rows."""
    params, tokens = (task.matrix.places[c].to_numpy() for c in ("params", "tokens"))
    five, early = np.isin(task.position, POSITIONS), np.isin(task.position, EARLY)
    if targets:
        yield "0.47-0.54B, five checkpoints", five & (params <= LADDER), five & (params > LADDER)
        yield "0.47-0.54B, all checkpoints", five & (params <= LADDER), params > LADDER
        return
    yield "sizes: <=67M to >=95M", five & (params < 0.07e9), params > 0.09e9
    yield "sizes: <0.1B to >=0.106B", five & (params < 0.1e9), params > 0.106e9
    yield "tokens: <=50B to >100B", tokens <= 55e9, tokens > 100e9
    yield "tokens: <=100B to >200B", early, tokens > 200e9
    yield "both: <0.1B, <=100B", early & (params < 0.1e9), (params > 0.1e9) & (tokens > 200e9)


def forecast(form: str, task: Task, fitted: np.ndarray, to: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies and standard errors (NaN where a baseline has none)."""
    matrix, accuracy = task.matrix.of_rows(fitted), task.accuracy[fitted]
    targets = task.matrix.places[to]
    none = np.full(len(targets), np.nan)
    if form in ("clusters", "factors"):
        return DocumentForecaster(form=form).fit(matrix, accuracy, task.chance).predict(targets)
    if form == "carry forward":
        largest = matrix.places.sort_values(["params", "tokens"]).index[-1]
        return np.full(len(targets), accuracy[largest]), none
    loss = matrix.nll_of_mean_prob() if form == "nll_mean_prob" else matrix.mean_nll()
    models = targets[["params", "tokens"]].to_numpy()
    if form == "mean NLL, Chinchilla":
        to_come = ChinchillaLoss().fit(matrix.places[["params", "tokens"]].to_numpy(), loss).predict(models)
    else:
        to_come = fit_surfaces(matrix.places, loss[:, None]).predict(models[:, 0], models[:, 1])[0][:, 0]
    floor = (max(task.chance - 0.06, 0.0), task.chance + 0.02)  # as `auto` bounds it
    link = NLLToAccuracy(floor=floor, ceiling=1.0).fit(loss[:, None], accuracy)
    return link.predict(np.maximum(to_come, 0.0)[:, None]), none


def compare(folder: Path, targets: bool) -> pd.DataFrame:
    """A row per task, split and form: mean miss, bias, share inside 90 %, points; and seconds."""
    rows = []
    for name in TASKS:
        task = read(folder, name, np.inf if targets else LADDER)
        for split, fitted, to in splits(task, targets):
            for form in FORMS:
                started = time.perf_counter()
                mean, std = forecast(form, task, fitted, to)
                miss = 100 * (mean - task.accuracy[to])
                rows.append(
                    {
                        "task": name,
                        "split": split,
                        "form": form,
                        "miss": np.abs(miss).mean(),
                        "bias": miss.mean(),
                        "inside": np.mean(np.abs(miss) < 100 * LEVEL_90 * std) if np.isfinite(std).all() else np.nan,
                        "width": 200 * LEVEL_90 * std.mean(),
                        "seconds": time.perf_counter() - started,
                    }
                )
    return pd.DataFrame(rows)


def speed(documents: int = 10_000, runs: int = 25, checkpoints: int = 20) -> None:
    """Seconds of fit and forecast on made-up documents."""
    rng = np.random.default_rng(0)
    params = np.repeat(np.geomspace(5e7, 1e9, runs), checkpoints)
    tokens = np.tile(np.geomspace(1e9, 1e11, checkpoints), runs)
    mean = 1 + 60 / params**0.25 + 80 / tokens**0.25
    nll = mean[:, None] * rng.uniform(0.3, 3, documents) + rng.normal(0, 0.2, (len(params), documents))
    places = pd.DataFrame({"run": np.repeat(np.arange(runs), checkpoints), "params": params, "tokens": tokens})
    matrix = DocumentMatrix(places=places, nll=np.maximum(nll, 0).astype(np.float32))
    accuracy = np.exp(-matrix.nll).mean(axis=1)
    for form in ("clusters", "factors"):
        started = time.perf_counter()
        DocumentForecaster(form=form).fit(matrix, accuracy).predict(places.tail(5))
        print(f"{form}: {documents} documents x {len(params)} checkpoints in {time.perf_counter() - started:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--testbeds", type=Path, required=True)
    parser.add_argument("--targets", action="store_true", help="forecast the 0.47-0.54B models")
    parser.add_argument("--time", action="store_true", help="10,000 documents x 500 checkpoints")
    arguments = parser.parse_args()
    if arguments.time:
        speed()
    table = compare(arguments.testbeds / "gemstones", arguments.targets)
    for split, rows in table.groupby("split", sort=False):
        print(f"\n{split}: mean miss, points")
        wide = rows.pivot_table(index="task", columns="form", values="miss")[list(FORMS)]
        print(pd.concat([wide, wide.mean().to_frame("mean").T]).round(2).to_string())
    print("\nall splits")
    print(table.groupby("form", sort=False)[["miss", "bias", "inside", "width", "seconds"]].mean().round(3).to_string())


if __name__ == "__main__":
    main()
