"""Contradictions in what trainers and Weights & Biases log, and in the published testbeds."""

from __future__ import annotations

import csv
import io
import random
import re
from typing import Any

from .contradict import UNITS, Allowed, Made, Unfit, export, json_of, more, named, nothing, of, same
from .world import Files, as_csv, as_json

# ---- Weights & Biases ----


def _number_column(rows: list[dict[str, Any]], rng: random.Random) -> str:
    return rng.choice([c for c in rows[0] if re.search(r"(loss|acc)$", c)])


@of("wandb")
def two_runs_of_one_name(files: Files, rng: random.Random) -> Made:
    path, rows = export(files, rng)
    if "Name" not in rows[0]:
        raise Unfit
    again = dict(rng.choice(rows))
    again["eval/loss"] = round(float(again["eval/loss"]) + rng.uniform(0.1, 1), 4)
    if rng.random() < 0.5:
        again["trainer/global_step"] = int(again["trainer/global_step"]) // 2
        allowed: Allowed = nothing
    else:
        allowed = same
    again["State"] = rng.choice(("finished", "crashed", "running", "failed", "killed"))
    rows.insert(rng.randrange(len(rows) + 1), again)
    return {path: as_csv(rows)}, allowed


@of("wandb")
def number_as_people_write_it(files: Files, rng: random.Random) -> Made:
    path, rows = export(files, rng)
    column = _number_column(rows, rng)
    row = rng.choice([row for row in rows if row[column]])
    number = float(row[column])
    row[column] = rng.choice(
        (
            f"{100 * number:.1f}%",
            f"{number}".replace(".", ","),
            f"1,{number:.3f}",
            f"{number} nats",
            "NaN",
            "inf",
            "-inf",
            "Infinity",
            f"{number} ± 0.1",
            "3.2e",
            "1e999",
        )
    )
    return {path: as_csv(rows)}, same


@of("wandb")
def step_as_people_write_it(files: Files, rng: random.Random) -> Made:
    path, rows = export(files, rng)
    column = next(c for c in rows[0] if c in ("Step", "trainer/global_step"))
    row = rng.choice(rows)
    row[column] = rng.choice(
        (f"{int(row[column]):,}", f"{int(row[column]) / 1000:g}k", "", "NaN", f"-{row[column]}", "12.5.1")
    )
    return {path: as_csv(rows)}, same


@of("wandb")
def other_clock_beside_the_right_one(files: Files, rng: random.Random) -> Made:
    """W&B's own ``_step`` counts calls of log, not optimizer steps."""
    path, rows = export(files, rng)
    if "Name" not in rows[0]:
        raise Unfit
    rows = [{"_step": int(row["trainer/global_step"]) // 10} | row for row in rows]
    return {path: as_csv(rows)}, same


@of("wandb")
def column_twice(files: Files, rng: random.Random) -> Made:
    path = named(files, r"\.csv$", rng)
    rows = list(csv.reader(io.StringIO(files[path].decode())))
    column = rng.choice([i for i, name in enumerate(rows[0]) if re.search(r"(loss|acc)$", name)])
    for row in rows:
        value = row[column]
        row.append(value if row is rows[0] or not value else str(round(float(value) * 0.9, 4)))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return {path: text.getvalue().encode()}, same


@of("wandb")
def second_export_that_differs(files: Files, rng: random.Random) -> Made:
    path, rows = export(files, rng)
    column = _number_column(rows, rng)
    row = rng.choice([row for row in rows if row[column]])
    row[column] = round(float(row[column]) * 0.9, 4)
    return {path.replace(".csv", rng.choice(("2.csv", "-0.csv"))): as_csv(rows)}, same


@of("wandb")
def one_metric_under_two_names(files: Files, rng: random.Random) -> Made:
    path, rows = export(files, rng)
    if "Name" not in rows[0]:
        raise Unfit
    source, name = rng.choice(
        (
            ("quiz/acc", "quiz/acc,none"),
            ("quiz/acc", "eval/quiz/acc"),
            ("eval/loss", "eval_loss"),
            ("eval/loss", "val_loss"),
        )
    )
    for row in rows:
        row[name] = round(float(row[source]) * 0.9, 4)
    return (
        {path: as_csv(rows)},
        lambda before, after: (
            all(after.get(k) == v for k, v in before.items())
            and all(k in before or k[1] not in {b[1] for b in before} for k in after)
        ),
    )


@of("wandb")
def training_scores_and_test_losses(files: Files, rng: random.Random) -> Made:
    """What is logged of the training set is no benchmark; a test loss is not the evaluation loss."""
    path, rows = export(files, rng)
    if "Name" not in rows[0]:
        raise Unfit
    name = rng.choice(("train/acc", "train/loss", "training/acc", "test/loss", "test_loss", "train/eval/acc"))
    for row in rows:
        row[name] = 0.9
    return {path: as_csv(rows)}, more("test")


@of("wandb")
def accuracy_in_percent(files: Files, rng: random.Random) -> Made:
    path, rows = export(files, rng)
    if "quiz/acc" not in rows[0]:
        raise Unfit
    for row in rows if rng.random() < 0.5 else [rng.choice(rows)]:
        row["quiz/acc"] = float(row["quiz/acc"]) * 100
    return {path: as_csv(rows)}, same


# ---- the trainer ----


def _state(files: Files, rng: random.Random) -> tuple[str, dict[str, Any]]:
    path = named(files, r"trainer_state\.json$", rng)
    last = max(
        (p for p in files if p.startswith(path.rpartition("/checkpoint-")[0] + "/")),
        key=lambda p: int(re.findall(r"checkpoint-(\d+)", p)[0]),
    )
    return last, json_of(files, last)


def _evaluations(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in state["log_history"] if "eval_loss" in entry]


@of("trainer")
def evaluation_twice(files: Files, rng: random.Random) -> Made:
    path, state = _state(files, rng)
    one = rng.choice(_evaluations(state))
    state["log_history"].append(one | {"eval_loss": one["eval_loss"] + 0.3})
    return {path: as_json(state)}, same


@of("trainer")
def states_that_differ(files: Files, rng: random.Random) -> Made:
    """Two checkpoints of a run log another loss for one step."""
    path, state = _state(files, rng)
    one = rng.choice(_evaluations(state)[:-1])
    one["eval_loss"] += 0.3
    return {path: as_json(state)}, same


@of("trainer")
def loss_that_is_no_number(files: Files, rng: random.Random) -> Made:
    path, state = _state(files, rng)
    rng.choice(_evaluations(state))["eval_loss"] = rng.choice(
        (float("nan"), float("inf"), "3.1", None, True, -1.0, 3000.0)
    )
    return {path: as_json(state)}, same


@of("trainer")
def token_count_that_falls(files: Files, rng: random.Random) -> Made:
    path, state = _state(files, rng)
    for entry in state["log_history"][-2:]:
        entry["num_input_tokens_seen"] //= rng.choice((3, 10, 100))
    return {path: as_json(state)}, same


@of("trainer")
def token_count_of_another_unit(files: Files, rng: random.Random) -> Made:
    """The trainer's count denies the tokens per step of ``ladder.yaml``."""
    path, state = _state(files, rng)
    factor = rng.choice((0.001, 0.1, 10, 1000))
    for entry in state["log_history"]:
        entry["num_input_tokens_seen"] = int(entry["num_input_tokens_seen"] * factor)
    return {path: as_json(state)}, same


@of("trainer")
def architecture_that_denies_the_size(files: Files, rng: random.Random) -> Made:
    path, _ = _state(files, rng)
    config = {
        "model_type": "llama",
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": 300,
    }
    return {path.replace("trainer_state", "config"): as_json(config)}, nothing


@of("trainer")
def last_step_below_the_log(files: Files, rng: random.Random) -> Made:
    path, state = _state(files, rng)
    state["global_step"] = 3
    return {path: as_json(state)}, same


@of("trainer")
def another_batch_size(files: Files, rng: random.Random) -> Made:
    path, state = _state(files, rng)
    state["train_batch_size"] *= rng.choice((2, 4))
    for entry in state["log_history"]:
        entry.pop("num_input_tokens_seen", None)
    return {path: as_json(state)}, nothing


# ---- published testbeds ----


@of("model_ladder")
def published_in_percent(files: Files, rng: random.Random) -> Made:
    path, rows = export(files, rng)
    column = rng.choice([c for c in rows[0] if c.startswith("eval/") and "soft_log" not in c])
    for row in rows if rng.random() < 0.5 else [rng.choice(rows)]:
        row[column] = float(row[column]) * 100
    return {path: as_csv(rows)}, same


@of("model_ladder")
def published_clock(files: Files, rng: random.Random) -> Made:
    path, rows = export(files, rng)
    column, factor = rng.choice(("_step", "throughput/total_tokens")), rng.choice((1e-9, 1e-6))
    if column == "throughput/total_tokens" and rng.random() < 0.5:
        for row in rows:
            row[column] = float(row[column]) * factor
    else:
        one, two = rng.sample(rows, 2)
        one[column], two[column] = two[column], one[column]
    return {path: as_csv(rows)}, same


@of("model_ladder")
def published_row_twice(files: Files, rng: random.Random) -> Made:
    path, rows = export(files, rng)
    again = dict(rng.choice(rows))
    again["eval/c4_en-validation/CrossEntropyLoss"] = 9.9
    return {path: as_csv([*rows, again])}, same


@of("overtraining")
def published_in_another_unit(files: Files, rng: random.Random) -> Made:
    path = named(files, r"models/", rng)
    content = json_of(files, path)
    hyper = content["hyperparameters"]
    key = rng.choice(("params", "chinchilla_multiplier"))
    hyper[key] *= rng.choice(UNITS)
    return {path: as_json(content)}, same


@of("overtraining")
def published_tokens_denied(files: Files, rng: random.Random) -> Made:
    path = named(files, r"models/", rng)
    content = json_of(files, path)
    content["hyperparameters"]["tokens"] *= rng.choice((0.1, 10, 1e-9))
    return {path: as_json(content)}, nothing


@of("overtraining")
def published_scores_off(files: Files, rng: random.Random) -> Made:
    path = named(files, r"evals/", rng)
    content = json_of(files, path)
    scores = content["eval_metrics"]["icl"]
    scores[rng.choice(list(scores))] = rng.choice((31.2, -0.1, float("nan"), "0.5", None, True))
    return {path: as_json(content)}, same


@of("overtraining")
def published_name_twice(files: Files, rng: random.Random) -> Made:
    one, two = rng.sample(sorted(p for p in files if "/models/" in p), 2)
    content = json_of(files, one)
    content["name"] = json_of(files, two)["name"]
    return {one: as_json(content)}, nothing
