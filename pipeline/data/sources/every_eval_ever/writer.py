"""Write a ladder table as Every Eval Ever records (evalevalai.com, schema 0.3); ``every_eval_ever`` reads them back."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ....core import files as store
from ....core.metrics import metric_of
from .scores import OURS

SCHEMA = "0.3.0"
ABOUT = ("run", "family", "step", "params", "tokens", "flops", "flops_convention")
SETUP = ("num_fewshot", "prompt", "tokenizer", "chat_template", "dtype")


def write_every_eval_ever(table: pd.DataFrame, folder: Path, now: int) -> list[Path]:
    """Write a record for every checkpoint and evaluation library of a ladder table; their paths.

    ``now`` is when, in Unix seconds. A file's name is made of digests: a run may be called anything.
    """
    paths = []
    keys = ["run", "step", "tokens", "lm_eval"]
    for _, rows in table.groupby(keys, sort=False, dropna=False):
        record = _record(rows, now)
        name = hashlib.sha256(json.dumps(record["evaluation_id"].rpartition("/")[0]).encode()).hexdigest()[:32]
        path = folder / f"{name}.json"
        store.write_text(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", path)
        paths.append(path)
    return paths


def _record(rows: pd.DataFrame, now: int) -> dict[str, Any]:
    first = rows.iloc[0]
    step = "" if math.isnan(first["step"]) else f"@{first['step']:g}"
    model = f"{first['run']}{step or '@' + format(first['tokens'], 'g') + '-tokens'}"
    about = {key: _text(first[key]) for key in ABOUT if _text(first[key])}
    library = {"name": "lm_eval", "version": first["lm_eval"]} if first["lm_eval"] else {"name": "unknown"}
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"benchcast/{model}/{library.get('version', 'unknown')}/{now}",
        "retrieved_timestamp": str(now),
        "source_metadata": {
            "source_name": OURS,
            "source_type": "evaluation_run",
            "source_organization_name": first["family"],
            "evaluator_relationship": "first_party",
        },
        "eval_library": {"version": "unknown"} | library,
        "model_info": {
            "name": first["run"],
            "id": model,
            "additional_details": about | {"deployment_type": "self_deployed", "model_availability": "unknown"},
        },
        "evaluation_results": [_result(row) for row in rows.to_dict("records")],
    }


def _result(row: Mapping[str, Any]) -> dict[str, Any]:
    metric = metric_of(row["metric"])
    if metric is None:
        raise ValueError(f"a ladder table has no metric {row['metric']!r}")
    accuracy = metric.unit == "fraction"
    score: dict[str, Any] = {"score": row["value"]}
    doubt: dict[str, Any] = {}
    if not math.isnan(row["stderr"]):
        doubt["standard_error"] = {"value": row["stderr"]}
    if not math.isnan(row["n"]):
        doubt["num_samples"] = int(row["n"])
    details = {key: _text(row[key]) for key in ("chance", "task_version") if _text(row[key])}
    score |= ({"uncertainty": doubt} if doubt else {}) | ({"details": details} if details else {})
    setup = {key: _text(row[key]) for key in SETUP if _text(row[key])}
    return {
        "evaluation_name": row["task"],
        "source_data": {"dataset_name": row["task"], "source_type": "other"},
        "metric_config": {
            "metric_name": row["metric"],
            "metric_unit": "proportion" if accuracy else metric.unit,
            "lower_is_better": not accuracy,
            "score_type": "continuous",
            "min_score": metric.low,
            "max_score": metric.high if accuracy else "Infinity",
        },
        "score_details": score,
        **({"generation_config": {"additional_details": setup}} if setup else {}),
    }


def _text(value: Any) -> str:
    """A cell as the text that gives it back; empty for none."""
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return str(value)
