"""Which model a result of lm-eval belongs to, and two results for one cell."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from benchcast.data.sources.lm_eval import reader as source
from benchcast.reports.records.account import Account
from worlds.ladders import FIELD
from worlds.results.lm_eval_files import account_lines, faults, ladder, put, put_samples, result

M = "pretrained=org/m"


def values(folder: Path, account: Account | None = None) -> dict[Any, float]:
    table = source.read_lm_eval(folder, account)
    return {(row.step, row.metric): row.value for row in table.itertuples() if row.metric == "acc"}


def counted(effective: int) -> dict[str, Any]:
    return {"n-samples": {"arc_easy": {"original": 2376, "effective": effective}}}


def revisions(folder: Path) -> None:
    for day, step in enumerate((8, 4, 2, 1), 1):
        put(folder, result(f"{M},revision=step{step}", step / 10), day)


def test_revisions_are_models(tmp_path: Path) -> None:
    revisions(tmp_path)
    found = source.models(tmp_path)
    assert [m.name for m in found] == [f"org/m@step{step}" for step in (8, 4, 2, 1)]
    assert {m.pretrained for m in found} == {"org/m"}
    assert [m.revision for m in found] == ["step8", "step4", "step2", "step1"]


def test_a_plain_name_of_several_revisions_is_a_fault_that_names_them(tmp_path: Path) -> None:
    revisions(tmp_path)
    ladder(tmp_path, {"org/m": 8})
    said = faults(tmp_path)
    assert "org/m: the name fits 4 models of the results, which differ in revision step8, step4, step2, step1" in said
    assert "list each by its own name: org/m@step8, org/m@step4, org/m@step2, org/m@step1" in said
    assert "m/results_2026-01-01" in said
    assert len(said.splitlines()) == 1


def test_explicit_names_win_over_the_plain_one(tmp_path: Path) -> None:
    revisions(tmp_path)
    ladder(tmp_path, {"org/m": 8} | {f"org/m@step{step}": step for step in (8, 4, 2, 1)})
    assert values(tmp_path) == {(step, "acc"): step / 10 for step in (8, 4, 2, 1)}
    assert "models of ladder.yaml that no usable result is about: org/m" in account_lines(tmp_path)


def test_one_revision_may_go_by_the_plain_name(tmp_path: Path) -> None:
    put(tmp_path, result(f"{M},revision=step8"))
    ladder(tmp_path, {"org/m": 8})
    assert values(tmp_path) == {(8, "acc"): 0.5}


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ("", ",load_in_4bit=True", "org/m (load_in_4bit=True)"),
        ("", ",load_in_8bit=true", "org/m (load_in_8bit=true)"),
        ("", ",autogptq=True", "org/m (autogptq=True)"),
        (",dtype=float16", ",dtype=bfloat16", "org/m (dtype=bfloat16)"),
        (",gguf_file=a.gguf", ",gguf_file=b.gguf", "org/m (gguf_file=b.gguf)"),
        ("", ",subfolder=final", "org/m (subfolder=final)"),
        ("", ",add_bos_token=True", "org/m (add_bos_token=True)"),
        ("", ",tokenizer=org/t", "org/m (tokenizer=org/t)"),
        ("", ",max_length=512", "org/m (max_length=512)"),
        (",peft=/lora/a", ",peft=/lora/b", "/lora/b"),
        (",revision=" + 40 * "a", ",revision=" + 40 * "b", "org/m@" + 40 * "b"),
    ],
)
def test_what_makes_another_model(tmp_path: Path, first: str, second: str, name: str) -> None:
    put(tmp_path, result(M + first, 0.4), 1)
    put(tmp_path, result(M + second, 0.3), 2)
    ladder(tmp_path, {"org/m": 1})
    assert any(words in faults(tmp_path) for words in ("org/m: the name fits 2 models", "'/lora/b' is not in it"))
    names = [m.name for m in source.models(tmp_path)]
    assert len(names) == 2
    assert names[1] == name
    ladder(tmp_path, {names[0]: 1, names[1]: 2})
    assert values(tmp_path) == {(1, "acc"): 0.4, (2, "acc"): 0.3}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("chat_template", "{{ messages }}"),
        ("chat_template_sha", 64 * "c"),
        ("system_instruction", "Answer."),
        ("config", {"model_args": M, "model_sha": 40 * "d", "limit": None}),
        ("config", {"model_args": M, "model_dtype": "torch.float16", "limit": None}),
    ],
)
def test_what_stands_beside_the_arguments_makes_another_model(tmp_path: Path, key: str, value: Any) -> None:
    first = {"model_args": M, "model_sha": 40 * "e", "model_dtype": "torch.float32", "limit": None}
    put(tmp_path, result(M, 0.4, config=first), 1)
    put(tmp_path, result(M, 0.3, **{"config": first, key: value}), 2)
    assert len({m.name for m in source.models(tmp_path)}) == 2
    ladder(tmp_path, {"org/m": 1})
    assert "fits 2 models" in faults(tmp_path)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (M, f"{M},batch_size=4,device_map_option=auto,parallelize=True,trust_remote_code=True"),
        (M, f"{M},dtype=auto,load_in_4bit=False,revision=main"),
        (f"{M},dtype=float", {"pretrained": "org/m", "dtype": "float32"}),
        (M, f"{M},dtype=bfloat16"),  # not stated in the first
    ],
)
def test_what_does_not(tmp_path: Path, first: Any, second: Any) -> None:
    put(tmp_path, result(first, 0.4), 1)
    put(tmp_path, result(second, 0.3, "piqa"), 2)
    assert [m.name for m in source.models(tmp_path)] == ["org/m"]
    ladder(tmp_path, {"org/m": 1})
    assert len(source.read_lm_eval(tmp_path)) == 2


def test_an_adapter_does_not_go_by_its_bases_name(tmp_path: Path) -> None:
    put(tmp_path, result(f"{M},peft=/x/lora/checkpoint-300", 0.9))
    ladder(tmp_path, {"org/m": 1})
    assert "model '/x/lora/checkpoint-300' is not in it" in faults(tmp_path)
    for name in ("/x/lora/checkpoint-300", "checkpoint-300", "/x/lora/checkpoint-300/"):
        ladder(tmp_path, {name: 1})
        assert values(tmp_path) == {(1, "acc"): 0.9}


@pytest.mark.parametrize("name", ["/ckpt/a/", "/ckpt/a", "a", "m", "__ckpt__a__", "/ckpt/a@main"])
def test_ways_to_name_a_model(tmp_path: Path, name: str) -> None:
    put(tmp_path, result("pretrained=/ckpt/a/"))
    ladder(tmp_path, {name: 1})
    assert values(tmp_path) == {(1, "acc"): 0.5}


@pytest.mark.parametrize("name", ["org/m", "org/m@" + 40 * "a", "whole"])
def test_a_folder_of_the_hub_cache_is_a_revision(tmp_path: Path, name: str) -> None:
    paths = [f"/home/x/.cache/huggingface/hub/models--org--m/snapshots/{40 * letter}" for letter in "ab"]
    put(tmp_path, result(f"pretrained={paths[0]}"), 1)
    assert [m.name for m in source.models(tmp_path)] == ["org/m@" + 40 * "a"]
    ladder(tmp_path, {paths[0] if name == "whole" else name: 1})
    assert values(tmp_path) == {(1, "acc"): 0.5}
    put(tmp_path, result(f"pretrained={paths[1]}"), 2)
    assert len(faults(tmp_path).splitlines()) == 1


def test_a_short_name_of_two_models_is_a_fault(tmp_path: Path) -> None:
    put(tmp_path, result("pretrained=/ckpt/1b/step-10", 0.4), 1)
    put(tmp_path, result("pretrained=/ckpt/3b/step-10", 0.3), 2)
    ladder(tmp_path, {"step-10": 1})
    assert "differ in model /ckpt/1b/step-10, /ckpt/3b/step-10" in faults(tmp_path)


# ---- two results for one cell ----


def test_a_rerun_with_another_value_is_a_fault_that_says_what_differs(tmp_path: Path) -> None:
    put(tmp_path, result(M, 0.4), 1)
    put(tmp_path, result(f"{M},dtype=bfloat16", 0.3, lm_eval_version="0.4.10"), 2)
    ladder(tmp_path, {"org/m": 1})
    said = faults(tmp_path)
    for words in (
        "results_2026-01-01T00-00-00.000000.json and m/results_2026-01-02",
        "model org/m, task arc_easy",
        "acc 0.4 and 0.3",
        "dtype (model_args) not stated and bfloat16",
        "lm-eval 0.4.9 and 0.4.10",
        "delete the one that is wrong",
    ):
        assert words in said


def test_many_clashes_of_two_files_are_one_line(tmp_path: Path) -> None:
    for day, acc in ((1, 0.4), (2, 0.3)):
        content = result(M, acc)
        content["results"] |= {f"t{i}": {"acc,none": acc} for i in range(30)}
        content["configs"] |= {f"t{i}": {} for i in range(30)}
        put(tmp_path, content, day)
    ladder(tmp_path, {"org/m": 1})
    assert "and so do 30 more tasks" in faults(tmp_path)
    assert len(faults(tmp_path).splitlines()) == 1


def test_equal_results_are_one(tmp_path: Path) -> None:
    put(tmp_path, result(M, 0.4), 1)
    put(tmp_path, result(M, 0.4), 2, "copy")
    ladder(tmp_path, {"org/m": 1})
    assert values(tmp_path) == {(1, "acc"): 0.4}
    assert "left out 1: results that another file has with the same values: arc_easy in" in account_lines(tmp_path)
    assert "lacks" not in account_lines(tmp_path)


def test_scores_that_only_the_file_not_taken_has_are_told(tmp_path: Path) -> None:
    for day, filtered in ((1, ("strict-match", "first")), (2, ("flexible-extract", "first"))):
        content = result(M, 0.4)
        content["results"]["arc_easy"] = {f"exact_match,{name}": 0.4 for name in filtered}
        put(tmp_path, content, day, f"{day}")
    ladder(tmp_path, {"org/m": 1})
    told = account_lines(tmp_path)
    assert "lacks: keep one file with all of them: exact_match," in told


@pytest.mark.parametrize("smoke_last", [False, True])
def test_the_whole_counts_before_a_part(tmp_path: Path, smoke_last: bool) -> None:
    smoke = counted(10) | {"config": {"model_args": M, "limit": 10.0}}
    put(tmp_path, result(M, 0.9, **smoke), 2 if smoke_last else 1)
    put(tmp_path, result(M, 0.4), 1 if smoke_last else 2)
    ladder(tmp_path, {"org/m": 1})
    assert values(tmp_path) == {(1, "acc"): 0.4}
    assert "results of a part of the documents (limit) where another file has all of them: arc_easy" in account_lines(
        tmp_path
    )


def test_more_documents_than_there_are_is_said(tmp_path: Path) -> None:
    put(tmp_path, result(M, 0.9, **counted(3000)))
    ladder(tmp_path, {"org/m": 1})
    assert "of more documents than their task has: arc_easy 3000 of 2376" in account_lines(tmp_path)


def test_names_that_are_no_whole_text(tmp_path: Path) -> None:
    put(tmp_path, result(M, 0.9, "quiz\ud800"))
    ladder(tmp_path, {"org/m": 1})
    assert list(source.read_lm_eval(tmp_path)["task"]) == ["quiz\\ud800"]


def test_a_part_only_is_taken_and_said(tmp_path: Path) -> None:
    put(tmp_path, result(M, 0.9, **counted(10)))
    ladder(tmp_path, {"org/m": 1})
    assert "1 of 1 results are of a part of the documents only" in account_lines(tmp_path)
    assert "arc_easy 10 of 2376 (org/m)" in account_lines(tmp_path)


def test_two_parts_are_a_fault(tmp_path: Path) -> None:
    for day, count in ((1, 10), (2, 20)):
        put(tmp_path, result(M, 0.9, **counted(count)), day)
    ladder(tmp_path, {"org/m": 1})
    assert "documents 10 and 20" in faults(tmp_path)


def test_shots_are_cells_of_their_own(tmp_path: Path) -> None:
    put(tmp_path, result(M, 0.4), 1)
    more: dict[str, Any] = {"n-shot": {"arc_easy": 25}}
    put(tmp_path, result(M, 0.3, **more), 2)
    ladder(tmp_path, {"org/m": 1})
    assert set(source.read_lm_eval(tmp_path)["num_fewshot"]) == {0, 25}


def test_two_models_in_one_place_are_a_fault(tmp_path: Path) -> None:
    put(tmp_path, result(f"{M},revision=step1", 0.4), 1)
    put(tmp_path, result(f"{M},revision=step2", 0.4), 2)
    ladder(tmp_path, {"org/m@step1": 1, "org/m@step2": 1})
    assert "revision step1 and step2" in faults(tmp_path)


def test_a_template_never_shares_a_cell(tmp_path: Path) -> None:
    put(tmp_path, result(M, 0.4), 1)
    put(tmp_path, result(M, 0.4, chat_template="{{ x }}"), 2)
    names = [m.name for m in source.models(tmp_path)]
    ladder(tmp_path, dict.fromkeys(names, 1))
    assert "chat_template not stated and" in faults(tmp_path)


def test_the_table_says_how_it_was_scored(tmp_path: Path) -> None:
    config = {"model_args": f"{M},load_in_4bit=True", "model_dtype": "torch.float16", "limit": None}
    put(
        tmp_path,
        result(
            f"{M},load_in_4bit=True",
            chat_template="{{ x }}",
            system_instruction="Be brief.",
            tokenizer_eos_token=["</s>", "2"],
            tokenizer_bos_token=["<s>", "1"],
            tokenizer_pad_token=["</s>", "2"],
            config=config,
        ),
    )
    ladder(tmp_path, {"org/m": 1})
    row = source.read_lm_eval(tmp_path).iloc[0]
    assert row["tokenizer"] == "bos <s> 1, eos </s> 2"
    assert row["dtype"] == "float16 load_in_4bit=True"
    template, _, system = row["chat_template"].partition("+system:")
    assert template == hashlib.sha256(b"{{ x }}").hexdigest()[:12]
    assert system == hashlib.sha256(b"Be brief.").hexdigest()[:12]
    assert (row["lm_eval"], row["task_version"], row["n"]) == ("0.4.9", "1.0", 2376)


# ---- samples against their results ----


def sampled(folder: Path, right: list[bool], acc: float, effective: int | None = None, **changes: Any) -> Path:
    path = put(folder, result(M, acc, **counted(len(right) if effective is None else effective)))
    put_samples(path, "arc_easy", right, **changes)
    ladder(folder, {"org/m": 1})
    return path


def test_samples_that_fit_give_losses(tmp_path: Path) -> None:
    sampled(tmp_path, [True, True, False, True], 0.75)
    assert {"acc", "nll", "bits_per_byte", "nll_mean_prob", "nll_choice"} == set(
        source.read_lm_eval(tmp_path)["metric"]
    )


@pytest.mark.parametrize(
    ("right", "acc", "effective", "words"),
    [
        ([True, False], 0.5, 4, "they are of 2 documents, the results of 4"),
        ([True, True, True, False], 0.5, 4, "the mean acc of their 4 documents is 0.75, the results say 0.5"),
    ],
)
def test_samples_that_contradict_their_results(
    tmp_path: Path, right: list[bool], acc: float, effective: int, words: str
) -> None:
    sampled(tmp_path, right, acc, effective)
    said = faults(tmp_path)
    assert words in said
    assert "samples_arc_easy_2026" in said
    assert "these samples are not those of results_2026" in said


def test_doubled_samples(tmp_path: Path) -> None:
    path = sampled(tmp_path, [True, False], 0.5)
    samples = next(path.parent.glob("samples_*"))
    samples.write_text(2 * samples.read_text())
    assert "document 0 appears twice" in faults(tmp_path)


def test_a_missing_document_where_the_results_give_no_count(tmp_path: Path) -> None:
    path = sampled(tmp_path, [True, False, True], 0.5)
    samples = next(path.parent.glob("samples_*"))
    lines = samples.read_text().splitlines(keepends=True)
    samples.write_text(lines[0] + lines[2])
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"n-samples": {}}))
    assert "document 1 is missing" in faults(tmp_path)


def test_an_accuracy_that_its_log_likelihoods_contradict(tmp_path: Path) -> None:
    path = sampled(tmp_path, 9 * [True] + [False], 1.0)
    samples = next(path.parent.glob("samples_*"))
    samples.write_text(samples.read_text().replace('"acc": 0.0', '"acc": 1.0'))
    assert "document 9: its acc contradicts its log-likelihoods" in faults(tmp_path)


def test_rounded_results_fit_their_samples(tmp_path: Path) -> None:
    sampled(tmp_path, [True, True, False], 0.667)
    assert "nll" in set(source.read_lm_eval(tmp_path)["metric"])


def test_samples_of_other_prompts(tmp_path: Path) -> None:
    hashes: dict[str, Any] = {f"{part}_hash": 64 * "a" for part in ("doc", "prompt", "target")}
    path = sampled(tmp_path, [True, False], 0.5, **hashes)
    content = json.loads(path.read_text()) | {"task_hashes": {"arc_easy": 64 * "b"}}
    path.write_text(json.dumps(content))
    assert "another run's" in faults(tmp_path)


def test_samples_cut_in_a_line(tmp_path: Path) -> None:
    path = sampled(tmp_path, [True, False], 0.5)
    samples = next(path.parent.glob("samples_*"))
    samples.write_text(samples.read_text()[:-40])
    assert "line 2 is cut short or no JSON" in faults(tmp_path)


def test_samples_without_their_results_are_named(tmp_path: Path) -> None:
    path = sampled(tmp_path, [True, False], 0.5)
    put_samples(path.with_name("results_2025-01-01T00-00-00.000000.json"), "arc_easy", [True])
    assert "samples without their results: m/samples_arc_easy_2025" in account_lines(tmp_path)


# ---- the cases that showed it ----


def test_four_revisions_in_one_folder(tmp_path: Path) -> None:
    case = FIELD / "02-revisions-same-folder" / "results"
    if not case.is_dir():
        pytest.skip("the collection of cases is not here")
    shutil.copytree(case, tmp_path / "r")
    names = [m.name for m in source.models(tmp_path / "r")]
    assert names == [f"EleutherAI/pythia-160m@step{step}" for step in (143000, 63000, 13000, 1000)]
    ladder(tmp_path / "r", {"EleutherAI/pythia-160m": 143000})
    assert "differ in revision step143000, step63000, step13000, step1000" in faults(tmp_path / "r")
    ladder(tmp_path / "r", {"EleutherAI/pythia-160m": 143000} | {n: int(n.partition("@step")[2]) for n in names})
    assert values(tmp_path / "r")[143000, "acc"] == 0.4
    assert values(tmp_path / "r")[1000, "acc"] == 0.3
