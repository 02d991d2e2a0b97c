"""Every Eval Ever records (evalevalai.com, schema 0.3): read them as a ladder table, and write one as records.

A record is one JSON file about one model. What the ladder needs and the schema has no field for stands as text in
``model_info.additional_details`` (run, family, step, params, tokens, flops, flops_convention) and
``generation_config.additional_details`` (num_fewshot, prompt), so that what is written reads back. Records of others
are placed by ``ladder.yaml`` in the folder, by the model's id, as lm-eval's results are.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import schema, store
from pipeline.account import Account
from pipeline.errors import Fault, FaultsError
from pipeline.sources.lm_eval import LADDER, Place, places_of

SCHEMA = "0.3.0"
NAMES = {"acc": "acc", "accuracy": "acc", "acc_norm": "acc_norm", "exact_match": "acc"}
ABOUT = ("run", "family", "step", "params", "tokens", "flops", "flops_convention")
NUMBERS = ("step", "params", "tokens", "flops")


def read(folder: Path, account: Account | None = None) -> pd.DataFrame:
    """Every record below a folder (or one file) as a ladder table.

    Raises
    ------
    FaultsError
        With every file that is no record, and every model that nothing places.
    """
    account = account or Account()
    faults: list[Fault] = []
    places = places_of(folder, faults) if folder.is_dir() else {}
    rows: list[dict[str, Any]] = []
    paths = sorted(folder.rglob("*.json")) if folder.is_dir() else [folder]
    for path in paths:
        try:
            data = path.read_bytes()
            record = json.loads(data)
            if not isinstance(record, dict) or "evaluation_results" not in record:
                continue  # some other JSON file
            about = _place(record, places) | {"source": path.name, "digest": hashlib.sha256(data).hexdigest()}
            rows += [about | row for row in _rows(record)]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            faults.append(Fault(str(path), f"cannot be read: {type(error).__name__}: {error}"))
    if not rows and not faults:
        faults.append(Fault(str(folder), "holds no Every Eval Ever record with an accuracy"))
    if faults:
        raise FaultsError(faults)
    return schema.validate(pd.DataFrame(rows), str(folder))


def _place(record: Mapping[str, Any], places: Mapping[str, Place | None]) -> dict[str, Any]:
    """Where the model stands: ``ladder.yaml``, else what the record says of itself."""
    info = record["model_info"]
    listed = places.get(info["id"])
    if listed is not None:
        return listed.columns(info["id"])
    told = info.get("additional_details") or {}
    found = {key: float(told[key]) if key in NUMBERS else told[key] for key in ABOUT if told.get(key)}
    if lacking := {"family", "params", "tokens"} - set(found):
        raise ValueError(f"nothing tells {', '.join(sorted(lacking))} of {info['id']!r}; place it in {LADDER}")
    given = "flops" in found
    found.setdefault("flops", 6 * found["params"] * found["tokens"])
    found.setdefault("flops_convention", "given" if given else "6ND")
    return {"run": info["id"]} | found


def _rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    library = record["eval_library"]
    for result in record["evaluation_results"]:
        config, score = result["metric_config"], result["score_details"]
        told = config.get("metric_name") or config.get("metric_id") or config.get("evaluation_description") or ""
        metric = told if told in schema.METRICS else NAMES.get(str(told).lower())
        if metric is None:
            continue
        share = 0.01 if config.get("metric_unit") == "percent" else 1.0
        doubt = score.get("uncertainty") or {}
        stderr = (doubt.get("standard_error") or {}).get("value")
        asked = (result.get("generation_config") or {}).get("additional_details") or {}
        details = score.get("details") or {}
        yield {
            "task": str(result["evaluation_name"]).removesuffix("/none"), "metric": metric,
            "value": share * score["score"], "stderr": None if stderr is None else share * stderr,
            "n": doubt.get("num_samples"), "num_fewshot": asked.get("num_fewshot"), "prompt": asked.get("prompt", ""),
            "chance": details.get("chance"), "task_version": details.get("task_version", ""),
            "lm_eval": library["version"] if library["name"] == "lm_eval" else "",
        }  # fmt: skip


def write(table: pd.DataFrame, folder: Path, now: int) -> list[Path]:
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
            "source_name": "Benchcast ladder table", "source_type": "evaluation_run",
            "source_organization_name": first["family"], "evaluator_relationship": "first_party",
        },
        "eval_library": {"version": "unknown"} | library,
        "model_info": {
            "name": first["run"], "id": model,
            "additional_details": about | {"deployment_type": "self_deployed", "model_availability": "unknown"},
        },
        "evaluation_results": [_result(row) for row in rows.to_dict("records")],
    }  # fmt: skip


def _result(row: Mapping[str, Any]) -> dict[str, Any]:
    metric = schema.METRICS[row["metric"]]
    accuracy = metric.unit == "fraction"
    score: dict[str, Any] = {"score": row["value"]}
    doubt: dict[str, Any] = {}
    if not math.isnan(row["stderr"]):
        doubt["standard_error"] = {"value": row["stderr"]}
    if not math.isnan(row["n"]):
        doubt["num_samples"] = int(row["n"])
    details = {key: _text(row[key]) for key in ("chance", "task_version") if _text(row[key])}
    score |= ({"uncertainty": doubt} if doubt else {}) | ({"details": details} if details else {})
    asked = {key: _text(row[key]) for key in ("num_fewshot", "prompt") if _text(row[key])}
    return {
        "evaluation_name": row["task"],
        "source_data": {"dataset_name": row["task"], "source_type": "other"},
        "metric_config": {
            "metric_name": row["metric"], "metric_unit": "proportion" if accuracy else metric.unit,
            "lower_is_better": not accuracy, "score_type": "continuous", "min_score": metric.low,
            "max_score": metric.high if accuracy else "Infinity",
        },
        "score_details": score,
        **({"generation_config": {"additional_details": asked}} if asked else {}),
    }  # fmt: skip


def _text(value: Any) -> str:
    """A cell as the text that gives it back; empty for none."""
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return str(value)
