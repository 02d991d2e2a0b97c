"""Records of Every Eval Ever: of one's own ladder, and as another tool's converter writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PLACE = {"family": "mix", "params": "1e8", "tokens": "2e9"}


def result(score: Any = 0.5, task: str = "quiz", metric: str = "acc", n: int = 1000, **config: Any) -> dict[str, Any]:
    return {
        "evaluation_name": task,
        "source_data": {"dataset_name": task, "source_type": "other"},
        "metric_config": {"metric_name": metric, "lower_is_better": False, **config},
        "score_details": {"score": score, "uncertainty": {"num_samples": n}},
    }


def record(*results: dict[str, Any], model: str = "lab/m", **told: str) -> dict[str, Any]:
    return {
        "schema_version": "0.3.0",
        "evaluation_id": "x/1",
        "retrieved_timestamp": "1764000000",
        "source_metadata": {
            "source_type": "documentation",
            "source_organization_name": "lab",
            "evaluator_relationship": "first_party",
        },
        "eval_library": {"name": "lm_eval", "version": "0.4.9"},
        "model_info": {"name": model, "id": model, "additional_details": PLACE | told},
        "evaluation_results": list(results),
    }


def put(folder: Path, **records: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in records.items():
        (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def foreign(score: float = 61.5, unit: str = "percent") -> dict[str, Any]:
    """A record as another tool's converter would write it: nothing of a ladder in it."""
    model = {"name": "m", "id": "lab/m"}
    model |= {"additional_details": {"deployment_type": "unknown", "model_availability": "unknown"}}
    source = {"dataset_name": "arc", "source_type": "other"}
    accuracy = result(score, "arc_easy/none", "Accuracy", 2376, metric_unit=unit) | {"source_data": source}
    accuracy["score_details"]["uncertainty"] |= {"standard_error": {"value": 1.1}}
    bleu = result(0.2, "arc_easy", "bleu") | {"source_data": source, "score_details": {"score": 0.2}}
    return record(accuracy, bleu) | {"evaluation_id": "arc/lab/m/1", "model_info": model}
