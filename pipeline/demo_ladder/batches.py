"""Loss trajectories of the demo's smallest models at several batch sizes, for the laws of batch size and steps.

    python -m benchcast.demo_ladder.batches

Needs the corpus that ``python -m benchcast.demo_ladder`` prepares. One process, one thread, about 40 minutes; a
finished run is kept, so stop it at any time and start it again. The learning rate is constant after a short warm-up,
since the laws describe no decay; it grows with the square root of the batch and is not tuned per batch.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core import files as store
from .prepare import prepare
from .train import SEQ, SHAPES, VOCAB, build_model

SIZES = ("92K", "56K", "182K")
# Sequences per step, tokens in all: large batches need more tokens to reach the same loss.
BATCHES = ((8, 2_000_000), (32, 4_000_000), (2, 1_000_000), (96, 7_000_000))
WINDOWS = 60  # the loss is recorded as its mean over windows that grow with the step
WARMUP = 40  # steps
logger = logging.getLogger(__name__)
ABOUT = (
    "12 runs of Llama-architecture decoders (56K, 92K and 182K parameters with tied embeddings, BPE of 2,048 entries, "
    "sequence 128) at batches of 256, 1,024, 4,096 and 12,288 tokens, trained by this project on one CPU thread each; "
    "constant learning rate after 40 steps of warm-up, 0.02 / sqrt(hidden size) at a batch of 512 tokens and growing "
    "with the square root of the batch up to 32 sequences, not tuned per batch. loss is the mean training loss (nats "
    "per token) over a window of steps with step at its middle; no text is seen twice."
)


def windows(steps: int) -> list[int]:
    """Last steps of the recording windows: about evenly spaced in log step, the warm-up left out."""
    return sorted({round(s) for s in np.geomspace(2 * WARMUP, steps, WINDOWS)})


def losses(shape: str, sequences: int, steps: int, data: Path) -> Iterator[tuple[int, float, float]]:
    """Train one model; yields step, learning rate and training loss (each batch is new text, so it is unbiased)."""
    import torch
    from torch.nn.functional import cross_entropy

    torch.set_num_threads(1)
    model: Any = build_model(shape, 0)
    tokens = np.load(data / "train.npy", mmap_mode="r")
    # The ladder's own step size at its own batch, scaled by the square root of the batch.
    peak = 0.02 / math.sqrt(SHAPES[shape][0]) * math.sqrt(min(sequences, 32) / SHAPES[shape][3])
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.05, fused=True)
    for step in range(steps):
        part = tokens[step * sequences * SEQ : (step + 1) * sequences * SEQ]
        batch = torch.from_numpy(part.astype(np.int64)).view(sequences, SEQ)
        rate = peak * min(1.0, (step + 1) / WARMUP)
        for group in optimizer.param_groups:
            group["lr"] = rate
        logits = model(input_ids=batch, use_cache=False).logits
        loss = cross_entropy(logits[:, :-1].reshape(-1, VOCAB), batch[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        yield step + 1, rate, loss.item()


def record(shape: str, sequences: int, tokens: int, data: Path) -> pd.DataFrame:
    """One run as rows of run, params, batch_size (tokens), step, tokens, lr, loss (window mean) and stderr."""
    steps = math.ceil(tokens / (sequences * SEQ))
    params = sum(p.numel() for p in build_model(shape, 0).parameters())
    ends, rows, seen = windows(steps), [], []
    for step, rate, loss in losses(shape, sequences, steps, data):
        seen.append(loss)
        if step in ends:
            start = ends[max(ends.index(step) - 1, 0)] if step != ends[0] else step - WARMUP
            part = np.array(seen[start:step])
            middle = (start + 1 + step) / 2
            rows.append(
                (
                    f"{shape}-b{sequences}",
                    params,
                    sequences * SEQ,
                    middle,
                    middle * sequences * SEQ,
                    round(rate, 8),
                    round(part.mean(), 5),
                    round(part.std(ddof=1) / math.sqrt(len(part)), 5) if len(part) > 1 else math.nan,
                )
            )
    return pd.DataFrame(rows, columns=["run", "params", "batch_size", "step", "tokens", "lr", "loss", "stderr"])


def main() -> None:
    """Train what is missing and write ``batches.csv`` beside this file."""
    parser = argparse.ArgumentParser(prog="python -m benchcast.demo_ladder.batches", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/ladder"), help="folder of the prepared corpus")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder for batches.csv")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    if not (args.work / "train.npy").exists():
        logger.info("%s", json.dumps(prepare(args.work, None)["corpus"]))
    parts = []
    for shape in SIZES:
        for sequences, tokens in BATCHES:
            path = args.work / "batches" / f"{shape}-b{sequences}.csv"
            if not path.exists():
                began = time.time()
                store.write_table(record(shape, sequences, tokens, args.work), path)
                logger.info("%s: %.0f s", path.stem, time.time() - began)
            parts.append(pd.read_csv(path))
    known = json.loads((args.work / "provenance.json").read_text()) if (args.work / "provenance.json").exists() else {}
    store.write_text(
        json.dumps({"about": ABOUT, "corpus": known.get("corpus")}, indent=1) + "\n", args.out / "batches.json"
    )
    table = pd.concat(parts).sort_values(["params", "batch_size", "step"], kind="stable")
    store.write_table(table, args.out / "batches.csv")


if __name__ == "__main__":
    main()
