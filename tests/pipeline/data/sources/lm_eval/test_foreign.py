"""What else lies in a folder of lm-eval's results, and what of the results cannot be used: all of it is said."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from benchcast.core import reading
from benchcast.core.errors import FaultsError
from benchcast.data import chance
from benchcast.data.sources.lm_eval import foreign
from benchcast.data.sources.lm_eval import reader as source
from benchcast.reports.records.account import Account
from worlds.ladders import FIELD
from worlds.results.lm_eval_files import account_lines, faults, ladder, put, result

M = "pretrained=org/m"
FOREIGN: dict[str, Any] = {
    "lighteval": {"config_general": {"model_name": "m"}, "results": {"arc:easy|0": {"acc": 0.5}, "all": {"acc": 0.5}}},
    "the first Open LLM Leaderboard": {"results": {"harness|arc:challenge|25": {"acc": 0.5}}, "versions": {"all": 0}},
    "Every Eval Ever": {"schema_version": "0.3.0", "evaluation_results": []},
    "HELM": [{"name": {"name": "exact_match", "split": "test"}, "count": 1, "mean": 0.4}],
    "OpenCompass": {"accuracy": 31.2, "details": {}},
    "simple-evals": {"score": 0.3, "metrics": {}},
    "Inspect": {"version": 2, "status": "success", "eval": {}, "results": {"scores": []}},
    "OLMES": {"task_name": "arc_easy", "task_config": {}, "metrics": {"acc_raw": 0.5}},
    "the BigCode evaluation harness": {"humaneval": {"pass@1": 0.1}, "config": {"model": "m"}},
    "the Hugging Face Trainer": {"epoch": 1.0, "eval_loss": 2.0, "eval_accuracy": 0.5},
    "a model's config": {"architectures": ["LlamaForCausalLM"], "hidden_size": 8},
    "": {"score": 1},
}


def one(folder: Path, acc: Any = 0.5, task: str = "arc_easy", **changes: Any) -> Path:
    path = put(folder, result(M, acc, task, **changes))
    ladder(folder, {"org/m": 1})
    return path


# ---- other files ----


@pytest.mark.parametrize("tool", FOREIGN)
@pytest.mark.parametrize("name", ["results.json", "results_2025-01-01T00-00-00.json", "stats.json"])
def test_other_tools_files_are_left_out_by_name(tmp_path: Path, tool: str, name: str) -> None:
    one(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / name).write_text(json.dumps(FOREIGN[tool]))
    said = account_lines(tmp_path)
    assert (f"files of {tool}" if tool else "JSON files that are not results of lm-eval") in said
    assert f"other/{name}" in said
    assert len(source.read_lm_eval(tmp_path)) == 1


def test_a_folder_of_another_tool_says_whose_it_is(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(FOREIGN["lighteval"]))
    assert "holds no results of lm-eval 0.3 or 0.4, but files 1 of lighteval" in faults(tmp_path)
    assert "benchcast ingest lighteval" in faults(tmp_path)
    (tmp_path / "results.json").write_text(json.dumps(FOREIGN["HELM"]))
    assert "1 of HELM (such as results.json) (these cannot be read)" in faults(tmp_path)


def test_an_own_file_is_told_from_them() -> None:
    assert foreign.tool(result(M)) == "lm-eval"
    assert foreign.tool({"results": {"a": {"acc": 1}}, "versions": {"a": 0}, "config": {}}) == "lm-eval"
    assert foreign.tool({"results": {"a": {"acc": 1}}, "versions": {"a": 0}}) == "lm-eval"  # such as GPT-NeoX keeps
    assert foreign.tool({"results": {"a": {"acc": 1}}}) == ""


@pytest.mark.parametrize("cut", [0, 1, 200])
def test_results_that_were_cut_short_are_a_fault(tmp_path: Path, cut: int) -> None:
    path = one(tmp_path)
    (tmp_path / "m" / "results_2026-02-01T00-00-00.0.json").write_bytes(path.read_bytes()[:cut])
    assert "results_2026-02-01T00-00-00.0.json: is not a result file that can be read" in faults(tmp_path)


def test_other_files_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    one(tmp_path)
    (tmp_path / "notes.json").write_text("{")
    (tmp_path / "latin.json").write_bytes(b'{"caf\xe9": 1}')
    (tmp_path / "deep.json").write_text(100_000 * "[")
    said = account_lines(tmp_path)
    assert "left out 3: files called .json that cannot be read" in said
    for name in ("notes.json", "latin.json", "deep.json"):
        assert name in said


def test_what_is_no_file_or_too_large_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one(tmp_path)
    os.mkfifo(tmp_path / "results_2026-03-01T00-00-00.0.json")
    (tmp_path / "results_2026-03-02T00-00-00.0.json").symlink_to("/dev/zero")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(reading.MOST_RESULT + 1)
    said = account_lines(tmp_path)
    for words in ("is a FIFO", "is a device", "huge.json", "gone.json"):
        assert words in said


def test_what_is_not_followed_or_packed_is_said(tmp_path: Path) -> None:
    one(tmp_path / "r")
    put(tmp_path / "elsewhere", result(M, 0.9))
    (tmp_path / "r" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "r" / "results_2026-05-01.json.gz").write_bytes(b"")
    said = account_lines(tmp_path / "r")
    assert "folders that are links, which are not followed: link" in said
    assert "packed results, which are not read: unpack them: results_2026-05-01.json.gz" in said
    with pytest.raises(FaultsError, match="is a file"):
        source.read_lm_eval(tmp_path / "r" / "ladder.yaml")


def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    try:
        put(tmp_path, result("pretrained=/x/caf"), place=name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    ladder(tmp_path, {"/x/caf": 1})
    table = source.read_lm_eval(tmp_path)
    assert table["source"].iloc[0].startswith("caf\\xe9/results_")
    table.to_csv(tmp_path / "l.csv")


def test_a_key_that_is_there_twice(tmp_path: Path) -> None:
    path = one(tmp_path)
    path.write_text(path.read_text().replace('"results": {', '"results": {"arc_easy": {"acc,none": 0.1}, ', 1))
    assert "has the key 'arc_easy' twice" in faults(tmp_path)


def test_results_named_by_the_user(tmp_path: Path) -> None:
    path = one(tmp_path)
    path.rename(path.with_name("my-eval_2026-01-01T00-00-00.000000.json"))
    assert len(source.read_lm_eval(tmp_path)) == 1


# ---- what tasks have ----


def test_scores_are_called_by_metric_and_filter_and_all_others_are_named(tmp_path: Path) -> None:
    path = one(tmp_path)
    content = json.loads(path.read_text())
    content["results"] |= {
        "gsm8k": {"exact_match,strict-match": 0.1, "exact_match,flexible-extract": 0.2, "exact_match_stderr,x": 0.1},
        "wikitext": {"word_perplexity,none": 17.0},
        "mathqa_x": {"acc,get-answer": 0.3},
        "none": {"acc,none": "N/A"},
        "mrpc": {"acc,none": 0.5, "f1,none": 0.6, "mcc,none": 0.1},
        "squadv2": {"exact,none": 40.0, "f1,none": 50.0},
        "all": {"acc,none": 0.4},
        "mmlu_average": {"acc,none": 0.4},
    }
    path.write_text(json.dumps(content))
    account = Account()
    table = source.read_lm_eval(tmp_path, account).set_index(["task", "metric"])["value"]
    assert table.to_dict() == {
        ("arc_easy", "acc"): 0.5,
        ("gsm8k", "exact_match,strict-match"): 0.1,
        ("gsm8k", "exact_match,flexible-extract"): 0.2,
        ("mathqa_x", "acc,get-answer"): 0.3,
        ("mrpc", "acc"): 0.5,
        ("mrpc", "f1"): 0.6,
    }
    said = "\n".join(account.record().lines())
    for words in (
        "which have word_perplexity: wikitext",
        "mcc of mrpc",
        "which have exact in percent, f1 in percent: squadv2",
        "which have acc without a value: none",
        "averages over tasks: all, mmlu_average",
    ):
        assert words in said


def test_a_file_without_anything_to_use_need_not_be_placed(tmp_path: Path) -> None:
    one(tmp_path)
    put(tmp_path, result("pretrained=org/chat", results={"mt": {"bleu,none": 0.5}}), 2)
    assert "result files in which nothing can be used: m/results_2026-01-02" in account_lines(tmp_path)


def test_nothing_that_can_be_used_is_one_message(tmp_path: Path) -> None:
    numbers = {"bleu,first": 21.0, "bleu,best": 22.0}
    put(tmp_path, result(M, task="wmt16", results={"wmt16": numbers}))
    said = faults(tmp_path)
    assert len(said.splitlines()) == 1
    assert "wmt16 has bleu (filters first, best)" in said
    assert "what can be read is acc, acc_norm, exact_match" in said
    with pytest.raises(FaultsError, match=r"no task of these results has a score in \[0, 1\]"):
        source.models(tmp_path)


@pytest.mark.parametrize(
    ("acc", "words"),
    [
        (math.nan, "is nan, no number"),
        (math.inf, "is inf, no number"),
        (31.2, "31.2 is not a fraction in [0, 1] (it looks like a percentage: divide by 100)"),
        (-0.1, "-0.1 is not a fraction"),
        ("0.31", "'0.31' is not a number"),
        (True, "True is not a number"),
    ],
)
def test_a_value_that_cannot_be_names_file_model_task_and_metric(tmp_path: Path, acc: Any, words: str) -> None:
    one(tmp_path, acc)
    said = faults(tmp_path)
    assert words in said
    assert "m/results_2026-01-01T00-00-00.000000.json: model org/m, task arc_easy, acc" in said
    assert "row" not in said


def test_a_task_with_a_fault_is_not_said_to_have_no_number(tmp_path: Path) -> None:
    one(tmp_path, 31.2)
    account = Account()
    with pytest.raises(FaultsError):
        source.read_lm_eval(tmp_path, account)
    assert not any("no number" in line for line in account.record().told())


def test_a_standard_error_in_percent(tmp_path: Path) -> None:
    one(tmp_path, results={"arc_easy": {"acc,none": 0.5, "acc_stderr,none": 1.2}})
    assert "standard error 1.2 is not possible for a fraction" in faults(tmp_path)


def test_a_task_scored_on_nothing(tmp_path: Path) -> None:
    path = one(tmp_path)
    content = json.loads(path.read_text())
    content["results"]["piqa"] = {"acc,none": 0.5}
    content["n-samples"]["piqa"] = {"original": 0, "effective": 0}
    path.write_text(json.dumps(content))
    assert "tasks scored on no document: piqa in m/results" in account_lines(tmp_path)


def test_lambadas_perplexity_is_a_loss(tmp_path: Path) -> None:
    numbers = {"perplexity,none": 9.7, "perplexity_stderr,none": 0.2, "acc,none": 0.4}
    one(tmp_path, task="lambada_openai", results={"lambada_openai": numbers})
    table = source.read_lm_eval(tmp_path).set_index("metric")
    assert table.loc["val_loss", "value"] == pytest.approx(math.log(9.7))
    assert table.loc["val_loss", "stderr"] == pytest.approx(0.2 / 9.7)
    assert table.loc["acc", "chance"] == 0
    assert "nats per target word" in account_lines(tmp_path)


# ---- scores of guessing ----


@pytest.mark.parametrize(
    ("task", "level"),
    [
        ("arc_challenge", 0.25),
        ("arc:challenge", 0.25),
        ("leaderboard_arc_challenge", 0.25),
        ("hellaswag", 0.25),
        ("piqa", 0.5),
        ("boolq", 0.5),
        ("winogrande", 0.5),
        ("commonsense_qa", 0.2),
        ("social_iqa", 1 / 3),
        ("mmlu_anatomy", 0.25),
        ("hendrycksTest-anatomy", 0.25),
        ("leaderboard_mmlu_pro", 0.1),
        ("anli_r1", 1 / 3),
        ("blimp_passive_1", 0.5),
        ("lambada_openai", 0.0),
        ("xstorycloze_en", 0.5),
        ("mathqa", 0.2),
        ("cb", 1 / 3),
        ("truthfulqa_mc1", None),
        ("truthfulqa_mc2", None),
        ("my_task", None),
        ("gsm8k_cot", 0.0),
        ("ifeval", 0.0),
        ("bbh_snarks", None),
    ],
)
def test_chance_levels(task: str, level: float | None) -> None:
    assert chance.level(task) == level


@pytest.mark.parametrize(
    ("task", "level"),
    [("my_task", 0.0), ("humaneval", 0.0), ("mmlu_pro_law", 0.1), ("bbh_cot_fewshot_snarks", None), ("gpqa_cot", None)],
)
def test_chance_levels_of_generated_answers(task: str, level: float | None) -> None:
    assert chance.generated(task) == level


def test_chance_from_the_table_is_said(tmp_path: Path) -> None:
    path = one(tmp_path)
    content = json.loads(path.read_text())
    content["results"]["quiz"] = {"acc,none": 0.5}
    path.write_text(json.dumps(content))
    said = account_lines(tmp_path)
    assert "the results state no score of guessing for arc_easy 0.25" in said
    assert "no score of guessing is known for quiz" in said


# ---- ladder.yaml ----


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("org/m: {family: f, params: 1, tokens: 1}\norg/m: {family: f, params: 1, tokens: 1}", "appears twice"),
        ("org/m: 7", "org/m: 7 is not a place"),
        ("- org/m", "must map model names to"),
        ("org/m: {family: f, params: 1, tokens: 1, flop: 2}", "org/m.flop: is not a known key (keys are run, family"),
        ("org/m: {family: f, params: 1, tokens: 0}", "org/m.tokens: 0: must be positive and finite"),
        ("org/m: {family: f, params: .nan, tokens: 1}", "org/m.params: nan: "),
        ("org/m: {family: f, params: 1}", "org/m.tokens: is missing"),
        ("7: {family: f, params: 1, tokens: 1}\n'7': {family: f, params: 1, tokens: 1}", "7: appears twice"),
        ("a: &a [1, 2]\nb: &b [*a, *a]\norg/m: [*b, *b]", "org/m: a list is not a place"),
    ],
)
def test_faults_of_the_ladder(tmp_path: Path, text: str, words: str) -> None:
    one(tmp_path)
    (tmp_path / "ladder.yaml").write_text(text)
    assert words in faults(tmp_path)


def test_a_ladder_that_contradicts_itself_names_no_row(tmp_path: Path) -> None:
    put(tmp_path, result(f"{M},revision=a"), 1)
    put(tmp_path, result(f"{M},revision=b"), 2)
    place = {"run": "a", "family": "f", "params": 1e8, "tokens": 1e9, "step": 1}
    text = json.dumps({"org/m@a": place, "org/m@b": place | {"step": 2}})
    (tmp_path / "ladder.yaml").write_text(text)
    said = faults(tmp_path)
    assert "run 'a' has several steps or FLOPs at 1e+09 tokens" in said
    assert "row " not in said
    assert "model org/m@b, task arc_easy, acc" in said


# ---- the cases that showed it ----


def case(tmp_path: Path, name: str) -> Path:
    found = FIELD / name / "results"
    if not found.is_dir():
        pytest.skip("the collection of cases is not here")
    return Path(shutil.copytree(found, tmp_path / "results"))


def test_accuracy_only_results_of_a_public_family(tmp_path: Path) -> None:
    folder = case(tmp_path, "01-init-accuracy-only-results")
    names = [m.name for m in source.models(folder)]
    assert len(names) == 8
    ladder(folder, {name: i + 1 for i, name in enumerate(names)})
    table = source.read_lm_eval(folder)
    assert set(table["chance"]) == {0.5}
    assert set(table["metric"]) == {"acc", "acc_norm"}


def test_mixed_metrics(tmp_path: Path) -> None:
    folder = case(tmp_path, "05-mixed-metrics")
    account = Account()
    table = source.read_lm_eval(folder, account)
    scores = {f"{task} {metric}" for task, metric in zip(table["task"], table["metric"], strict=True)}
    assert scores == {
        *("arc_easy acc", "arc_easy acc_norm", "mrpc acc", "mrpc f1", "lambada_openai acc", "lambada_openai val_loss"),
        *("gsm8k exact_match,strict-match", "gsm8k exact_match,flexible-extract", "wikitext val_bpb", "drop em"),
        *("triviaqa exact_match,remove_whitespace", "humaneval pass@1,create_test", "drop f1", "truthfulqa_mc2 acc"),
        *("mmlu_pro exact_match,custom-extract", "leaderboard_bbh_snarks acc_norm"),
    }
    chance = table.groupby(["task", "metric"])["chance"].first()
    assert chance["gsm8k", "exact_match,strict-match"] == chance["drop", "f1"] == 0
    assert chance["mmlu_pro", "exact_match,custom-extract"] == 0.1
    assert math.isnan(chance["mrpc", "f1"])
    assert "no score of guessing is known for" in "\n".join(account.record().lines())


def test_nan_and_groups_and_exact_matches_alone(tmp_path: Path) -> None:
    folder = case(tmp_path / "a", "06-nan-acc-norm")
    said = faults(folder)
    assert "results/org__m-3b/results_2025-01-02T10-00-00.000000.json: model org/m-3b, task arc_easy, acc_norm" in said
    table = source.read_lm_eval(case(tmp_path / "b", "07-mmlu-groups-0.4.1"))
    assert table.set_index("task")["value"].to_dict() == {"mmlu_anatomy": 0.30, "mmlu_virology": 0.28}
    assert set(table["num_fewshot"]) == {5}
    only = case(tmp_path / "c", "04-gsm8k-only")
    ladder(only, {m.name: i + 1 for i, m in enumerate(source.models(only))})
    assert set(source.read_lm_eval(only)["metric"]) == {"exact_match,strict-match", "exact_match,flexible-extract"}


def test_local_paths_and_a_foreign_file(tmp_path: Path) -> None:
    folder = case(tmp_path, "22-local-paths-and-foreign-files")
    (folder / "other").mkdir()
    (folder / "other" / "results.json").write_text('{"score": 1}')
    names = [m.name for m in source.models(folder)]
    assert len(names) == 5
    ladder(folder, {name: i + 1 for i, name in enumerate(names)})
    assert yaml.safe_load((folder / "ladder.yaml").read_text()).keys() == set(names)
    assert source.read_lm_eval(folder)["step"].nunique() == 5
    assert "JSON files that are not results of lm-eval: other/results.json" in account_lines(folder)
