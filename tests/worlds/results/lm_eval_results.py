"""A folder of lm-eval results as a stranger has it: models of known laws, in the layout of lm-eval 0.4.3 and later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

SIZES = {"10M": 1e7, "25M": 2.5e7, "60M": 6e7, "150M": 1.5e8, "400M": 4e8, "1.1B": 1.1e9, "2.8B": 2.8e9}
DOCUMENTS = 60


def write_results(folder: Path, *, with_samples: bool = True, prefix: str = "acme/lm-") -> None:
    """Seven models at 20 tokens per parameter; the loss of the gold answer falls, its rank rises with size."""
    rng = np.random.default_rng(5)
    ease = rng.normal(0, 0.25, DOCUMENTS)
    for name, params in SIZES.items():
        nll = 30 / params**0.25 + 40 / (20 * params) ** 0.25 + 0.4
        place = folder / f"{prefix}{name}".replace("/", "__")
        place.mkdir(parents=True)
        samples = [_sample(i, nll + ease[i]) for i in range(DOCUMENTS)]
        accuracy = float(np.mean([s["acc"] for s in samples]))
        (place / "results_2026-01-01T00-00-00.0.json").write_text(json.dumps(_results(f"{prefix}{name}", accuracy)))
        if with_samples:
            lines = "".join(json.dumps(s) + "\n" for s in samples)
            (place / "samples_quiz_2026-01-01T00-00-00.0.jsonl").write_text(lines)


def _sample(number: int, nll: float) -> dict[str, Any]:
    """Four answers of 12 bytes; the wrong ones stay at 1.1 nats a byte."""
    answers = [f"answer {number:02d}-{letter} " for letter in "abcd"]
    logliks = [-12 * nll, -12 * 1.1, -12 * 1.3, -12 * 1.2]
    return {
        "doc_id": number,
        "target": "0",
        "filter": "none",
        "acc": float(int(np.argmax(logliks)) == 0),
        "arguments": {f"gen_args_{i}": {"arg_0": "Q:", "arg_1": f" {a}"} for i, a in enumerate(answers)},
        "filtered_resps": [[str(value), "False"] for value in logliks],
    }


def _results(model: str, accuracy: float) -> dict[str, Any]:
    return {
        "results": {"quiz": {"alias": "quiz", "acc,none": accuracy, "acc_stderr,none": 0.05}},
        "configs": {"quiz": {"target_delimiter": " ", "output_type": "multiple_choice", "num_fewshot": 0}},
        "versions": {"quiz": 1.0},
        "n-shot": {"quiz": 0},
        "n-samples": {"quiz": {"effective": DOCUMENTS}},
        "config": {"model_args": f"pretrained={model}"},
        "model_name": model,
    }
