"""Results of lighteval, in the layouts of its versions and of the first Open LLM Leaderboard."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from benchcast.core.config import DataSettings
from benchcast.core.errors import FaultsError
from benchcast.data import ingest
from benchcast.data.sources.lighteval import reader as source
from benchcast.reports.records.account import Account
from worlds.results.lighteval import newest, older, put
from worlds.results.lm_eval_files import ladder


def faults(folder: Path) -> str:
    with pytest.raises(FaultsError) as caught:
        source.read_lighteval(folder)
    return str(caught.value)


def test_the_newest_layout(tmp_path: Path) -> None:
    put(tmp_path, newest())
    ladder(tmp_path, {"org/m": 1})
    account = Account()
    table = source.read_lighteval(tmp_path, account).set_index(["task", "metric"])
    assert table["value"].to_dict() == {
        ("arc:challenge", "acc"): 0.5,
        ("arc:challenge", "acc_norm"): 0.6,
        ("mmlu:anatomy", "acc"): 0.3,
        ("mmlu:virology", "acc"): 0.28,
    }
    row = table.loc["arc:challenge", "acc_norm"]
    assert (row["num_fewshot"], row["n"], row["chance"], row["stderr"]) == (25, 1172, 0.25, 0.015)
    assert (row["lm_eval"], row["task_version"], row["dtype"], row["chat_template"]) == (
        "lighteval",
        "0",
        "bfloat16",
        "",
    )
    said = "\n".join(account.record().lines())
    for words in (
        "averages over tasks: mmlu:_average, all",
        "which have extractive_match: gsm8k",
        "acc:logprob_normalization=LogProbTokenNorm(name='norm_token') of arc:challenge",
    ):
        assert words in said


@pytest.mark.parametrize("suite", ["leaderboard", "lighteval", "harness"])
def test_the_layouts_before(tmp_path: Path, suite: str) -> None:
    content = json.loads(json.dumps(older()).replace("leaderboard|", f"{suite}|"))
    put(tmp_path, content)
    ladder(tmp_path, {f"org/m@{40 * 'a'}": 1})
    table = source.read_lighteval(tmp_path).set_index("metric")
    assert table["value"].to_dict() == {"acc": 0.5, "acc_norm": 0.6, "acc_norm_token": 0.1}
    assert set(table["task"]) == {"arc:challenge"}
    assert set(table["lm_eval"]) == {"lighteval 494ee122"}
    assert set(table["n"]) == {1172}


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("leaderboard|arc:challenge|25", ("leaderboard", "arc:challenge", 25)),
        ("leaderboard|arc:challenge|25|0", ("leaderboard", "arc:challenge", 25)),
        ("arc:challenge|25", ("", "arc:challenge", 25)),
        ("harness|hendrycksTest-anatomy|5", ("harness", "hendrycksTest-anatomy", 5)),
        ("all", ("", "all", None)),
    ],
)
def test_keys(key: str, parts: tuple[str, str, int | None]) -> None:
    assert source.parts_of(key) == parts


def test_revisions_and_hashes_are_models(tmp_path: Path) -> None:
    put(tmp_path, newest(revision="step1"), 1)
    put(tmp_path, newest(acc=0.4, revision="step2"), 2)
    assert [m.name for m in source.models(tmp_path)] == ["org/m@step1", "org/m@step2"]
    put(tmp_path, older(model_sha=40 * "b"), 1)
    put(tmp_path, older(), 2)
    ladder(tmp_path, {"org/m": 1})
    assert "differ in model_sha" in faults(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        {"override_chat_template": True},
        {"system_prompt": "Be brief."},
        {"dtype": "float16"},
        {"model_loading_kwargs": {"load_in_4bit": True}},
        {"max_length": 512},
    ],
)
def test_what_makes_another_model(tmp_path: Path, config: dict[str, Any]) -> None:
    put(tmp_path, newest(), 1)
    put(tmp_path, newest(**config), 2)
    ladder(tmp_path, {"org/m": 1})
    assert "fits 2 models" in faults(tmp_path)


def test_a_smoke_test_does_not_replace_the_whole(tmp_path: Path) -> None:
    smoke = newest(acc=0.9)
    smoke["config_general"]["max_samples"] = 10
    smoke["config_tasks"]["arc:challenge|25"]["effective_num_docs"] = 10
    put(tmp_path, newest(), 1)
    put(tmp_path, smoke, 2)
    ladder(tmp_path, {"org/m": 1})
    table = source.read_lighteval(tmp_path).set_index(["task", "metric"])
    assert table.loc[("arc:challenge", "acc"), "value"] == 0.5


def test_suites_that_ask_the_same_task_count_apart(tmp_path: Path) -> None:
    content = older()
    content["results"]["lighteval|arc:challenge|25"] = {"acc": 0.3}
    put(tmp_path, content)
    ladder(tmp_path, {"org/m": 1})
    assert set(source.read_lighteval(tmp_path)["prompt"]) == {"leaderboard", "lighteval"}


@pytest.mark.parametrize(("acc", "words"), [(math.nan, "is nan"), (50, "percentage")])
def test_values_that_cannot_be(tmp_path: Path, acc: float, words: str) -> None:
    put(tmp_path, newest(acc=acc))
    ladder(tmp_path, {"org/m": 1})
    said = faults(tmp_path)
    assert words in said
    assert "model org/m, task arc:challenge, acc" in said


def test_it_is_a_source(tmp_path: Path) -> None:
    put(tmp_path, newest())
    ladder(tmp_path, {"org/m": 1})
    data = ingest.read_data(DataSettings(source="lighteval", path=Path()), tmp_path)
    assert data.table["task"].nunique() == 3
    assert data.label.startswith("lighteval: ")


def test_lm_evals_results_are_named(tmp_path: Path) -> None:
    from worlds.results.lm_eval_files import result

    (tmp_path / "results.json").write_text(json.dumps(result("pretrained=org/m")))
    assert "holds no results of lighteval, but files 1 of lm-eval (such as results.json)" in faults(tmp_path)
