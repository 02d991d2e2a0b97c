"""What a review of the scorer found: each was wrong once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from worlds import tiny_models
from worlds.commands import printed
from worlds.scoring import QUIET, run, settings, value
from worlds.tiny_models import CONTEXT, QUESTIONS

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from benchcast.core.errors import InputError
from benchcast.scoring.inference import loglikelihood as engine
from benchcast.scoring.inference.executors import worker_slots

pytestmark = QUIET


def another(world: Path, name: str, original: str = "a", **about: Any) -> Path:
    folder = world / "runs" / name
    shutil.copytree(world / "runs" / original, folder)
    told = json.loads((folder / "benchcast.json").read_text())
    (folder / "benchcast.json").write_text(json.dumps(told | {"run": name} | about))
    return folder


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_files_that_transformers_would_not_read_are_not_read(world: Path) -> None:
    for name, seed in (("c", 8), ("d", 9)):
        folder = another(world, name)
        tiny_models.write_checkpoint(world / "other" / name, name, seed=seed)
        shutil.copy(world / "other" / name / "model.safetensors", folder / "model_ema.safetensors")
    table, failures = run(world, checkpoints=("runs/a", "runs/c", "runs/d"))
    assert failures == {}
    assert len({value(table, name, "plain", "nll") for name in "acd"}) == 1


def test_tied_weights_that_stand_twice_are_compared_in_every_checkpoint(world: Path) -> None:
    head, words = "lm_head.weight", "model.embed_tokens.weight"
    for name, sign in (("c", 1), ("d", -1)):
        tiny_models.edit(another(world, name, "b"), lambda t, sign=sign: t.update({head: sign * t[words].clone()}))
    table, failures = run(world, checkpoints=("runs/c", "runs/d"))
    assert list(failures) == [("runs/d", "*")] or list(failures) == [("runs/d", "plain")]
    assert "a different head" in next(iter(failures.values()))
    assert set(table["run"]) == {"c"}


def test_tasks_that_ask_the_same_are_asked_once_and_listed_by_each_name(world: Path) -> None:
    tiny_models.write_task(world / "tasks", "twin", QUESTIONS)
    table, failures = run(world, checkpoints=("runs/a",), tasks=("plain", "twin"))
    assert failures == {}
    assert value(table, "a", "plain", "nll") == value(table, "a", "twin", "nll")
    assert len(list((world / "scores").glob("cells/??/*"))) == 1
    renamed, _ = run(world, checkpoints=("runs/a",), tasks=("twin",))
    assert set(renamed["task"]) == {"twin"}


def test_what_a_task_is_asked_does_not_depend_on_the_others_and_is_what_lm_eval_asks(world: Path) -> None:
    import lm_eval
    from lm_eval.tasks import TaskManager

    (world / "tasks" / "utils.py").write_text(
        "import random\n\ndef shuffled(docs):\n"
        "    def one(doc):\n        order = list(doc['choices'])\n        random.shuffle(order)\n"
        "        return {**doc, 'choices': order, 'gold': order.index(doc['choices'][doc['gold']])}\n"
        "    return docs.map(one, load_from_cache_file=False)\n"
    )
    for name in ("s1", "s2"):
        tiny_models.write_task(world / "tasks", name, QUESTIONS)
        path = world / "tasks" / f"{name}.yaml"
        path.write_text(path.read_text() + "process_docs: !function utils.shuffled\n")
    both, _ = run(world, checkpoints=("runs/a",), tasks=("s1", "s2"))
    alone, _ = run(world, checkpoints=("runs/a",), tasks=("s2",), store="other")
    for table in (both, alone):
        assert value(table, "a", "s2", "nll") == value(both, "a", "s1", "nll")
    manager = TaskManager(include_path=str(world / "tasks"), include_defaults=False)
    theirs = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(world / "runs" / "a"), "add_bos_token": False, "logits_cache": False},
        tasks=["s2"],
        task_manager=manager,
        device="cpu",
        bootstrap_iters=0,
    )
    # Requests only: lm-eval shuffles again before it looks at the gold, so its accuracies mean nothing here.
    asked = [float(resp[0][0]) for sample in theirs["samples"]["s2"] for resp in sample["resps"]]
    (cell,) = (world / "other").glob("cells/??/*/documents.parquet")
    assert pd.read_parquet(cell)["loglik"].tolist() == pytest.approx(asked, abs=1e-4)


def test_edited_code_that_makes_metrics_of_answers_is_noticed(world: Path) -> None:
    path = world / "tasks" / "plain.yaml"
    path.write_text(path.read_text() + "process_results: !function score.results\n")
    accuracies = []
    for number in (0.0, 1.0):
        (world / "tasks" / "score.py").write_text(
            f"def results(doc, results):\n    return {{'acc': {number}, 'acc_norm': {number}}}\n"
        )
        import sys

        sys.modules.pop("score", None)
        table, _ = run(world, checkpoints=("runs/a",))
        accuracies.append(value(table, "a", "plain", "acc"))
    assert accuracies == [0.0, 1.0]


def test_no_broken_folder_ends_the_run(world: Path) -> None:
    change_config(another(world, "no-heads"), num_attention_heads=0)
    change_config(another(world, "odd-kind"), model_type=["x"])
    listed = another(world, "listed")
    (listed / "model.safetensors").rename(listed / "model-00001-of-00001.safetensors")
    (listed / "model.safetensors.index.json").write_text('{"weight_map": ["model-00001-of-00001.safetensors"]}')
    another(world, "other-count", flops_convention="given", flops=5e7)
    another(world, "huge-step", step=10**400)
    table, failures = run(world)
    said = {source.removeprefix("runs/"): reason for (source, _), reason in failures.items()}
    assert set(said) == {"no-heads", "odd-kind", "listed", "other-count", "huge-step"}
    assert "its FLOPs are counted as 'given', those of its family as '6ND'" in said["other-count"]
    assert "lists no shards" in said["listed"]
    assert set(table["run"]) == {"a", "b"}


def test_a_text_with_half_a_character_is_told_first(world: Path) -> None:
    (world / "half.jsonl").write_text('{"text": "\\\\ud83d"}\n')
    (world / "half.jsonl").write_text('{"text": "\\ud83d"}\n')
    with pytest.raises(InputError, match=r"half\.jsonl: cannot be read"):
        run(world, validation_text=("half.jsonl",))


def test_a_cell_folder_without_results_is_replaced(world: Path) -> None:
    from benchcast.scoring.store import Store
    from benchcast.scoring.store.index import Index

    first, _ = run(world)
    next((world / "scores").glob("cells/??/*/results.json")).unlink()
    Index(Store(world / "scores")).rebuild()
    second, failures = run(world)
    assert failures == {}
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"device": "gpu"}, "'gpu' is not a device"), ({"backend": "vllm"}, "vllm is not installed")],
)
def test_mistakes_in_the_config_are_not_the_checkpoints_failures(world: Path, changes: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        run(world, **changes)
    _, failures = run(world)
    assert failures == {}


@pytest.mark.usefixtures("only_ray")
def test_a_worker_that_no_cluster_can_place_is_told(world: Path) -> None:
    pytest.importorskip("ray")
    with (
        pytest.raises(InputError, match="a worker needs 1000 CPUs"),
        worker_slots(settings(executor="ray", cpus_per_worker=1000)),
    ):
        pass


def test_a_ray_cluster_that_is_gone_is_told_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")  # nobody listens there
    with (
        pytest.raises(InputError, match=r"RAY_ADDRESS: no Ray cluster answers at 127\.0\.0\.1:9"),
        worker_slots(settings(executor="ray")),
    ):
        pass


def test_one_task_that_does_not_fit_costs_no_other(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    tiny_models.write_task(world / "tasks", "long", [{**q, "query": "cat " * 40 + q["query"]} for q in QUESTIONS])
    original = engine._batch

    def small(model: Any, batch: Any) -> Any:
        if batch.tokens.shape[1] > 45:
            raise torch.OutOfMemoryError("out of memory")
        return original(model, batch)

    monkeypatch.setattr(engine, "_batch", small)
    table, failures = run(world, checkpoints=("runs/a",), tasks=("plain", "long"))
    assert list(failures) == [("runs/a", "long")]
    assert set(table["task"]) == {"plain"}


def test_a_context_beyond_the_models_is_refused(world: Path) -> None:
    _, failures = run(world, checkpoints=("runs/a",), max_length=1000)
    assert next(iter(failures.values())) == f"score.max_length is 1000, but the model's context is {CONTEXT} tokens"


def test_one_task_of_a_group_that_cannot_be_loaded_costs_no_other(world: Path) -> None:
    tiny_models.write_task(world / "tasks", "nothing", [])
    (world / "tasks" / "both.yaml").write_text("group: both\ntask: [plain, nothing]\n")
    table, failures = run(world, checkpoints=("runs/a",), tasks=("both",))
    assert list(failures) == [("*", "nothing")]
    assert set(table["task"]) == {"plain"}


def test_a_store_of_several_setups_is_exported(world: Path) -> None:
    run(world, limit=5)
    table, _ = run(world)
    printed("store", "export", "scores", "--out", "now.csv", cwd=world)
    printed("store", "export", "scores", "--out", "all.csv", "--all", cwd=world)
    now, every = pd.read_csv(world / "now.csv"), pd.read_csv(world / "all.csv")
    assert len(now) == len(table)
    assert len(every) == 2 * len(table)
