"""Score the demo ladder on the GPU in float32 and bfloat16, and compare with the CPU (``make gpu-check``).

    python benchmarks/gpu_check.py [--ladder build/ladder] [--limit 200]

Prints documents per second and the largest difference of a log-likelihood from the CPU's for each; without a GPU it
says so and stops. Exit code 1 when float32 differs by more than 1e-2 nats. ``--ladder`` is a folder that ``make
ladder`` made; without it random models of the demo ladder's shapes are used.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from benchcast.core.config import ScoreConfig, ScoreSettings, load
from benchcast.scoring.store import Store
from benchcast.scoring.store.index import Index
from benchcast.scoring.store.tables import documents_of

MOST = 1e-2  # nats: TF32 is off, so float32 differs by rounding only


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ladder", type=Path)
    parser.add_argument("--limit", type=int, default=200)
    args = parser.parse_args()
    if importlib.util.find_spec("torch") is None:
        sys.exit("torch is not installed: pip install 'benchcast[score]'")
    import torch

    if not torch.cuda.is_available():
        print("no GPU on this machine: nothing to check")
        return
    from score import prepare  # the benchmark beside this file

    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        prepare(work, args.ladder)
        changes = {"limit": args.limit, "most_truncated": 1.0}
        settings = load(work / "score.yaml", ScoreConfig).score.model_copy(update=changes)
        expected, _ = run(work, settings, "cpu", "float32")
        worst = 0.0
        for dtype in ("float32", "bfloat16"):
            found, rate = run(work, settings, "cuda:0", dtype)
            merged = expected.merge(found, on=["source", "task", "doc_id", "choice", "with_prompt"])
            assert len(merged) == len(expected)
            difference = float((merged["loglik_x"] - merged["loglik_y"]).abs().max())
            worst = difference if dtype == "float32" else worst
            print(
                f"{torch.cuda.get_device_name()}, {dtype}: {rate:.0f} documents/s, largest difference from the CPU "
                f"{difference:.2e} nats"
            )
    sys.exit(0 if worst <= MOST else 1)


def run(work: Path, settings: ScoreSettings, device: str, dtype: str) -> tuple[pd.DataFrame, float]:
    """Per-document values and documents per second (everything counted: loading, tokenizing, storing)."""
    from benchcast.scoring.run import score

    name = Path(f"store-{device.replace(':', '-')}-{dtype}")
    changed = settings.model_copy(update={"device": device, "dtype": dtype, "store": name, "batch_size": 256})
    began = time.perf_counter()
    summary = score(changed, work)
    seconds = time.perf_counter() - began
    if summary.failures:
        sys.exit("\n".join(": ".join(failure) for failure in summary.failures))
    store = Store(work / name)
    documents = documents_of(store, Index(store).everything())
    asked = documents.drop_duplicates(["source", "task", "doc_id"])
    return documents, len(asked) / seconds


if __name__ == "__main__":
    main()
