"""The over-training testbed as published: ``exp_data/`` of mlfoundations/scaling (Gadre et al., arXiv 2403.08540).

69 to 104 models of 11M to 6.9B parameters on several data mixes, each with validation losses
(``models/*.json``) and the accuracies of its evaluation (``evals/evaluation_*_heavy.json``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import readers

from ....core import reading, units
from ....core.digest import bytes_digest
from ....core.errors import Fault, FaultsError, UnreadableError
from ....core.metrics import METRICS
from ... import csv_files

# eval_metadata.csv gives ARC-Challenge the size of ARC-Easy; its test split has 1,172 questions.
DOCUMENTS = {"arc_challenge": 1172}
# "the best 154M model is at least 10 points above chance" selects the published 17-task subset.
SUBSET_PARAMS = (1.4e8, 1.7e8)
SUBSET_MARGIN = 0.10
ROUNDED = 0.02  # two statements of a run's tokens that differ by less are the same

ABOUT = (
    "N counts embeddings; C = 6ND; tokens are 20 times the published Chinchilla multiplier times N.",
    "eval_metadata.csv lists 2,376 documents for ARC-Challenge; 1,172 is used.",
    "The averages are over the tasks every model has; the subset is of tasks on which the best 154M model is at "
    "least 10 points above chance.",
)


def read_overtraining(folder: Path, account: Account | None = None) -> pd.DataFrame:
    """Read every model under ``folder`` (or ``folder/exp_data``) into the ladder table.

    Raises
    ------
    FaultsError
        When files are missing or unreadable, or a number in them cannot be; all of them are named.
    """
    account = account or Account()
    root = folder / "exp_data" if (folder / "exp_data").is_dir() else folder
    models = sorted((root / "models").glob("*.json"))
    if not models:
        fix = "give the exp_data folder of mlfoundations/scaling, or leave the path out to download it"
        raise FaultsError([Fault(str(root), "has no models/*.json", fix)])
    faults: list[Fault] = []
    metadata = _metadata(root, faults)
    rows: list[dict[str, Any]] = []
    names: dict[str, Path] = {}
    for path in models:
        account.read("models")
        try:
            model_rows = list(_model(path, root, metadata, account))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            problem = f"has no {error}" if isinstance(error, KeyError) else str(error)
            faults.append(Fault(str(path), f"cannot be read ({problem})", "download the file again"))
            continue
        if (first := names.setdefault(name := model_rows[0]["run"] if model_rows else path.stem, path)) is not path:
            faults.append(Fault(str(path), f"is called {name!r}, as {first} is", "a name is of one model"))
        rows += model_rows
    evaluations = {f"evaluation_{path.stem}_heavy.json" for path in models}
    if others := sorted(path.name for path in (root / "evals").glob("*.json") if path.name not in evaluations):
        account.leave("evaluations of no model in models/", *others)
    if faults:
        raise FaultsError(faults)
    table = pd.DataFrame(rows)
    return pd.concat([averages(table), table], ignore_index=True)


def _metadata(root: Path, faults: list[Fault]) -> pd.DataFrame:
    path = root / "eval_metadata.csv"
    columns = ["#shots", "#datapoints", "Random baseline"]
    try:
        cells = csv_files.read_csv(path)
        if lacking := {"Eval Task", *columns} - {*cells}:
            raise UnreadableError(f"has no column {listed(map(repr, sorted(lacking)))}")
        if len(twice := cells.loc[cells["Eval Task"].duplicated(), "Eval Task"]):
            raise UnreadableError(f"line {twice.index[0]} names the task {twice.iloc[0]!r} again")
        metadata = cells.set_index("Eval Task")[columns].apply(pd.to_numeric, errors="coerce")
        if len(wrong := np.flatnonzero(metadata.isna().any(axis=1) & cells[columns].notna().all(axis=1).to_numpy())):
            raise UnreadableError(f"line {cells.index[wrong[0]]} has a cell that is not a number")
    except UnreadableError as error:
        faults.append(Fault(str(path), f"cannot be read ({error})", "download the file again"))
        return pd.DataFrame(columns=columns)
    return metadata


def _loaded(path: Path) -> tuple[dict[str, Any], str]:
    data = reading.data(path)
    content = reading.json_of(data)
    if not isinstance(content, dict):
        raise UnreadableError("is not a mapping")
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UnreadableError("holds half of a character (a lone surrogate)") from None
    return content, bytes_digest(data)


def _count(content: Mapping[str, Any], key: str) -> float:
    value = reading.number(content[key])
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{key} {content[key]!r:.60} is not a number above 0")
    return value


def _model(path: Path, root: Path, metadata: pd.DataFrame, account: Account) -> Iterator[dict[str, Any]]:
    data, digest = _loaded(path)
    hyper = data["hyperparameters"]
    params = _count(hyper, "params")
    tokens = 20.0 * _count(hyper, "chinchilla_multiplier") * params
    if what := units.impossible(params, tokens):
        raise ValueError(what)
    if hyper.get("tokens") is not None and abs((stated := _count(hyper, "tokens")) / tokens - 1) > ROUNDED:
        raise ValueError(f"tokens is {stated:.9g}, and 20 times chinchilla_multiplier times params is {tokens:.9g}")
    for key in ("name", "dataset_name"):
        if not isinstance(data[key], str) or not data[key]:
            raise ValueError(f"{key} {data[key]!r:.60} is not a name")
    common = {
        "run": data["name"],
        "family": data["dataset_name"],
        "params": params,
        "tokens": tokens,
        "flops": 6 * params * tokens,
        "flops_convention": "6ND",
        "source": path.name,
        "digest": digest,
    }
    for result in data["results"]:
        yield common | _loss(result)
    scored = root / "evals" / f"evaluation_{path.stem}_heavy.json"
    try:
        content, digest = _loaded(scored)
    except UnreadableError as error:
        raise ValueError(f"its evaluation {scored.name}: {error}") from None
    scores = content["eval_metrics"]["icl"]
    if not isinstance(scores, dict):
        raise ValueError(f"eval_metrics.icl of {scored.name} is not a mapping")
    common |= {"source": scored.name, "digest": digest}
    for task, given in scores.items():
        accuracy = reading.number(given)
        if not 0 <= accuracy <= 1:
            raise ValueError(f"the accuracy {given!r:.60} of {task} in {scored.name} is not a fraction in [0, 1]")
        row = metadata.loc[task] if task in metadata.index else None
        if row is None:
            account.note(readers.CHANCE_UNKNOWN(task=task))
        n = float(DOCUMENTS.get(task, row["#datapoints"])) if row is not None else np.nan
        yield common | {
            "task": task,
            "metric": "acc",
            "value": given,
            "n": n,
            "num_fewshot": float(row["#shots"]) if row is not None else np.nan,
            "chance": float(row["Random baseline"]) / 100 if row is not None else np.nan,
            "stderr": float(np.sqrt(accuracy * (1 - accuracy) / n)) if n > 0 else np.nan,
        }


def _loss(result: Mapping[str, Any]) -> dict[str, Any]:
    where = result["val_data"]
    if not isinstance(where, list) or not where or not isinstance(where[0], str):
        raise ValueError(f"val_data {where!r:.60} names no file")
    name = Path(where[0])
    if len(name.parts) < 2:
        raise ValueError(f"val_data {where[0]!r:.60} names no folder")
    task = name.name.split(".")[0] if "de-en" in where[0] else name.parts[-2]
    value, low, high = (
        reading.number(result[key]) for key in ("loss", "loss_sequences_lower_95", "loss_sequences_upper_95")
    )
    known = METRICS["val_loss"]
    if not known.low <= value <= known.high:
        raise ValueError(
            f"the loss {result['loss']!r:.60} of {task} is not in [{known.low:g}, {known.high:g}] nats per token"
        )
    if not low <= high:
        raise ValueError(f"the 95 % bounds of the loss of {task} are {low:g} and {high:g}")
    return {
        "task": task,
        "metric": "val_loss",
        "value": result["loss"],
        "stderr": (high - low) / 2 / 1.96,
        "n": result["sequences"],
    }


def averages(table: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy of each run over all tasks, and over the subset that is above chance at 154M."""
    scores = table[table["metric"].eq("acc")]
    value = scores.pivot(index="run", columns="task", values="value").dropna(axis=1)
    if value.shape[1] < 2:
        return table.iloc[:0]
    chance = scores.groupby("task")["chance"].first().reindex(value.columns).fillna(0.0)
    variance = scores.assign(v=scores["stderr"] ** 2).pivot(index="run", columns="task", values="v").fillna(0.0)
    small = scores.loc[scores["params"].between(*SUBSET_PARAMS), "run"].unique()
    above = value.loc[value.index.isin(small)].max() - chance >= SUBSET_MARGIN
    groups = [list(value.columns)]
    if 1 < above.sum() < value.shape[1]:
        groups.append(list(value.columns[above]))
    about_run = scores.groupby("run")[["family", "params", "tokens", "flops", "flops_convention", "source", "digest"]]
    parts = []
    for tasks in reversed(groups):
        part = (
            about_run.first()
            .loc[value.index]
            .assign(
                task=f"average_{len(tasks)}",
                metric="acc",
                value=value[tasks].mean(axis=1),
                stderr=np.sqrt(variance.loc[value.index, tasks].sum(axis=1)) / len(tasks),
                chance=float(chance[tasks].mean()),
            )
        )
        parts.append(part.reset_index())
    return pd.concat(parts, ignore_index=True)
