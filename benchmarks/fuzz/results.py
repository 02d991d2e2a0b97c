"""Contradictions in results of lm-eval and lighteval, and in ``ladder.yaml``."""

from __future__ import annotations

import copy
import json
import random
import re
from typing import Any

import yaml

from .contradict import UNITS, Made, Unfit, json_of, named, nothing, of, off, same
from .world import Files, as_json, as_yaml

RESULT = r"(results[^/]*|/m-[^/]*)\.json$"


def _result(files: Files, rng: random.Random) -> tuple[str, dict[str, Any], str]:
    """A result file, its content, and how it spells its accuracy."""
    path = named(files, RESULT, rng)
    content = json_of(files, path)
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
    _scores(content)[metric] = off(_scores(content)[metric], rng)
    return {path: as_json(content)}, same


def _samples(files: Files, rng: random.Random) -> tuple[str, list[dict[str, Any]]]:
    path = named(files, r"\.jsonl$", rng)
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
    _scores(content)[metric] = off(_scores(content)[metric], rng)
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
    _scores(content)[metric] = off(_scores(content)[metric], rng)
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
        _scores(one)[metric] = round(off(_scores(one)[metric], rng) + number / 100, 6) % 1
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


# ---- init ----


@of("init")
def name_that_denies_the_results(files: Files, rng: random.Random) -> Made:
    """The results state 50 times the size that the model's name does."""
    path, content, _ = _result(files, rng)
    content["config"]["model_num_parameters"] = int(content["config"]["model_num_parameters"] * 50)
    return {path: as_json(content)}, nothing
