"""Contradictions in what a user keeps: configs, and the register of forecasts."""

from __future__ import annotations

import json
import random
from typing import Any

import yaml

from .contradict import Made, Unfit, nothing, of, same
from .world import Files, as_yaml

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
    key, value = rng.choice(
        (
            ("level", 90),
            ("level", 0.0),
            ("level", 1.0),
            ("level", "90%"),
            ("figures", -1),
            ("levels", 0.8),
            ("tasks", []),
            ("recipes", []),
            ("recipes", ["llama4"]),
            ("targets", []),
            ("metric", "f1"),
            ("tasks", ["no_such"]),
        )
    )
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
