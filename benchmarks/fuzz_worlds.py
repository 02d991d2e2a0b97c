"""Small valid inputs of every reader, as files in memory, and how each is read."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pipeline import config, forecast, ingest, init, plan, register
from pipeline.config import Config, DataSettings

Files = dict[str, bytes]
SIZES = {"30M": 3e7, "100M": 1e8, "300M": 3e8, "1B": 1e9}
PER_PARAMETER = 20  # tokens
CHOICES = ("north", "south", "east", "west")


@dataclass(frozen=True)
class Read:
    """What reading gave: rows by what they are about, and what the account told."""

    rows: dict[tuple[Any, ...], tuple[Any, ...]]
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class World:
    """Valid files, how they are read in this process, and how by the command line (``{in}`` is the folder)."""

    files: Files
    read: Callable[[Path], Read]
    command: tuple[str, ...]


def as_json(content: Any) -> bytes:
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def as_yaml(content: Any) -> bytes:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """A number to nine digits, so that the same number written in two ways is the same."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else float(f"{value:.9g}")
    return value


KEY = ["run", "task", "num_fewshot", "prompt", "metric", "step", "tokens"]
ABOUT = ["value", "stderr", "n", "chance", "params", "flops", "family"]


def of_table(table: pd.DataFrame, told: tuple[str, ...]) -> Read:
    keys = table[KEY].to_numpy(dtype=object)
    values = table[ABOUT].to_numpy(dtype=object)
    rows = {tuple(map(_cell, k)): tuple(map(_cell, v)) for k, v in zip(keys, values, strict=True)}
    return Read(rows, told)


def _ingested(source: str, file: str = "") -> Callable[[Path], Read]:
    def read(folder: Path) -> Read:
        data = ingest.read(DataSettings.model_validate({"source": source}), Path(), folder / file)
        return of_table(data.table, data.account.told())

    return read


def _command(source: str, file: str = "") -> tuple[str, ...]:
    return ("ingest", source, "--from", "{in}/" + file, "--out", "{in}/out/t.csv")


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
        one: dict[str, Any] = {"doc_id": i, "doc": {"query": f"{i}"}, "acc": acc, "acc_norm": acc_norm,
                               "doc_hash": f"d{i}", "prompt_hash": f"p{i}", "target_hash": f"t{gold}"}  # fmt: skip
        if modern:
            one |= {"target": str(gold), "filter": "none", "metrics": ["acc", "acc_norm"],
                    "arguments": {f"gen_args_{j}": {"arg_0": p[0], "arg_1": p[1]} for j, p in enumerate(pairs)},
                    "filtered_resps": [[str(a), str(b)] for a, b in answers],
                    "resps": [[[str(a), str(b)]] for a, b in answers]}  # fmt: skip
        else:
            one |= {"target": gold, "arguments": pairs, "filtered_resps": answers, "resps": [[a] for a in answers]}
        found.append(one)
    return found, right / documents, normed / documents


def _error(value: float, n: int) -> float:
    return math.sqrt(value * (1 - value) / (n - 1))


def results(name: str, params: float, acc: float, acc_norm: float, n: int, layout: str) -> dict[str, Any]:
    filtered = "" if layout == "0.3" else ",none"
    scores = {f"acc{filtered}": acc, f"acc_stderr{filtered}": _error(acc, n), f"acc_norm{filtered}": acc_norm,
              f"acc_norm_stderr{filtered}": _error(acc_norm, n)}  # fmt: skip
    arguments = f"pretrained={name},dtype=float"
    if layout == "0.3":
        return {"results": {"quiz": scores}, "versions": {"quiz": 0},
                "config": {"model": "hf-causal", "model_args": arguments, "num_fewshot": 0, "batch_size": 8,
                           "device": "cuda", "no_cache": True, "limit": None, "bootstrap_iters": 100000,
                           "description_dict": {}}}  # fmt: skip
    found = {
        "results": {"quiz": {"alias": "quiz"} | scores}, "group_subtasks": {"quiz": []},
        "configs": {"quiz": {"task": "quiz", "output_type": "multiple_choice", "num_fewshot": 0,
                             "target_delimiter": " ", "metadata": {"version": 1.0}}},
        "versions": {"quiz": 1.0}, "n-shot": {"quiz": 0},
        "config": {"model": "hf", "model_args": arguments, "batch_size": 8, "limit": None, "device": "cuda"},
        "git_hash": "0000000", "date": 1720000000.0,
    }  # fmt: skip
    if layout == "0.4.3":
        found |= {"n-samples": {"quiz": {"original": n, "effective": n}}, "lm_eval_version": "0.4.8",
                  "higher_is_better": {"quiz": {"acc": True, "acc_norm": True}}, "model_source": "hf",
                  "model_name": name, "model_name_sanitized": name.replace("/", "__"), "chat_template": None,
                  "task_hashes": {}}  # fmt: skip
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
    return World(lm_eval_files(layout), _ingested("lm_eval", "in"), _command("lm_eval", "in"))


# ---- lighteval ----


def lighteval() -> World:
    """Results in the layout of lighteval 0.13: ``results/<org>/<model>/results_<stamp>.json``."""
    files: Files = {"in/ladder.yaml": as_yaml(places())}
    for size, params in SIZES.items():
        _, acc, acc_norm = samples(params, True)
        scores = {
            "acc": acc,
            "acc_stderr": _error(acc, 8),
            "acc_norm": acc_norm,
            "acc_norm_stderr": _error(acc_norm, 8),
        }
        name = f"org/m-{size}"
        content = {
            "config_general": {"lighteval_sha": "abc", "num_fewshot_seeds": 1, "max_samples": None, "job_id": "",
                               "start_time": 1.0, "end_time": 2.0, "total_evaluation_time_secondes": "1.0",
                               "model_config": {"model_name": name, "revision": "main", "dtype": "float32"},
                               "model_name": name, "model_sha": "", "model_dtype": "float32", "model_size": ""},
            "results": {"leaderboard|quiz|0": scores, "all": scores},
            "versions": {"leaderboard|quiz|0": 0},
            "config_tasks": {"leaderboard|quiz": {"name": "quiz", "num_fewshots": 0, "effective_num_docs": 8,
                                                  "original_num_docs": 8, "metrics": []}},
            "summary_tasks": {}, "summary_general": {},
        }  # fmt: skip
        files[f"in/results/{name}/results_2025-01-01T10-00-00.000000.json"] = as_json(content)
    return World(files, _ingested("lighteval", "in"), _command("lighteval", "in"))


# ---- Weights & Biases, trainer ----


def loss_of(params: float, tokens: float) -> float:
    return round(1.7 + 400 / params**0.34 + 410 / tokens**0.28, 6)


def wandb(kind: str = "table") -> World:
    """An export: the table of runs, or a panel of one metric."""
    step_size = 500_000
    steps = {size: int(PER_PARAMETER * params / step_size) for size, params in SIZES.items()}
    files: Files = {"in/ladder.yaml": as_yaml({
        f"{size}-*": {"family": "mix", "params": params, "tokens_per_step": step_size} for size, params in SIZES.items()
    })}  # fmt: skip
    if kind == "table":
        files["in/runs.csv"] = as_csv([
            {"Name": f"{size}-a", "State": "finished", "Created": "2025-03-02T10:00:00.000Z",
             "trainer/global_step": steps[size], "eval/loss": loss_of(params, PER_PARAMETER * params),
             "quiz/acc": round(0.3 + 0.05 * i, 3), "learning_rate": 3e-4}
            for i, (size, params) in enumerate(SIZES.items())
        ])  # fmt: skip
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
    return World(files, _ingested("wandb", "in"), _command("wandb", "in"))


def trainer() -> World:
    batch = 500_000
    files: Files = {"in/ladder.yaml": as_yaml({
        size: {"family": "mix", "params": params, "tokens_per_step": batch} for size, params in SIZES.items()
    })}  # fmt: skip
    for size, params in SIZES.items():
        last = int(PER_PARAMETER * params / batch)
        for end in (last // 2, last):
            log: list[dict[str, Any]] = []
            for step in (last // 4, last // 2, last):
                if step > end:
                    continue
                tokens = step * batch
                log.append({"epoch": step / last, "loss": 3.1, "learning_rate": 1e-4, "step": step,
                            "num_input_tokens_seen": tokens})  # fmt: skip
                log.append({"epoch": step / last, "eval_loss": loss_of(params, tokens), "eval_runtime": 1.0,
                            "step": step, "num_input_tokens_seen": tokens})  # fmt: skip
            state = {"best_metric": None, "epoch": end / last, "eval_steps": last // 4, "global_step": end,
                     "log_history": log, "logging_steps": 100, "max_steps": last, "num_input_tokens_seen": end * batch,
                     "num_train_epochs": 1, "train_batch_size": 8}  # fmt: skip
            files[f"in/{size}/checkpoint-{end}/trainer_state.json"] = as_json(state)
    return World(files, _ingested("trainer", "in"), _command("trainer", "in"))


# ---- tables ----


def table_rows(sizes: int = 4) -> list[dict[str, Any]]:
    """Runs of several sizes and steps from known laws; FLOPs are 6ND."""
    rows: list[dict[str, Any]] = []
    for i, params in enumerate([*SIZES.values(), 3e9, 1e10, 3e10, 1e11][:sizes]):
        for step in (500, 1000):
            tokens = PER_PARAMETER * params * step / 1000
            common = {"run": f"r{i}", "family": "mix", "step": step, "params": params, "tokens": tokens,
                      "flops": 6 * params * tokens, "flops_convention": "6ND"}  # fmt: skip
            nll = round(loss_of(params, tokens) / 3.5, 6)
            acc = round(0.25 + 0.7 / (1 + math.exp(8 * (nll - 0.75))), 3)
            error = round(_error(acc, 1000), 6)
            rows += [
                common | {"task": "quiz", "metric": "acc", "value": acc, "stderr": error, "n": 1000, "chance": 0.25},
                common | {"task": "quiz", "metric": "nll", "value": nll, "stderr": 0.01, "n": 1000, "chance": ""},
                common | {"task": "quiz", "metric": "bits_per_byte", "value": nll / math.log(2), "stderr": 0.01,
                          "n": 1000, "chance": ""},
                common | {"task": "text", "metric": "val_loss", "value": 3.5 * nll, "stderr": "", "n": "",
                          "chance": ""},
            ]  # fmt: skip
    return rows


def table() -> World:
    return World({"in/t.csv": as_csv(table_rows())}, _ingested("table", "in/t.csv"), _command("table", "in/t.csv"))


def every_eval_ever() -> World:
    files: Files = {}
    for i, (size, params) in enumerate(SIZES.items()):
        acc = round(0.3 + 0.05 * i, 3)
        files[f"in/{size}.json"] = as_json({
            "schema_version": "0.3.0", "evaluation_id": f"x/{size}/1", "retrieved_timestamp": "1764000000",
            "source_metadata": {"source_type": "documentation", "source_organization_name": "lab",
                                "evaluator_relationship": "first_party"},
            "eval_library": {"name": "lm_eval", "version": "0.4.9"},
            "model_info": {"name": size, "id": f"lab/{size}", "additional_details":
                           {"run": size, "family": "mix", "params": str(params), "tokens": str(20 * params)}},
            "evaluation_results": [
                {"evaluation_name": task, "source_data": {"dataset_name": task, "source_type": "other"},
                 "metric_config": {"metric_name": "acc", "metric_unit": "proportion", "lower_is_better": False,
                                   "score_type": "continuous", "min_score": 0, "max_score": 1},
                 "score_details": {"score": acc + extra,
                                   "uncertainty": {"standard_error": {"value": 0.01}, "num_samples": 1000}},
                 "generation_config": {"additional_details": {"num_fewshot": "0"}}}
                for task, extra in (("quiz", 0.0), ("riddles", 0.05))
            ],
        })  # fmt: skip
    return World(files, _ingested("every_eval_ever", "in"), _command("every_eval_ever", "in"))


# ---- plan, configs, register ----


def plan_rows() -> list[dict[str, Any]]:
    return [
        {"run": f"{size}-{m}x", "params": params, "tokens": m * params, "loss": loss_of(params, m * params)}
        for size, params in SIZES.items() for m in (5, 20, 80)
    ]  # fmt: skip


def planned(folder: Path) -> Read:
    """The plan for 1e22 FLOPs, with the few resamples there must be."""
    result = plan.run({"flops": 1e22, "resamples": 100, "data": {"path": "in/runs.csv"}}, folder)
    rows = {(a.source, a.flops): (_cell(a.params.value), _cell(a.tokens.value)) for a in result.answers}
    return Read(rows, of_units(str(note) for note in result.notes))


UNITS_TOLD = re.compile(r"per parameter|illion|thousand|unit|repeat|ratio|6ND|left out|contradict", re.IGNORECASE)


def of_units(notes: Iterable[str]) -> tuple[str, ...]:
    """The notes that tell of a wrong unit or a repeated row; that a target is far away does not."""
    return tuple(re.sub(r"[\d.,e+-]*\d", "#", note) for note in notes if UNITS_TOLD.search(note))


def plan_table() -> World:
    command = ("plan", "--flops", "1e22", "--data", "{in}/in/runs.csv", "--json", "{in}/out/plan.json")
    return World({"in/runs.csv": as_csv(plan_rows())}, planned, command)


CONFIG = {
    "title": "Fuzzed", "data": {"source": "table", "path": "t.csv"},
    "targets": [{"name": "planned", "params": 1e10, "tokens": 2e11},
                {"name": "other", "flops": 1e23, "token_multiplier": 20}],
    "recipes": ["llama3"], "tasks": ["quiz"], "level": 0.9, "figures": 0,
}  # fmt: skip


def forecast_of(folder: Path) -> Read:
    result = forecast.run(config.load(folder / "in" / "c.yaml", Config), folder / "in")
    rows = {(f.target, f.task, f.recipe): (_cell(f.forecast), _cell(f.low), _cell(f.high)) for f in result.forecasts}
    told = [str(note) for f in result.forecasts for note in f.notes]
    return Read(rows, (*of_units(told), *result.provenance.account.told()))


def loaded(folder: Path) -> Read:
    found = config.load(folder / "in" / "c.yaml", Config)
    return Read({(str(found.model_dump_json()),): ()})


def configs() -> World:
    files = {"in/c.yaml": as_yaml(CONFIG), "in/t.csv": as_csv(table_rows(6))}
    return World(files, loaded, ("forecast", "{in}/in/c.yaml"))


def forecasts() -> World:
    return World(configs().files, forecast_of, ("forecast", "{in}/in/c.yaml"))


def registered() -> World:
    """A register of three records, made by the register itself."""
    import tempfile
    from datetime import UTC, datetime

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, content in configs().files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(content)
        result = forecast.run(folder / "in" / "c.yaml")
        for day in (1, 2, 3):
            titled = result.model_copy(update={"title": f"Title {day}"})
            register.register(titled, folder / "f.jsonl", datetime(2026, 1, day, tzinfo=UTC))
        content = (folder / "f.jsonl").read_bytes()

    def read(where: Path) -> Read:
        records = register.read(where / "in" / "f.jsonl")
        return Read({(i, r.hash): (r.model_dump_json(),) for i, r in enumerate(records)})

    return World({"in/f.jsonl": content}, read, ("register", "{in}/c.yaml", "--register", "{in}/in/f.jsonl"))


# ---- published testbeds, init ----


def model_ladder() -> World:
    tasks = ("mmlu_stem_val", "hellaswag_val")
    files: Files = {}
    for size, params in (("190M", 190_354_176), ("370M", 371_262_464), ("1B", 1_279_395_840)):
        rows = []
        for step in (1000, 2000, 4000):
            row: dict[str, Any] = {"_step": step, "throughput/total_tokens": step * 1_000_000,
                                   "eval/c4_en-validation/CrossEntropyLoss": loss_of(params, step * 1e6)}  # fmt: skip
            for i, task in enumerate(tasks):
                row |= {f"eval/downstream_bpb/{task}_rc_5shot_bpb": 1.1 + 0.1 * i,
                        f"eval/downstream/{task}_rc_5shot_len_norm": 0.3 + step / 1e5,
                        f"eval/downstream/{task}_rc_5shot_acc": 0.28 + step / 1e5,
                        f"eval/downstream_soft_log/{task}_rc_5shot_soft_log": -1.3}  # fmt: skip
            rows.append(row)
        files[f"in/{size}-1xC.csv"] = as_csv(rows)
    return World(files, _ingested("model_ladder", "in"), _command("model_ladder", "in"))


def overtraining() -> World:
    about = {"#shots": 0, "#datapoints": 1000, "Random baseline": 25}
    files: Files = {
        "in/eval_metadata.csv": as_csv([{"Eval Task": task} | about for task in ("quiz", "riddles", "sums")])
    }
    for i, params in enumerate((1e8, 1.5e8, 4e8)):
        name = f"c4-d={i}-1.0"
        files[f"in/models/{name}.json"] = as_json({
            "name": name, "dataset_name": "c4",
            "hyperparameters": {"params": params, "chinchilla_multiplier": 1.0, "tokens": 20 * params},
            "results": [{"val_data": ["x/c4_val/shard.tar"], "loss": loss_of(params, 20 * params), "sequences": 100,
                         "loss_sequences_lower_95": 3.0, "loss_sequences_upper_95": 3.1}],
        })  # fmt: skip
        scores = {"quiz": 0.3 + 0.05 * i, "riddles": 0.4 + 0.05 * i, "sums": 0.26}
        files[f"in/evals/evaluation_{name}_heavy.json"] = as_json({
            "name": "heavy", "model": f"d={i}", "eval_metrics": {"icl": scores},
        })  # fmt: skip
    return World(files, _ingested("overtraining", "in"), _command("overtraining", "in"))


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
    return World(files, _ingested("lm_eval", "in"), _command("lm_eval", "in"))


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
