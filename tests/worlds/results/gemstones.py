"""A ladder whose documents are known: a folder that the source ``gemstones`` reads, and a config for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

SIZES = (1e8, 2e8, 4e8, 8e8)
MULTIPLIERS = (20, 40, 80)
LARGEST = 1.6e9
EASY, HARD, LEARNT = range(3)  # of a document: always right, never, and learnt on the way
KINDS = np.repeat([EASY, HARD, LEARNT], 40)
CONFIG = """
title: Known documents
data: {source: gemstones, path: .}
targets: [{run: 1600M}, {name: planned, params: 6.4e9, token_multiplier: 40}]
recipes: [auto]
"""


def nlls(params: float, tokens: float) -> np.ndarray:
    """Of every document, nats per token: easy ones low, hard ones high, the others falling through 1."""
    learnt = 140 / params**0.25 + 140 / tokens**0.25
    level = np.select([KINDS == EASY, KINDS == HARD], [0.2, 4.0], learnt)
    return np.asarray(level + np.linspace(-0.05, 0.05, len(KINDS)))


def probabilities(nll: np.ndarray) -> np.ndarray:
    """Of a right answer: above one half where the NLL is below 1."""
    return np.asarray(1 / (1 + np.exp(6 * (nll - 1))))


def write(folder: Path) -> Path:
    """``accuracy.csv``, ``quiz.npz`` and ``config.yaml`` in a folder."""
    rows, losses = [], []
    for params in (*SIZES, LARGEST):
        for i, multiplier in enumerate(MULTIPLIERS):
            nll = nlls(params, multiplier * params).astype(np.float16)
            acc = float(probabilities(nll.astype(float)).mean())
            about = {"run": f"{params / 1e6:.0f}M", "step": i + 1, "params": params, "tokens": multiplier * params}
            rows.append(about | {"task": "quiz", "acc": acc, "stderr": 0.02, "chance": 0.0})
            losses.append(nll)
    frame = pd.DataFrame(rows)
    folder.mkdir(exist_ok=True)
    frame.to_csv(folder / "accuracy.csv", index=False)
    np.savez(folder / "quiz.npz", run=frame["run"].to_numpy(dtype=str), step=frame["step"], nll=np.array(losses))
    (folder / "config.yaml").write_text(CONFIG)
    return folder
