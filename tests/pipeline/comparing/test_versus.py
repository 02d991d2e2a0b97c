"""``benchcast versus`` on answers that are known: the same numbers as by hand, and nothing compared unawares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.comparing import named
from benchcast.comparing.versus import Options, compare
from benchcast.reports.records.account import Account
from benchcast.reports.records.comparing.versus import Comparison
from scipy.stats import binomtest
from worlds.commands import benchcast, printed
from worlds.results import comparing as world
from worlds.results import lm_eval_files as results

QUIZ = (161, 59, 16, 6)  # a published paired table: tests/stages/comparing/test_paired.py


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints on a task with a published answer, one where B is better, and one of written answers."""
    quiz, clear = world.flips(*QUIZ), world.flips(400, 100, 10, 60)
    scored = {
        name: {
            "quiz": world.answers(quiz[i]),
            "clear": world.answers(clear[i]),
            "maths": world.written([0, 1, 1, i] * 20),
            "same": world.answers([True, False] * 50),
        }
        for i, name in enumerate(("small@100", "large@100"))
    }
    scored["large@50"] = {"quiz": world.answers(quiz[0])}
    return world.store(tmp_path_factory.mktemp("versus") / "scores", scored)


def found(first: str, second: str, where: Path, **options: Any) -> tuple[Comparison, str]:
    """The outcome, and what was told."""
    account = Account()
    pair = [named.checkpoint(n, named.of_store(where), "the store", account, None) for n in (first, second)]
    result, _ = compare(*pair, Options(**options), account)
    return result, "\n".join(result.account.lines())


def test_the_numbers_are_those_of_the_published_table(store: Path, tmp_path: Path) -> None:
    flipped, out = tmp_path / "flips.csv", tmp_path / "out.json"
    words = ("versus", "small@100", "large", "--store", store, "--json", out, "--documents", flipped)
    text = printed(*words)
    result = Comparison.model_validate_json(out.read_text())
    quiz, clear, maths = (next(t for t in result.tasks if t.task == name) for name in ("quiz", "clear", "maths"))
    assert (quiz.documents, quiz.lost, quiz.won) == (161, 16, 6)
    assert (quiz.p, quiz.low, quiz.high) == pytest.approx((0.034690, -0.1240, -0.0054), abs=5e-5)
    assert (quiz.a, quiz.b) == pytest.approx((75 / 161, 65 / 161))
    assert (quiz.adjusted, quiz.better) == (pytest.approx(2 * quiz.p), None)  # the third smallest of four
    assert (clear.better, maths.better) == ("B", "B")
    assert (maths.metric, maths.lost, maths.won, maths.documents) == ("exact_match", 0, 20, 80)
    assert maths.p == pytest.approx(binomtest(0, 20).pvalue - 2 * 0.5**20 / 2)
    assert quiz.nll_difference == pytest.approx(0.5 * 10 / 161)  # 2 nats over 4 bytes for each lost one more
    assert text.startswith("B is better on 2 of 4 tasks (Holm, 5 %), worse on none; on the other 2 a difference of ")
    assert result.answer in " ".join(text.split())
    rows = pd.read_csv(flipped)
    assert rows.groupby(["task", "change"]).size().to_dict() == {
        ("clear", "gained"): 60,
        ("clear", "lost"): 10,
        ("maths", "gained"): 20,
        ("quiz", "gained"): 6,
        ("quiz", "lost"): 16,
    }


def test_what_only_one_of_both_has_is_told(store: Path) -> None:
    result, told = found("large@50", "large@100", store)
    assert [t.task for t in result.tasks] == ["quiz"]
    assert "tasks that only B was asked: clear, maths, same" in told
    assert (result.tasks[0].lost, result.tasks[0].won) == (16, 6)
    assert result.mean is None


def test_tasks_are_pooled_and_documents_clustered(store: Path) -> None:
    pooled, _ = found("small", "large", store, together={"all": "[qc]*"})
    group = next(t for t in pooled.tasks if t.task == "all")
    assert (group.documents, group.clusters, group.test) == (561, 2, "clustered t")
    assert group.difference == pytest.approx((6 - 16 + 60 - 10) / 561)
    pairs = {("quiz", str(i)): f"text {i // 2}" for i in range(160)}
    alone, clustered = (found("small", "large", store, clusters=c, tasks=("quiz",))[0].tasks[0] for c in (None, pairs))
    assert (clustered.clusters, clustered.lost, clustered.difference) == (81, 16, alone.difference)
    a, b = (np.asarray(right, dtype=float) for right in world.flips(*QUIZ))
    sums = np.bincount(np.arange(161) // 2, weights=(b - a) - (b - a).mean())
    stderr = np.sqrt(81 / 80 * np.sum(sums**2)) / 161
    assert (clustered.high - clustered.low) / 2 == pytest.approx(1.99006342 * stderr)  # t of 80 degrees, from tables


def test_a_task_without_a_flip_is_not_without_an_error(store: Path) -> None:
    """The mean of two tasks, one of them without a flip: by hand from Tango's z²/(n + z²) there."""
    result, _ = found("small", "large", store, tasks=("clear", "same"))
    clear, same = result.tasks
    z = 1.959964
    assert (same.lost, same.won, same.high) == (0, 0, pytest.approx(z**2 / (100 + z**2), rel=1e-5))
    assert result.mean is not None
    assert result.mean.difference == pytest.approx(0.125 / 2)
    assert result.mean.high - 0.125 / 2 == pytest.approx(np.hypot(clear.high - 0.125, same.high) / 2)
    assert 0.125 / 2 - result.mean.low == pytest.approx(np.hypot(0.125 - clear.low, same.low) / 2)


def test_clusters_that_are_not_found_are_not_left_out_unawares(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "clusters.csv"
    words = ("versus", "small", "large", "--store", store, "--clusters", path)
    path.write_text("document,cluster\nnone,a\n")
    assert "--clusters: names no document that both were asked; they are called like '0'" in printed(*words, code=2)
    path.write_text("document,cluster\n1,a\n2,a\n1,b\n")
    assert "clusters.csv: line 4: document '1' is in two clusters, 'a' and 'b'" in printed(*words, code=2)
    error = printed(*words[:-2], "--cluster-field", "passage", code=2)
    assert "--cluster-field passage: is no field of the documents" in error


def samples(folder: Path, right: list[bool], model: str = "m", **changes: Any) -> Path:
    """Results and samples of a model, in a folder of its own."""
    content = results.result(f"pretrained={model}", acc=float(np.mean(right)))
    content["n-samples"]["arc_easy"] = {"original": len(right), "effective": len(right)}
    results.put_samples(results.put(folder, content, place=model), "arc_easy", right, **changes)
    return folder / model


def test_samples_of_lm_eval_are_compared_document_by_document(tmp_path: Path) -> None:
    right_a, right_b = world.flips(60, 20, 3, 17)
    a, b = samples(tmp_path, right_a.tolist(), "a"), samples(tmp_path, right_b.tolist(), "b")
    result = Comparison.model_validate_json(printed("versus", a, next(b.glob("samples_*")), "--json", "-"))
    (task,) = result.tasks
    assert (task.task, task.metric, task.lost, task.won, task.better) == ("arc_easy", "acc", 3, 17, "B")
    assert (result.a, result.b) == ("a", "b")
    assert "B is better on arc_easy (at 5 %)." in printed("versus", f"{tmp_path}::a", f"{tmp_path}::b")


def test_a_field_of_the_documents_tells_what_belongs_together(tmp_path: Path) -> None:
    right_a, right_b = world.flips(60, 20, 3, 17)
    folders = samples(tmp_path, right_a.tolist(), "a"), samples(tmp_path, right_b.tolist(), "b")
    for folder in folders:
        path = next(folder.glob("samples_*"))
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        texts = [line | {"doc": {"text": i // 4}} for i, line in enumerate(lines)]
        path.write_text("".join(json.dumps(line) + "\n" for line in texts))
    (task,) = json.loads(printed("versus", *folders, "--cluster-field", "text", "--json", "-"))["tasks"]
    assert (task["clusters"], task["test"], task["won"]) == (15, "clustered t", 17)
    numbers = tmp_path / "clusters.csv"  # as people know the documents, and not by lm-eval's hash
    numbers.write_text("document,cluster\n" + "".join(f"{i},{i // 4}\n" for i in range(58)))
    (task,) = json.loads(printed("versus", *folders, "--clusters", numbers, "--json", "-"))["tasks"]
    assert task["clusters"] == 15 + 2  # the last two documents are in none


def test_other_prompts_and_other_documents_are_never_compared_unawares(tmp_path: Path) -> None:
    right = [True, False] * 20
    a = samples(tmp_path, right, "a", prompt_hash="p", doc={"text": 1})
    b = samples(tmp_path, right, "b", prompt_hash="q", doc={"text": 1})
    done = benchcast("versus", a, b)
    assert (done.returncode, done.stdout) == (2, "")
    assert "put otherwise (--any-prompt compares them all the same): arc_easy: 40 of 40 documents" in done.stderr
    done = benchcast("versus", a, b, "--any-prompt")
    assert done.returncode == 0
    assert "may come from the prompt, not the model" in done.stderr
    few = samples(tmp_path, right[:30], "few", prompt_hash="p")
    done = benchcast("versus", a, few, "--json", "-")
    assert (json.loads(done.stdout)["tasks"][0]["only_a"], json.loads(done.stdout)["tasks"][0]["documents"]) == (10, 30)
    assert "documents that only A was asked: 10 of 40 of arc_easy acc" in done.stderr


def test_written_answers_are_compared_under_every_filter(tmp_path: Path) -> None:
    """Of lm-eval's samples: a line for every document and filter, each with the score of that filter."""
    rights = {"a": {"strict": [0, 0, 0, 1] * 10, "loose": [1, 0, 0, 1] * 10}, "b": {"strict": [1, 1, 0, 1] * 10}}
    rights["b"]["loose"] = rights["a"]["loose"]
    for model, by_filter in rights.items():
        content = results.result(f"pretrained={model}", task="maths")
        content["configs"]["maths"] |= {"output_type": "generate_until"}
        content["n-samples"]["maths"] = {"original": 40, "effective": 40}
        content["results"]["maths"] = {f"exact_match,{f}": float(np.mean(r)) for f, r in by_filter.items()}
        path = results.put(tmp_path, content, place=model)
        lines = [
            {"doc_id": i, "doc_hash": f"d{i}", "target": "1", "filter": f, "exact_match": float(x), "resps": [["1"]]}
            for f, right in by_filter.items()
            for i, x in enumerate(right)
        ]
        samples = path.parent / f"samples_maths_{path.stem.removeprefix('results_')}.jsonl"
        samples.write_text("".join(json.dumps(line | {"filtered_resps": ["1"]}) + "\n" for line in lines))
    result = Comparison.model_validate_json(printed("versus", tmp_path / "a", tmp_path / "b", "--json", "-"))
    by = {t.metric: t for t in result.tasks}
    strict, loose = by["exact_match,strict"], by["exact_match,loose"]
    assert (strict.lost, strict.won, strict.better) == (0, 20, "B")
    assert (loose.lost, loose.won, loose.better, loose.nll_a) == (0, 0, None, None)
    assert result.answer.startswith("B is better on 1 of 2 scores (Holm, 5 %), worse on none; on the other one a ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("nowhere", "small"),
            "nowhere: does not exist; give a folder of lm-eval results or a store, or a checkpoint's",
        ),
        (("{store}", "{store}"), "holds 3 checkpoints (small@100, large@100, large@50); name one: {store}::NAME"),
        (
            ("smal", "large", "--store", "{store}"),
            "smal: is not a scored checkpoint of {store} (did you mean 'small'?)",
        ),
        (("{store}::large", "{store}::large", "--alpha", "0.1"), "A and B are the same checkpoint; name two"),
        (("large", "large@100", "--store", "{store}"), "large@100: A and B are the same checkpoint; name two"),
        (("small", "large", "--store", "{store}", "--alpha", "5"), "--alpha: 5 must be above 0 and below 0.5"),
        (("small", "large", "--store", "{store}", "--group", "mmlu"), "--group 'mmlu': give NAME=TASKS"),
        (("small", "large", "--store", "{store}", "--group", "a=b*"), "--group a=b*: no task that both were asked"),
        (
            ("small", "large", "--store", "{store}", "--task", "nope"),
            "--task nope: neither A nor B was asked such a task",
        ),
        (("small", "large", "--store", "{store}", "--metric", "f1"), "--metric f1: no task of both has such a score"),
        (("small", "large", "--config", "{store}/plan.json"), "data: is missing"),
    ],
)
def test_a_mistake_is_one_line(store: Path, words: tuple[str, ...], said: str) -> None:
    error = printed("versus", *(w.format(store=store) for w in words), code=2)
    assert said.format(store=store) in error
    assert "Traceback" not in error


def test_the_demo_ladder_has_documents_too(tmp_path: Path) -> None:
    """Two seeds of one recipe: another seed is no better. The metric is the config's."""
    config = tmp_path / "config.yaml"
    config.write_text("data: {source: demo}\ntargets: [{run: 1.3M-10x}]\nrecipes: [ladder]\nmetric: acc\n")
    result = json.loads(printed("versus", "92K-20x-s1", "92K-20x-s2", "--config", config, "--json", "-"))
    assert {t["metric"] for t in result["tasks"]} == {"acc"}
    assert len(result["tasks"]) == 5
    assert not any(t["better"] for t in result["tasks"])
