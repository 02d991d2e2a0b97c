"""Small valid inputs of every reader, as files in memory, and how each is read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchcast.data.init import start as init

from .table_worlds import (
    configs,
    every_eval_ever,
    forecasts,
    model_ladder,
    overtraining,
    plan_table,
    registered,
    table,
)
from .world import (
    PER_PARAMETER,
    SIZES,
    Files,
    Read,
    World,
    as_csv,
    as_json,
    as_yaml,
    binomial_error,
    command,
    ingested,
    loss_of,
)

CHOICES = ("north", "south", "east", "west")

# ---- lm-eval ----


def samples(params: float, modern: bool, documents: int = 8) -> tuple[list[dict[str, Any]], float, float]:
    """Samples of one task, its accuracy and its length-normalised accuracy; the smaller the model the fewer right."""
    found = []
    right = normed = 0
    for i in range(documents):
        gold = i % 4
        best = gold if i < documents * (0.3 + 0.08 * math.log10(params / 1e7)) else (gold + 1) % 4
        logliks = [-4.0 - 0.3 * ((i + j) % 3) for j in range(4)]
        logliks[best] = -2.0 - 0.1 * i
        per_byte = [value / len(choice) for value, choice in zip(logliks, CHOICES, strict=True)]
        acc, acc_norm = float(np.argmax(logliks) == gold), float(np.argmax(per_byte) == gold)
        right, normed = right + acc, normed + acc_norm
        pairs = [[f"Question {i}:", f" {choice}"] for choice in CHOICES]
        answers: list[list[Any]] = [[value, False] for value in logliks]
        one: dict[str, Any] = {
            "doc_id": i,
            "doc": {"query": f"{i}"},
            "acc": acc,
            "acc_norm": acc_norm,
            "doc_hash": f"d{i}",
            "prompt_hash": f"p{i}",
            "target_hash": f"t{gold}",
        }
        if modern:
            one |= {
                "target": str(gold),
                "filter": "none",
                "metrics": ["acc", "acc_norm"],
                "arguments": {f"gen_args_{j}": {"arg_0": p[0], "arg_1": p[1]} for j, p in enumerate(pairs)},
                "filtered_resps": [[str(a), str(b)] for a, b in answers],
                "resps": [[[str(a), str(b)]] for a, b in answers],
            }
        else:
            one |= {"target": gold, "arguments": pairs, "filtered_resps": answers, "resps": [[a] for a in answers]}
        found.append(one)
    return found, right / documents, normed / documents


def results(name: str, params: float, acc: float, acc_norm: float, n: int, layout: str) -> dict[str, Any]:
    filtered = "" if layout == "0.3" else ",none"
    scores = {
        f"acc{filtered}": acc,
        f"acc_stderr{filtered}": binomial_error(acc, n),
        f"acc_norm{filtered}": acc_norm,
        f"acc_norm_stderr{filtered}": binomial_error(acc_norm, n),
    }
    arguments = f"pretrained={name},dtype=float"
    if layout == "0.3":
        return {
            "results": {"quiz": scores},
            "versions": {"quiz": 0},
            "config": {
                "model": "hf-causal",
                "model_args": arguments,
                "num_fewshot": 0,
                "batch_size": 8,
                "device": "cuda",
                "no_cache": True,
                "limit": None,
                "bootstrap_iters": 100000,
                "description_dict": {},
            },
        }
    found = {
        "results": {"quiz": {"alias": "quiz"} | scores},
        "group_subtasks": {"quiz": []},
        "configs": {
            "quiz": {
                "task": "quiz",
                "output_type": "multiple_choice",
                "num_fewshot": 0,
                "target_delimiter": " ",
                "metadata": {"version": 1.0},
            }
        },
        "versions": {"quiz": 1.0},
        "n-shot": {"quiz": 0},
        "config": {"model": "hf", "model_args": arguments, "batch_size": 8, "limit": None, "device": "cuda"},
        "git_hash": "0000000",
        "date": 1720000000.0,
    }
    if layout == "0.4.3":
        found |= {
            "n-samples": {"quiz": {"original": n, "effective": n}},
            "lm_eval_version": "0.4.8",
            "higher_is_better": {"quiz": {"acc": True, "acc_norm": True}},
            "model_source": "hf",
            "model_name": name,
            "model_name_sanitized": name.replace("/", "__"),
            "chat_template": None,
            "task_hashes": {},
        }
        found["config"] |= {
            "model_num_parameters": int(params),
            "model_dtype": "torch.float32",
            "model_revision": "main",
        }
    return found


def places(steps: bool = False) -> dict[str, dict[str, Any]]:
    return {
        f"org/m-{size}": {"run": size, "family": "mix", "params": params, "tokens": PER_PARAMETER * params}
        | ({"step": 1000} if steps else {})
        for size, params in SIZES.items()
    }


def lm_eval_files(layout: str = "0.4.3") -> Files:
    files: Files = {"in/ladder.yaml": as_yaml(places())}
    for number, (size, params) in enumerate(SIZES.items()):
        name = f"org/m-{size}"
        asked, acc, acc_norm = samples(params, layout == "0.4.3")
        content = as_json(results(name, params, acc, acc_norm, len(asked), layout))
        stamp = f"2025-01-0{number + 1}T10-00-00.000000"
        if layout == "0.3":
            files[f"in/m-{size}.json"] = content
            files["in/ladder.yaml"] = as_yaml(
                {f"m-{s}": place for s, place in zip(SIZES, places().values(), strict=True)}
            )
        elif layout == "0.4.0":
            files[f"in/{size}/results.json"] = content
            files[f"in/{size}/pretrained__org__m-{size},dtype__float_quiz.jsonl"] = as_json(asked)
        else:
            place = f"in/org__m-{size}"
            files[f"{place}/results_{stamp}.json"] = content
            files[f"{place}/samples_quiz_{stamp}.jsonl"] = "".join(json.dumps(s) + "\n" for s in asked).encode()
    return files


def lm_eval(layout: str = "0.4.3") -> World:
    return World(lm_eval_files(layout), ingested("lm_eval", "in"), command("lm_eval", "in"))


# ---- lighteval ----


def lighteval() -> World:
    """Results in the layout of lighteval 0.13: ``results/<org>/<model>/results_<stamp>.json``."""
    files: Files = {"in/ladder.yaml": as_yaml(places())}
    for size, params in SIZES.items():
        _, acc, acc_norm = samples(params, True)
        scores = {
            "acc": acc,
            "acc_stderr": binomial_error(acc, 8),
            "acc_norm": acc_norm,
            "acc_norm_stderr": binomial_error(acc_norm, 8),
        }
        name = f"org/m-{size}"
        content = {
            "config_general": {
                "lighteval_sha": "abc",
                "num_fewshot_seeds": 1,
                "max_samples": None,
                "job_id": "",
                "start_time": 1.0,
                "end_time": 2.0,
                "total_evaluation_time_secondes": "1.0",
                "model_config": {"model_name": name, "revision": "main", "dtype": "float32"},
                "model_name": name,
                "model_sha": "",
                "model_dtype": "float32",
                "model_size": "",
            },
            "results": {"leaderboard|quiz|0": scores, "all": scores},
            "versions": {"leaderboard|quiz|0": 0},
            "config_tasks": {
                "leaderboard|quiz": {
                    "name": "quiz",
                    "num_fewshots": 0,
                    "effective_num_docs": 8,
                    "original_num_docs": 8,
                    "metrics": [],
                }
            },
            "summary_tasks": {},
            "summary_general": {},
        }
        files[f"in/results/{name}/results_2025-01-01T10-00-00.000000.json"] = as_json(content)
    return World(files, ingested("lighteval", "in"), command("lighteval", "in"))


# ---- Weights & Biases, trainer ----


def wandb(kind: str = "table") -> World:
    """An export: the table of runs, or a panel of one metric."""
    step_size = 500_000
    steps = {size: int(PER_PARAMETER * params / step_size) for size, params in SIZES.items()}
    files: Files = {
        "in/ladder.yaml": as_yaml(
            {
                f"{size}-*": {"family": "mix", "params": params, "tokens_per_step": step_size}
                for size, params in SIZES.items()
            }
        )
    }
    if kind == "table":
        files["in/runs.csv"] = as_csv(
            [
                {
                    "Name": f"{size}-a",
                    "State": "finished",
                    "Created": "2025-03-02T10:00:00.000Z",
                    "trainer/global_step": steps[size],
                    "eval/loss": loss_of(params, PER_PARAMETER * params),
                    "quiz/acc": round(0.3 + 0.05 * i, 3),
                    "learning_rate": 3e-4,
                }
                for i, (size, params) in enumerate(SIZES.items())
            ]
        )
    else:
        at = sorted({s // part for s in steps.values() for part in (1, 2)})
        rows = []
        for step in at:
            row: dict[str, Any] = {"Step": step}
            for size, params in SIZES.items():
                value = loss_of(params, step * step_size) if step <= steps[size] else ""
                row |= {
                    f"{size}-a - eval/loss": value,
                    f"{size}-a - eval/loss__MIN": value,
                    f"{size}-a - eval/loss__MAX": value,
                }
            rows.append(row)
        files["in/panel.csv"] = as_csv(rows)
    return World(files, ingested("wandb", "in"), command("wandb", "in"))


def trainer() -> World:
    batch = 500_000
    files: Files = {
        "in/ladder.yaml": as_yaml(
            {size: {"family": "mix", "params": params, "tokens_per_step": batch} for size, params in SIZES.items()}
        )
    }
    for size, params in SIZES.items():
        last = int(PER_PARAMETER * params / batch)
        for end in (last // 2, last):
            log: list[dict[str, Any]] = []
            for step in (last // 4, last // 2, last):
                if step > end:
                    continue
                tokens = step * batch
                log.append(
                    {
                        "epoch": step / last,
                        "loss": 3.1,
                        "learning_rate": 1e-4,
                        "step": step,
                        "num_input_tokens_seen": tokens,
                    }
                )
                log.append(
                    {
                        "epoch": step / last,
                        "eval_loss": loss_of(params, tokens),
                        "eval_runtime": 1.0,
                        "step": step,
                        "num_input_tokens_seen": tokens,
                    }
                )
            state = {
                "best_metric": None,
                "epoch": end / last,
                "eval_steps": last // 4,
                "global_step": end,
                "log_history": log,
                "logging_steps": 100,
                "max_steps": last,
                "num_input_tokens_seen": end * batch,
                "num_train_epochs": 1,
                "train_batch_size": 8,
            }
            files[f"in/{size}/checkpoint-{end}/trainer_state.json"] = as_json(state)
    return World(files, ingested("trainer", "in"), command("trainer", "in"))


# ---- init, and all of them ----


def initial() -> World:
    """What ``init`` drafts for results without a ladder.yaml."""
    files = {path: content for path, content in lm_eval_files().items() if not path.endswith("ladder.yaml")}

    def read(folder: Path) -> Read:
        made = init.draft(folder / "in", folder / "out" / "c.yaml", 20)
        init.check(made.files[folder / "out" / "c.yaml"])
        doubts = re.findall(r"# .*\bbut\b.*", "\n".join(made.files.values()))  # behind the line of a model
        return Read({(path.name,): (text,) for path, text in made.files.items()}, (*made.to_do, *doubts))

    return World(files, read, ("init", "{in}/in", "--token-multiplier", "20", "--out", "{in}/out/c.yaml", "--force"))


def ladder_yaml() -> World:
    files = lm_eval_files()
    files["in/ladder.yaml"] = as_yaml(places(steps=True))
    return World(files, ingested("lm_eval", "in"), command("lm_eval", "in"))


WORLDS: dict[str, tuple[Callable[[], World], ...]] = {
    "lm_eval": (lm_eval, lambda: lm_eval("0.4.0"), lambda: lm_eval("0.3")),
    "lighteval": (lighteval,),
    "wandb": (wandb, lambda: wandb("panel")),
    "trainer": (trainer,),
    "table": (table,),
    "every_eval_ever": (every_eval_ever,),
    "plan": (plan_table,),
    "config": (configs,),
    "forecast": (forecasts,),
    "ladder_yaml": (ladder_yaml,),
    "register": (registered,),
    "model_ladder": (model_ladder,),
    "overtraining": (overtraining,),
    "init": (initial,),
}
