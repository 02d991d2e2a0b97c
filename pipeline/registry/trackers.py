"""Log a result to an experiment tracker that is installed: MLflow, or Weights & Biases.

Where to is the tracker's own business (``MLFLOW_TRACKING_URI``, ``MLFLOW_EXPERIMENT_NAME``; ``WANDB_MODE``,
``WANDB_PROJECT``). Logged are the digests as parameters, every forecast with its interval as metrics, and the files.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchcast.reports.records.forecast import Result

from ..core.errors import BenchcastError, InputError, first_line
from ..core.redact import redacted

PIP_NAMES = {"mlflow": "mlflow-skinny", "wandb": "wandb"}
LOGGED_FIELDS = ("forecast", "low", "high", "actual")
METRICS_PER_REQUEST = 500  # an MLflow server takes at most 1000 metrics a request


def check(tracker: str) -> None:
    """That a tracker is known and installed, before the work and not after it.

    Raises
    ------
    InputError
        Saying what to install.
    """
    if tracker not in PIP_NAMES:
        raise InputError(f"--log {tracker!r}: is not a tracker ({', '.join(PIP_NAMES)})")
    try:
        importlib.import_module(tracker)
    except ImportError as error:
        raise InputError(f"--log {tracker}: cannot be imported ({error}); pip install {PIP_NAMES[tracker]}") from None


def log(result: Result, files: Mapping[str, Path], tracker: str) -> str:
    """Log a result and its files as one run of the tracker; the run's id.

    Raises
    ------
    BenchcastError
        When the tracker does not take it; the files are written all the same.
    """
    module = importlib.import_module(tracker)
    try:
        return _mlflow(module, result, files) if tracker == "mlflow" else _wandb(module, result, files)
    except Exception as error:  # each tracker has errors of its own
        raise BenchcastError(f"--log {tracker}: {redacted(first_line(error))}") from None  # it may name the server


def metrics(result: Result) -> dict[str, float]:
    """Every number of every forecast by ``recipe/task/target/field``, in the characters that trackers allow."""
    several = len({f.family for f in result.forecasts}) > 1
    by_name: dict[str, float] = {}
    for f in result.forecasts:
        names = [f.recipe, *([f.family] if several else []), f.task, f.target]
        place = "/".join(re.sub(r"[^A-Za-z0-9_. -]", "_", name) for name in names)
        by_name |= {f"{place}/{key}": value for key in LOGGED_FIELDS if (value := getattr(f, key)) is not None}
    return by_name


def _about(result: Result) -> dict[str, str]:
    p = result.provenance
    return {"benchcast": p.benchcast, "data": p.data, "data_digest": p.data_digest, "config_digest": p.config_digest}


def _mlflow(mlflow: Any, result: Result, files: Mapping[str, Path]) -> str:
    numbers = list(metrics(result).items())
    with mlflow.start_run(run_name=result.title) as run:
        mlflow.log_params(_about(result))
        for start in range(0, len(numbers), METRICS_PER_REQUEST):
            mlflow.log_metrics(dict(numbers[start : start + METRICS_PER_REQUEST]))
        for path in files.values():
            mlflow.log_artifact(str(path))
        return str(run.info.run_id)


def _wandb(wandb: Any, result: Result, files: Mapping[str, Path]) -> str:
    project = os.environ.get("WANDB_PROJECT", "benchcast")
    with wandb.init(project=project, name=result.title, config=_about(result)) as run:
        run.summary.update(metrics(result))
        artifact = wandb.Artifact("report", type="report")
        for path in files.values():
            artifact.add_file(str(path))
        run.log_artifact(artifact)
        return str(run.id)
