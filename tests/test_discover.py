"""Finding checkpoints: patterns, places on the ladder, and folders that are still being written. No torch needed."""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import ScoreSettings
from pipeline.digest import file_digest
from pipeline.errors import FaultsError
from pipeline.scoring import checkpoints, discover

LLAMA = {"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50,
         "intermediate_size": 16, "max_position_embeddings": 32, "tie_word_embeddings": True}  # fmt: skip
ABOUT = {"run": "r", "family": "f", "step": 7, "params": 10, "tokens": 100, "flops": 6000, "flops_convention": "6ND"}


def write(folder: Path, about: dict[str, Any] | None = None, content: bytes = b"\0" * 16) -> Path:
    folder.mkdir(parents=True)
    header = json.dumps({"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + content)
    (folder / "config.json").write_text(json.dumps(LLAMA))
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", "model": {"vocab": {"a": 0}}}))
    if about is not None:
        (folder / "benchcast.json").write_text(json.dumps(about))
    return folder


def find(base: Path, **changes: Any) -> discover.Found:
    usual = {"checkpoints": ["runs/*/*"], "tasks": ["t"], "quiet_seconds": 0}
    return discover.find(ScoreSettings.model_validate(usual | changes), base, file_digest)


def only(found: discover.Found) -> dict[str, Any]:
    assert found.broken == {}
    (checkpoint,) = found.checkpoints
    return checkpoint.about


def test_a_checkpoint_says_where_it_stands(tmp_path: Path) -> None:
    write(tmp_path / "runs/a/step-7", ABOUT)
    assert only(find(tmp_path)) == ABOUT


def test_the_folder_name_and_the_architecture_say_it(tmp_path: Path) -> None:
    write(tmp_path / "runs/mine/step-50")
    about = only(find(tmp_path, pattern="{run}/step-{step}", place={"family": "mix", "tokens_per_step": 1000}))
    # By hand: two layers of 4·8·8 attention + 3·8·16 MLP + 2·8 norms, a final norm of 8, a tied matrix of 50·8.
    params = 2 * (4 * 64 + 3 * 128 + 16) + 8 + 400
    assert about == {"run": "mine", "family": "mix", "step": 50, "params": params, "tokens": 50_000,
                     "flops": 6 * params * 50_000, "flops_convention": "6ND"}  # fmt: skip


@pytest.mark.parametrize(
    ("convention", "per_token"),
    [
        ("deepseek", 72 * 2 * 64 + 12 * 2 * 8 * 16),
        ("6ND+attention", 6 * 1720 + 12 * 2 * 8 * 16),
        ("6ND-no-embedding-no-head", 6 * 1320),
    ],
)
def test_the_flops_follow_the_named_convention(tmp_path: Path, convention: str, per_token: float) -> None:
    write(tmp_path / "runs/mine/step-50")
    place = {"family": "mix", "tokens_per_step": 1000, "seq_len": 16, "flops_convention": convention}
    about = only(find(tmp_path, pattern="{run}/step-{step}", place=place))
    assert about["flops_convention"] == convention
    assert about["flops"] == per_token * 50_000


def test_the_trainer_and_ladder_yaml_say_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "runs/mine/checkpoint-9")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 9, "num_input_tokens_seen": 4500}))
    (tmp_path / "ladder.yaml").write_text("runs/mine/*: {run: mine, family: mix, params: 2.0e+3}\n")
    about = only(find(tmp_path, ladder="ladder.yaml"))
    assert about == {"run": "mine", "family": "mix", "step": 9, "params": 2000, "tokens": 4500,
                     "flops": 6 * 2000 * 4500, "flops_convention": "6ND"}  # fmt: skip


def test_the_nearest_source_wins(tmp_path: Path) -> None:
    folder = write(tmp_path / "runs/mine/step-50", {"step": 3})
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 9}))
    (tmp_path / "ladder.yaml").write_text("runs/mine/step-50: {run: listed, family: mix, step: 4, tokens: 10}\n")
    about = only(find(tmp_path, ladder="ladder.yaml", pattern="{run}/step-{step}", place={"family": "other"}))
    assert (about["step"], about["run"], about["family"]) == (3, "listed", "mix")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pattern": "{runs}/step-{step}"}, "'runs' is no column"),
        ({"pattern": "step"}, "has no {column}"),
        ({"ladder": "none.yaml"}, "none.yaml: cannot be read"),
        ({"ladder": "odd.yaml"}, "runs/mine.paramz: is no column"),
        ({"checkpoints": ["nowhere/*"]}, "'nowhere/*': matches no folder"),
    ],
)
def test_wrong_settings_are_told_before_anything_else(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    write(tmp_path / "runs/mine/step-50")
    (tmp_path / "odd.yaml").write_text("runs/mine: {paramz: 5}\n")
    with pytest.raises(FaultsError) as caught:
        find(tmp_path, **changes)
    assert words in str(caught.value)


def test_what_nothing_tells_is_named(tmp_path: Path) -> None:
    write(tmp_path / "runs/mine/step-50")
    (reason,) = find(tmp_path, pattern="{run}/step-{step}").broken.values()
    assert reason.startswith("nothing tells its family, params, tokens, flops: write them into benchcast.json")


def test_a_checkpoint_that_is_still_written_is_left_alone(tmp_path: Path) -> None:
    folder = write(tmp_path / "runs/mine/step-50", ABOUT)
    assert find(tmp_path, quiet_seconds=60).waiting == ["runs/mine/step-50"]
    old = time.time() - 100
    for path in (*folder.iterdir(), folder):
        os.utime(path, (old, old))
    assert only(find(tmp_path, quiet_seconds=60)) == ABOUT
    # A file cut short: left alone while it changes, broken once it is quiet.
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-4])
    assert find(tmp_path, quiet_seconds=60).waiting == ["runs/mine/step-50"]
    os.utime(folder / "model.safetensors", (old, old))
    found = find(tmp_path, quiet_seconds=60)
    assert found.waiting == []
    assert "where its header tells of" in next(iter(found.broken.values()))


def test_a_clock_that_was_set_back_does_not_hold_a_checkpoint(tmp_path: Path) -> None:
    folder = write(tmp_path / "runs/mine/step-50", ABOUT)
    later = time.time() + 10_000
    for path in (*folder.iterdir(), folder):
        os.utime(path, (later, later))
    assert only(find(tmp_path, quiet_seconds=60)) == ABOUT


def test_a_marker_file_says_that_a_checkpoint_is_complete(tmp_path: Path) -> None:
    folder = write(tmp_path / "runs/mine/step-50", ABOUT)
    assert find(tmp_path, marker="DONE").waiting == ["runs/mine/step-50"]
    (folder / "DONE").touch()
    assert only(find(tmp_path, marker="DONE", quiet_seconds=9999)) == ABOUT


def test_a_shared_tokenizer(tmp_path: Path) -> None:
    folder = write(tmp_path / "runs/mine/step-50", ABOUT)
    (tmp_path / "words").mkdir()
    (folder / "tokenizer.json").rename(tmp_path / "words" / "tokenizer.json")
    assert "has no tokenizer files" in next(iter(find(tmp_path).broken.values()))
    (checkpoint,) = find(tmp_path, tokenizer="words").checkpoints
    assert checkpoint.files.tokenizer_folder == tmp_path / "words"


def test_a_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    one, two = write(tmp_path / "runs/a/x", ABOUT), write(tmp_path / "elsewhere/y", ABOUT | {"run": "z"})
    digests = [checkpoints.digest(checkpoints.files(f), file_digest) for f in (one, two)]
    assert digests[0] == digests[1]
    (two / "model.safetensors").write_bytes((two / "model.safetensors").read_bytes()[:-1] + b"\1")
    assert checkpoints.digest(checkpoints.files(two), file_digest) != digests[0]


def test_a_tokenizer_is_the_same_however_it_is_formatted(tmp_path: Path) -> None:
    one, two, three = (write(tmp_path / name, ABOUT) for name in "abc")
    words = json.loads((two / "tokenizer.json").read_text())
    (two / "tokenizer.json").write_text(json.dumps(words | {"version": "2.0", "padding": None}, indent=4))
    (three / "tokenizer.json").write_text(json.dumps(words | {"model": {"vocab": {"b": 0}}}))
    a, b, c = (checkpoints.tokenizer_digest(checkpoints.files(f), file_digest) for f in (one, two, three))
    assert a == b != c


def test_the_tokenizer_that_most_of_a_family_carry_is_right() -> None:
    carried = [("a", "f", "x"), ("b", "f", "y"), ("c", "f", "y"), ("d", "g", "x")]
    assert list(checkpoints.odd_ones(carried)) == ["a"]
    assert list(checkpoints.odd_ones([("a", "f", "x"), ("b", "f", "y")])) == ["b"]
