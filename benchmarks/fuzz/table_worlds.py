"""Small valid tables, records, plans, configs, registers and published testbeds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchcast.core import config
from benchcast.core.config import Config
from benchcast.forecasting import run as forecast
from benchcast.planning import run as plan
from benchcast.registry import register

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
    cell,
    command,
    ingested,
    loss_of,
)

# ---- tables ----


def table_rows(sizes: int = 4) -> list[dict[str, Any]]:
    """Runs of several sizes and steps from known laws; FLOPs are 6ND."""
    rows: list[dict[str, Any]] = []
    for i, params in enumerate([*SIZES.values(), 3e9, 1e10, 3e10, 1e11][:sizes]):
        for step in (500, 1000):
            tokens = PER_PARAMETER * params * step / 1000
            common = {
                "run": f"r{i}",
                "family": "mix",
                "step": step,
                "params": params,
                "tokens": tokens,
                "flops": 6 * params * tokens,
                "flops_convention": "6ND",
            }
            nll = round(loss_of(params, tokens) / 3.5, 6)
            acc = round(0.25 + 0.7 / (1 + math.exp(8 * (nll - 0.75))), 3)
            error = round(binomial_error(acc, 1000), 6)
            rows += [
                common | {"task": "quiz", "metric": "acc", "value": acc, "stderr": error, "n": 1000, "chance": 0.25},
                common | {"task": "quiz", "metric": "nll", "value": nll, "stderr": 0.01, "n": 1000, "chance": ""},
                common
                | {
                    "task": "quiz",
                    "metric": "bits_per_byte",
                    "value": nll / math.log(2),
                    "stderr": 0.01,
                    "n": 1000,
                    "chance": "",
                },
                common
                | {"task": "text", "metric": "val_loss", "value": 3.5 * nll, "stderr": "", "n": "", "chance": ""},
            ]
    return rows


def table() -> World:
    return World({"in/t.csv": as_csv(table_rows())}, ingested("table", "in/t.csv"), command("table", "in/t.csv"))


def every_eval_ever() -> World:
    files: Files = {}
    for i, (size, params) in enumerate(SIZES.items()):
        acc = round(0.3 + 0.05 * i, 3)
        files[f"in/{size}.json"] = as_json(
            {
                "schema_version": "0.3.0",
                "evaluation_id": f"x/{size}/1",
                "retrieved_timestamp": "1764000000",
                "source_metadata": {
                    "source_type": "documentation",
                    "source_organization_name": "lab",
                    "evaluator_relationship": "first_party",
                },
                "eval_library": {"name": "lm_eval", "version": "0.4.9"},
                "model_info": {
                    "name": size,
                    "id": f"lab/{size}",
                    "additional_details": {
                        "run": size,
                        "family": "mix",
                        "params": str(params),
                        "tokens": str(20 * params),
                    },
                },
                "evaluation_results": [
                    {
                        "evaluation_name": task,
                        "source_data": {"dataset_name": task, "source_type": "other"},
                        "metric_config": {
                            "metric_name": "acc",
                            "metric_unit": "proportion",
                            "lower_is_better": False,
                            "score_type": "continuous",
                            "min_score": 0,
                            "max_score": 1,
                        },
                        "score_details": {
                            "score": acc + extra,
                            "uncertainty": {"standard_error": {"value": 0.01}, "num_samples": 1000},
                        },
                        "generation_config": {"additional_details": {"num_fewshot": "0"}},
                    }
                    for task, extra in (("quiz", 0.0), ("riddles", 0.05))
                ],
            }
        )
    return World(files, ingested("every_eval_ever", "in"), command("every_eval_ever", "in"))


# ---- plan, configs, register ----


def plan_rows() -> list[dict[str, Any]]:
    return [
        {"run": f"{size}-{m}x", "params": params, "tokens": m * params, "loss": loss_of(params, m * params)}
        for size, params in SIZES.items()
        for m in (5, 20, 80)
    ]


def planned(folder: Path) -> Read:
    """The plan for 1e22 FLOPs, with the few resamples there must be."""
    result = plan.run({"flops": 1e22, "resamples": 100, "data": {"path": "in/runs.csv"}}, folder)
    rows = {(a.source, a.flops): (cell(a.params.value), cell(a.tokens.value)) for a in result.answers}
    return Read(rows, of_units(str(note) for note in result.notes))


UNITS_TOLD = re.compile(r"per parameter|illion|thousand|unit|repeat|ratio|6ND|left out|contradict", re.IGNORECASE)


def of_units(notes: Iterable[str]) -> tuple[str, ...]:
    """The notes that tell of a wrong unit or a repeated row; that a target is far away does not."""
    return tuple(re.sub(r"[\d.,e+-]*\d", "#", note) for note in notes if UNITS_TOLD.search(note))


def plan_table() -> World:
    command = ("plan", "--flops", "1e22", "--data", "{in}/in/runs.csv", "--json", "{in}/out/plan.json")
    return World({"in/runs.csv": as_csv(plan_rows())}, planned, command)


CONFIG = {
    "title": "Fuzzed",
    "data": {"source": "table", "path": "t.csv"},
    "targets": [
        {"name": "planned", "params": 1e10, "tokens": 2e11},
        {"name": "other", "flops": 1e23, "token_multiplier": 20},
    ],
    "recipes": ["llama3"],
    "tasks": ["quiz"],
    "level": 0.9,
    "figures": 0,
}


def forecast_of(folder: Path) -> Read:
    result = forecast.run(config.load(folder / "in" / "c.yaml", Config), folder / "in")
    rows = {(f.target, f.task, f.recipe): (cell(f.forecast), cell(f.low), cell(f.high)) for f in result.forecasts}
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


# ---- published testbeds ----


def model_ladder() -> World:
    tasks = ("mmlu_stem_val", "hellaswag_val")
    files: Files = {}
    for size, params in (("190M", 190_354_176), ("370M", 371_262_464), ("1B", 1_279_395_840)):
        rows = []
        for step in (1000, 2000, 4000):
            row: dict[str, Any] = {
                "_step": step,
                "throughput/total_tokens": step * 1_000_000,
                "eval/c4_en-validation/CrossEntropyLoss": loss_of(params, step * 1e6),
            }
            for i, task in enumerate(tasks):
                row |= {
                    f"eval/downstream_bpb/{task}_rc_5shot_bpb": 1.1 + 0.1 * i,
                    f"eval/downstream/{task}_rc_5shot_len_norm": 0.3 + step / 1e5,
                    f"eval/downstream/{task}_rc_5shot_acc": 0.28 + step / 1e5,
                    f"eval/downstream_soft_log/{task}_rc_5shot_soft_log": -1.3,
                }
            rows.append(row)
        files[f"in/{size}-1xC.csv"] = as_csv(rows)
    return World(files, ingested("model_ladder", "in"), command("model_ladder", "in"))


def overtraining() -> World:
    about = {"#shots": 0, "#datapoints": 1000, "Random baseline": 25}
    files: Files = {
        "in/eval_metadata.csv": as_csv([{"Eval Task": task} | about for task in ("quiz", "riddles", "sums")])
    }
    for i, params in enumerate((1e8, 1.5e8, 4e8)):
        name = f"c4-d={i}-1.0"
        files[f"in/models/{name}.json"] = as_json(
            {
                "name": name,
                "dataset_name": "c4",
                "hyperparameters": {"params": params, "chinchilla_multiplier": 1.0, "tokens": 20 * params},
                "results": [
                    {
                        "val_data": ["x/c4_val/shard.tar"],
                        "loss": loss_of(params, 20 * params),
                        "sequences": 100,
                        "loss_sequences_lower_95": 3.0,
                        "loss_sequences_upper_95": 3.1,
                    }
                ],
            }
        )
        scores = {"quiz": 0.3 + 0.05 * i, "riddles": 0.4 + 0.05 * i, "sums": 0.26}
        files[f"in/evals/evaluation_{name}_heavy.json"] = as_json(
            {
                "name": "heavy",
                "model": f"d={i}",
                "eval_metrics": {"icl": scores},
            }
        )
    return World(files, ingested("overtraining", "in"), command("overtraining", "in"))
