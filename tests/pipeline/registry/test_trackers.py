"""Logging to MLflow and W&B: with the real packages where they are installed, in folders of their own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from benchcast import run
from benchcast.core.errors import BenchcastError
from benchcast.registry import trackers as experiments
from benchcast.reports.records.forecast import Result
from worlds.commands import CONFIG, benchcast
from worlds.reports import make_graded

NAMES = ("hella#swag", "../x", "mmlu", "piqa")


@pytest.fixture
def result() -> Result:
    return Result.model_validate(make_graded(NAMES))


def test_names_are_what_trackers_allow_and_nothing_is_lost(result: Result) -> None:
    found = experiments.metrics(result)
    assert found["auto/mmlu/7B-4T/forecast"] == result.forecasts[2].forecast
    assert "auto/hella_swag/7B-4T/low" in found
    assert "auto/.._x/7B-4T/high" in found
    assert "auto/piqa/7B-4T/forecast" not in found  # refused: there is no number
    assert len(found) == 3 * 4 + 1


def test_what_is_not_there_is_told_before_the_work(ladder_csv: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG)
    done = benchcast("run", config, "--log", "excel")
    assert (done.returncode, done.stderr) == (2, "error: --log 'excel': is not a tracker (mlflow, wandb)\n")
    for tracker, package in experiments.PIP_NAMES.items():
        if importlib.util.find_spec(tracker) is None:
            done = benchcast("run", config, "--log", tracker, "--out", tmp_path / "out")
            assert done.returncode == 2
            assert done.stderr.rstrip().endswith(f"pip install {package}")
            assert len(done.stderr.splitlines()) == 1
            assert not (tmp_path / "out").exists()


def test_no_secret_of_the_config_or_the_server_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notifiers of the nightly pass are no part of a result; a tracker's error may name its server."""
    notify = {"urls": ["slack://SECRETTOKEN/a/b"], "command": ["curl", "https://u:SECRETTOKEN@hook.org/"]}
    result = run(
        {
            "data": {"source": "demo"},
            "targets": [{"name": "p", "params": 3e6, "token_multiplier": 20}],
            "recipes": ["llama3"],
            "tasks": ["recall"],
            "reevaluate": {"notify": notify},
        }
    )
    assert "SECRETTOKEN" not in result.model_dump_json()

    def refuse(**_: object) -> None:
        raise OSError("https://u:SECRETTOKEN@mlflow.org/api?key=SECRETTOKEN does not answer")

    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(start_run=refuse))
    with pytest.raises(BenchcastError, match=r"--log mlflow: OSError: https://mlflow\.org/") as told:
        experiments.log(result, {}, "mlflow")
    assert "SECRETTOKEN" not in str(told.value)


@pytest.mark.filterwarnings("ignore")
def test_a_run_of_mlflow(result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a server or a database takes more packages
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    paths = result.write(tmp_path / "out")
    ident = experiments.log(result, paths, "mlflow")
    data = mlflow.get_run(ident).data
    assert data.metrics == pytest.approx(experiments.metrics(result))
    assert data.params["data_digest"] == result.provenance.data_digest
    stored = {p.name for p in (tmp_path / "runs").rglob("artifacts/*")}
    assert stored == {p.name for p in paths.values()}
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(BenchcastError, match="--log mlflow: "):
        experiments.log(result, paths, "mlflow")


@pytest.mark.filterwarnings("ignore")
def test_a_run_of_wandb(result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    ident = experiments.log(result, result.write(tmp_path / "out"), "wandb")
    assert list(tmp_path.glob(f"wandb/offline-run-*-{ident}/*.wandb"))
