"""What lm-eval 0.4.13 scores without a word, or dies of: each is one explained cell, and the others are scored."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from worlds import tiny_models
from worlds.tiny_models import CONTEXT, QUESTIONS

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

import torch
from benchcast.core.errors import FaultsError
from worlds.scoring import QUIET, Heard, run, value

pytestmark = QUIET
HEAD, NORM = "lm_head.weight", "model.norm.weight"


def variant(world: Path, name: str, change: Callable[[Any], Any] | None = None, original: str = "a") -> Path:
    """A copy of a checkpoint under another name, with its tensors changed."""
    folder = world / "runs" / name
    shutil.copytree(world / "runs" / original, folder)
    about = json.loads((folder / "benchcast.json").read_text())
    (folder / "benchcast.json").write_text(json.dumps(about | {"run": name}))
    if change is not None:
        tiny_models.edit(folder, change)
    return folder


def flip(folder: Path, start: int = 4096, size: int = 4096) -> None:
    """Invert 4 kB in the middle of the weights."""
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[start : start + size] = bytes(255 - byte for byte in data[start : start + size])
    path.write_bytes(bytes(data))


def shuffle_words(folder: Path) -> None:
    """A tokenizer of the same size whose ids mean something else."""
    path = folder / "tokenizer.json"
    words = json.loads(path.read_text())
    vocabulary = words["model"]["vocab"]
    names = sorted(vocabulary, key=vocabulary.get)
    moved = [names[0], *names[10:], *names[1:10]]
    words["model"]["vocab"] = {name: i for i, name in enumerate(moved)}
    path.write_text(json.dumps(words))


def test_broken_checkpoints(world: Path) -> None:
    variant(world, "nan-head", lambda t: t[HEAD].__setitem__((3, 1), float("nan")))
    variant(world, "inf-row", lambda t: t[HEAD][5].fill_(float("inf")))
    variant(world, "missing", lambda t: t.pop(NORM))
    variant(world, "missing-head", lambda t: t.pop(HEAD))
    variant(world, "unexpected", lambda t: t.update(extra=torch.zeros(2)))
    variant(world, "misshapen", lambda t: t.update({NORM: torch.zeros(5)}))
    variant(world, "other-head", lambda t: t.update({HEAD: torch.zeros(300, 16)}), original="b")
    variant(world, "huge", lambda t: t[NORM].fill_(3e38))
    flipped = variant(world, "flipped")
    sums = subprocess.run(["sha256sum", "model.safetensors"], cwd=flipped, capture_output=True, text=True, check=True)
    (flipped / "SHA256SUMS").write_text(sums.stdout)
    flip(flipped)
    (variant(world, "cut") / "model.safetensors").write_bytes((world / "runs/a/model.safetensors").read_bytes()[:9000])
    (variant(world, "stub") / "model.safetensors").write_bytes(b"12")
    (variant(world, "not-json") / "config.json").write_text("{")
    (variant(world, "nameless") / "benchcast.json").write_text('{"run": "x"}')
    (variant(world, "percent") / "benchcast.json").write_text(
        '{"run": "y", "family": "f", "step": 1, "params": -5, "tokens": 3, "flops": 1, "flops_convention": "given"}'
    )
    pickled = variant(world, "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    sharded = variant(world, "shard-gone")
    index = {"weight_map": {HEAD: "model.safetensors", NORM: "model-00002-of-00002.safetensors"}}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(index))
    shutil.copytree(world / "runs" / "a", world / "runs" / "twin")  # the same once more: no failure, and no row
    shuffle_words(variant(world, "wrong-words"))
    wide = variant(world, "wide-words")
    words = json.loads((wide / "tokenizer.json").read_text())
    token = words["added_tokens"][0] | {"id": 300, "content": "<more>"}
    (wide / "tokenizer.json").write_text(json.dumps(words | {"added_tokens": [*words["added_tokens"], token]}))
    about = json.loads((wide / "benchcast.json").read_text())
    (wide / "benchcast.json").write_text(json.dumps(about | {"family": "its own"}))

    table, failures = run(world, checkpoints=("runs/*",))
    said = {source.removeprefix("runs/"): reason for (source, _), reason in failures.items()}
    expected = {
        "nan-head": "weights are NaN or infinite: lm_head.weight",
        "inf-row": "weights are NaN or infinite: lm_head.weight",
        "missing": "lacks tensors: model.norm.weight",
        "missing-head": "lacks tensors: lm_head.weight",
        "unexpected": "holds unknown tensors: extra",
        "misshapen": "holds misshapen tensors: model.norm.weight",
        "other-head": "the file holds a different head",
        "huge": "log-likelihoods are not finite",
        "flipped": "model.safetensors is not the file whose digest SHA256SUMS records",
        "cut": "model.safetensors has 9000 bytes where its header tells of",
        "stub": "model.safetensors is not a safetensors file",
        "not-json": "config.json is not JSON",
        "nameless": "cannot find its family, step, params, tokens, flops",
        "percent": "params -5 must be positive and finite",
        "pickled": "has no model.safetensors (pytorch_model.bin is a pickle, which is not read)",
        "shard-gone": "lacks the shard model-00002-of-00002.safetensors",
        "wrong-words": "its tokenizer is not that of runs/a",
        "wide-words": "the tokenizer has 301 ids but the model embeds 300",
    }
    assert set(said) == set(expected)
    for name, words_of in expected.items():
        assert words_of in said[name], name
    assert set(table["run"]) == {"a", "b"}


def test_broken_tasks(world: Path) -> None:
    long = {"query": "cat " * (CONTEXT + 5), "choices": ["a", "mat"], "gold": 0}
    tiny_models.write_task(world / "tasks", "cut", [*QUESTIONS, long])
    tiny_models.write_task(world / "tasks", "goldless", [*QUESTIONS[:5], {**QUESTIONS[5], "gold": 4}])
    tiny_models.write_task(world / "tasks", "negative", [*QUESTIONS[:5], {**QUESTIONS[5], "gold": -1}])
    tiny_models.write_task(world / "tasks", "hollow", [*QUESTIONS[:5], {"query": "a", "choices": ["", "b"], "gold": 0}])
    tiny_models.write_task(world / "tasks", "gap", [*QUESTIONS[:5], {"query": "a", "choices": ["b", " "], "gold": 0}])
    tiny_models.write_task(world / "tasks", "nothing", [])
    names = ("cut", "goldless", "negative", "hollow", "gap", "nothing", "plain")
    table, failures = run(world, tasks=names, checkpoints=("runs/a",))
    expected = {
        ("*", "goldless"): "document 5: gold 4 is none of its",
        ("*", "negative"): "document 5: gold -1 is none of its",
        ("*", "hollow"): "document 5: the gold answer is empty",
        ("*", "gap"): "document 5: the choice 1 is empty",
        ("*", "nothing"): "cannot be loaded",
        ("runs/a", "cut"): f"1 of 31 prompts are longer than the model's {CONTEXT} tokens",
    }
    assert set(failures) == set(expected)
    for cell, start in expected.items():
        assert failures[cell].startswith(start)
    assert set(table["task"]) == {"plain"}


def test_an_unknown_task_among_good_ones(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # lm-eval's own 14,000 task files are not what is tested here.
    monkeypatch.setattr("lm_eval.tasks.manager.__file__", str(world / "none" / "manager.py"))
    table, failures = run(world, tasks=("plane", "plain"), checkpoints=("runs/a",))
    assert failures == {("*", "plane"): "is not a task that lm-eval knows (did you mean plain?)"}
    assert set(table["task"]) == {"plain"}
    with pytest.raises(FaultsError, match=r"score\.tasks: zzz: is not a task"):
        run(world, tasks=("zzz",))


def test_an_edited_task_file_is_asked_again(world: Path) -> None:
    first, _ = run(world, checkpoints=("runs/a",))
    tiny_models.write_task(world / "tasks", "plain", [{**q, "query": q["query"] + " and"} for q in QUESTIONS])
    second, _ = run(world, checkpoints=("runs/a",))
    assert value(second, "a", "plain", "nll") != value(first, "a", "plain", "nll")


def test_a_target_delimiter_is_part_of_what_is_asked(world: Path) -> None:
    # lm-eval's own task hash is the same with and without.
    first, _ = run(world, checkpoints=("runs/a",))
    path = world / "tasks" / "plain.yaml"
    path.write_text(path.read_text() + 'target_delimiter: "\\n"\n')
    second, _ = run(world, checkpoints=("runs/a",))
    assert value(second, "a", "plain", "nll") != value(first, "a", "plain", "nll")


def test_checkpoint_b_never_gets_the_scores_of_a(world: Path) -> None:
    both, _ = run(world, out="both.csv", store="one")
    alone, _ = run(world, checkpoints=("runs/b",), out="alone.csv", store="other")
    assert value(both, "b", "plain", "nll") == value(alone, "b", "plain", "nll")
    assert value(both, "b", "plain", "nll") != value(both, "a", "plain", "nll")
    # The same path with other weights, and the same time and size: what a cache keyed by the path would miss.
    times = (world / "runs/a/model.safetensors").stat()
    shutil.copy(world / "runs/a/model.safetensors", world / "kept")
    tiny_models.edit(world / "runs" / "a", lambda t: t[NORM].mul_(1.5))
    changed, _ = run(world, out="both.csv", store="one")
    assert value(changed, "a", "plain", "nll") != value(both, "a", "plain", "nll")
    shutil.copy(world / "kept", world / "runs/a/model.safetensors")
    import os

    os.utime(world / "runs/a/model.safetensors", ns=(times.st_atime_ns, times.st_mtime_ns))
    again, _ = run(world, out="both.csv", store="one")
    assert value(again, "a", "plain", "nll") == value(both, "a", "plain", "nll")


def test_special_tokens_that_disagree_are_pointed_out(world: Path) -> None:
    config = json.loads((world / "runs/a/config.json").read_text())
    (world / "runs/a/config.json").write_text(json.dumps(config | {"eos_token_id": 7}))
    heard = Heard()
    _, failures = run(world, heard, checkpoints=("runs/a",))
    assert failures == {}
    assert heard.lines[0].startswith("warning: runs/a: eos_token_id is 0 in the tokenizer but 7 in config.json")


def test_failures_are_tried_again_only_when_asked_or_changed(world: Path) -> None:
    good = (world / "runs/a/model.safetensors").read_bytes()
    tiny_models.edit(world / "runs" / "a", lambda t: t[NORM].fill_(3e38))
    heard = Heard()
    _, failures = run(world, heard)
    assert list(failures) == [("runs/a", "plain")]
    assert any(line.startswith("error: runs/a") for line in heard.lines)
    again = Heard()
    _, failures = run(world, again)
    assert list(failures) == [("runs/a", "plain")]  # still told
    assert again.lines == []  # but not tried
    third = Heard()
    _, failures = run(world, third, retry_failed=True)
    assert any(line.startswith("error: runs/a") for line in third.lines)
    (world / "runs/a/model.safetensors").write_bytes(good)
    table, failures = run(world)
    assert failures == {}
    assert set(table["run"]) == {"a", "b"}


def test_bits_that_flip_in_place_are_found_though_the_time_is_set_back(world: Path) -> None:
    import os

    from benchcast.scoring.run import score
    from worlds.scoring import settings

    first, _ = run(world, checkpoints=("runs/a",))
    path = world / "runs/a/model.safetensors"
    before = path.stat()
    flip(path.parent)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    summary = score(settings(checkpoints=("runs/a",)), world)
    assert summary.failures or value(summary.table, "a", "plain", "nll") != value(first, "a", "plain", "nll")
