"""The trainer's states: what contradicts is named with run and step, what is left out is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from benchcast.core.errors import FaultsError
from benchcast.data.places.runs import read_run_places
from benchcast.data.sources.trainer import reader as trainer
from benchcast.reports.records.account import Account

LADDER = '"*": {family: mix, params: 1e8, tokens_per_step: 5e5}\n'
LOG = [{"step": 500, "eval_loss": 4.1}, {"step": 1000, "eval_loss": 3.6}]
EXPERTS = {"model_type": "olmoe", "num_experts": 64, "hidden_size": 64}
SMALL = {
    "model_type": "llama",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "vocab_size": 300,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
SMALL_PARAMS = 14_800


def put(folder: Path, log: list[Any], at: str = "100m/checkpoint-1000", ladder: str = LADDER, **more: Any) -> Path:
    """A state in the trainer's layout, and ladder.yaml."""
    place = folder / at
    place.mkdir(parents=True, exist_ok=True)
    steps = [entry["step"] for entry in log if isinstance(entry, dict) and isinstance(entry.get("step"), int)]
    state = {"global_step": max(steps, default=0), "log_history": log} | more
    (place / "trainer_state.json").write_text(json.dumps(state))
    (folder / "ladder.yaml").write_text(ladder)
    return folder


def taken(folder: Path) -> tuple[list[tuple[Any, ...]], str]:
    account = Account()
    table = trainer.read_trainer(folder, account)
    rows = table[["run", "step", "tokens", "task", "value"]].itertuples(index=False, name=None)
    return list(rows), "\n".join(account.record().told())


def refused(folder: Path) -> str:
    with pytest.raises(FaultsError) as caught:
        trainer.read_trainer(folder)
    return str(caught.value)


def test_a_loss_that_is_nan_is_left_out_with_run_and_step(tmp_path: Path) -> None:
    rows, told = taken(put(tmp_path, [LOG[0], {"step": 1000, "eval_loss": float("nan")}]))
    assert [row[1] for row in rows] == [500]
    assert "eval_loss of 100m at step 1000" in told


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (38.1, "is it a sum?"),
        (-1.0, "-1 is not a mean loss"),
        ("3.1", "'3.1' is not a number"),
        (True, "True is not a number"),
    ],
)
def test_a_loss_that_cannot_be_names_file_run_and_step(value: Any, says: str, tmp_path: Path) -> None:
    told = refused(put(tmp_path, [LOG[0], {"step": 1000, "eval_loss": value}]))
    assert says in told
    assert "trainer_state.json: run '100m', eval_loss at step 1000" in told


def test_states_of_one_run_must_agree(tmp_path: Path) -> None:
    put(tmp_path, [*LOG, {"step": 2000, "eval_loss": 3.2}], at="100m/checkpoint-2000")
    rows, told = taken(put(tmp_path, LOG, at="100m"))
    assert [row[4] for row in rows] == [4.1, 3.6, 3.2]
    assert told == ""
    told = refused(put(tmp_path, [LOG[0], {"step": 1000, "eval_loss": 5.0}], at="100m"))
    assert "eval_loss at step 1000 is 5, in" in told
    assert "checkpoint-2000/trainer_state.json it is 3.6" in told
    _, told = taken(put(tmp_path, [{"step": 700, "eval_loss": 3.9}], at="100m"))
    assert "the state with the most steps does not log: eval_loss of 100m at step 700" in told


def test_one_step_twice(tmp_path: Path) -> None:
    again = {"step": 1000, "eval_loss": 4.1}
    assert "eval_loss is 3.6, then eval_loss is 4.1" in refused(put(tmp_path, [*LOG, again]))
    assert len(taken(put(tmp_path, [*LOG, LOG[1]]))[0]) == 2
    best: dict[str, Any] = {"best_metric": 4.1, "best_model_checkpoint": "/x/checkpoint-500"}
    rows, told = taken(put(tmp_path, [*LOG, again], **best))
    assert rows[1][4] == 3.6
    assert "that of the best checkpoint" in told
    two = [{"step": 500, "eval_loss": 4.1, "eval_validation_loss": 4.2}]
    assert "eval_loss is 4.1, then eval_validation_loss is 4.2" in refused(put(tmp_path, two))


def counted(*tokens: float | None) -> list[dict[str, Any]]:
    more = [{} if count is None else {"num_input_tokens_seen": count} for count in tokens]
    return [{"step": 500 * (i + 1), "eval_loss": 4.0 - i / 10} | extra for i, extra in enumerate(more)]


def test_tokens_counted_against_steps(tmp_path: Path) -> None:
    fell = refused(put(tmp_path, counted(None, None, 2.05e8, 4.1e8)))
    assert "has 500000000 tokens at step 1000 and 205000000 at step 1500: they fall" in fell
    resumed = refused(put(tmp_path, counted(None, 2.5e8, 5e8)))
    assert (
        "the trainer counted 250000000 tokens by step 1000, tokens_per_step of ladder.yaml gives 500000000" in resumed
    )
    rows, told = taken(put(tmp_path, counted(2.4e8, 4.8e8)))
    assert [row[2] for row in rows] == [2.4e8, 4.8e8]
    assert "the trainer's count is used" in told
    unsaid = '"*": {params: 1e8}\n'
    assert "they fall" in refused(put(tmp_path, counted(4e8, 2e8), ladder=unsaid))
    _, told = taken(put(tmp_path, counted(2e8, 8e8), ladder=unsaid))
    assert "has 400000 tokens a step up to step 500 and 800000 up to step 1000" in told


def test_batch_sizes_that_differ_are_noted_and_a_log_beyond_the_state_refused(tmp_path: Path) -> None:
    put(tmp_path, LOG, train_batch_size=8)
    _, told = taken(
        put(tmp_path, [*LOG, {"step": 2000, "eval_loss": 3.0}], at="100m/checkpoint-2000", train_batch_size=16)
    )
    assert "batch sizes 8, 16 per device" in told
    assert "global_step is 3, and the log goes on to step 1000" in refused(put(tmp_path / "b", LOG, global_step=3))


@pytest.mark.parametrize(
    ("config", "params", "says"),
    [
        (EXPERTS, None, "cannot find its params (config.json is of a mixture of experts, num_experts 64"),
        ({"model_type": "unknown"}, None, "'unknown' is not known here"),
        (SMALL, "1e8", "ladder.yaml says 1e+08 parameters, config.json has 14800"),
    ],
)
def test_config_json_that_does_not_tell_or_denies_the_size(
    config: dict[str, Any], params: str | None, says: str, tmp_path: Path
) -> None:
    size = f"params: {params}, " if params else ""
    put(tmp_path, LOG, ladder=f'"*": {{{size}tokens_per_step: 2000}}\n')
    (tmp_path / "100m" / "checkpoint-1000" / "config.json").write_text(json.dumps(config))
    assert says in refused(tmp_path)


@pytest.mark.parametrize(("params", "noted"), [(SMALL_PARAMS, False), (10_000, False), (12_000, True)])
def test_a_size_near_that_of_config_json_is_taken(params: int, noted: bool, tmp_path: Path) -> None:
    put(tmp_path, LOG, ladder=f'"*": {{params: {params}, tokens_per_step: 2000}}\n')
    (tmp_path / "100m" / "config.json").write_text(json.dumps(SMALL))
    _, told = taken(tmp_path)
    assert ("ladder.yaml is used" in told) == noted
    (tmp_path / "100m" / "config.json").write_text(json.dumps(EXPERTS))
    assert "mixture of experts" in taken(tmp_path)[1]


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    log = [{"step": 0, "eval_loss": 10.9}, *LOG, {"step": 1000, "eval_accuracy": 0.3, "eval_aux_loss": 0.1}]
    put(tmp_path, log)
    put(tmp_path, [{"step": 10, "loss": 3.0}], at="untested")
    put(tmp_path, LOG, at="100m/tmp-checkpoint-9")
    rows, told = taken(tmp_path)
    assert len(rows) == 2
    for line in (
        "evaluations before the first step: eval_loss of 100m at step 0",
        "eval_aux_loss of 100m",
        "logged values that are not validation losses: eval_accuracy",
        "has no eval_loss: untested",
        "not written to its end: 100m/tmp-checkpoint-9/trainer_state.json",
    ):
        assert line in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"global_step": 1', "is not JSON"),
        ('{"global_step": 1, "global_step": 2, "log_history": []}', "'global_step' twice"),
        ('{"global_step": 1, "log_history": ["a"]}', "not a list of mappings"),
        ('{"global_step": "x", "log_history": []}', "is not a number of steps"),
        ('{"log_history": []}', "has no 'global_step'"),
        ("[" * 200_000, "nested too deep"),
    ],
)
def test_a_file_that_is_no_state_is_named(text: str, says: str, tmp_path: Path) -> None:
    path = put(tmp_path, LOG) / "100m" / "checkpoint-1000" / "trainer_state.json"
    path.write_text(text)
    assert says in refused(tmp_path)
    path.unlink()
    os.mkfifo(path)
    assert "is a FIFO" in refused(tmp_path)


def test_a_checkpoint_given_itself_is_the_run_above_it(tmp_path: Path) -> None:
    put(tmp_path, LOG)
    place = tmp_path / "100m" / "checkpoint-1000"
    (place / "ladder.yaml").write_text(LADDER)
    assert {row[0] for row in taken(place)[0]} == {"100m"}


def test_two_folders_that_ladder_yaml_gives_one_name(tmp_path: Path) -> None:
    ladder = '"*": {run: x, params: 1e8, tokens_per_step: 5e5}\n'
    put(tmp_path, LOG, at="a")
    assert "runs 'a' and 'b'" in refused(put(tmp_path, LOG, at="b", ladder=ladder))


# ---- ladder.yaml ----


@pytest.mark.parametrize(
    ("ladder", "says"),
    [
        ("100m: {params: 1e8, params: 2e8, tokens_per_step: 5e5}", "'params' appears twice"),
        ("100m: {params: 1e8}\n100m: {params: 2e8}", "'100m' appears twice"),
        ("100m: {parms: 1e8}", "100m.parms: is not a known key (keys are run, family, params"),
        ("100m: {params: 7X}", "100m.params: '7X': "),
        ("100m: {params: 0.1}", "are they in billions?"),
        ("100m: {params: .inf}", "100m.params"),
        ("100m: 1e8", "100m: is not a place (write {family, params, tokens_per_step})"),
        ("- a", "must map run names"),
        ("100m: {params: 1e8, tokens_per_step: 5e-4}", "are the tokens in billions?"),
        ("100m: {params: 1e8, tokens: 5e8}", "at step 500 and at step 1000"),
        ("100m: {params: 1e8, tokens_per_step: 5e5, tokens: 1e8}", "and 100000000 as a whole by ladder.yaml"),
    ],
)
def test_what_is_wrong_in_ladder_yaml(ladder: str, says: str, tmp_path: Path) -> None:
    assert says in refused(put(tmp_path, LOG, ladder=ladder))


def test_ladder_yaml_tells_what_it_did_not_place_and_what_counted(tmp_path: Path) -> None:
    ladder = "1*: {params: 1e8, tokens_per_step: 5e5}\n'*0m': {params: 2e8}\n7B: {params: 7e9}\n'*': {}\n"
    rows, told = taken(put(tmp_path, LOG, ladder=ladder))
    assert len(rows) == 2
    assert "run '100m' matches several patterns; the first, '1*', is used (also '*0m')" in told
    assert "these patterns match no run: '*0m', '7B'" in told


def test_names_in_ladder_yaml_are_text_as_written(tmp_path: Path) -> None:
    (tmp_path / "ladder.yaml").write_text(
        "007: {params: 1e8}\n8: {params: 2e8}\n1.0: {params: 3e8}\nnull: {params: 4e8}\n"
    )
    assert list(read_run_places(tmp_path)) == ["007", "8", "1.0", "null"]


def test_one_model_measured_twice_counts_once_with_a_line(tmp_path: Path) -> None:
    log = [{"step": 1000, "eval_loss": 3.512345}, {"step": 1000, "eval_loss": 3.512349}]
    rows, told = taken(put(tmp_path, log))
    assert [row[4] for row in rows] == [3.512345]
    assert "eval_loss at step 1000 was measured twice, 3.512345 and 3.512349; the first is used" in told
    log[1]["eval_loss"] = 3.52
    assert "then eval_loss is 3.52" in refused(put(tmp_path, log))
