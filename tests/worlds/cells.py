"""One scored cell, as the store keeps it."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd
from benchcast.scoring.store import CellRecord
from benchcast.scoring.store.keys import Cell, Setup

SETUP = Setup(lm_eval="0.4.13", dtype="float32", add_bos_token=False, max_length=None)


def record(checkpoint: str = "c1", requests: str = "r1", value: float = 0.5) -> CellRecord:
    """The score of one checkpoint on one task."""
    own = Cell(checkpoint=checkpoint, requests=requests, setup=SETUP, task="quiz")
    place = {
        "run": checkpoint,
        "family": "f",
        "step": 1.0,
        "params": 1e4,
        "tokens": 1e5,
        "flops": 6e9,
        "flops_convention": "6ND",
    }
    about = {
        "cell": own.id,
        "checkpoint": checkpoint,
        "requests": requests,
        "task": "quiz",
        "version": "1",
        "setup": asdict(SETUP),
        "setup_digest": SETUP.digest,
        "source": f"runs/{checkpoint}",
        "place": place,
    }
    rows = [{"task": "quiz", "metric": "acc", "value": value, "stderr": float("nan"), "n": 4, "chance": 0.25}]
    return CellRecord(
        id=own.id,
        about=about,
        rows=rows,
        results={"results": {"quiz": {"acc,none": value}}},
        documents=pd.DataFrame({"loglik": [-1.0]}),
    )
