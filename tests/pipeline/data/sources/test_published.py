"""The published testbeds' readers: what is left out is told, and what cannot be is named with file and line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from benchcast.core.config import DataSettings
from benchcast.core.errors import FaultsError
from benchcast.data import ingest
from benchcast.data.sources.model_ladder import reader as model_ladder
from benchcast.data.sources.overtraining import reader as overtraining
from benchcast.reports.records.account import Account

ACC, LOSS = "eval/downstream/piqa_val_rc_5shot_acc", "eval/c4_en-validation/CrossEntropyLoss"
SIZES = (1e8, 1.5e8, 4e8)


def ladder_run(folder: Path, **columns: Any) -> Path:
    """One run of three checkpoints, with columns replaced."""
    table = {
        "_step": [1000, 2000, 4000],
        "throughput/total_tokens": [10**9, 2 * 10**9, 4 * 10**9],
        ACC: [0.5, 0.6, 0.7],
        LOSS: [4.0, 3.5, 3.0],
        "optim/learning_rate_group0": [1, 1, 1],
    }
    folder.mkdir(exist_ok=True)
    pd.DataFrame(table | columns).to_csv(folder / "190M-1xC.csv", index=False)
    return folder


def over_trained(folder: Path) -> Path:
    """Three models with losses and scores."""
    for name in ("models", "evals"):
        (folder / name).mkdir(parents=True)
    tasks = "".join(f"{task},0,1000,25\n" for task in ("quiz", "riddles"))
    (folder / "eval_metadata.csv").write_text("Eval Task,#shots,#datapoints,Random baseline\n" + tasks)
    for i, params in enumerate(SIZES):
        result = {
            "val_data": ["x/c4_val/shard.tar"],
            "loss": 3.0,
            "sequences": 100,
            "loss_sequences_lower_95": 2.9,
            "loss_sequences_upper_95": 3.1,
        }
        model: dict[str, Any] = {"name": f"m{i}", "dataset_name": "c4", "results": [result]}
        model["hyperparameters"] = {"params": params, "chinchilla_multiplier": 1.0, "tokens": 20 * params}
        (folder / "models" / f"m{i}.json").write_text(json.dumps(model))
        scores = {"eval_metrics": {"icl": {"quiz": 0.3 + 0.1 * i, "riddles": 0.5}}}
        (folder / "evals" / f"evaluation_m{i}_heavy.json").write_text(json.dumps(scores))
    return folder


def refused(read: Any, folder: Path) -> str:
    with pytest.raises(FaultsError) as caught:
        read(folder)
    return str(caught.value)


def test_the_model_ladder_tells_what_it_left_out(tmp_path: Path) -> None:
    folder = ladder_run(tmp_path / "in")
    (folder / "notes.txt").write_text("x")
    found = ingest.read_data(DataSettings(source="model_ladder"), Path(), folder)
    assert len(found.table) == 6
    told = "\n".join(found.account.lines())
    assert "columns that are no score by ranked choices and no loss: optim/learning_rate_group0" in told
    assert "files that are not CSV files: notes.txt" in told
    assert "read 1 files" in told


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({ACC: [0.5, 60.0, 0.7]}, f"line 3: column {ACC!r}: '60.0' is not a number in [0, 1]"),
        ({ACC: ["0.5", "31.2%", "0.7"]}, "looks like a percentage"),
        ({LOSS: ["4.0", "NaN", "3.0"]}, "column 'eval/c4_en-validation/CrossEntropyLoss': 'NaN' is not a number"),
        ({"_step": [2000, 1000, 4000]}, "tokens grow with the steps"),
        ({"_step": [1000, 2000, 2000]}, "line 4: has step 2000, as line 3 has"),
        ({"throughput/total_tokens": [1000, 2000, 4000]}, "are the tokens in millions?"),
        ({"throughput/total_tokens": ["", 2e9, 4e9]}, "tokens"),
    ],
)
def test_the_model_ladder_names_file_line_and_column(columns: dict[str, Any], says: str, tmp_path: Path) -> None:
    told = refused(model_ladder.read_model_ladder, ladder_run(tmp_path / "in", **columns))
    assert says in told
    assert "190M-1xC.csv" in told


def test_tokens_that_deny_the_batch_size_are_noted(tmp_path: Path) -> None:
    account = Account()
    model_ladder.read_model_ladder(ladder_run(tmp_path / "in", batch_size_in_tokens=[500_000] * 3), account)
    assert "_step times batch_size_in_tokens is" in "\n".join(account.record().told())


def test_over_training_tells_what_it_left_out(tmp_path: Path) -> None:
    folder = over_trained(tmp_path / "in")
    (folder / "evals" / "evaluation_other_heavy.json").write_text("{}")
    for path in (folder / "evals").glob("evaluation_m*"):
        content = json.loads(path.read_text())
        content["eval_metrics"]["icl"]["new"] = 0.4
        path.write_text(json.dumps(content))
    account = Account()
    table = overtraining.read_overtraining(folder, account)
    assert len(table[table["task"].eq("quiz")]) == 3
    told = "\n".join(account.record().told())
    assert "evaluations of no model in models/: evaluation_other_heavy.json" in told
    assert "task new is not in eval_metadata.csv" in told


@pytest.mark.parametrize(
    ("part", "keys", "value", "says"),
    [
        ("models", ("hyperparameters", "params"), 0.1, "are they in billions?"),
        ("models", ("hyperparameters", "tokens"), 2e8, "and 20 times chinchilla_multiplier times params is 2e+09"),
        ("models", ("hyperparameters", "params"), "1e8", "params '1e8' is not a number above 0"),
        ("models", ("name",), "m1", "m1.json: is called 'm1', as"),
        ("models", ("name",), ["m0"], "is not a name"),
        ("models", ("results", 0, "loss"), 300.0, "the loss 300.0 of c4_val is not in [0, 25]"),
        ("models", ("results", 0, "val_data"), [["x"]], "names no file"),
        ("evals", ("eval_metrics", "icl", "quiz"), 31.2, "the accuracy 31.2 of quiz in evaluation_m0_heavy.json"),
        ("evals", ("eval_metrics", "icl", "quiz"), None, "the accuracy None of quiz"),
        ("evals", ("eval_metrics", "icl"), [1], "is not a mapping"),
    ],
)
def test_over_training_names_file_and_value(
    part: str, keys: tuple[Any, ...], value: Any, says: str, tmp_path: Path
) -> None:
    folder = over_trained(tmp_path / "in")
    path = next((folder / part).glob("*m0*"))
    content = json.loads(path.read_text())
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(content))
    assert says in refused(overtraining.read_overtraining, folder)


def test_what_is_no_file_is_named_and_does_not_hang(tmp_path: Path) -> None:
    folder = over_trained(tmp_path / "in")
    os.mkfifo(folder / "models" / "pipe.json")
    (folder / "models" / "deep.json").write_text("[" * 200_000)
    told = refused(overtraining.read_overtraining, folder)
    assert "pipe.json: cannot be read (is a FIFO, no file)" in told
    assert "nested too deep" in told
    runs = ladder_run(tmp_path / "runs")
    os.mkfifo(runs / "370M-1xC.csv")
    assert "370M-1xC.csv: cannot be read: is a FIFO" in refused(model_ladder.read_model_ladder, runs)
