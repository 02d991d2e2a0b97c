"""What other tools wrote, read as a ladder table; and a table written for others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest
from benchcast.core.config import DataSettings
from benchcast.core.errors import FaultsError
from benchcast.core.files import write_table
from benchcast.data import ingest, schema
from benchcast.data.sources.every_eval_ever import reader as every_eval_ever
from benchcast.data.sources.trainer import reader as trainer
from benchcast.data.sources.wandb import reader as wandb_csv
from pandas.testing import assert_frame_equal
from worlds.commands import printed
from worlds.results.every_eval_ever import foreign
from worlds.results.training_logs import PANEL, state

SCHEMA = Path(__file__).parents[3] / "data" / "every_eval_ever-0.3.0" / "eval.schema.json"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    whole = ingest.demo().table
    return whole[whole["run"].isin(["56K-20x", "1.3M-10x"])].reset_index(drop=True)


# ---- tables ----


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_a_table_reads_back_as_it_was_written(table: pd.DataFrame, suffix: str, tmp_path: Path) -> None:
    write_table(table, tmp_path / f"ladder.{suffix}")
    assert_frame_equal(schema.read_table(tmp_path / f"ladder.{suffix}"), table)


def test_a_json_file_that_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("{")
    with pytest.raises(FaultsError, match=r"t\.json: cannot be read"):
        schema.read_table(tmp_path / "t.json")


# ---- Every Eval Ever ----


def test_records_follow_the_published_schema_and_read_back(table: pd.DataFrame, tmp_path: Path) -> None:
    table.loc[0, "task"] = "../../x <script>"
    paths = every_eval_ever.write_every_eval_ever(table, tmp_path / "records", 1764000000)
    published = json.loads(SCHEMA.read_text())
    for path in paths:
        jsonschema.validate(json.loads(path.read_text()), published)
    assert {p.parent for p in paths} == {tmp_path / "records"}
    again = every_eval_ever.read_every_eval_ever(tmp_path / "records")
    keys = ["run", "step", "task", "metric", "num_fewshot"]
    lost = ["source", "digest"]  # the record is now where the number comes from
    both = [t.drop(columns=lost).sort_values(keys).reset_index(drop=True) for t in (again, table)]
    assert_frame_equal(*both)


def test_the_same_table_gives_the_same_files(table: pd.DataFrame, tmp_path: Path) -> None:
    one, two = (every_eval_ever.write_every_eval_ever(table, tmp_path / name, 1764000000) for name in "ab")
    assert [p.name for p in one] == [p.name for p in two]
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_a_record_of_another_tool_is_placed_by_ladder_yaml(tmp_path: Path) -> None:
    jsonschema.validate(foreign(), json.loads(SCHEMA.read_text()))
    (tmp_path / "record.json").write_text(json.dumps(foreign()))
    with pytest.raises(FaultsError, match="cannot find family, params, tokens of 'lab/m'"):
        every_eval_ever.read_every_eval_ever(tmp_path)
    (tmp_path / "ladder.yaml").write_text("lab/m: {family: lab, params: 7e9, tokens: 1.4e11}\n")
    (row,) = every_eval_ever.read_every_eval_ever(tmp_path).to_dict("records")
    assert (row["run"], row["task"], row["metric"], row["n"]) == ("lab/m", "arc_easy", "acc", 2376)
    assert row["value"] == pytest.approx(0.615)
    assert row["stderr"] == pytest.approx(0.011)
    assert row["lm_eval"] == "0.4.9"
    (tmp_path / "record.json").write_text(json.dumps(foreign(unit="points")))
    with pytest.raises(FaultsError, match="is it a percentage"):
        every_eval_ever.read_every_eval_ever(tmp_path)


# ---- the trainer ----


def test_losses_that_the_real_trainer_logged(tmp_path: Path) -> None:
    """A real run of transformers' Trainer, counting tokens; its own log is the oracle."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=64,
        max_position_embeddings=16,
    )
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(config)
    rows = [{"input_ids": torch.arange(8) % 7, "labels": torch.arange(8) % 7} for _ in range(16)]
    settings = transformers.TrainingArguments(
        output_dir=str(tmp_path / "runs" / "tiny"),
        max_steps=4,
        per_device_train_batch_size=2,
        eval_strategy="steps",
        eval_steps=2,
        save_steps=2,
        report_to=[],
        include_num_input_tokens_seen="all",
        use_cpu=True,
        disable_tqdm=True,
        logging_steps=1,
        save_only_model=True,
    )
    run = transformers.Trainer(model, settings, train_dataset=rows, eval_dataset=rows[:4])
    run.train()
    found = trainer.read_trainer(tmp_path / "runs")
    logged = [entry for entry in run.state.log_history if "eval_loss" in entry]
    assert found["step"].tolist() == [entry["step"] for entry in logged] == [2, 4]
    assert found["value"].tolist() == pytest.approx([entry["eval_loss"] for entry in logged])
    assert found["tokens"].tolist() == [2 * 2 * 8, 4 * 2 * 8]
    assert set(found["params"]) == {sum(p.numel() for p in model.parameters())}
    assert set(found["run"]) == {"tiny"}
    assert set(zip(found["task"], found["metric"], strict=True)) == {("validation", "val_loss")}


def test_the_last_state_counts_and_ladder_yaml_gives_sizes(tmp_path: Path) -> None:
    state(tmp_path / "a-1B" / "checkpoint-100", 100)
    state(tmp_path / "a-1B" / "checkpoint-300", 300)
    with pytest.raises(FaultsError, match=r"run 'a-1B': cannot find its params and tokens_per_step"):
        trainer.read_trainer(tmp_path)
    (tmp_path / "ladder.yaml").write_text("a-*: {family: mix, params: 1e9, tokens_per_step: 4e6}\n")
    found = trainer.read_trainer(tmp_path)
    assert found["tokens"].tolist() == [4e8, 8e8, 12e8]
    assert found["value"].tolist() == pytest.approx([3.9, 3.8, 3.7])
    assert set(found["task"]) == {"c4"}
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "trainer_state.json").write_text("[]")
    with pytest.raises(FaultsError, match=r"b/trainer_state\.json: is not a state of the trainer"):
        trainer.read_trainer(tmp_path)


# ---- Weights & Biases ----

RUNS = """Name,State,hellaswag/acc_norm,"arc_easy/acc,none",train/loss,eval/loss
1B-20x,finished,0.41,0.52,2.9,3.7
"""


def test_a_panel_of_wandb(tmp_path: Path) -> None:
    (tmp_path / "panel.csv").write_text(PANEL)
    places = "1B-*: {params: 1e9, tokens_per_step: 1e6}\n'7B <x>': {run: 7B, params: 7e9, tokens_per_step: 2e6}\n"
    (tmp_path / "ladder.yaml").write_text(places)
    found = wandb_csv.read_wandb(tmp_path / "panel.csv")
    shown = found[["run", "step", "tokens", "task", "metric", "value"]].to_numpy().tolist()
    assert shown == [
        ["1B-20x", 100, 1e8, "validation", "val_loss", 3.9],
        ["1B-20x", 200, 2e8, "validation", "val_loss", 3.7],
        ["7B", 200, 4e8, "validation", "val_loss", 3.1],
    ]


def test_the_table_of_runs_of_wandb(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(RUNS)
    with pytest.raises(FaultsError, match=r"run '1B-20x': cannot find its params"):
        wandb_csv.read_wandb(tmp_path)
    (tmp_path / "ladder.yaml").write_text("'*': {params: 1e9, tokens: 2e10}\n")
    found = wandb_csv.read_wandb(tmp_path)
    cells = set(zip(found["task"], found["metric"], found["value"], strict=True))
    assert cells == {("hellaswag", "acc_norm", 0.41), ("arc_easy", "acc", 0.52), ("validation", "val_loss", 3.7)}


@pytest.mark.parametrize(
    ("text", "says"),
    [("a,b\n1,2\n", "is not an export of W&B"), ("Step,x - train/loss\n1,2\n", "no column that is an accuracy")],
)
def test_other_csv_files_are_named(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(FaultsError, match=says):
        wandb_csv.read_wandb(tmp_path)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("eval/loss", ("validation", "val_loss")),
        ("eval/c4/loss", ("c4", "val_loss")),
        ("val_loss", ("validation", "val_loss")),
        ("c4/val_loss", ("c4", "val_loss")),
        ("lm_eval/piqa/acc_norm,none", ("piqa", "acc_norm")),
        ("train/loss", None),
        ("piqa/acc_stderr", None),
        ("loss", None),
    ],
)
def test_what_a_logged_name_means(name: str, meant: Any) -> None:
    assert wandb_csv.what(name) == meant


# ---- the command ----


def test_a_step_that_one_table_does_not_tell_is_the_others(table: pd.DataFrame) -> None:
    scores, losses = (table[table["metric"].eq("val_loss").eq(lossy)] for lossy in (False, True))
    unstepped, told, other = (
        ingest.Data(table=t, label="t") for t in (scores.assign(step=float("nan")), scores, losses)
    )
    assert_frame_equal(ingest.merge_tables(unstepped, other).table, ingest.merge_tables(told, other).table)


def test_losses_of_one_tool_join_the_scores_of_another(table: pd.DataFrame, tmp_path: Path) -> None:
    scores = table[table["metric"].ne("val_loss")]
    write_table(scores, tmp_path / "scores.csv")
    one = scores[scores["run"].eq("1.3M-10x")].iloc[-1]
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "panel.csv").write_text(f"Step,1.3M-10x - eval/loss\n{one['step']:g},3.25\n")
    place = {"family": one["family"], "params": one["params"], "tokens_per_step": one["tokens"] / one["step"]}
    (tmp_path / "w" / "ladder.yaml").write_text(json.dumps({"1.3M-10x": place}))
    joined = ["ingest", "wandb", "--from", str(tmp_path / "w"), "--add", str(tmp_path / "scores.csv")]
    printed(*joined, "--out", str(tmp_path / "both.json"))
    both = schema.read_table(tmp_path / "both.json")
    assert len(both) == len(scores) + 1
    assert both["metric"].eq("val_loss").sum() == 1
    told = printed("ingest", "table", "--from", str(tmp_path / "both.json"), "--records", str(tmp_path / "eee"))
    assert "records" in told
    again = ingest.read_data(DataSettings(source="every_eval_ever"), Path(), tmp_path / "eee").table
    assert len(again) == len(both)
    assert "is not a known source" in printed("ingest", "excel", code=2)
