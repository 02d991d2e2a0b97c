"""Texts as tasks, several gold answers, more metrics than the accuracy: what ``score`` stores is what lm-eval finds."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.data.document_metrics import answer_bytes
from benchcast.data.documents.collect import Asked
from benchcast.data.documents.stored import stored_documents
from benchcast.scoring.store import cell
from benchcast.scoring.subsets.values import values_of
from worlds import tiny_models
from worlds.harness import layouts
from worlds.scoring import QUIET, run

pytest.importorskip("lm_eval")
pytest.importorskip("torch")
pytestmark = QUIET
TASKS = ("mc2_like", "golds", "mutual", "wikitext_like")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layouts")
    tiny_models.write_checkpoint(folder / "runs" / "a", "a", seed=3)
    layouts.write(folder / "tasks", TASKS)
    return folder


@pytest.fixture(scope="module")
def table(world: Path) -> pd.DataFrame:
    scored, failures = run(world, tasks=TASKS)
    assert failures == {}
    return scored.set_index(["task", "metric"])


@pytest.fixture(scope="module")
def theirs(world: Path) -> dict[str, Any]:
    """lm-eval's own evaluation of the same folder."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    done = lm_eval.simple_evaluate(
        model="hf",
        model_args=f"pretrained={world}/runs/a,add_bos_token=False,logits_cache=False",
        tasks=list(TASKS),
        task_manager=TaskManager(include_path=str(world / "tasks"), include_defaults=False),
        device="cpu",
        batch_size=4,
        bootstrap_iters=0,
    )
    assert done is not None
    return dict(done)


def stored(world: Path, task: str) -> tuple[dict[str, Any], pd.DataFrame]:
    """A cell's results.json and its documents."""
    for path in (world / "scores").glob("cells/*/*/results.json"):
        content: dict[str, Any] = json.loads(path.read_text())
        if content["benchcast"]["task"] == task:
            return content, pd.read_parquet(path.with_name("documents.parquet"))
    raise AssertionError(f"{task} is not stored")


@pytest.mark.parametrize("task", TASKS)
def test_every_metric_is_lm_evals(world: Path, theirs: dict[str, Any], table: pd.DataFrame, task: str) -> None:
    ours = stored(world, task)[0]["results"][task]
    wanted = {k: v for k, v in theirs["results"][task].items() if k.endswith(",none") and "_stderr" not in k}
    assert len(wanted) == {"mc2_like": 1, "golds": 3, "mutual": 5, "wikitext_like": 3}[task]
    for name, value in wanted.items():
        assert ours[name] == pytest.approx(value, rel=1e-6), name
        metric = name.removesuffix(",none")
        if (task, metric) in table.index:
            assert table.loc[(task, metric), "value"] == pytest.approx(value, rel=1e-6)
    shares = {name.removesuffix(",none") for name in wanted if name.startswith(("acc", "exact_match"))}
    assert shares <= set(table.loc[task].index)


def test_texts_as_tasks_are_validation_losses(world: Path, theirs: dict[str, Any], table: pd.DataFrame) -> None:
    rows = table.loc["wikitext_like"]
    assert set(rows.index) == {"val_loss", "val_bpb"}
    assert rows.loc["val_bpb", "value"] == pytest.approx(theirs["results"]["wikitext_like"]["bits_per_byte,none"])
    _, windows = stored(world, "wikitext_like")
    samples = theirs["samples"]["wikitext_like"]
    per_document = windows.groupby("doc_id")["loglik"].sum()
    assert per_document.to_numpy() == pytest.approx([s["filtered_resps"][0] for s in samples], rel=1e-6)
    assert len(windows) > len(per_document)  # some texts are longer than the context
    total = -sum(s["filtered_resps"][0] for s in samples)
    assert rows.loc["val_loss", "value"] == pytest.approx(total / windows["answer_tokens"].sum())
    pages = [len(layouts.documents(n)["page"].encode()) for n in range(8)]
    assert windows.groupby("doc_id")["document_bytes"].sum().tolist() == pages
    assert rows["n"].tolist() == [8, 8]
    assert rows["chance"].isna().all()


def right_of(task: str, number: int) -> tuple[list[int], list[str]]:
    """The right answers of a document, and all its answers, as the task files mean them."""
    question = layouts.documents(number)
    if task == "golds":
        return question["golds"], question["choices"]
    if task == "mutual":
        return [question["gold"] % 2], question["choices"][:2]
    return [i for i, label in enumerate(question["mc2_targets"]["labels"]) if label], question["choices"]


@pytest.mark.parametrize("task", ["mc2_like", "golds", "mutual"])
def test_losses_of_right_answers(world: Path, theirs: dict[str, Any], table: pd.DataFrame, task: str) -> None:
    """From lm-eval's log-likelihoods, by the definition."""
    nlls, choices = [], []
    for sample in theirs["samples"][task]:
        right, answers = right_of(task, sample["doc_id"])
        logliks = np.array([loglik for loglik, _ in sample["filtered_resps"]])[: len(answers)]
        nlls.append(np.mean([-logliks[i] / answer_bytes(answers[i]) for i in right]))
        choices.append(-math.log(np.exp(logliks)[right].sum() / np.exp(logliks).sum()))
    values = table.loc[task, "value"]
    assert values["nll"] == pytest.approx(np.mean(nlls), rel=1e-5)
    assert values["bits_per_byte"] == pytest.approx(np.mean(nlls) / math.log(2), rel=1e-5)
    assert values["nll_mean_prob"] == pytest.approx(-math.log(np.mean(np.exp(-np.array(nlls)))), rel=1e-5)
    assert values["nll_choice"] == pytest.approx(np.mean(choices), rel=1e-5)
    guess = np.mean([len(right) / len(answers) for right, answers in (right_of(task, n) for n in range(8))])
    chance = table.loc[(task, "acc"), "chance"]
    assert math.isnan(chance) if task == "mc2_like" else chance == pytest.approx(guess)


def test_the_level_of_guessing_is_that_of_choosing(table: pd.DataFrame) -> None:
    chance = table.loc["mutual", "chance"]
    assert set(chance[["acc", "acc_norm", "acc_bytes", "acc_mutual_info", "nll"]]) == {0.5}
    assert math.isnan(table.loc[("golds", "exact_match"), "chance"])


@pytest.mark.parametrize("task", ["mc2_like", "golds", "mutual"])
def test_the_stored_documents_give_the_same(world: Path, table: pd.DataFrame, task: str) -> None:
    content, documents = stored(world, task)
    derived = {"nll", "bits_per_byte", "nll_mean_prob", "nll_choice", "n"}
    assert set(content["benchcast"]["derived"]) == derived | ({"acc", "acc_norm"} if task != "mc2_like" else set())
    assert list(cell.faults(next((world / "scores").glob(f"cells/*/{content['benchcast']['cell']}")))) == []
    values = values_of(documents)
    for metric in ("nll", "nll_choice", *(() if task == "mc2_like" else ("acc", "acc_norm"))):
        assert np.mean(values[metric]) == pytest.approx(table.loc[(task, metric), "value"], rel=1e-9)
    known = stored_documents(world / "scores")
    assert known is not None
    matrix = known.matrix(Asked(task=task, shots=0), ["a"])
    assert matrix is not None
    assert np.mean(matrix.nll) == pytest.approx(table.loc[(task, "nll"), "value"], rel=1e-6)
    if task == "mc2_like":
        assert matrix.correct is None
    else:
        assert matrix.correct is not None
        assert np.mean(matrix.correct) == table.loc[(task, "acc"), "value"]


def test_what_stays_in_lm_evals_results_is_told(world: Path, table: pd.DataFrame) -> None:
    aside = stored(world, "mutual")[0]["benchcast"]["aside"]
    assert "brier_score" in str(aside)
    assert "word_perplexity, byte_perplexity" in str(stored(world, "wikitext_like")[0]["benchcast"]["aside"])


@pytest.mark.parametrize(
    ("body", "golds", "by_choice"),
    [
        ("return {'acc': float(np.argmax([l for l, _ in results]) == doc['gold'])}", None, True),
        ("return {'acc': float(np.argmax([l for l, _ in results]) in doc['golds'])}", "golds", True),
        ("return {'acc': 1.0}", None, True),  # tells nothing: what the task file says counts
        ("return {'score': 1.0}", None, True),
        ("raise KeyError('no')", None, True),
    ],
)
def test_what_a_tasks_own_metric_counts_as_right(tmp_path: Path, body: str, golds: str | None, by_choice: bool) -> None:
    from benchcast.scoring.requests import tasks
    from worlds.scoring import settings

    layouts.write(tmp_path / "tasks", ("golds",))
    (tmp_path / "tasks" / "utils.py").write_text(f"import numpy as np\n\n\ndef own(doc, results):\n    {body}\n")
    path = tmp_path / "tasks" / "golds.yaml"
    text = path.read_text().replace("doc_to_target: golds", "doc_to_target: gold")
    path.write_text(text + "process_results: !function utils.own\n")
    ((task,), failures) = tasks.load(settings(tasks=("golds",)), tmp_path)
    assert failures == {}
    for number, question in enumerate(task.questions):
        doc = layouts.documents(number)
        several = 0 < len(doc["golds"]) < len(doc["choices"])
        assert sorted(question.golds) == (sorted(doc["golds"]) if golds and several else [doc["gold"]])
        assert question.by_choice is by_choice
