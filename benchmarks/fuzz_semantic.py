"""Contradictions made on purpose: two statements of one fact that disagree, a unit that cannot be, a name used twice.

Every one must end in an error, a line in the account, or the table as it was before. What only adds something, such as
a test loss beside the evaluation loss, may add rows but change none.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from fuzz_worlds import (
    WORLDS,
    Files,
    World,
    as_csv,
    as_json,
    as_yaml,
)

Rows = Mapping[tuple[Any, ...], tuple[Any, ...]]
Allowed = Callable[[Rows, Rows], bool]
Made = tuple[Files, Allowed]
Contradiction = Callable[[Files, random.Random], Made]
BY_READER: dict[str, list[Contradiction]] = {}
UNITS = (1e-9, 1e-6, 1e6, 1e9)
UNIT_NAMES = {1e-9: "in billions", 1e-6: "in millions", 1e6: "times a million", 1e9: "times a billion"}


def anything(before: Rows, after: Rows) -> bool:
    """No table is wrong."""
    return True


def same(before: Rows, after: Rows) -> bool:
    """The table as it was."""
    return before == after


def nothing(before: Rows, after: Rows) -> bool:
    """Not even the table as it was: it has to be told."""
    return False


def more(*tasks: str) -> Allowed:
    """Every row as it was; new ones only of these tasks."""
    return lambda before, after: all(
        after.get(key) == value for key, value in before.items()
    ) and all(key in before or key[1] in tasks for key in after)  # fmt: skip


def of(*readers: str) -> Callable[[Contradiction], Contradiction]:
    def enter(made: Contradiction) -> Contradiction:
        for reader in readers:
            BY_READER.setdefault(reader, []).append(made)
        return made

    return enter


def worlds(reader: str) -> tuple[Callable[[], World], ...]:
    return WORLDS[reader]


class Unfit(Exception):
    """This contradiction cannot be made in this world."""


def contradict(reader: str, files: Files, rng: random.Random) -> tuple[Files, str, Allowed]:
    """Files that change, what was done, and which outcome needs no word."""
    for _ in range(100):
        made = rng.choice(BY_READER[reader])
        try:
            changed, allowed = made(files, rng)
        except Unfit:
            continue
        return changed, f"{made.__name__.strip('_')} [{', '.join(changed)}]", allowed
    raise RuntimeError(f"no contradiction fits {reader}")


# ---- helpers ----


def _named(files: Files, pattern: str, rng: random.Random) -> str:
    found = sorted(path for path in files if re.search(pattern, path))
    if not found:
        raise Unfit
    return rng.choice(found)


def _json_of(files: Files, path: str) -> Any:
    return json.loads(files[path])


def _off(value: float, rng: random.Random) -> float:
    """Another score of the same kind."""
    return round(value + rng.choice((-1, 1)) * rng.uniform(0.05, 0.2), 6) % 1


def _rows_of(data: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


RESULT = r"(results[^/]*|/m-[^/]*)\.json$"


def _result(files: Files, rng: random.Random) -> tuple[str, dict[str, Any], str]:
    """A result file, its content, and how it spells its accuracy."""
    path = _named(files, RESULT, rng)
    content = _json_of(files, path)
    task = next(task for task in content["results"] if task != "all")
    metric = rng.choice([m for m in content["results"][task] if re.fullmatch(r"acc(_norm)?(,none)?", m)])
    return path, content, metric


def _scores(content: dict[str, Any]) -> dict[str, Any]:
    return content["results"][next(task for task in content["results"] if task != "all")]  # type: ignore[no-any-return]


# ---- results of lm-eval and lighteval ----


@of("lm_eval")
def accuracy_its_samples_deny(files: Files, rng: random.Random) -> Made:
    path, content, metric = _result(files, rng)
    if not any(name.endswith("jsonl") for name in files):
        raise Unfit
    _scores(content)[metric] = _off(_scores(content)[metric], rng)
    return {path: as_json(content)}, same


def _samples(files: Files, rng: random.Random) -> tuple[str, list[dict[str, Any]]]:
    path = _named(files, r"\.jsonl$", rng)
    text = files[path].decode()
    return path, json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]


def _written(asked: list[dict[str, Any]], like: bytes) -> bytes:
    return as_json(asked) if like.startswith(b"[") else "".join(json.dumps(s) + "\n" for s in asked).encode()


@of("lm_eval")
def samples_cut_or_doubled(files: Files, rng: random.Random) -> Made:
    path, asked = _samples(files, rng)
    i = rng.randrange(1, len(asked))
    asked = rng.choice((asked[:i], asked[i:], asked + asked, [*asked, asked[i]], [*asked[:i], *asked[i + 1 :]]))
    return {path: _written(asked, files[path])}, same


@of("lm_eval")
def sample_that_denies_itself(files: Files, rng: random.Random) -> Made:
    """A likelihood says another answer than the recorded accuracy, or the recorded accuracy is another."""
    path, asked = _samples(files, rng)
    one = rng.choice(asked)
    if rng.random() < 0.5:
        one["acc"] = 1.0 - one["acc"]
    else:
        values = one["filtered_resps"]
        best = max(range(4), key=lambda j: float(values[j][0]))
        other = rng.choice([j for j in range(4) if j != best])
        gold = int(one["target"])
        if gold not in (best, other):
            other = gold
        values[best], values[other] = values[other], values[best]
        one.pop("resps")
    return {path: _written(asked, files[path])}, same


@of("lm_eval")
def samples_of_another_model(files: Files, rng: random.Random) -> Made:
    path, _ = _samples(files, rng)
    other, _ = _samples(files, rng)
    if files[path] == files[other]:
        raise Unfit
    return {path: files[other]}, same


@of("lm_eval", "lighteval", "init", "ladder_yaml")
def second_result_of_one_model(files: Files, rng: random.Random) -> Made:
    """A result of the same model, written later or earlier, with another score."""
    path, content, metric = _result(files, rng)
    _scores(content)[metric] = _off(_scores(content)[metric], rng)
    folder = path.rpartition("/")[0]
    name = f"results_202{rng.choice('46')}-01-01T10-00-00.000000.json"
    again = f"{folder}/{name}" if "results" in path else f"in/again/{path.rpartition('/')[2]}"
    if path.endswith("/results.json"):
        again = f"{folder}-again/results.json"
    return {again: as_json(content)}, nothing if "ladder.yaml" not in "".join(files) else same


@of("lm_eval", "lighteval")
def partial_result_beside_the_whole(files: Files, rng: random.Random) -> Made:
    """A smoke test with a limit: the whole one must count."""
    path, content, _ = _result(files, rng)
    for metric in [m for m in _scores(content) if re.fullmatch(r"acc(_norm)?(,none)?", m)]:
        _scores(content)[metric] = rng.choice((0.0, 0.5, 1.0))
    if "config_general" in content:
        content["config_general"]["max_samples"] = 2
        content["config_tasks"]["leaderboard|quiz"]["effective_num_docs"] = 2
    else:
        content["config"]["limit"] = 2
        if "n-samples" in content:
            content["n-samples"]["quiz"]["effective"] = 2
    folder = path.rpartition("/")[0]
    again = f"in/again/{path.rpartition('/')[2]}"
    if re.search(r"results_[^/]*\.json$", path):
        again = f"{folder}/results_2026-01-01T10-00-00.000000.json"
    return {again: as_json(content)}, same


@of("lm_eval")
def other_precision_of_one_model(files: Files, rng: random.Random) -> Made:
    """The same model in 4 bits, with an adapter, or under a chat template, with another score."""
    path, content, metric = _result(files, rng)
    _scores(content)[metric] = _off(_scores(content)[metric], rng)
    what = rng.choice(
        ("load_in_4bit=True", "dtype=bfloat16", "peft=org/adapter", "quantization=awq", "template", "gguf_file=q4.gguf")
    )
    if what == "template":
        content["chat_template"], content["chat_template_sha"] = "{{messages}}", "abc"
    else:
        content["config"]["model_args"] += f",{what}"
    again = f"in/again/results_{rng.choice(('2024', '2026'))}-01-01T10-00-00.000000.json"
    if "configs" not in content:
        again = f"in/again/{path.rpartition('/')[2]}"
    elif "n-samples" not in content:
        again = "in/again/results.json"
    return {again: as_json(content)}, same


@of("lm_eval", "lighteval")
def score_in_percent(files: Files, rng: random.Random) -> Made:
    path, content, metric = _result(files, rng)
    _scores(content)[metric] *= 100
    return {path: as_json(content)}, same


@of("lm_eval", "lighteval")
def score_that_is_no_number(files: Files, rng: random.Random) -> Made:
    path, content, metric = _result(files, rng)
    _scores(content)[metric] = rng.choice((float("nan"), float("inf"), "0.5", "N/A", None, True, [0.5], -0.1, "31.2%"))
    return {path: as_json(content)}, same


@of("lm_eval")
def count_of_documents_denied(files: Files, rng: random.Random) -> Made:
    path, content, _ = _result(files, rng)
    if "n-samples" not in content:
        raise Unfit
    content["n-samples"]["quiz"]["effective"] = rng.choice((4, 7, 9, 16, 1000))
    return {path: as_json(content)}, same


@of("lm_eval")
def shots_stated_twice(files: Files, rng: random.Random) -> Made:
    path, content, _ = _result(files, rng)
    if "n-shot" not in content:
        raise Unfit
    content["n-shot"]["quiz"] = 5
    return {path: as_json(content)}, same


@of("lm_eval")
def model_stated_twice(files: Files, rng: random.Random) -> Made:
    """``model_name`` says one model, ``model_args`` another of the ladder."""
    path, content, _ = _result(files, rng)
    if "model_name" not in content:
        raise Unfit
    name = content["model_name"]
    other = rng.choice([n for n in ("org/m-30M", "org/m-100M", "org/m-300M", "org/m-1B") if n != name])
    if rng.random() < 0.5:
        content["model_name"] = other
    else:
        content["config"]["model_args"] = f"pretrained={other},dtype=float"
    return {path: as_json(content)}, nothing


@of("lm_eval")
def size_stated_twice(files: Files, rng: random.Random) -> Made:
    """The results state another number of parameters than ``ladder.yaml``."""
    path, content, _ = _result(files, rng)
    if "model_num_parameters" not in content["config"]:
        raise Unfit
    content["config"]["model_num_parameters"] = int(
        content["config"]["model_num_parameters"] * rng.choice((0.01, 0.1, 10, 100))
    )
    return {path: as_json(content)}, nothing


@of("lm_eval", "ladder_yaml")
def revision_beside_the_plain_name(files: Files, rng: random.Random) -> Made:
    """Results of two revisions, of which ``ladder.yaml`` knows one model."""
    path, content, metric = _result(files, rng)
    if "model_name" not in content:
        raise Unfit
    changed = {}
    for number, step in enumerate((1000, 64000)):
        one = copy.deepcopy(content)
        _scores(one)[metric] = round(_off(_scores(one)[metric], rng) + number / 100, 6) % 1
        one["config"]["model_args"] = f"pretrained={content['model_name']},revision=step{step},dtype=float"
        changed[f"{path.rpartition('/')[0]}/results_2026-01-0{number + 1}T10-00-00.000000.json"] = as_json(one)
    return changed, same


@of("lm_eval", "lighteval")
def aggregate_as_a_task(files: Files, rng: random.Random) -> Made:
    path, content, _ = _result(files, rng)
    content["results"][rng.choice(("all", "_average"))] = {"acc": 0.9, "acc,none": 0.9}
    return {path: as_json(content)}, same


# ---- where models stand: ladder.yaml ----


def _ladder(files: Files) -> dict[str, dict[str, Any]]:
    if "in/ladder.yaml" not in files:
        raise Unfit
    return yaml.safe_load(files["in/ladder.yaml"])  # type: ignore[no-any-return]


@of("lm_eval", "lighteval", "wandb", "trainer", "ladder_yaml")
def ladder_in_another_unit(files: Files, rng: random.Random) -> Made:
    """Tokens or parameters, of one or of all, in billions or millions."""
    places = _ladder(files)
    key = rng.choice([k for k in ("params", "tokens", "tokens_per_step") if k in next(iter(places.values()))])
    factor = rng.choice(UNITS)
    for name in list(places) if rng.random() < 0.5 else [rng.choice(list(places))]:
        places[name][key] *= factor
    return {"in/ladder.yaml": as_yaml(places)}, same


@of("lm_eval", "lighteval", "ladder_yaml")
def flops_that_deny_params_and_tokens(files: Files, rng: random.Random) -> Made:
    places = _ladder(files)
    place = rng.choice(list(places.values()))
    place["flops"] = 6 * place["params"] * place["tokens"] * rng.choice((1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9))
    if rng.random() < 0.3:
        place["flops_convention"] = rng.choice(("6ND", "attention", "given"))
    return {"in/ladder.yaml": as_yaml(places)}, same


@of("lm_eval", "lighteval", "wandb", "trainer", "ladder_yaml")
def ladder_key_twice(files: Files, rng: random.Random) -> Made:
    places = _ladder(files)
    name, place = rng.choice(list(places.items()))
    again = place | {"params": place["params"] * 2}
    lines = files["in/ladder.yaml"] + as_yaml({name: again})
    if rng.random() < 0.3:  # inside one model's place
        lines = re.sub(
            rb"( +)params: (.*)\n", rb"\1params: \2\n\1params: 123456789\n", files["in/ladder.yaml"], count=1
        )
    return {"in/ladder.yaml": lines}, nothing


@of("lm_eval", "ladder_yaml")
def two_models_at_one_place(files: Files, rng: random.Random) -> Made:
    places = _ladder(files)
    one, two = rng.sample(list(places), 2)
    places[one] = copy.deepcopy(places[two])
    return {"in/ladder.yaml": as_yaml(places)}, same


@of("ladder_yaml", "lm_eval")
def tokens_that_fall_as_steps_grow(files: Files, rng: random.Random) -> Made:
    """Two models become checkpoints of one run, the later of fewer tokens."""
    places = _ladder(files)
    one, two = rng.sample(list(places), 2)
    first = places[one]
    tokens, step = first["tokens"], first.get("step", 1000)
    first["step"] = step
    places[two] = first | {"step": step * 2, "tokens": tokens * rng.choice((0.2, 0.5, 0.9))}
    return {"in/ladder.yaml": as_yaml(places)}, nothing


@of("wandb", "trainer")
def tokens_stated_twice(files: Files, rng: random.Random) -> Made:
    """``ladder.yaml`` states a whole run's tokens that its steps and tokens per step deny."""
    places = _ladder(files)
    place = rng.choice(list(places.values()))
    place["tokens"] = 20 * place["params"] * rng.choice((0.01, 0.1, 10, 100))
    return {"in/ladder.yaml": as_yaml(places)}, same


# ---- Weights & Biases ----


def _export(files: Files, rng: random.Random) -> tuple[str, list[dict[str, Any]]]:
    path = _named(files, r"\.csv$", rng)
    return path, _rows_of(files[path])


def _number_column(rows: list[dict[str, Any]], rng: random.Random) -> str:
    return rng.choice([c for c in rows[0] if re.search(r"(loss|acc)$", c)])


@of("wandb")
def two_runs_of_one_name(files: Files, rng: random.Random) -> Made:
    path, rows = _export(files, rng)
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
    path, rows = _export(files, rng)
    column = _number_column(rows, rng)
    row = rng.choice([row for row in rows if row[column]])
    number = float(row[column])
    row[column] = rng.choice((f"{100 * number:.1f}%", f"{number}".replace(".", ","), f"1,{number:.3f}", f"{number} nats", "NaN", "inf", "-inf", "Infinity",
                              f"{number} ± 0.1", "3.2e", "1e999"))  # fmt: skip
    return {path: as_csv(rows)}, same


@of("wandb")
def step_as_people_write_it(files: Files, rng: random.Random) -> Made:
    path, rows = _export(files, rng)
    column = next(c for c in rows[0] if c in ("Step", "trainer/global_step"))
    row = rng.choice(rows)
    row[column] = rng.choice(
        (f"{int(row[column]):,}", f"{int(row[column]) / 1000:g}k", "", "NaN", f"-{row[column]}", "12.5.1")
    )
    return {path: as_csv(rows)}, same


@of("wandb")
def other_clock_beside_the_right_one(files: Files, rng: random.Random) -> Made:
    """W&B's own ``_step`` counts calls of log, not optimizer steps."""
    path, rows = _export(files, rng)
    if "Name" not in rows[0]:
        raise Unfit
    rows = [{"_step": int(row["trainer/global_step"]) // 10} | row for row in rows]
    return {path: as_csv(rows)}, same


@of("wandb")
def column_twice(files: Files, rng: random.Random) -> Made:
    path = _named(files, r"\.csv$", rng)
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
    path, rows = _export(files, rng)
    column = _number_column(rows, rng)
    row = rng.choice([row for row in rows if row[column]])
    row[column] = round(float(row[column]) * 0.9, 4)
    return {path.replace(".csv", rng.choice(("2.csv", "-0.csv"))): as_csv(rows)}, same


@of("wandb")
def one_metric_under_two_names(files: Files, rng: random.Random) -> Made:
    path, rows = _export(files, rng)
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
    path, rows = _export(files, rng)
    if "Name" not in rows[0]:
        raise Unfit
    name = rng.choice(("train/acc", "train/loss", "training/acc", "test/loss", "test_loss", "train/eval/acc"))
    for row in rows:
        row[name] = 0.9
    return {path: as_csv(rows)}, more("test")


@of("wandb")
def accuracy_in_percent(files: Files, rng: random.Random) -> Made:
    path, rows = _export(files, rng)
    if "quiz/acc" not in rows[0]:
        raise Unfit
    for row in rows if rng.random() < 0.5 else [rng.choice(rows)]:
        row["quiz/acc"] = float(row["quiz/acc"]) * 100
    return {path: as_csv(rows)}, same


# ---- the trainer ----


def _state(files: Files, rng: random.Random) -> tuple[str, dict[str, Any]]:
    path = _named(files, r"trainer_state\.json$", rng)
    last = max((p for p in files if p.startswith(path.rpartition("/checkpoint-")[0] + "/")),
               key=lambda p: int(re.findall(r"checkpoint-(\d+)", p)[0]))  # fmt: skip
    return last, _json_of(files, last)


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
    config = {"model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
              "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 300}  # fmt: skip
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


# ---- ladder tables ----


def _table(files: Files) -> list[dict[str, Any]]:
    return _rows_of(files["in/t.csv"])


def _as_table(rows: list[dict[str, Any]], allowed: Allowed = same) -> Made:
    return {"in/t.csv": as_csv(rows)}, allowed


@of("table")
def row_again_with_another_value(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    again = dict(rng.choice(rows))
    again["value"] = round(float(again["value"]) * 0.9, 6)
    if rng.random() < 0.3:
        again["step"] = f"{float(again['step']):.1f}"
    rows.insert(rng.randrange(len(rows)), again)
    return _as_table(rows)


@of("table", "forecast")
def column_in_another_unit(files: Files, rng: random.Random) -> Made:
    """Parameters or tokens of every row, or of one run, in another unit; FLOPs left, filled in, or scaled too."""
    rows = _table(files)
    column, factor, what = rng.choice(("params", "tokens")), rng.choice(UNITS), rng.randrange(3)
    only = rng.choice([None, rng.choice(rows)["run"]])
    for row in rows:
        if only in (None, row["run"]):
            row[column] = float(row[column]) * factor
            if what == 1:
                row["flops"] = 6 * float(row["params"]) * float(row["tokens"])
        if what == 2:
            row["flops_convention"] = "given"
    return _as_table(rows)


@of("table", "forecast")
def flops_in_another_unit(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    factor = rng.choice((1e-12, 1e-9, 1e-6, 1e6, 1e9))
    for row in rows:
        row["flops"] = float(row["flops"]) * factor
        row["flops_convention"] = rng.choice(("given",))
    return _as_table(rows)


@of("table")
def tokens_fall_in_the_table(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    run = rng.choice(rows)["run"]
    tokens = {row["step"]: row["tokens"] for row in rows if row["run"] == run}
    one, two = rng.sample(list(tokens), 2)
    swapped = tokens | {one: tokens[two], two: tokens[one]}
    for row in rows:
        if row["run"] == run:
            row["tokens"] = swapped[row["step"]]
            row["flops"] = 6 * float(row["params"]) * float(row["tokens"])
    return _as_table(rows)


@of("table")
def one_run_of_two_sizes(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    row = rng.choice(rows)
    row["params"] = float(row["params"]) * 2
    row["flops"] = 6 * float(row["params"]) * float(row["tokens"])
    return _as_table(rows)


@of("table")
def value_of_another_unit(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    row = rng.choice(rows)
    factor = 100 if row["metric"] == "acc" else rng.choice((100, 1000))
    row["value"] = float(row["value"]) * factor
    return _as_table(rows)


@of("table")
def bits_that_deny_nats(files: Files, rng: random.Random) -> Made:
    """``bits_per_byte`` is ``nll`` over ln 2, of the same answers."""
    rows = _table(files)
    row = rng.choice([row for row in rows if row["metric"] in ("bits_per_byte", "nll")])
    row["value"] = float(row["value"]) * rng.choice((0.6931471805599453, 1.4426950408889634, 0.8, 1.3))
    return _as_table(rows)


@of("table")
def no_number_in_the_table(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    row, column = rng.choice(rows), rng.choice(("value", "params", "tokens", "flops", "step"))
    number = float(row[column])
    row[column] = rng.choice(
        (
            f"{number:,.3f}",
            f"{number}%",
            f"{number / 1e9}B",
            "NaN",
            "inf",
            f"{number}".replace(".", ",") + "0",
            "",
            "-1",
        )
    )
    return _as_table(rows)


@of("table")
def other_chance_of_one_task(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    rng.choice([row for row in rows if row["metric"] == "acc"])["chance"] = rng.choice((0.5, 0.2, 0.0, 25, 0.9))
    return _as_table(rows, nothing)


@of("table")
def error_that_denies_its_count(files: Files, rng: random.Random) -> Made:
    """A standard error that an accuracy of so many documents cannot have."""
    rows = _table(files)
    row = rng.choice([row for row in rows if row["metric"] == "acc"])
    row["stderr"] = float(row["stderr"]) * rng.choice((100, 40))
    return _as_table(rows)


# ---- Every Eval Ever ----


def _record(files: Files, rng: random.Random) -> tuple[str, dict[str, Any], dict[str, Any]]:
    path = _named(files, r"\.json$", rng)
    record = _json_of(files, path)
    return path, record, rng.choice(record["evaluation_results"])


@of("every_eval_ever")
def record_in_percent(files: Files, rng: random.Random) -> Made:
    path, record, result = _record(files, rng)
    what = rng.randrange(4)
    config = result["metric_config"]
    if what == 0:
        result["score_details"]["score"] *= 100
    elif what == 1:
        config["metric_unit"] = "percent"  # though the score stands as a fraction of max_score 1
    elif what == 2:
        config["max_score"] = 100
    else:
        config["metric_unit"], config["max_score"], config["min_score"] = "points", 10, 0
    return {path: as_json(record)}, same


@of("every_eval_ever")
def evaluation_again_with_another_score(files: Files, rng: random.Random) -> Made:
    path, record, result = _record(files, rng)
    again = copy.deepcopy(result)
    again["score_details"]["score"] = _off(again["score_details"]["score"], rng)
    if rng.random() < 0.5:
        again["evaluation_name"] += "/none"
    if rng.random() < 0.5:
        record["evaluation_results"].append(again)
        return {path: as_json(record)}, same
    other = record | {"evaluation_results": [again], "evaluation_id": "x/again/2"}
    return {"in/again.json": as_json(other)}, same


@of("every_eval_ever")
def accuracy_of_which_less_is_better(files: Files, rng: random.Random) -> Made:
    path, record, result = _record(files, rng)
    result["metric_config"]["lower_is_better"] = True
    return {path: as_json(record)}, nothing


@of("every_eval_ever")
def record_in_another_unit(files: Files, rng: random.Random) -> Made:
    path, record, _ = _record(files, rng)
    told = record["model_info"]["additional_details"]
    key = rng.choice(("params", "tokens"))
    told[key] = str(float(told[key]) * rng.choice(UNITS))
    return {path: as_json(record)}, same


@of("every_eval_ever")
def place_stated_twice(files: Files, rng: random.Random) -> Made:
    """``ladder.yaml`` and the record place the model at different sizes."""
    size = rng.choice(("30M", "100M", "300M", "1B"))
    told = _json_of(files, f"in/{size}.json")["model_info"]["additional_details"]
    place = {"run": size, "family": "mix", "params": float(told["params"]) * 3, "tokens": float(told["tokens"]) * 3}
    return {"in/ladder.yaml": as_yaml({f"lab/{size}": place})}, nothing


@of("every_eval_ever")
def score_outside_its_own_range(files: Files, rng: random.Random) -> Made:
    path, record, result = _record(files, rng)
    result["metric_config"]["max_score"] = result["score_details"]["score"] / 2
    return {path: as_json(record)}, nothing


@of("every_eval_ever")
def score_no_number(files: Files, rng: random.Random) -> Made:
    path, record, result = _record(files, rng)
    result["score_details"]["score"] = rng.choice((float("nan"), float("inf"), "0.5", None, True, -0.1, [0.5]))
    return {path: as_json(record)}, same


# ---- plans ----


@of("plan")
def plan_in_another_unit(files: Files, rng: random.Random) -> Made:
    rows = _rows_of(files["in/runs.csv"])
    columns = rng.choice((("params",), ("tokens",), ("params", "tokens")))
    factor = rng.choice((1e-9, 1e-6))
    factor = factor if len(columns) == 2 else rng.choice((factor, 1e6, 1e9))
    for row in rows if rng.random() < 0.6 else [rng.choice(rows)]:
        for column in columns:
            row[column] = float(row[column]) * factor
    return {"in/runs.csv": as_csv(rows)}, same


@of("plan")
def plan_rows_repeated(files: Files, rng: random.Random) -> Made:
    rows = _rows_of(files["in/runs.csv"])
    again = rng.sample(rows, rng.randrange(1, len(rows)))
    return {"in/runs.csv": as_csv([*rows, *again])}, same


@of("plan")
def plan_number_as_people_write_it(files: Files, rng: random.Random) -> Made:
    rows = _rows_of(files["in/runs.csv"])
    row, column = rng.choice(rows), rng.choice(("params", "tokens", "loss"))
    number = float(row[column])
    row[column] = rng.choice(
        (f"{number:,.6f}" if number > 1000 else "2,5", f"{number / 1e9}B", "nan", "inf", "", "-1", "0", f"{number}".replace(".", ",") + "x")
    )
    return {"in/runs.csv": as_csv(rows)}, same


@of("plan")
def plan_flops_denied(files: Files, rng: random.Random) -> Made:
    rows = _rows_of(files["in/runs.csv"])
    factor = rng.choice((1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9))
    every = rng.random() < 0.5
    at = rng.randrange(len(rows))
    rows = [row | {"flops": 6 * float(row["params"]) * float(row["tokens"]) * (factor if every or i == at else 1)}
            for i, row in enumerate(rows)]  # fmt: skip
    return {"in/runs.csv": as_csv(rows)}, same


@of("plan")
def plan_of_one_ratio(files: Files, rng: random.Random) -> Made:
    """All runs at 20 tokens per parameter cannot tell parameters and tokens apart."""
    rows = [row for row in _rows_of(files["in/runs.csv"]) if row["run"].endswith("-20x")]
    rows += [row | {"run": row["run"] + "b", "params": 2 * float(row["params"]), "tokens": 2 * float(row["tokens"]),
                    "loss": float(row["loss"]) * 0.95} for row in rows]  # fmt: skip
    return {"in/runs.csv": as_csv(rows)}, same


@of("plan")
def plan_semicolons(files: Files, rng: random.Random) -> Made:
    data = files["in/runs.csv"]
    return {"in/runs.csv": rng.choice((data.replace(b",", b";").replace(b".", b","), data.replace(b",", b";"), data.replace(b",", b"\t"),
                                       data.decode().encode("utf-16")))}, same  # fmt: skip


# ---- configs and what they forecast ----


def _config(files: Files) -> dict[str, Any]:
    return yaml.safe_load(files["in/c.yaml"])  # type: ignore[no-any-return]


@of("forecast")
def target_in_another_unit(files: Files, rng: random.Random) -> Made:
    """Rows of the unchanged target are the same; those of the wrong one must be told."""
    config = _config(files)
    config["targets"] = config["targets"][:1]
    key = rng.choice(("params", "tokens", "both"))
    factor = rng.choice((1e-9, 1e-6))
    for each in ("params", "tokens") if key == "both" else (key,):
        config["targets"][0][each] *= factor
    return {"in/c.yaml": as_yaml(config)}, nothing


@of("forecast", "config")
def target_that_denies_itself(files: Files, rng: random.Random) -> Made:
    config = _config(files)
    target = config["targets"][0]
    if rng.random() < 0.5:
        target["token_multiplier"] = 20 * rng.choice((0.1, 1e-3, 10, 1e9))
    else:
        target["flops"] = 6 * target["params"] * target["tokens"] * rng.choice((1e-9, 1e-3, 0.1, 10, 1e9))
    return {"in/c.yaml": as_yaml(config)}, nothing


@of("forecast", "config")
def setting_out_of_range(files: Files, rng: random.Random) -> Made:
    config = _config(files)
    key, value = rng.choice((("level", 90), ("level", 0.0), ("level", 1.0), ("level", "90%"), ("figures", -1), ("levels", 0.8), ("tasks", []),
                             ("recipes", []), ("recipes", ["llama4"]), ("targets", []), ("metric", "f1"), ("tasks", ["no_such"])))  # fmt: skip
    if key == "tasks":
        raise Unfit
    config[key] = value
    return {"in/c.yaml": as_yaml(config)}, nothing


@of("forecast", "config")
def config_key_twice(files: Files, rng: random.Random) -> Made:
    line = rng.choice(
        (
            b"level: 0.6\n",
            b"recipes: [ladder]\n",
            b"targets: [{flops: 1e21, token_multiplier: 20}]\n",
            b"tasks: [text]\n",
        )
    )
    return {"in/c.yaml": files["in/c.yaml"] + line}, nothing


@of("forecast")
def one_target_name_twice(files: Files, rng: random.Random) -> Made:
    config = _config(files)
    config["targets"][1]["name"] = rng.choice(("planned", "r0"))
    return {"in/c.yaml": as_yaml(config)}, nothing


# ---- the register ----


@of("register")
def record_edited(files: Files, rng: random.Random) -> Made:
    """A line changed, removed, doubled or moved; the end cut off is what the register cannot see."""
    lines = files["in/f.jsonl"].splitlines()
    i = rng.randrange(len(lines))
    what = rng.randrange(7)
    content = json.loads(lines[i])
    if what == 0:
        content["forecasts"][0]["forecast"] += 0.01
        lines[i] = json.dumps(content).encode()
    elif what == 1:
        key = rng.choice(("time", "title", "code_digest", "data_digest", "previous", "hash"))
        content[key] = content[key][::-1] + "x"
        lines[i] = json.dumps(content).encode()
    elif what == 2:
        i = rng.randrange(len(lines) - 1)
        del lines[i]
    elif what == 3:
        lines.insert(i, lines[i])
    elif what == 4:
        j = (i + 1) % len(lines)
        lines[i], lines[j] = lines[j], lines[i]
    elif what == 5:
        key = rng.choice(list(content))
        lines[i] = lines[i][:-1] + b", " + json.dumps({key: "again"}).encode()[1:]
    else:
        return {"in/f.jsonl": b"".join(lines) + b"\n"}, nothing
    return {"in/f.jsonl": b"\n".join(lines) + b"\n"}, nothing


@of("register")
def register_without_its_last_newline(files: Files, rng: random.Random) -> Made:
    return {"in/f.jsonl": files["in/f.jsonl"].removesuffix(b"\n")}, same


# ---- published testbeds ----


@of("model_ladder")
def published_in_percent(files: Files, rng: random.Random) -> Made:
    path, rows = _export(files, rng)
    column = rng.choice([c for c in rows[0] if c.startswith("eval/") and "soft_log" not in c])
    for row in rows if rng.random() < 0.5 else [rng.choice(rows)]:
        row[column] = float(row[column]) * 100
    return {path: as_csv(rows)}, same


@of("model_ladder")
def published_clock(files: Files, rng: random.Random) -> Made:
    path, rows = _export(files, rng)
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
    path, rows = _export(files, rng)
    again = dict(rng.choice(rows))
    again["eval/c4_en-validation/CrossEntropyLoss"] = 9.9
    return {path: as_csv([*rows, again])}, same


@of("overtraining")
def published_in_another_unit(files: Files, rng: random.Random) -> Made:
    path = _named(files, r"models/", rng)
    content = _json_of(files, path)
    hyper = content["hyperparameters"]
    key = rng.choice(("params", "chinchilla_multiplier"))
    hyper[key] *= rng.choice(UNITS)
    return {path: as_json(content)}, same


@of("overtraining")
def published_tokens_denied(files: Files, rng: random.Random) -> Made:
    path = _named(files, r"models/", rng)
    content = _json_of(files, path)
    content["hyperparameters"]["tokens"] *= rng.choice((0.1, 10, 1e-9))
    return {path: as_json(content)}, nothing


@of("overtraining")
def published_scores_off(files: Files, rng: random.Random) -> Made:
    path = _named(files, r"evals/", rng)
    content = _json_of(files, path)
    scores = content["eval_metrics"]["icl"]
    scores[rng.choice(list(scores))] = rng.choice((31.2, -0.1, float("nan"), "0.5", None, True))
    return {path: as_json(content)}, same


@of("overtraining")
def published_name_twice(files: Files, rng: random.Random) -> Made:
    one, two = rng.sample(sorted(p for p in files if "/models/" in p), 2)
    content = _json_of(files, one)
    content["name"] = _json_of(files, two)["name"]
    return {one: as_json(content)}, nothing


# ---- init ----


@of("init")
def name_that_denies_the_results(files: Files, rng: random.Random) -> Made:
    """The results state 50 times the size that the model's name does."""
    path, content, _ = _result(files, rng)
    content["config"]["model_num_parameters"] = int(content["config"]["model_num_parameters"] * 50)
    return {path: as_json(content)}, nothing


READERS = tuple(BY_READER)
