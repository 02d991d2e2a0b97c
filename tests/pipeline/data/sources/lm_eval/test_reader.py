from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from benchcast.core.errors import FaultsError
from benchcast.data.sources.lm_eval import reader as source
from benchcast.reports.records.account import Account

PLACE = {
    "run": "a",
    "family": "f",
    "step": 10,
    "params": 1e6,
    "tokens": 2e7,
    "flops": "1.2e14",
    "flops_convention": "6ND",
}
ASKED = [  # choices, log-likelihoods, gold
    (["Paris", "Rome"], [-2.0, -5.0], 0),
    (["été", "winter"], [-9.0, -4.0], 0),
    (["one", "two"], [-3.0, -2.5], 1),
]


def samples(*, modern: bool, targets: list[Any] | None = None) -> list[dict[str, Any]]:
    found = []
    for number, (choices, logliks, gold) in enumerate(ASKED):
        pairs = [["Q:", f" {choice}"] for choice in choices]
        named = {f"gen_args_{i}": {"arg_0": p[0], "arg_1": p[1]} for i, p in enumerate(pairs)}
        answers: list[list[Any]] = [[loglik, False] for loglik in logliks]
        found.append(
            {
                "doc_id": number,
                "target": gold if targets is None else targets[number],
                "arguments": named if modern else pairs,
                "filtered_resps": [[str(a), str(b)] for a, b in answers] if modern else answers,
                "acc": float(logliks.index(max(logliks)) == gold),
            }
        )
        if modern:
            found[-1] |= {"filter": "none", "target": str(found[-1]["target"])}
    return found


def results(**changes: Any) -> dict[str, Any]:
    scores = {"alias": "t", "acc,none": 2 / 3, "acc_stderr,none": 1 / 3, "acc_norm,none": 0.5}
    usual = {
        "results": {"t": scores | {"acc_norm_stderr,none": "N/A"}},
        "configs": {"t": {"target_delimiter": " ", "output_type": "multiple_choice", "num_fewshot": 5}},
        "versions": {"t": 1.0},
        "n-shot": {"t": 5},
        "n-samples": {"t": {"original": 9, "effective": 3}},
        "config": {"model_args": "pretrained=org/a,dtype=float"},
    }
    return usual | changes


def modern(folder: Path, stamp: str = "2026-01-01T00-00-00.0", **changes: Any) -> Path:
    """Results in the layout of lm-eval 0.4.3 and later."""
    place = folder / "org__a"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"results_{stamp}.json").write_text(json.dumps(results(model_name="org/a", **changes)))
    lines = [json.dumps(s, ensure_ascii=False) for s in samples(modern=True)]
    (place / f"samples_t_{stamp}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ladder(folder, {"org/a": PLACE})
    return place


def old(folder: Path) -> None:
    """Results in the layout of lm-eval 0.4.0 to 0.4.2."""
    (folder / "results.json").write_text(json.dumps(results()))
    (folder / "pretrained__org__a,dtype__float_t.jsonl").write_text(json.dumps(samples(modern=False), indent=2))
    ladder(folder, {"org/a": PLACE})


def ladder(folder: Path, content: Any) -> None:
    (folder / "ladder.yaml").write_text(json.dumps(content))


def values(table: pd.DataFrame, column: str = "value") -> dict[str, float]:
    assert not table["metric"].duplicated().any()
    return dict(zip(table["metric"], table[column], strict=True))


@pytest.mark.parametrize("layout", [old, modern])
def test_both_layouts_give_the_same_numbers(tmp_path: Path, layout: Any) -> None:
    layout(tmp_path)
    table = source.read_lm_eval(tmp_path)
    found = values(table)
    assert found["acc"] == 2 / 3
    assert found["acc_norm"] == 0.5
    assert values(table, "stderr")["acc"] == pytest.approx(1 / 3)
    assert math.isnan(values(table, "stderr")["acc_norm"])
    nll = (2.0 / 5 + 9.0 / 5 + 2.5 / 3) / 3  # "été" has five bytes
    assert found["nll"] == pytest.approx(nll)
    assert found["bits_per_byte"] == pytest.approx(nll / math.log(2))
    choice = sum(math.log1p(math.exp(gap)) for gap in (-3.0, 5.0, -0.5)) / 3
    assert found["nll_choice"] == pytest.approx(choice)
    row = table.iloc[0]
    assert (row["run"], row["family"], row["step"], row["flops"]) == ("a", "f", 10, 1.2e14)
    assert (row["n"], row["chance"], row["num_fewshot"], row["task_version"]) == (3, 0.5, 5, "1.0")


def test_without_samples_there_are_accuracies_only(tmp_path: Path) -> None:
    next(modern(tmp_path).glob("samples_*")).unlink()
    table = source.read_lm_eval(tmp_path)
    assert set(table["metric"]) == {"acc", "acc_norm"}
    assert set(table["n"]) == {3}
    assert table["chance"].isna().all()  # no well-known task


def test_gold_answers_given_by_their_text(tmp_path: Path) -> None:
    place = modern(tmp_path)
    by_index = values(source.read_lm_eval(tmp_path))
    lines = [json.dumps(s) for s in samples(modern=True, targets=["Paris", "été", "two"])]
    next(place.glob("samples_*")).write_text("\n".join(lines))
    assert values(source.read_lm_eval(tmp_path)) == by_index


def test_gold_answers_that_are_unclear_give_no_losses(tmp_path: Path) -> None:
    place = modern(tmp_path)
    lines = [json.dumps(s) for s in samples(modern=True, targets=["1", "1", "0"])]
    next(place.glob("samples_*")).write_text("\n".join(lines))
    account = Account()
    table = source.read_lm_eval(tmp_path, account)
    assert set(table["metric"]) == {"acc", "acc_norm"}
    assert "the samples do not tell the gold answers: t (org/a)" in "\n".join(account.record().lines())


def test_groups_are_not_tasks(tmp_path: Path) -> None:
    scores = {
        "t": {"acc,none": 2 / 3},
        "both": {"acc,none": 0.4},
        "sub": {"acc,none": 0.3},
        "x_average": {"acc,none": 0},
    }
    modern(tmp_path, results=scores, group_subtasks={"both": ["t"], "t": []}, groups={"sub": {}})
    account = Account()
    assert set(source.read_lm_eval(tmp_path, account)["task"]) == {"t"}
    told = "\n".join(account.record().lines())
    assert "left out 2: groups of tasks, whose members count: both, sub" in told
    assert "left out 1: averages over tasks: x_average" in told


def test_flops_default_to_six_n_d(tmp_path: Path) -> None:
    modern(tmp_path)
    ladder(tmp_path, {"org__a": {"family": "f", "params": "1e6", "tokens": 2e7}})
    row = source.read_lm_eval(tmp_path).iloc[0]
    assert (row["run"], row["flops"], row["flops_convention"]) == ("org__a", 1.2e14, "6ND")
    assert math.isnan(row["step"])


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    modern(tmp_path / "one")
    other = tmp_path / "two" / "org__b"
    other.mkdir(parents=True)
    (other / "results_x.json").write_text(json.dumps(results(model_name="org/b")))
    (other / "results_y.json").write_text("{")
    ladder(tmp_path, {"org/aa": PLACE, "org/c": {"family": "f", "params": -1, "tokens": 1, "flop": 1}})
    with pytest.raises(FaultsError) as caught:
        source.read_lm_eval(tmp_path)
    said = str(caught.value)
    for words in (
        "results_y.json: is not a result file that can be read",
        "org/c.params",
        "org/c.flop",
        "model 'org/b' is not in it",
        "model 'org/a' is not in it (did you mean 'org/aa'?)",
    ):
        assert words in said


def test_no_ladder_names_the_models(tmp_path: Path) -> None:
    modern(tmp_path)
    (tmp_path / "ladder.yaml").unlink()
    with pytest.raises(FaultsError) as caught:
        source.read_lm_eval(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'ladder.yaml'}: does not exist; it says where each model stands: org/a "
        f"(benchcast init {tmp_path} writes it)"
    )


def test_a_folder_without_results(tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match=r"holds no results of lm-eval"):
        source.read_lm_eval(tmp_path)


def test_a_broken_log_likelihood_is_a_fault(tmp_path: Path) -> None:
    path = next(modern(tmp_path).glob("samples_*"))
    path.write_text(path.read_text(encoding="utf-8").replace("-4.0", "nan"), encoding="utf-8")
    with pytest.raises(FaultsError, match="document 1: a log-likelihood is not finite"):
        source.read_lm_eval(tmp_path)


def test_results_of_lm_eval_03_have_accuracies_and_no_nll(tmp_path: Path) -> None:
    content = {
        "results": {
            "arc_easy": {"acc": 0.5, "acc_stderr": 0.01, "acc_norm": 0.4, "acc_norm_stderr": 0.02},
            "lambada_openai": {"ppl": 30.0, "ppl_stderr": 1.0, "acc": 0.25, "acc_stderr": 0.006},
        },
        "versions": {"arc_easy": 0, "lambada_openai": 0},
        "config": {
            "model": "hf-causal",
            "model_args": "pretrained=EleutherAI/pythia-70m,revision=step1000",
            "num_fewshot": 0,
            "batch_size": 16,
            "limit": None,
            "bootstrap_iters": 100000,
        },
    }
    (tmp_path / "evals").mkdir()
    (tmp_path / "evals" / "70m_step1000.json").write_text(json.dumps(content))
    (tmp_path / "evals" / "notes.json").write_text('{"something": "else"}')
    (tmp_path / "ladder.yaml").write_text(
        "70m_step1000: {run: pythia-70m, family: pile, step: 1000, params: 7.0e+7, tokens: 2097152000}\n"
    )
    table = source.read_lm_eval(tmp_path)
    assert table.set_index(["task", "metric"])["value"].to_dict() == {
        ("arc_easy", "acc"): 0.5,
        ("arc_easy", "acc_norm"): 0.4,
        ("lambada_openai", "acc"): 0.25,
        ("lambada_openai", "val_loss"): pytest.approx(math.log(30)),  # nats per target word
    }
    assert set(table["lm_eval"]) == {"0.3"}
    assert set(table["num_fewshot"]) == {0}
    chance = table.set_index(["task", "metric"])["chance"]
    assert chance["arc_easy", "acc"] == 0.25
    assert chance["lambada_openai", "acc"] == 0
    assert source.without_nll(table).startswith("2 of 2 cells have no NLL, since no samples were logged (arc_easy, l")
