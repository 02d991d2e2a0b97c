"""Results of a family of public models as ``lm_eval`` writes them, without samples, and what ``init`` makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from worlds.results.lm_eval_files import put, result

FAMILY = {
    "70m": 7e7,
    "160m": 1.6e8,
    "410m": 4.1e8,
    "1b": 1e9,
    "1.4b": 1.4e9,
    "2.8b": 2.8e9,
    "6.9b": 6.9e9,
    "12b": 1.2e10,
}
ACCURACY = dict(zip(FAMILY, (0.598, 0.622, 0.668, 0.705, 0.711, 0.738, 0.755, 0.768), strict=True))  # of piqa
PER_STEP = 2097152  # tokens


def model(
    folder: Path,
    name: str,
    revision: str = "",
    *,
    acc: float = 0.5,
    params: int | None = None,
    task: str = "piqa",
    scores: dict[str, float] | None = None,
) -> Path:
    """The result file of one model, which may state its parameters; ``scores`` replace the accuracy."""
    arguments = {"pretrained": name} | ({"revision": revision} if revision else {})
    config: dict[str, Any] = {"model": "hf", "model_args": arguments, "limit": None, "batch_size": "8"}
    if params is not None:
        config |= {
            "model_num_parameters": params,
            "model_dtype": "torch.bfloat16",
            "model_revision": revision or "main",
        }
    content = result(arguments, acc, task, config=config, lm_eval_version="0.4.13", model_source="hf")
    if scores is not None:
        content["results"][task] = {"alias": task, **scores}
    place = name.replace("/", "__")
    return put(folder, content, len(list((folder / place).glob("*"))) + 1, place)


def write_family(folder: Path, sizes: int = len(FAMILY)) -> None:
    """A public family's accuracies at the end of training."""
    for size in list(FAMILY)[:sizes]:
        model(folder, f"org/p-{size}", "step143000", acc=ACCURACY[size])


def places(folder: Path) -> dict[str, dict[str, object]]:
    """``ladder.yaml`` of a folder, numbers as floats."""
    content = yaml.safe_load((folder / "ladder.yaml").read_text())
    return {
        name: place and {k: v if k in ("run", "family") else float(v) for k, v in place.items()}
        for name, place in content.items()
    }
