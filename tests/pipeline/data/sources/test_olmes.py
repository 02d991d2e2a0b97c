"""Results of OLMES: scores by lm-eval's names, losses of its predictions, and what does not fit together."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from benchcast.core.errors import FaultsError
from benchcast.data.init import start
from benchcast.data.sources.olmes import reader as source
from benchcast.reports.records.account import Account
from worlds.results.lm_eval_files import ladder
from worlds.results.olmes import BITS, metrics, predictions, put


def faults(folder: Path) -> str:
    with pytest.raises(FaultsError) as caught:
        source.read_olmes(folder)
    return str(caught.value)


def test_scores_have_lm_evals_names_and_losses_are_those_of_the_predictions(tmp_path: Path) -> None:
    put(tmp_path, metrics(), predictions())
    (tmp_path / "metrics.json").write_text(json.dumps({"all_primary_scores": ["arc_easy: 0.75"], "metrics": []}))
    ladder(tmp_path, {"org/m": 1})
    account = Account()
    table = source.read_olmes(tmp_path, account).set_index("metric")
    bits = sum(BITS) / len(BITS)
    assert table["value"].to_dict() == pytest.approx(
        {
            "acc": 0.5,
            "acc_norm": 0.75,
            "acc_norm_token": 0.25,
            "acc_mutual_info": 0.25,
            "bits_per_byte": bits,
            "nll": bits * math.log(2),
        }
    )
    spread = math.sqrt(sum((b - bits) ** 2 for b in BITS) / 3)
    assert table.loc["bits_per_byte", "stderr"] == pytest.approx(spread / 2)
    row = table.loc["acc_norm"]
    assert (row["task"], row["num_fewshot"], row["n"], row["chance"], row["lm_eval"]) == (
        "arc_easy",
        5,
        4,
        0.25,
        "OLMES",
    )
    assert "files of OLMES over all tasks: metrics.json" in "\n".join(account.record().lines())


def test_a_loss_that_the_scores_state_counts_where_there_are_no_predictions(tmp_path: Path) -> None:
    content = metrics()
    content["metrics"] |= {"bits_per_byte_corr": 1.25, "logits_per_byte_corr": 0.7}
    put(tmp_path, content)
    ladder(tmp_path, {"org/m": 1})
    table = source.read_olmes(tmp_path).set_index("metric")
    assert table.loc["bits_per_byte", "value"] == 1.25
    assert set(table.index) == {"acc", "acc_norm", "acc_norm_token", "acc_mutual_info", "bits_per_byte", "nll"}


def test_written_answers_and_texts(tmp_path: Path) -> None:
    written = metrics(task="gsm8k", metrics={"exact_match": 0.125, "pass_at_1": 0.25, "primary_score": 0.125})
    written["task_config"]["generation_kwargs"] = {"max_gen_toks": 512}
    put(tmp_path, written)
    put(tmp_path, metrics(task="paloma_c4_en", metrics={"bits_per_byte": 0.95, "ppl_token": 9.0}), index=1)
    ladder(tmp_path, {"org/m": 1})
    table = source.read_olmes(tmp_path).set_index(["task", "metric"])
    assert table["value"].to_dict() == {
        ("gsm8k", "exact_match"): 0.125,
        ("gsm8k", "pass@1"): 0.25,
        ("paloma_c4_en (5-shot)", "val_bpb"): 0.95,
    }
    assert table.loc[("gsm8k", "exact_match"), "chance"] == 0


def test_variants_of_a_task_count_apart(tmp_path: Path) -> None:
    other = metrics(acc=0.25)
    other["task_config"]["metadata"]["alias"] = "arc_easy:rc::olmo1"
    put(tmp_path / "a", metrics())
    put(tmp_path / "b", other)
    ladder(tmp_path, {"org/m": 1})
    assert set(source.read_olmes(tmp_path)["prompt"]) == {"arc_easy:rc::olmes", "arc_easy:rc::olmo1"}


def test_a_limit_that_cut_nothing_is_none(tmp_path: Path) -> None:
    content = metrics()
    content["task_config"]["limit"] = 1000
    put(tmp_path, content)
    ladder(tmp_path, {"org/m": 1})
    account = Account()
    source.read_olmes(tmp_path, account)
    assert "part of" not in "\n".join(account.record().lines())
    content["task_config"]["limit"] = 4
    put(tmp_path, content)
    source.read_olmes(tmp_path, account)
    assert "part of" in "\n".join(account.record().lines())


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (predictions(0.25), "is not of these scores: its mean acc is 0.25, the score 0.5"),
        (predictions()[:-200], "beside it cannot be read"),
        ("".join(predictions().splitlines(keepends=True)[:3]), "has 3 documents, the scores are of 4"),
    ],
)
def test_predictions_that_are_not_of_the_scores(tmp_path: Path, lines: str, words: str) -> None:
    put(tmp_path, metrics(), lines)
    ladder(tmp_path, {"org/m": 1})
    assert words in faults(tmp_path)


@pytest.mark.parametrize("change", [{"model": "org/n"}, {"revision": "step2"}, {"add_bos_token": True}])
def test_what_makes_another_model(tmp_path: Path, change: dict[str, Any]) -> None:
    put(tmp_path / "a", metrics())
    other = metrics()
    other["model_config"] |= change
    put(tmp_path / "b", other)
    assert len({model.name for model in source.models(tmp_path)}) == 2


def test_a_file_that_was_cut_short_is_a_fault(tmp_path: Path) -> None:
    path = put(tmp_path, metrics())
    path.write_text(path.read_text()[:-20])
    assert "it may have been cut short" in faults(tmp_path)


def test_init_starts_from_them(tmp_path: Path) -> None:
    for size in ("10M", "20M", "40M", "80M"):
        put(tmp_path / "results" / size, metrics(f"org/lm-{size}"), predictions())
    draft = start.draft(tmp_path / "results", tmp_path / "benchcast.yaml", token_multiplier=20)
    text = draft.files[tmp_path / "benchcast.yaml"]
    assert "source: olmes" in text
    assert "- auto" in text
