"""Two statements of one fact in results that do not agree: found by the fuzzer, each gets its line or its fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchcast.core.errors import FaultsError
from benchcast.data.sources.lm_eval import reader as lm_eval
from benchcast.reports.records.account import Account
from worlds.results.lm_eval_files import ladder, put, put_samples, result
from worlds.results.lm_eval_results import write_results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_results(tmp_path, with_samples=False)
    places = {f"acme/lm-{size}": {"family": "f", "params": n, "tokens": 20 * n} for size, n in SIZES.items()}
    (tmp_path / "ladder.yaml").write_text(json.dumps(places))
    return tmp_path


SIZES = {"10M": 1e7, "25M": 2.5e7, "60M": 6e7, "150M": 1.5e8, "400M": 4e8, "1.1B": 1.1e9, "2.8B": 2.8e9}


def change(folder: Path, size: str, edit: Any) -> None:
    (path,) = folder.glob(f"*lm-{size}/results_*.json")
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def told(folder: Path) -> str:
    account = Account()
    lm_eval.read_lm_eval(folder, account)
    return "\n".join(account.record().told())


def test_nothing_is_told_where_all_agree(folder: Path) -> None:
    change(folder, "10M", lambda c: c["config"].update(model_num_parameters=10_400_000))
    assert "differ" not in told(folder)


def test_a_size_far_from_what_the_results_state_is_told(folder: Path) -> None:
    change(folder, "10M", lambda c: c["config"].update(model_num_parameters=1_000_000_000))
    assert "differ for 1 models" in told(folder)
    assert "acme/lm-10M: 1e+07 and 1e+09" in told(folder)


def test_shots_stated_twice_are_told(folder: Path) -> None:
    change(folder, "60M", lambda c: c["n-shot"].update(quiz=5))
    assert "quiz 5 and 0 (acme__lm-60M/" in told(folder)


def test_a_model_that_its_arguments_do_not_name_is_told(folder: Path) -> None:
    change(folder, "60M", lambda c: c["config"].update(model_args="pretrained=acme/other"))
    assert "acme/lm-60M and acme/other" in told(folder)


def test_an_accuracy_that_is_a_list_is_a_fault(folder: Path) -> None:
    change(folder, "60M", lambda c: c["results"]["quiz"].update({"acc,none": [0.5]}))
    with pytest.raises(FaultsError, match=r"task quiz, acc: \[0\.5\] is not a number"):
        lm_eval.read_lm_eval(folder)


# ---- what looks odd in real results and is right ----


def counted(task: str, documents: int, of: int | None = None) -> dict[str, Any]:
    return {"n-samples": {task: {"original": of or documents, "effective": documents}}}


@pytest.mark.parametrize("delimiter", ["", " "])  # before lm-eval 0.4.9 the answers alone had none
def test_answers_scored_without_a_prompt_are_no_choices(delimiter: str, tmp_path: Path) -> None:
    path = put(tmp_path, result("pretrained=o/m", 0.75, **counted("arc_easy", 4)))
    samples = put_samples(path, "arc_easy", [True, True, True, False])
    ladder(tmp_path, {"o/m": 1000})
    right = lm_eval.read_lm_eval(tmp_path).set_index("metric")[["value", "chance"]]
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    for line in lines:  # as acc_mutual_info asks for
        for i in range(2):
            line["arguments"][f"gen_args_{2 + i}"] = {"arg_0": "", "arg_1": f"{delimiter}abc{i}"}
            line["filtered_resps"].append([str(-9.0 - i), "False"])
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = lm_eval.read_lm_eval(tmp_path).set_index("metric")[["value", "chance"]]
    assert found.to_dict() == right.to_dict()
    assert found["chance"].tolist() == [0.5] * 5


@pytest.mark.parametrize("right", [[True] * 9 + [False], [True] * 10])
def test_one_answer_after_several_prompts_does_not_tell_the_gold_one(right: list[bool], tmp_path: Path) -> None:
    """In winogrande the prompts differ, not the answers, and the target is their text."""
    acc = sum(right) / 10
    path = put(tmp_path, result("pretrained=o/m", acc, task="winogrande", **counted("winogrande", 10)))
    asked = {f"gen_args_{i}": {"arg_0": f"The box {i}", "arg_1": " was small."} for i in range(2)}
    put_samples(path, "winogrande", right, arguments=asked, target="was small.")
    ladder(tmp_path, {"o/m": 1000})
    account = Account()
    table = lm_eval.read_lm_eval(tmp_path, account)
    assert table[["metric", "value"]].to_numpy().tolist() == [["acc", acc]]
    assert "the samples do not tell the gold answers: winogrande" in "\n".join(account.record().lines())


def test_the_score_of_guessing_is_that_of_the_whole_task(tmp_path: Path) -> None:
    """In truthfulqa_mc1 the number of choices differs by document: a part of them has another mean."""
    for day, documents in ((1, 2), (2, 4)):
        counts = counted("truthfulqa_mc1", documents, 4)
        content = result(f"pretrained=o/m{day}", 1.0, task="truthfulqa_mc1", **counts)
        path = put(tmp_path, content, day)
        samples = put_samples(path, "truthfulqa_mc1", [True] * documents)
        lines = [json.loads(line) for line in samples.read_text().splitlines()]
        for line in lines[2:]:
            line["arguments"] = {f"gen_args_{i}": {"arg_0": "Q:", "arg_1": f" abc{i}"} for i in range(4)}
            line["filtered_resps"] += [["-5.0", "False"], ["-6.0", "False"]]
        samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ladder(tmp_path, {"o/m1": 1000, "o/m2": 2000})
    assert set(lm_eval.read_lm_eval(tmp_path)["chance"]) == {0.375}  # not 0.5 of the first two documents


def test_a_snapshot_of_a_model_without_an_organisation(tmp_path: Path) -> None:
    sha = "607a30d783dfa663caf39e06633721c8d4cfcd7e"
    put(tmp_path, result(f"pretrained=/root/.cache/huggingface/hub/models--gpt2/snapshots/{sha}"))
    assert [model.name for model in lm_eval.models(tmp_path)] == [f"gpt2@{sha}"]
    ladder(tmp_path, {"gpt2": 1000})
    assert set(lm_eval.read_lm_eval(tmp_path)["value"]) == {0.5}


def test_a_place_that_is_not_what_the_name_says_and_two_models_at_one_place_get_a_line(tmp_path: Path) -> None:
    put(tmp_path, result("pretrained=o/m,revision=step1000"), 1)
    put(tmp_path, result("pretrained=o/m,revision=step3000", task="piqa"), 2)
    ladder(tmp_path, {"o/m@step1000": 143000, "o/m@step3000": 143000})
    account = Account()
    lm_eval.read_lm_eval(tmp_path, account)
    told = "\n".join(account.record().lines())
    assert (
        "the names of 2 models say another step or other tokens than ladder.yaml, which is used: o/m@step1000" in told
    )
    ladder(tmp_path, {"o/m@step1000": 1000, "o/m@step3000": 3000})
    account = Account()
    lm_eval.read_lm_eval(tmp_path, account)
    assert "say another step" not in "\n".join(account.record().lines())
    places = {
        name: {"run": "a", "family": "f", "params": 1e8, "tokens": 1e9} for name in ("o/m@step1000", "o/m@step3000")
    }
    (tmp_path / "ladder.yaml").write_text(json.dumps(places))
    account = Account()
    lm_eval.read_lm_eval(tmp_path, account)
    told = "\n".join(account.record().lines())
    assert "gives several models the same run and step: a: o/m@step1000 and o/m@step3000" in told


def test_half_of_a_character_in_a_name_is_spelled(tmp_path: Path) -> None:
    put(tmp_path, result({"pretrained": "o/m\udcff"}))
    assert [model.name for model in lm_eval.models(tmp_path)] == ["o/m\\udcff"]
    ladder(tmp_path, {"o/m\\udcff": 1000})
    assert set(lm_eval.read_lm_eval(tmp_path)["value"]) == {0.5}
