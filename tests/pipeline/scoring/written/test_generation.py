"""Answers that the model writes: the strings and metrics of lm-eval, in the layouts of the tasks labs plan by."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from worlds import tiny_models
from worlds.harness import written

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from worlds.scoring import QUIET, Heard, run, value

pytestmark = QUIET
DRAWN = "drawn_like"  # in one command with another task that draws, lm-eval draws on where that one ended
TASKS = tuple(task for task in written.LAYOUTS if task != DRAWN)
METRICS = {
    "gsm_like": ["exact_match,strict-match", "exact_match,flexible-extract"],
    "mmlu_pro_like": ["exact_match,custom-extract"],
    "drop_like": ["em", "f1"],
    "trivia_like": ["exact_match,remove_whitespace"],
    "humaneval_like": ["pass@1,create_test", "pass@2,create_test"],
    "bleu_like": ["exact_match"],
}
LOSSES = ["nll", "bits_per_byte", "nll_mean_prob"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    for seed, name in enumerate("ab"):
        tiny_models.write_checkpoint(folder / "runs" / name, name, seed=seed + 1)
    written.write_tasks(folder / "tasks", written.says(folder / "runs" / "b"))
    return folder


@pytest.fixture(scope="module")
def scored(world: Path) -> tuple[pd.DataFrame, list[str]]:
    """The table of both checkpoints, whose weights are swapped into one model, and what was said."""
    from benchcast.scoring.run import score
    from worlds.scoring import settings

    heard = Heard()
    summary = score(settings(tasks=(*TASKS, DRAWN), run_unsafe_code=True), world, heard)
    assert summary.failures == []
    return summary.table, [*summary.account.lines(), *heard.lines]


@pytest.fixture(scope="module")
def theirs(world: Path) -> dict[str, Any]:
    """What lm-eval says of the second checkpoint, loaded by itself."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    found: dict[str, Any] = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(world / "runs" / "b"), "add_bos_token": False, "dtype": "float32"},
        tasks=list(TASKS),
        task_manager=TaskManager(include_path=str(world / "tasks"), include_defaults=False),
        batch_size=7,
        bootstrap_iters=2,
        device="cpu",
        confirm_run_unsafe_code=True,
    )
    return found


def documents(world: Path, source: str, store: str = "scores") -> dict[str, pd.DataFrame]:
    """Task to the stored values of its documents."""
    found = {}
    for path in sorted((world / store / "cells").glob("??/*/results.json")):
        about = json.loads(path.read_text())["benchcast"]
        if about["source"] == source:
            found[about["task"]] = pd.read_parquet(path.parent / "documents.parquet")
    return found


@pytest.mark.parametrize("task", TASKS)
def test_strings_and_metrics_are_lm_evals(
    world: Path, scored: tuple[pd.DataFrame, list[str]], theirs: dict[str, Any], task: str
) -> None:
    table, expected = scored[0], theirs["results"][task]
    stored = documents(world, "runs/b")[task]
    samples = {s["doc_id"]: s for s in theirs["samples"][task]}
    assert {d: list(rows["answer"]) for d, rows in stored.groupby("doc_id")} == {
        d: s["resps"][0] for d, s in samples.items()
    }
    for name in METRICS[task]:
        metric, _, filtered = name.partition(",")
        key = filtered or "none"
        assert value(table, "b", task, name) == pytest.approx(expected[f"{metric},{key}"], abs=1e-6)
        error = expected[f"{metric}_stderr,{key}"]
        assert value(table, "b", task, name, "stderr") == pytest.approx(error, abs=1e-6)
        assert value(table, "b", task, name, "chance") == (0.1 if task == "mmlu_pro_like" else 0)
        by_document = {s["doc_id"]: s[metric] for s in theirs["samples"][task] if s["filter"] == key}
        assert dict(zip(stored["doc_id"], stored[f"score {name}"], strict=True)) == by_document
    rows = table[(table["run"] == "b") & (table["task"] == task)]
    assert set(rows["metric"]) == {*METRICS[task], *LOSSES}


def test_right_and_wrong_answers_are_among_them(scored: tuple[pd.DataFrame, list[str]]) -> None:
    """Else the comparison would say nothing."""
    some = [
        ("gsm_like", "exact_match,flexible-extract"),
        ("drop_like", "em"),
        ("drop_like", "f1"),
        ("trivia_like", "exact_match,remove_whitespace"),
        ("humaneval_like", "pass@1,create_test"),
    ]
    for task, metric in some:
        assert 0 < value(scored[0], "b", task, metric) < 1, task


def test_gold_losses_are_those_of_plain_forward_passes(world: Path, scored: tuple[pd.DataFrame, list[str]]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(world / "runs" / "b")
    tokenizer = AutoTokenizer.from_pretrained(world / "runs" / "b")
    docs = [json.loads(line) for line in (world / "tasks" / "trivia.jsonl").read_text().splitlines()]
    nlls = []
    for doc, prompt in zip(docs, written.prompts("trivia_like", len(docs)), strict=True):
        alias = doc["answer"]["aliases"][0]  # of several answers the first, which few-shot examples show
        nlls.append(-tiny_models.loglik(model, tokenizer, prompt, " " + alias) / len(alias.encode()))
    assert value(scored[0], "b", "trivia_like", "nll") == pytest.approx(np.mean(nlls), rel=1e-5)
    assert value(scored[0], "b", "trivia_like", "bits_per_byte") == pytest.approx(np.mean(nlls) / math.log(2), rel=1e-5)
    mean = -math.log(np.mean(np.exp(-np.array(nlls))))
    assert value(scored[0], "b", "trivia_like", "nll_mean_prob") == pytest.approx(mean, rel=1e-5)
    # HumanEval's target is its tests: the solution that its documents have is taken, as it begins.
    code = [-tiny_models.loglik(model, tokenizer, f"x = {i} #", f"    return {i}") for i in range(12)]
    sizes = [len(f"return {i}") for i in range(12)]
    assert value(scored[0], "b", "humaneval_like", "nll") == pytest.approx(np.mean(np.array(code) / sizes), rel=1e-5)


def test_that_code_of_the_model_runs_is_said(scored: tuple[pd.DataFrame, list[str]]) -> None:
    said = [line for line in scored[1] if "no sandbox" in line]
    assert len(said) == 1
    assert "humaneval_like" in said[0]


def test_what_is_no_share_is_told_and_kept(
    world: Path, scored: tuple[pd.DataFrame, list[str]], theirs: dict[str, Any]
) -> None:
    assert any("not shares of the documents" in line and "bleu_like bleu" in line for line in scored[1])
    for path in (world / "scores" / "cells").glob("??/*/results.json"):
        content = json.loads(path.read_text())
        if content["benchcast"]["task"] == "bleu_like" and content["benchcast"]["source"] == "runs/b":
            mine = content["results"]["bleu_like"]["bleu,none"]
            assert mine == pytest.approx(theirs["results"]["bleu_like"]["bleu,none"], abs=1e-6)


def test_the_store_checks_written_answers_too(world: Path, scored: tuple[pd.DataFrame, list[str]]) -> None:
    from benchcast.scoring.store import Store
    from benchcast.scoring.store.cell import faults, from_documents

    store = Store(world / "scores")
    assert list(store.faults()) == []
    path = next(p for p in store.folder.glob("cells/??/*/results.json") if '"drop_like"' in p.read_text())
    frame = pd.read_parquet(path.parent / "documents.parquet")
    before = from_documents(frame)
    frame["score em"] = 1 - frame["score em"]
    assert from_documents(frame)["em"] == pytest.approx(1 - before["em"])
    whole = (path.parent / "documents.parquet").read_bytes()
    frame.to_parquet(path.parent / "documents.parquet")
    assert any("em is" in line for line in faults(path.parent))
    (path.parent / "documents.parquet").write_bytes(whole)


def test_pieces_give_the_same_answers_and_broken_ones_are_asked_again(
    world: Path, scored: tuple[pd.DataFrame, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchcast.core.errors import BenchcastError
    from benchcast.scoring import record
    from benchcast.scoring.requests.kinds import generation
    from benchcast.scoring.store import Store
    from benchcast.scoring.store.partial import Partials

    monkeypatch.setattr(generation, "PIECE", 7)
    asked: list[str] = []
    add = record.Recorder.add

    def cut_short(self: Any, checkpoint: Any, group: Any, answers: Any) -> Any:
        found = add(self, checkpoint, group, answers)
        asked.append(group.key)
        if len(asked) == 3:
            raise BenchcastError("the disk is full")
        return found

    monkeypatch.setattr(record.Recorder, "add", cut_short)
    with pytest.raises(BenchcastError):
        run(world, tasks=(DRAWN,), checkpoints=("runs/b",), store="pieces")
    partials = Partials(world / "pieces")
    assert list(partials.cells().values()) == [(3, 4)]
    second = next((world / "pieces" / "partial").glob(f"??/*/{asked[1]}.json"))
    second.write_text(second.read_text().replace('"texts": ["', '"texts": ["x'))
    assert [line for line in Store(world / "pieces").faults() if "not what was written" in line]
    asked += ["", ""]
    table, _ = run(world, tasks=(DRAWN,), checkpoints=("runs/b",), store="pieces")
    assert asked[5:] == [asked[1], asked[-1]]  # the broken one, and the last
    assert list(documents(world, "runs/b", "pieces")[DRAWN]["answer"]) == list(
        documents(world, "runs/b")[DRAWN]["answer"]
    )
    assert value(table, "b", DRAWN, "nll") == pytest.approx(value(scored[0], "b", DRAWN, "nll"))
    assert not list((world / "pieces" / "partial").iterdir())


def test_a_backend_of_lm_eval_writes_the_same(world: Path, scored: tuple[pd.DataFrame, list[str]]) -> None:
    """The way of vLLM: a model class made by name, here lm-eval's other name for that of transformers."""
    from benchcast.scoring.run import score
    from worlds.scoring import settings

    chosen = settings(tasks=("drop_like", DRAWN), checkpoints=("runs/b",), store="backend")
    summary = score(chosen.model_copy(update={"backend": "hf-auto"}), world)
    assert summary.failures == []
    ours, theirs = documents(world, "runs/b"), documents(world, "runs/b", "backend")
    for task in ("drop_like", DRAWN):
        assert list(theirs[task]["answer"]) == list(ours[task]["answer"])
        assert np.allclose(theirs[task]["gold_loglik"], ours[task]["gold_loglik"], atol=1e-4)


def test_a_swapped_model_generates_by_its_own_defaults(world: Path) -> None:
    from types import SimpleNamespace

    from benchcast.core.errors import CheckpointError
    from benchcast.scoring.inference.generation import own_generation_config
    from transformers import AutoModelForCausalLM

    path = world / "runs" / "a" / "generation_config.json"
    before = path.read_text()
    for content in (before, json.dumps({"repetition_penalty": 1.3, "eos_token_id": [0, 7]}), None, "[]"):
        path.write_text(content or "")
        if content is None:
            path.unlink()
        files = SimpleNamespace(folder=world / "runs" / "a")
        if content == "[]":
            with pytest.raises(CheckpointError, match="generation_config"):
                own_generation_config(None, files)  # type: ignore[arg-type]
        else:
            model = AutoModelForCausalLM.from_pretrained(world / "runs" / "a")
            own = own_generation_config(model, files)  # type: ignore[arg-type]
            # What is handed out beside the tokens is None in one and False in the other.
            one, other = ({k: v or None for k, v in c.to_dict().items()} for c in (own, model.generation_config))
            assert one == other
    path.write_text(before)


def test_other_defaults_of_generation_are_another_score(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "runs" / "b", tmp_path / "runs" / "b")
    shutil.copytree(world / "tasks", tmp_path / "tasks")
    changes: dict[str, Any] = {"tasks": ("drop_like",)}
    run(tmp_path, **changes)
    before = documents(tmp_path, "runs/b")["drop_like"]
    path = tmp_path / "runs" / "b" / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"transformers_version": "9"}))
    heard = Heard()
    run(tmp_path, heard, **changes)
    assert heard.lines == []  # nothing that decides
    path.write_text(json.dumps(json.loads(path.read_text()) | {"repetition_penalty": 5.0}))
    run(tmp_path, heard, **changes)
    assert any("generation_config.json" in line and "scored again" in line for line in heard.lines)
    after = documents(tmp_path, "runs/b")["drop_like"]
    assert list(before["answer"]) != list(after["answer"])
    assert list(before["gold_loglik"]) == list(after["gold_loglik"])
    assert len(list((tmp_path / "scores" / "outdated").iterdir())) == 1


def test_code_of_the_model_is_only_run_when_allowed(world: Path) -> None:
    _, failures = run(world, tasks=("humaneval_like", "drop_like"), checkpoints=("runs/b",))
    assert list(failures) == [("*", "humaneval_like")]
    assert "--confirm-run-unsafe-code" in failures["*", "humaneval_like"]


def test_arguments_that_the_model_does_not_know_cost_their_task_only(world: Path) -> None:
    path = world / "tasks" / "bleu_like.yaml"
    before = path.read_text()
    path.write_text(before.replace("max_gen_toks: 4", "max_gen_toks: 4, nonsense: 1"))
    tasks = ("bleu_like", "drop_like")
    table, failures = run(world, tasks=tasks, checkpoints=("runs/b",), store="nonsense")
    path.write_text(before)
    assert list(failures) == [("runs/b", "bleu_like")]
    assert "cannot generate" in failures["runs/b", "bleu_like"]
    assert "nonsense" in failures["runs/b", "bleu_like"]
    assert set(table["task"]) == {"drop_like"}


def test_arguments_that_do_not_fit_the_context_are_explained(world: Path) -> None:
    changes = {"checkpoints": ("runs/b",), "store": "context", "tasks": ("drop_like", "gsm_like")}
    _, failures = run(world, gen_kwargs={"max_gen_toks": 200}, **changes)
    assert set(failures) == {("runs/b", "*")}
    assert "asks for 200 new tokens, but the model's context is 96" in failures["runs/b", "*"]
    heard = Heard()
    _, failures = run(world, heard, gen_kwargs={"max_gen_toks": 44}, **changes)
    assert "prompts are longer than the model's 96 tokens less 44" in failures["runs/b", "gsm_like"]
    heard = Heard()
    table, failures = run(world, heard, gen_kwargs={"max_gen_toks": 44}, most_truncated=1, retry_failed=True, **changes)
    assert failures == {}
    assert any("gsm_like" in line and "prompts cut to the model's 96 tokens less 44" in line for line in heard.lines)
    cut = documents(world, "runs/b", "context")["gsm_like"]
    assert 0 < cut["truncated"].sum() < len(cut)
    assert value(table, "b", "gsm_like", "nll", "n") == 12
