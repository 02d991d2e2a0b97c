"""Where the published testbeds and the repository lie, and a small ladder from known laws."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTBEDS = Path(os.environ.get("BENCHCAST_TESTBEDS", ROOT.parent / "shared" / "testbeds"))


def published(name: str) -> Path:
    """The folder of a published testbed; skips where it is not there."""
    folder = TESTBEDS / name
    if not folder.is_dir():
        pytest.skip(f"the published {name} data is not at {folder} (set BENCHCAST_TESTBEDS)")
    return folder


def make_ladder(noise: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """12 runs of 3 sizes from known laws: L = 30/N^.25 + 40/D^.25 + .4 nats/byte, accuracy a sigmoid of it."""
    rng = np.random.default_rng(seed)
    rows = []
    for params in (1e7, 4e7, 1.6e8, 6.4e8):
        for multiplier in (5, 20, 80):
            tokens = params * multiplier
            nll = (30 / params**0.25 + 40 / tokens**0.25 + 0.4) * np.exp(rng.normal(0, noise))
            acc = 0.25 + 0.75 / (1 + np.exp(6 * (nll - 0.95))) + rng.normal(0, noise)
            common = {
                "run": f"{params:.0e}-{multiplier}x",
                "family": "known",
                "params": params,
                "tokens": tokens,
                "flops": 6 * params * tokens,
                "flops_convention": "6ND",
            }
            rows += [
                common | {"task": "quiz", "metric": "acc", "value": acc, "n": 1000, "chance": 0.25, "stderr": 0.01},
                common | {"task": "quiz", "metric": "nll", "value": nll},
                common | {"task": "text", "metric": "val_loss", "value": 3.3 * nll},
            ]
    return pd.DataFrame(rows)
