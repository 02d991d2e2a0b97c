"""What the ``lm_eval`` command wrote: one run of every kind of task, with its samples, read as the table."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.core.errors import FaultsError
from benchcast.data.document_metrics import answer_bytes
from benchcast.data.documents.collect import Asked
from benchcast.data.sources.lm_eval import reader as source
from benchcast.reports.records.account import Account
from worlds import tiny_models
from worlds.harness import layouts
from worlds.harness.command import lm_eval

PLACE = {"run": "a", "family": "f", "step": 10, "params": 1e6, "tokens": 2e7}
CHOSEN = ("plain", "shots", "mc2_like", "golds", "mutual", "wikitext_like")
GENERATED = ("gsm8k_like", "drop_like", "ifeval_like")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("lm_eval")
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("command")
    tiny_models.write_checkpoint(folder / "runs" / "a", "a", seed=3)
    tiny_models.write_task(folder / "tasks", "plain", tiny_models.QUESTIONS)
    tiny_models.write_task(folder / "tasks", "shots", tiny_models.QUESTIONS[:9], shots=1)
    layouts.write(folder / "tasks")
    out = lm_eval(folder, folder / "runs" / "a", CHOSEN + GENERATED)
    (out / "ladder.yaml").write_text(json.dumps({f"{folder}/runs/a": PLACE}))
    return folder


@pytest.fixture(scope="module")
def read(world: Path) -> tuple[pd.DataFrame, str]:
    account = Account()
    table = source.read_lm_eval(world / "out", account)
    return table.set_index(["task", "metric"]), "\n".join(account.record().lines())


@pytest.fixture
def copy(world: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(world / "out", tmp_path / "out"))


def results_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(next(folder.glob("*/results_*.json")).read_text())["results"]
    return content


def samples_of(folder: Path, task: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in next(folder.glob(f"*/samples_{task}_*")).read_text().splitlines()]


def test_every_share_that_the_command_states_is_in_the_table(world: Path, read: tuple[pd.DataFrame, str]) -> None:
    table, _ = read
    for task, metric in [
        *[("gsm8k_like", f"exact_match,{way}") for way in ("strict-match", "flexible-extract")],
        *[("drop_like", "em"), ("drop_like", "f1"), ("mc2_like", "acc"), ("golds", "exact_match")],
        *[("ifeval_like", f"{which}_level_strict_acc") for which in ("prompt", "inst")],
        *[("mutual", metric) for metric in ("acc", "acc_norm", "acc_bytes", "acc_mutual_info")],
    ]:
        stated = results_of(world / "out")[task][metric if "," in metric else f"{metric},none"]
        assert table.loc[(task, metric), "value"] == stated
        assert 0 <= stated <= 1
    assert table.loc[("gsm8k_like", "exact_match,flexible-extract"), "value"] > 0
    assert set(table.loc[("gsm8k_like", slice(None)), "n"]) == {8}


def test_bits_per_byte_of_a_text_are_a_loss_with_an_error(world: Path, read: tuple[pd.DataFrame, str]) -> None:
    table, _ = read
    row = table.loc[("wikitext_like", "val_bpb")]
    assert row["value"] == pytest.approx(results_of(world / "out")["wikitext_like"]["bits_per_byte,none"], rel=1e-9)
    pairs = np.array([s["bits_per_byte"] for s in samples_of(world / "out", "wikitext_like")])
    left = [-np.delete(pairs[:, 0], i).sum() / np.delete(pairs[:, 1], i).sum() / math.log(2) for i in range(len(pairs))]
    jackknife = math.sqrt((len(left) - 1) * np.var(left))
    assert row["stderr"] == pytest.approx(jackknife, rel=0.3)
    assert math.isnan(row["chance"])
    assert table.loc["wikitext_like"].index.tolist() == ["val_bpb"]  # the samples do not count tokens


def test_losses_of_several_right_answers(world: Path, read: tuple[pd.DataFrame, str]) -> None:
    """By their definition, from the questions and not from what the reader makes of the samples."""
    table, _ = read
    for task in ("mc2_like", "golds"):
        nlls, choices = [], []
        for sample in samples_of(world / "out", task):
            doc = sample["doc"]
            labels = doc["mc2_targets"]["labels"]
            right = doc["golds"] if task == "golds" else [i for i, label in enumerate(labels) if label]
            logliks = np.array([float(loglik) for loglik, _ in sample["filtered_resps"]])
            nlls.append(np.mean([-logliks[i] / answer_bytes(doc["choices"][i]) for i in right]))
            choices.append(-math.log(np.exp(logliks)[right].sum() / np.exp(logliks).sum()))
        values = table.loc[task, "value"]
        assert values["nll"] == pytest.approx(np.mean(nlls))
        assert values["bits_per_byte"] == pytest.approx(np.mean(nlls) / math.log(2))
        assert values["nll_mean_prob"] == pytest.approx(-math.log(np.mean(np.exp(-np.array(nlls)))))
        assert values["nll_choice"] == pytest.approx(np.mean(choices), abs=1e-9)
    questions = [layouts.documents(number) for number in range(8)]
    guess = np.mean([len(q["golds"]) / len(q["choices"]) for q in questions])
    assert table.loc[("golds", "acc"), "chance"] == pytest.approx(guess)
    assert math.isnan(table.loc[("mc2_like", "acc"), "chance"])


def test_what_has_no_loss_or_is_no_share_is_said(read: tuple[pd.DataFrame, str]) -> None:
    table, said = read
    assert "references, which lm-eval does not ask for: gsm8k_like, drop_like, ifeval_like" in said
    assert "metrics that are not shares of the documents: brier_score of mutual, words of ifeval_like" in said
    assert "gsm8k_like 0, drop_like 0, ifeval_like 0" in said
    assert set(table.loc[list(GENERATED), "chance"]) == {0.0}
    assert "no samples were logged" not in said


def test_documents_of_several_right_answers(world: Path) -> None:
    table, documents = source.read_with_documents(world / "out")
    assert documents is not None
    values = table.set_index(["task", "metric"])["value"]
    for metric in ("acc", "acc_norm"):
        matrix = documents.matrix(
            Asked(task="golds", shots=0, metric=metric), ["a"], {("a", 2e7): values["golds", metric]}
        )
        assert matrix is not None
        assert matrix.correct is not None
        assert np.mean(matrix.correct) == values["golds", metric]
    shares = documents.matrix(Asked(task="mc2_like", shots=0), ["a"])
    assert shares is not None
    assert shares.correct is None  # a share of probability is neither right nor wrong
    assert np.mean(shares.nll) == pytest.approx(values["mc2_like", "nll"])


def without_a_line(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return lines[:-1]


def of_one_filter(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["filter"] == "strict-match"]


def with_other_scores(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line | {"exact_match": 1.0} if line["filter"] == "flexible-extract" else line for line in lines]


def twice(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*lines, lines[-1]]


def of_other_prompts(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [lines[0] | {"prompt_hash": 64 * "0"}, *lines[1:]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_a_line, "they are of 7 documents, the results of 8"),
        (of_one_filter, "there are none of filter flexible-extract"),
        (with_other_scores, "the mean exact_match of their 8 documents is 1, the results say"),
        (twice, "appears twice"),
        (of_other_prompts, "are not those of the results (task_hashes)"),
    ],
)
def test_samples_of_filters_that_contradict_their_results(
    copy: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], words: str
) -> None:
    """Hashes are checked first: they are left out where something else is to be found."""
    path = next(copy.glob("*/samples_gsm8k_like_*"))
    lines = change(samples_of(copy, "gsm8k_like"))
    if change is not of_other_prompts:
        lines = [{key: value for key, value in line.items() if not key.endswith("_hash")} for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(FaultsError) as caught:
        source.read_lm_eval(copy)
    assert words in str(caught.value)


def test_samples_that_do_not_say_their_filter_are_counted(copy: Path) -> None:
    """lm-eval wrote them so before 0.4.4; which filter a line is of is not known where there are several."""
    path = next(copy.glob("*/samples_gsm8k_like_*"))
    gone = ("filter", "doc_hash", "prompt_hash", "target_hash")
    lines = [{k: v for k, v in line.items() if k not in gone} for line in samples_of(copy, "gsm8k_like")]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(source.read_lm_eval(copy).query("task == 'gsm8k_like'")) == 2
    path.write_text("".join(json.dumps(line) + "\n" for line in lines[:-1]))
    with pytest.raises(FaultsError, match="they are of 7 documents, the results of 8"):
        source.read_lm_eval(copy)


def test_bits_that_are_not_those_of_the_samples(copy: Path) -> None:
    path = next(copy.glob("*/results_*.json"))
    content = json.loads(path.read_text())
    numbers = content["results"]["wikitext_like"]
    numbers["bits_per_byte,none"] += 0.1
    path.write_text(json.dumps(content))
    with pytest.raises(FaultsError, match="is not the base-2 logarithm of byte_perplexity"):
        source.read_lm_eval(copy)
    numbers["byte_perplexity,none"] = 2.0 ** numbers["bits_per_byte,none"]
    path.write_text(json.dumps(content))
    with pytest.raises(FaultsError, match="bits per byte, the results say"):
        source.read_lm_eval(copy)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_it_reads_as_what_we_score(world: Path, read: tuple[pd.DataFrame, str]) -> None:
    from worlds.scoring import run

    table, _ = read
    scored, failures = run(world, checkpoints=("runs/a",), tasks=("plain", "shots"))
    assert failures == {}
    theirs = table.loc[["plain", "shots"]]
    ours = scored.set_index(["task", "metric"]).loc[theirs.index]
    for column in ("value", "stderr", "n", "chance", "num_fewshot"):
        pd.testing.assert_series_equal(theirs[column], ours[column], rtol=1e-5)
    assert set(theirs["lm_eval"]) == set(ours["lm_eval"])
    assert len(theirs) == 12
