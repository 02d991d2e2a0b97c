from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from worlds import tiny_models
from worlds.tiny_models import CONTEXT, QUESTIONS

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from benchcast.core.errors import InputError
from benchcast.scoring.progress import terminal
from worlds.scoring import QUIET, Heard, run, value

pytestmark = QUIET


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good checkpoints, a task, a task with shots, a validation text."""
    import torch

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("world")
    tiny_models.write_checkpoint(folder / "runs" / "a", "a", seed=1)
    tiny_models.write_checkpoint(folder / "runs" / "b", "b", seed=2, tied=True)
    tiny_models.write_task(folder / "tasks", "plain", QUESTIONS)
    tiny_models.write_task(folder / "tasks", "shots", QUESTIONS[:12], shots=2)
    (folder / "words.txt").write_text(" ".join(tiny_models.WORDS * 30), encoding="utf-8")
    return folder


@pytest.fixture
def copy(world: Path, tmp_path: Path) -> Path:
    """A copy that a test may break (task files name their data by absolute path, so they are rewritten)."""
    shutil.copytree(world / "runs", tmp_path / "runs")
    tiny_models.write_task(tmp_path / "tasks", "plain", QUESTIONS)
    return tmp_path


def load(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
    return model, AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def scored(world: Path) -> pd.DataFrame:
    table, failures = run(world, tasks=("plain", "shots"), validation_text=("words.txt",), out="all.csv")
    assert failures == {}
    return table


def test_importing_it_imports_no_torch() -> None:
    code = (
        "import sys, benchcast.cli.app, benchcast.cli.score, benchcast.core.config, benchcast.scoring.store.index; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'lm_eval', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["a", "b"])
def test_accuracies_and_errors_are_those_of_simple_evaluate(world: Path, scored: pd.DataFrame, name: str) -> None:
    import lm_eval
    from lm_eval.tasks import TaskManager

    results = lm_eval.simple_evaluate(
        model="hf",
        # logits_cache must be off: see test_one_sequence_cut_at_two_places
        model_args={"pretrained": str(world / "runs" / name), "add_bos_token": False, "logits_cache": False},
        tasks=["plain", "shots"],
        task_manager=TaskManager(include_path=str(world / "tasks"), include_defaults=False),
        batch_size=5,
        bootstrap_iters=1,
        device="cpu",
    )
    for task, expected in results["results"].items():
        for metric in ("acc", "acc_norm"):
            assert value(scored, name, task, metric) == expected[f"{metric},none"]
            assert value(scored, name, task, metric, "stderr") == pytest.approx(expected[f"{metric}_stderr,none"])
        samples = results["samples"][task]
        nlls = [-float(s["resps"][s["target"]][0][0]) / len(s["doc"]["choices"][s["target"]].encode()) for s in samples]
        assert value(scored, name, task, "nll") == pytest.approx(np.mean(nlls), rel=1e-5)
        assert value(scored, name, task, "nll", "n") == len(samples)


@pytest.mark.parametrize("name", ["a", "b"])
def test_losses_are_those_of_plain_forward_passes(world: Path, scored: pd.DataFrame, name: str) -> None:
    model, tokenizer = load(world / "runs" / name)
    nlls, choice = [], []
    for q in QUESTIONS:
        logliks = np.array([tiny_models.loglik(model, tokenizer, q["query"], " " + c) for c in q["choices"]])
        nlls.append(-logliks[q["gold"]] / len(q["choices"][q["gold"]].encode()))
        choice.append(-math.log(np.exp(logliks - logliks.max())[q["gold"]] / np.exp(logliks - logliks.max()).sum()))
    for metric, expected in (("nll", nlls), ("nll_choice", choice), ("bits_per_byte", np.array(nlls) / math.log(2))):
        assert value(scored, name, "plain", metric) == pytest.approx(np.mean(expected), rel=1e-5)
        error = np.std(expected, ddof=1) / math.sqrt(len(expected))
        assert value(scored, name, "plain", metric, "stderr") == pytest.approx(error, rel=1e-4)
    guess = np.mean([1 / len(q["choices"]) for q in QUESTIONS])
    assert value(scored, name, "plain", "nll", "chance") == pytest.approx(guess)


def test_validation_loss_is_that_of_windows_that_do_not_overlap(world: Path, scored: pd.DataFrame) -> None:
    model, tokenizer = load(world / "runs" / "a")
    text = (world / "words.txt").read_text(encoding="utf-8")
    tokens = tokenizer.encode(text, add_special_tokens=False)
    assert len(tokens) > 3 * CONTEXT
    total = tiny_models.tokens_loglik(model, [0], tokens[:CONTEXT])
    for start in range(CONTEXT, len(tokens), CONTEXT):
        wanted = tokens[start : start + CONTEXT]
        # The last window is shorter, and lm-eval fills its context up with the tokens before it.
        given = tokens[start - 1 - (CONTEXT - len(wanted)) : start] if len(wanted) < CONTEXT else [tokens[start - 1]]
        total += tiny_models.tokens_loglik(model, given, wanted)
    assert value(scored, "a", "words", "val_loss") == pytest.approx(-total / len(tokens), rel=1e-5)
    assert value(scored, "a", "words", "val_bpb") == pytest.approx(-total / math.log(2) / len(text.encode()), rel=1e-5)


def test_validation_loss_is_lm_evals_rolling_one(world: Path, scored: pd.DataFrame) -> None:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    text = (world / "words.txt").read_text(encoding="utf-8")
    lm = HFLM(pretrained=str(world / "runs" / "a"), device="cpu", batch_size=3, add_bos_token=False)
    instance = Instance("loglikelihood_rolling", {}, (text,), 0, ("words", 0, 1))
    (total,) = lm.loglikelihood_rolling([instance], disable_tqdm=True)
    assert value(scored, "a", "words", "val_bpb") == pytest.approx(-total / math.log(2) / len(text.encode()), rel=1e-5)


def test_one_sequence_cut_at_two_places(world: Path, tmp_path: Path) -> None:
    # lm-eval 0.4.13 scores these two documents in one forward pass and reads the wrong tokens for the first.
    twins = [
        {"query": "the cat sat on", "choices": ["a"], "gold": 0},
        {"query": "the cat", "choices": ["sat on mat"], "gold": 0},
    ]
    tiny_models.write_task(tmp_path / "tasks", "twins", [{**t, "choices": [*t["choices"], "dogs"]} for t in twins])
    table, failures = run(tmp_path, checkpoints=(str(world / "runs" / "a"),), tasks=("twins",))
    assert failures == {}
    model, tokenizer = load(world / "runs" / "a")
    assert tokenizer.encode("the cat sat on") == tokenizer.encode("the cat sat on mat")[:-1]
    expected = [-tiny_models.loglik(model, tokenizer, t["query"], " " + t["choices"][0]) for t in twins]  # type: ignore[operator]
    assert value(table, "a", "twins", "nll") == pytest.approx((expected[0] / 1 + expected[1] / 10) / 2, rel=1e-5)


def test_progress_is_plain_lines_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal() as progress:
        progress.start(4, 10)
        progress.advance(2, 50)
        progress.done("[runs]/a", 2, 1.5)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "4 of 10 cells to score"
    assert lines[1].startswith("2/4 [runs]/a: 2 cells in 1.5 s, ")


def test_the_table_says_where_everything_comes_from(world: Path, scored: pd.DataFrame) -> None:
    import lm_eval

    row = scored[(scored["run"] == "a") & (scored["task"] == "shots")].iloc[0]
    assert row["source"] == "runs/a"
    assert len(row["digest"]) == 64
    assert row["lm_eval"] == lm_eval.__version__
    assert row["num_fewshot"] == 2
    assert row["task_version"].startswith("1:")
    about = json.loads((world / "runs" / "a" / "benchcast.json").read_text())
    assert {k: row[k] for k in about} == about


def test_few_cut_prompts_are_counted(copy: Path) -> None:
    long = {"query": "cat " * (CONTEXT + 5), "choices": ["a", "mat"], "gold": 0}
    tiny_models.write_task(copy / "tasks", "plain", [*QUESTIONS * 4, long])
    heard = Heard()
    table, failures = run(copy, heard, checkpoints=("runs/a",))
    assert failures == {}
    assert heard.lines[0] == f"warning: runs/a: plain: 1 prompts cut to {CONTEXT} tokens"
    assert value(table, "a", "plain", "nll", "n") == 121


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"checkpoints": ("runs/a", "nowhere/*")}, "'nowhere/*': matches no folder"),
        ({"include_path": "nowhere"}, "nowhere is not a folder"),
        ({"validation_text": ("nowhere.txt",)}, "nowhere.txt: cannot be read"),
        ({"validation_text": ("tasks/plain.jsonl",)}, 'plain.jsonl: cannot be read: line 1 has no "text"'),
        ({"validation_text": ("tasks/plain.yaml",)}, "'plain' names two texts or a task"),
    ],
)
def test_wrong_settings_are_input_errors(copy: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words.replace("*", r"\*")):
        run(copy, **changes)


def test_few_shot_prompts_are_the_same_for_every_checkpoint(world: Path, scored: pd.DataFrame) -> None:
    versions = scored[scored["task"] == "shots"].groupby("run")["task_version"].unique()
    assert versions["a"].tolist() == versions["b"].tolist()
    alone, _ = run(world, tasks=("shots",), checkpoints=("runs/b",), out="alone.csv")
    assert value(alone, "b", "shots", "nll") == pytest.approx(value(scored, "b", "shots", "nll"), rel=1e-6)


def test_validation_loss_of_jsonl_is_that_of_its_documents(world: Path, tmp_path: Path) -> None:
    texts = [" ".join(tiny_models.WORDS * 12), "the cat sat", " ".join(tiny_models.WORDS[::-1] * 3)]
    (tmp_path / "held-out.jsonl").write_text("".join(json.dumps({"text": t}) + "\n\n" for t in texts))
    tiny_models.write_task(tmp_path / "tasks", "plain", QUESTIONS)
    table, failures = run(tmp_path, checkpoints=(str(world / "runs" / "a"),), validation_text=("held-out.jsonl",))
    assert failures == {}
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=str(world / "runs" / "a"), device="cpu", batch_size=3, add_bos_token=False)
    asked = [Instance("loglikelihood_rolling", {}, (t,), 0, ("t", i, 1)) for i, t in enumerate(texts)]
    total = -sum(lm.loglikelihood_rolling(asked, disable_tqdm=True))
    tokens = sum(len(lm.tok_encode(t)) for t in texts)
    size = sum(len(t.encode()) for t in texts)
    assert value(table, "a", "held-out", "val_loss") == pytest.approx(total / tokens, rel=1e-5)
    assert value(table, "a", "held-out", "val_bpb") == pytest.approx(total / math.log(2) / size, rel=1e-5)
    cell = next(
        p for p in (tmp_path / "scores").glob("cells/??/*/documents.parquet") if "document_bytes" in pd.read_parquet(p)
    )
    documents = pd.read_parquet(cell)
    assert documents.groupby("doc_id")["document_bytes"].sum().tolist() == [len(t.encode()) for t in texts]
    assert -documents["loglik"].sum() == pytest.approx(total, rel=1e-5)


def test_every_metric_can_be_computed_again_without_the_model(world: Path, scored: pd.DataFrame) -> None:
    for path in (world / "scores").glob("cells/??/*/results.json"):
        about = json.loads(path.read_text())["benchcast"]
        if about["task"] != "plain":
            continue
        documents = pd.read_parquet(path.with_name("documents.parquet"))
        best = documents.loc[documents.groupby("doc_id")["loglik"].idxmax()]
        normed = documents.assign(score=documents["loglik"] / documents["answer_chars"])
        best_normed = normed.loc[normed.groupby("doc_id")["score"].idxmax()]
        gold = documents[documents["choice"] == documents["gold"]]
        name = about["source"].removeprefix("runs/")
        assert (best["choice"] == best["gold"]).mean() == pytest.approx(value(scored, name, "plain", "acc"))
        assert (best_normed["choice"] == best_normed["gold"]).mean() == value(scored, name, "plain", "acc_norm")
        assert -(gold["loglik"] / gold["answer_bytes"]).mean() == pytest.approx(value(scored, name, "plain", "nll"))
