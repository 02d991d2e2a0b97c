from __future__ import annotations

import functools
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tiny_models
from tiny_models import CONTEXT, QUESTIONS

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from pipeline import score
from pipeline.config import ScoreSettings
from pipeline.errors import BenchcastError, FaultsError, InputError

# Other people's warnings: lm-eval, datasets and transformers on import and on use.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


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


def settings(**changes: Any) -> ScoreSettings:
    usual = {"checkpoints": ("runs/*",), "tasks": ("plain",), "include_path": "tasks", "batch_size": 7, "device": "cpu"}
    return ScoreSettings.model_validate(usual | changes)


def run(folder: Path, **changes: Any) -> tuple[pd.DataFrame, list[str]]:
    return score.score(settings(**changes), folder, progress=lambda line: None)


def value(table: pd.DataFrame, run: str, task: str, metric: str, column: str = "value") -> float:
    rows = table[(table["run"] == run) & (table["task"] == task) & (table["metric"] == metric)]
    assert len(rows) == 1
    return float(rows[column].iloc[0])


def load(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
    return model, AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def scored(world: Path) -> pd.DataFrame:
    table, failures = run(world, tasks=("plain", "shots"), validation_text=("words.txt",), out="all.csv")
    assert failures == []
    return table


def test_importing_it_imports_no_torch() -> None:
    code = "import sys, pipeline.score; sys.exit(any(m in sys.modules for m in ('torch', 'lm_eval', 'transformers')))"
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
    table, failures = score.score(
        settings(checkpoints=(str(world / "runs" / "a"),), tasks=("twins",)), tmp_path, progress=lambda line: None
    )
    assert failures == []
    model, tokenizer = load(world / "runs" / "a")
    assert tokenizer.encode("the cat sat on") == tokenizer.encode("the cat sat on mat")[:-1]
    expected = [-tiny_models.loglik(model, tokenizer, t["query"], " " + t["choices"][0]) for t in twins]  # type: ignore[operator]
    assert value(table, "a", "twins", "nll") == pytest.approx((expected[0] / 1 + expected[1] / 10) / 2, rel=1e-5)


def test_progress_is_plain_lines_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with score.terminal_progress() as progress:
        progress("1/2 [runs]")
    assert capsys.readouterr().err == "1/2 [runs]\n"


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


# --- refused ----------------------------------------------------------------------------------------------------


def test_broken_tasks_cost_no_other(copy: Path) -> None:
    long = {"query": "cat " * (CONTEXT + 5), "choices": ["a", "mat"], "gold": 0}
    tiny_models.write_task(copy / "tasks", "cut", [*QUESTIONS, long])
    tiny_models.write_task(copy / "tasks", "goldless", [*QUESTIONS[:5], {**QUESTIONS[5], "gold": 4}])
    tiny_models.write_task(copy / "tasks", "negative", [*QUESTIONS[:5], {**QUESTIONS[5], "gold": -1}])
    hollow = {"query": "the", "choices": ["", "b"], "gold": 0}
    tiny_models.write_task(copy / "tasks", "hollow", [*QUESTIONS[:5], hollow])
    tiny_models.write_task(copy / "tasks", "nothing", [])
    names = ("cut", "goldless", "negative", "hollow", "nothing", "plain")
    table, failures = run(copy, tasks=names, checkpoints=("runs/a",))
    expected = ["task goldless: document 5: gold 4 is none of its", "task negative: document 5: gold -1 is none of its",
                "task hollow: document 5: the gold answer is empty", "task nothing: cannot be loaded",
                f"runs/a: cut: 1 of 31 prompts are longer than the model's {CONTEXT} tokens"]  # fmt: skip
    assert len(failures) == len(expected)
    for line, start in zip(failures, expected, strict=True):
        assert line.startswith(start)
        assert "\n" not in line
    assert set(table["task"]) == {"plain"}


def test_few_cut_prompts_are_counted(copy: Path) -> None:
    long = {"query": "cat " * (CONTEXT + 5), "choices": ["a", "mat"], "gold": 0}
    tiny_models.write_task(copy / "tasks", "plain", [*QUESTIONS * 4, long])
    lines: list[str] = []
    table, failures = score.score(settings(checkpoints=("runs/a",)), copy, progress=lines.append)
    assert failures == []
    assert lines[0] == f"warning: runs/a: plain: 1 prompts cut to {CONTEXT} tokens"
    assert value(table, "a", "plain", "nll", "n") == 121


def test_an_unknown_task_is_refused_before_anything_is_scored(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # lm-eval's own 14,000 task files are not what is tested here.
    monkeypatch.setattr("lm_eval.tasks.manager.__file__", str(copy / "none" / "manager.py"))
    with pytest.raises(FaultsError) as caught:
        run(copy, tasks=("plain", "plane", "zzz"))
    lines = str(caught.value).splitlines()
    assert lines == ["score.tasks: unknown task 'plane' (did you mean plain?)", "score.tasks: unknown task 'zzz'"]
    assert not (copy / "scores.csv").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"checkpoints": ("runs/a", "nowhere/*")}, "'nowhere/*': matches no folder"),
        ({"include_path": "nowhere"}, "nowhere is not a folder"),
        ({"validation_text": ("nowhere.txt",)}, "nowhere.txt: cannot be read"),
        ({"validation_text": ("tasks/plain.jsonl",)}, "'plain' names two texts or a task"),
    ],
)
def test_wrong_settings_are_input_errors(copy: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words.replace("*", r"\*")):
        run(copy, **changes)


def test_an_output_that_cannot_be_written_is_found_before_scoring(copy: Path, forwards: list[int]) -> None:
    (copy / "file").write_text("")
    with pytest.raises(BenchcastError, match="cannot be written"):
        run(copy, out="file/scores.csv")
    assert forwards == []


# --- resumed ----------------------------------------------------------------------------------------------------


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Number of sequences of every forward pass."""
    import transformers

    calls: list[int] = []
    original = transformers.LlamaForCausalLM.forward

    @functools.wraps(original)
    def forward(self: Any, input_ids: Any = None, *args: Any, **kwargs: Any) -> Any:
        calls.append(len(input_ids))
        return original(self, input_ids, *args, **kwargs)

    monkeypatch.setattr(transformers.LlamaForCausalLM, "forward", forward)
    return calls


def test_what_is_scored_is_not_scored_again(copy: Path, forwards: list[int]) -> None:
    first, _ = run(copy)
    assert forwards
    written = (copy / "scores.csv").read_bytes()
    forwards.clear()
    second, _ = run(copy)
    assert forwards == []
    assert (copy / "scores.csv").read_bytes() == written
    pd.testing.assert_frame_equal(first, second, rtol=1e-12)

    # Only what is new is scored, and corrected metadata reach the old rows.
    about = json.loads((copy / "runs/a/benchcast.json").read_text())
    (copy / "runs/a/benchcast.json").write_text(json.dumps(about | {"family": "renamed"}))
    (copy / "more.txt").write_text("the cat sat on a mat")
    table, _ = run(copy, validation_text=("more.txt",))
    assert forwards == [1, 1]
    assert set(table.loc[table["run"] == "a", "family"]) == {"renamed"}
    assert set(table.loc[table["run"] == "b", "family"]) == {"random"}


@pytest.mark.parametrize("what", ["task", "limit", "dtype", "weights"])
def test_whatever_changes_the_score_is_noticed(copy: Path, forwards: list[int], what: str) -> None:
    first, _ = run(copy, checkpoints=("runs/a",))
    forwards.clear()
    changes: dict[str, Any] = {"limit": {"limit": 5}, "dtype": {"dtype": "bfloat16"}}.get(what, {})
    if what == "task":
        tiny_models.write_task(copy / "tasks", "plain", [{**q, "query": q["query"] + " and"} for q in QUESTIONS])
    if what == "weights":
        tiny_models.edit(copy / "runs" / "a", lambda t: t["model.norm.weight"].mul_(1.5))
    second, failures = run(copy, checkpoints=("runs/a",), **changes)
    assert failures == []
    assert forwards
    assert len(second) == len(first)
    assert value(second, "a", "plain", "nll") != value(first, "a", "plain", "nll")


def test_scores_of_weights_that_broke_are_not_kept(copy: Path) -> None:
    run(copy)
    tiny_models.edit(copy / "runs" / "a", lambda t: t["model.norm.weight"].fill_(float("nan")))
    table, failures = run(copy)
    assert set(table["run"]) == {"b"}
    assert len(failures) == 1
    assert set(pd.read_csv(copy / "scores.csv")["run"]) == {"b"}


def test_shards_are_merged_without_scoring_again(copy: Path, forwards: list[int]) -> None:
    whole, _ = run(copy, out="whole.csv")
    for number in range(2):
        table, _ = score.score(settings(), copy, progress=lambda line: None, shard=(number, 2))
        assert set(table["run"]) == {"ab"[number]}
    forwards.clear()
    merged, failures = run(copy)
    assert failures == []
    assert forwards == []
    columns = ["run", "task", "metric"]
    pd.testing.assert_frame_equal(
        merged.sort_values(columns, ignore_index=True), whole.sort_values(columns, ignore_index=True), rtol=1e-6
    )
    with pytest.raises(InputError, match="numbered from 0"):
        score.score(settings(), copy, progress=lambda line: None, shard=(2, 2))


def test_few_shot_prompts_are_the_same_for_every_checkpoint(world: Path, scored: pd.DataFrame) -> None:
    versions = scored[scored["task"] == "shots"].groupby("run")["task_version"].unique()
    assert versions["a"].tolist() == versions["b"].tolist()
    alone, _ = run(world, tasks=("shots",), checkpoints=("runs/b",), out="alone.csv")
    assert value(alone, "b", "shots", "nll") == pytest.approx(value(scored, "b", "shots", "nll"), rel=1e-6)
