"""The over-training testbed as published: ``exp_data/`` of mlfoundations/scaling (Gadre et al., arXiv 2403.08540).

69 to 104 models of 11M to 6.9B parameters on several data mixes, each with validation losses
(``models/*.json``) and the accuracies of its evaluation (``evals/evaluation_*_heavy.json``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.digest import bytes_digest
from pipeline.errors import Fault, FaultsError

# eval_metadata.csv gives ARC-Challenge the size of ARC-Easy; its test split has 1,172 questions.
DOCUMENTS = {"arc_challenge": 1172}
# "the best 154M model is at least 10 points above chance" selects the published 17-task subset.
SUBSET_PARAMS = (1.4e8, 1.7e8)
SUBSET_MARGIN = 0.10

ABOUT = (
    "N counts embeddings; C = 6ND; tokens are 20 times the published Chinchilla multiplier times N.",
    "eval_metadata.csv lists 2,376 documents for ARC-Challenge; 1,172 is used.",
    "The averages are over the tasks every model has; the subset is of tasks on which the best 154M model is at "
    "least 10 points above chance.",
)


def read(folder: Path) -> pd.DataFrame:
    """Read every model under ``folder`` (or ``folder/exp_data``) into the ladder table.

    Raises
    ------
    FaultsError
        When files are missing or unreadable; all of them are named.
    """
    root = folder / "exp_data" if (folder / "exp_data").is_dir() else folder
    models = sorted((root / "models").glob("*.json"))
    if not models:
        fix = "give the exp_data folder of mlfoundations/scaling, or leave the path out to download it"
        raise FaultsError([Fault(str(root), "has no models/*.json", fix)])
    faults: list[Fault] = []
    metadata = _metadata(root, faults)
    rows: list[dict[str, Any]] = []
    for path in models:
        try:
            rows += _model(path, root, metadata)
        except (OSError, KeyError, TypeError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
            faults.append(Fault(str(path), f"cannot be read ({problem})", "download the file again"))
    if faults:
        raise FaultsError(faults)
    table = pd.DataFrame(rows)
    return pd.concat([averages(table), table], ignore_index=True)


def _metadata(root: Path, faults: list[Fault]) -> pd.DataFrame:
    path = root / "eval_metadata.csv"
    try:
        return pd.read_csv(path).set_index("Eval Task")[["#shots", "#datapoints", "Random baseline"]]
    except (OSError, KeyError, ValueError) as error:
        faults.append(Fault(str(path), f"cannot be read ({error})", "download the file again"))
        return pd.DataFrame(columns=["#shots", "#datapoints", "Random baseline"])


def _model(path: Path, root: Path, metadata: pd.DataFrame) -> Iterator[dict[str, Any]]:
    content = path.read_bytes()
    data = json.loads(content)
    hyper = data["hyperparameters"]
    params, tokens = float(hyper["params"]), 20.0 * float(hyper["chinchilla_multiplier"]) * float(hyper["params"])
    common = {
        "run": data["name"], "family": data["dataset_name"], "params": params, "tokens": tokens,
        "flops": 6 * params * tokens, "flops_convention": "6ND", "source": path.name, "digest": bytes_digest(content),
    }  # fmt: skip
    for result in data["results"]:
        half = (result["loss_sequences_upper_95"] - result["loss_sequences_lower_95"]) / 2
        name = Path(result["val_data"][0])
        task = name.name.split(".")[0] if "de-en" in str(name) else name.parts[-2]
        yield common | {"task": task, "metric": "val_loss", "value": result["loss"], "stderr": half / 1.96,
                        "n": result["sequences"]}  # fmt: skip
    scored = root / "evals" / f"evaluation_{path.stem}_heavy.json"
    content = scored.read_bytes()
    common |= {"source": scored.name, "digest": bytes_digest(content)}
    for task, accuracy in json.loads(content)["eval_metrics"]["icl"].items():
        row = metadata.loc[task] if task in metadata.index else None
        n = float(DOCUMENTS.get(task, row["#datapoints"])) if row is not None else np.nan
        yield common | {
            "task": task, "metric": "acc", "value": accuracy, "n": n,
            "num_fewshot": float(row["#shots"]) if row is not None else np.nan,
            "chance": float(row["Random baseline"]) / 100 if row is not None else np.nan,
            "stderr": float(np.sqrt(accuracy * (1 - accuracy) / n)) if n > 0 else np.nan,
        }  # fmt: skip


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
