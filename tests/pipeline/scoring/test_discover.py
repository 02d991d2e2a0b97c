"""Finding checkpoints: patterns, places on the ladder, and folders that are still being written. No torch needed."""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from benchcast.core.config import ScoreSettings
from benchcast.core.digest import file_digest
from benchcast.core.errors import FaultsError
from benchcast.scoring.checkpoints import discover
from benchcast.scoring.checkpoints import files as checkpoints

LLAMA = {
    "model_type": "llama",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 50,
    "intermediate_size": 16,
    "max_position_embeddings": 32,
    "tie_word_embeddings": True,
}
PARAMS = 1720  # of LLAMA, counted by hand below
ABOUT = {
    "run": "r",
    "family": "f",
    "step": 7,
    "params": PARAMS,
    "tokens": 100_000,
    "flops": 6e5 * PARAMS,
    "flops_convention": "6ND",
}


def write(folder: Path, about: dict[str, Any] | None = None, content: bytes = b"\0" * 16) -> Path:
    folder.mkdir(parents=True)
    header = json.dumps({"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + content)
    (folder / "config.json").write_text(json.dumps(LLAMA))
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", "model": {"vocab": {"a": 0}}}))
    if about is not None:
        (folder / "benchcast.json").write_text(json.dumps(about))
    return folder


def find(base: Path, **changes: Any) -> discover.DiscoveredCheckpoints:
    usual = {"checkpoints": ["runs/*/*"], "tasks": ["t"], "quiet_seconds": 0}
    return discover.find(ScoreSettings.model_validate(usual | changes), base, file_digest)


def only(found: discover.DiscoveredCheckpoints) -> dict[str, Any]:
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
    assert about == {
        "run": "mine",
        "family": "mix",
        "step": 50,
        "params": params,
        "tokens": 50_000,
        "flops": 6 * params * 50_000,
        "flops_convention": "6ND",
    }


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
    (tmp_path / "ladder.yaml").write_text("runs/mine/*: {run: mine, family: mix, params: 2.0e+3}\n")  # rounded
    about = only(find(tmp_path, ladder="ladder.yaml"))
    assert about == {
        "run": "mine",
        "family": "mix",
        "step": 9,
        "params": 2000,
        "tokens": 4500,
        "flops": 6 * 2000 * 4500,
        "flops_convention": "6ND",
    }


def test_the_nearest_source_wins(tmp_path: Path) -> None:
    folder = write(tmp_path / "runs/mine/step-50", {"tokens": 100_100})
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 50, "num_input_tokens_seen": 100_200}))
    (tmp_path / "ladder.yaml").write_text("runs/mine/step-50: {run: listed, family: mix, tokens: 1.0e+5}\n")
    about = only(find(tmp_path, ladder="ladder.yaml", pattern="{run}/step-{step}", place={"family": "other"}))
    assert (about["tokens"], about["run"], about["family"]) == (100_100, "listed", "mix")


@pytest.mark.parametrize(
    ("own", "trainer", "changes", "words"),
    [
        ({"step": 3}, {}, {}, "its step is 3 by benchcast.json, 50 by the folder's name"),
        ({}, {"global_step": 49}, {}, "its step is 50 by the folder's name, 49 by trainer_state.json"),
        ({"tokens": 9e4}, {}, {}, "its tokens are 90000 by benchcast.json, but step 50 (by the folder's name) times"),
        ({}, {"num_input_tokens_seen": 50_000}, {}, "its tokens are 50000 by trainer_state.json, but step 50"),
        ({"tokens_per_step": 1000}, {}, {}, "its tokens_per_step are 1000 by benchcast.json, 2000 by score.place"),
        ({"tokens": 1e5}, {"num_input_tokens_seen": 98_000}, {}, "its tokens are 100000 by benchcast.json, 98000 by"),
        ({"params": 17e3}, {}, {}, "its params are 17000 by benchcast.json, 1720 by config.json"),
        ({"params": 1.72e-3}, {}, {}, "its params are 0.00172 by benchcast.json, 1720 by config.json"),
        ({"params": "many"}, {}, {}, "params 'many' is not a number"),
        ({"tokens": True}, {}, {}, "tokens 'True' is not a number"),
        ({}, {}, {"ladder": "ladder.yaml"}, "its step is 4 by ladder.yaml, 50 by the folder's name"),
    ],
)
def test_two_statements_of_one_fact_must_agree(
    tmp_path: Path, own: dict[str, Any], trainer: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    folder = write(tmp_path / "runs/mine/step-50", own)
    (folder / "trainer_state.json").write_text(json.dumps(trainer))
    (tmp_path / "ladder.yaml").write_text("runs/mine/step-50: {step: 4}\n")
    place = {"family": "mix", "tokens_per_step": 2000}
    found = find(tmp_path, pattern="{run}/step-{step}", place=place, **changes)
    assert found.checkpoints == []
    assert next(iter(found.broken.values())).startswith(words)


def test_a_rounded_size_is_told_and_taken(tmp_path: Path) -> None:
    write(tmp_path / "runs/a/x", ABOUT | {"params": 2000, "flops": 6e5 * 2000})
    later = ABOUT | {"step": 8, "tokens": 2e5, "flops": 12e5 * 2000, "params": 2000}
    write(tmp_path / "runs/a/y", later, b"\1" * 16)
    write(tmp_path / "runs/b/z", ABOUT | {"run": "no embeddings", "params": 1320, "flops": 6e5 * 1320})
    found = find(tmp_path)
    assert len(found.checkpoints) == 3
    assert found.account.record().notes == tuple(
        f"runs/a/{name}: its params are 2000 by benchcast.json, 1720 by config.json (with embeddings); "
        "the first is used"
        for name in "xy"
    )


@pytest.mark.parametrize("own", [{"step": 0}, {"step": 5, "tokens": 0}])
def test_a_checkpoint_before_the_first_step_is_left_out_with_a_line(tmp_path: Path, own: dict[str, Any]) -> None:
    write(tmp_path / "runs/a/x", ABOUT)
    write(tmp_path / "runs/a/zero", {**ABOUT, **own})
    found = find(tmp_path)
    assert [c.source for c in found.checkpoints] == ["runs/a/x"]
    assert found.broken == {}
    assert found.account.record().told() == (f"left out 1: {discover.UNTRAINED}: runs/a/zero",)


def test_tokens_that_fall_while_steps_grow(tmp_path: Path) -> None:
    for step, tokens in ((100, 1e5), (200, 2e5), (300, 1.5e5)):
        write(tmp_path / f"runs/a/{step}", ABOUT | {"step": step, "tokens": tokens, "flops": 6 * PARAMS * tokens})
    write(tmp_path / "runs/b/x", ABOUT | {"run": "other"})
    found = find(tmp_path)
    assert [c.source for c in found.checkpoints] == ["runs/b/x"]
    assert len(found.broken) == 3
    reason = found.broken["runs/a/300", next(d for s, d in found.broken if s == "runs/a/300")]
    assert "has 200000 tokens at step 200 (runs/a/200) and 150000 at step 300 (runs/a/300)" in reason


def test_two_folders_of_one_step_with_other_files_are_both_named(tmp_path: Path) -> None:
    for number, name in enumerate(("step-7", "step-007", "step-7.0")):
        write(tmp_path / "runs/a" / name, content=bytes([number] * 16))
    write(tmp_path / "runs/a/step-8", content=b"\7" * 16)
    place = {"family": "mix", "tokens_per_step": 1000}
    found = find(tmp_path, pattern="{run}/step-{step}", place=place)
    assert [c.source for c in found.checkpoints] == ["runs/a/step-8"]
    said = {source.rpartition("/")[2]: reason for (source, _), reason in found.broken.items()}
    assert set(said) == {"step-7", "step-007", "step-7.0"}
    assert said["step-7"].startswith("has the same run and step as runs/a/step-007, runs/a/step-7.0 ('a', 7)")
    assert "runs/a/step-7 " in said["step-7.0"] + " "


def test_equal_folders_of_one_step_are_one(tmp_path: Path) -> None:
    write(tmp_path / "runs/a/x", ABOUT)
    write(tmp_path / "runs/a/y", ABOUT)
    write(tmp_path / "runs/b/z", ABOUT | {"run": "another place"})
    found = find(tmp_path)
    assert [c.source for c in found.checkpoints] == ["runs/a/x", "runs/b/z"]
    assert len({c.digest for c in found.checkpoints}) == 1
    assert found.account.record().told() == (f"left out 1: {discover.TWINS}: runs/a/y (as runs/a/x)",)


def test_a_name_that_is_no_text_costs_only_itself(tmp_path: Path) -> None:
    write(tmp_path / "runs/a/x", ABOUT)
    write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/runs/a/bad\xff")), ABOUT | {"run": "other"})
    write(tmp_path / "runs/a/two\nlines\x1b", ABOUT | {"run": "third"})
    found = find(tmp_path)
    assert [c.source for c in found.checkpoints] == ["runs/a/two\\nlines\\x1b", "runs/a/x"]
    assert list(found.broken) == [("runs/a/bad\\xff", "")]
    assert "is not UTF-8" in found.broken["runs/a/bad\\xff", ""]


def test_a_file_of_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    folder = write(tmp_path / "runs/a/x", ABOUT)
    Path(os.fsdecode(os.fsencode(folder) + b"/tokenizer\xff.txt")).write_text("")
    assert only(find(tmp_path)) == ABOUT


@pytest.mark.parametrize("name", ["benchcast.json", "trainer_state.json", "config.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["fifo", "device", "loop", "folder", "huge", "deep"])
def test_what_is_no_plain_file_does_not_hang_and_costs_only_its_folder(tmp_path: Path, name: str, kind: str) -> None:
    write(tmp_path / "runs/a/good", ABOUT)
    path = write(tmp_path / "runs/a/odd", ABOUT | {"run": "odd"}) / name
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(1 << 30)  # sparse
    else:
        path.write_text("[" * 200_000)
    found = find(tmp_path)
    assert [c.source for c in found.checkpoints] == ["runs/a/good"]
    assert [source for source, _ in found.broken] == ["runs/a/odd"]
    assert all(len(reason) < 500 for reason in found.broken.values())


def test_an_adapter_is_not_scored_as_its_base(tmp_path: Path) -> None:
    (write(tmp_path / "runs/a/x", ABOUT) / "adapter_config.json").write_text("{}")
    assert "holds an adapter" in next(iter(find(tmp_path).broken.values()))


def test_a_checkpoint_that_is_replaced_while_it_is_hashed_waits(tmp_path: Path) -> None:
    folder = write(tmp_path / "runs/a/x", ABOUT)
    settings = ScoreSettings.model_validate({"checkpoints": ["runs/*/*"], "tasks": ["t"], "quiet_seconds": 0})

    def digest(path: Path) -> str:
        found = file_digest(path)
        if path.name == "model.safetensors":  # the trainer writes the next one, same size, and sets the time back
            before = path.stat()
            path.write_bytes(path.read_bytes()[:-1] + b"\1")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return found

    found = discover.find(settings, tmp_path, digest)
    assert (found.checkpoints, found.waiting) == ([], ["runs/a/x"])
    assert folder.is_dir()


def test_what_may_decide_token_ids_keeps_tokenizers_apart(tmp_path: Path) -> None:
    folders = [write(tmp_path / name, ABOUT) for name in "abc"]
    for folder, config in zip(
        folders, ({"name_or_path": "x"}, {"name_or_path": "y"}, {"do_lower_case": True}), strict=True
    ):
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    a, b, c = (checkpoints.token_ids_digest(checkpoints.files_of(f), file_digest) for f in folders)
    assert a == b != c


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pattern": "{runs}/step-{step}"}, "'runs' is not a column"),
        ({"pattern": "step"}, "has no {column}"),
        ({"ladder": "none.yaml"}, "none.yaml: cannot be read"),
        ({"ladder": "odd.yaml"}, "runs/mine.paramz: is not a column"),
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
    assert reason.startswith("cannot find its family, params, tokens, flops: write them into benchcast.json")


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
    digests = [checkpoints.digest(checkpoints.files_of(f), file_digest) for f in (one, two)]
    assert digests[0] == digests[1]
    (two / "model.safetensors").write_bytes((two / "model.safetensors").read_bytes()[:-1] + b"\1")
    assert checkpoints.digest(checkpoints.files_of(two), file_digest) != digests[0]


def test_a_tokenizer_is_the_same_however_it_is_formatted(tmp_path: Path) -> None:
    one, two, three = (write(tmp_path / name, ABOUT) for name in "abc")
    words = json.loads((two / "tokenizer.json").read_text())
    (two / "tokenizer.json").write_text(json.dumps(words | {"version": "2.0", "padding": None}, indent=4))
    (three / "tokenizer.json").write_text(json.dumps(words | {"model": {"vocab": {"b": 0}}}))
    a, b, c = (checkpoints.tokenizer_digest(checkpoints.files_of(f), file_digest) for f in (one, two, three))
    assert a == b != c


def test_the_tokenizer_that_most_of_a_family_carry_is_right() -> None:
    carried = [("a", "f", "x"), ("b", "f", "y"), ("c", "f", "y"), ("d", "g", "x")]
    assert list(checkpoints.odd_ones(carried)) == ["a"]
    assert list(checkpoints.odd_ones([("a", "f", "x"), ("b", "f", "y")])) == ["b"]
