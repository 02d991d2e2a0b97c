"""Results of OLMES, as its OUTPUT_FORMATS.md describes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BITS = (0.9, 1.1, 1.3, 1.5)  # of the right answers of four documents


def metrics(model: str = "org/m", task: str = "arc_easy", acc: float = 0.5, **changes: Any) -> dict[str, Any]:
    """One ``…-metrics.json``."""
    content = {
        "task_name": task,
        "task_hash": 32 * "a",
        "model_hash": 32 * "b",
        "model_config": {
            "model": model,
            "revision": None,
            "trust_remote_code": None,
            "max_length": 2048,
            "model_path": None,
            "model_type": "hf",
        },
        "task_config": {
            "task_name": task,
            "limit": 10000000000000000000,
            "split": "test",
            "num_shots": 5,
            "primary_metric": "acc_per_char",
            "generation_kwargs": None,
            "version": 0,
            "metadata": {"regimes": ["OLMES-v0.1"], "alias": f"{task}:rc::olmes"},
        },
        "compute_config": {"batch_size": "4"},
        "current_date": "2024-12-19 12:16:07 UTC",
        "num_instances": len(BITS),
        "metrics": {
            "acc_raw": acc,
            "acc_per_token": 0.25,
            "acc_per_char": 0.75,
            "acc_uncond": 0.25,
            "primary_score": 0.75,
        },
        "task_idx": 0,
    }
    return content | changes


def predictions(acc: float = 0.5) -> str:
    """The lines of ``…-predictions.jsonl`` that belong to ``metrics``."""
    lines = [
        {
            "doc_id": i,
            "metrics": {"acc_raw": int(i < acc * 4), "acc_per_char": int(i < 3), "bits_per_byte_corr": bits},
            "model_output": [{"sum_logits": -3.0, "num_tokens": 2}],
            "label": 0,
        }
        for i, bits in enumerate(BITS)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def put(folder: Path, content: dict[str, Any], lines: str = "", index: int = 0) -> Path:
    """Write what one task left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"task-{index:03d}-{content['task_name']}"
    path = folder / f"{stem}-metrics.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    if lines:
        (folder / f"{stem}-predictions.jsonl").write_text(lines, encoding="utf-8")
    return path
