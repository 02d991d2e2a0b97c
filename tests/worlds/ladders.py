"""Ladders from known laws, as tables; and where the repository, the published testbeds and the cases lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTBEDS = Path(os.environ.get("BENCHCAST_TESTBEDS", ROOT.parent / "shared" / "testbeds"))
CASES = ROOT.parent / "shared" / "cases"  # inputs shaped like public files and bug reports
FIELD = CASES / "field"


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


def constant_ladder(score: float, n: float | None) -> pd.DataFrame:
    """Ten runs of one score, on ``n`` questions, whose loss falls as it should."""
    rows: list[dict[str, Any]] = []
    for i in range(10):
        params, tokens = 1e6 * 2**i, 2e7 * 2**i
        flops = 6 * params * tokens
        run = {"run": f"r{i}", "family": "m", "step": 1, "params": params, "tokens": tokens, "flops": flops}
        run |= {"flops_convention": "6ND", "n": n}
        rows.append(run | {"task": "q", "metric": "acc", "value": score, "chance": 0.25})
        rows.append(run | {"task": "val", "metric": "val_loss", "value": 1.5 + (flops / 1e12) ** -0.08})
    return pd.DataFrame(rows)


SIZES, MULTIPLIERS = (1e7, 3e7, 1e8, 3e8, 1e9), (20.0, 80.0, 320.0)


def ladder(seed: int, noise: float = 0.005, top: float = 0.9) -> pd.DataFrame:
    """A row per run: Chinchilla's form for the loss, a sigmoid from chance .25 to ``top`` for the accuracy."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame([(n, m) for n in SIZES for m in MULTIPLIERS], columns=["params", "token_multiplier"])
    rows["tokens"] = rows["params"] * rows["token_multiplier"]
    rows["flops"] = 6 * rows["params"] * rows["tokens"]
    loss = 0.4 + 40 / rows["params"] ** 0.25 + 60 / rows["tokens"] ** 0.25
    rows["bits_per_byte"] = loss * np.exp(rng.normal(0, 0.003, len(rows)))
    rows["accuracy"] = 0.25 + (top - 0.25) / (1 + np.exp(5 * (loss - 1.0))) + rng.normal(0, noise, len(rows))
    return rows.assign(run=[f"r{i:02d}" for i in range(len(rows))]).sort_values("flops", ignore_index=True)


def generative_ladder(
    scores: str = "rising", filters: tuple[str, ...] = ("strict-match",), seed: int = 0
) -> pd.DataFrame:
    """15 runs: exact match of ``gsm8k`` on 1319 documents, zero on small ones, and its gold losses, which are smooth.

    ``scores``: "rising" as exp(-25 (L - .35)^1.5) in the gold loss L, nats per byte; "solved" as exp(-.05 - 6000
    C^-.17) in compute (arXiv 2509.24012); "zero" throughout; or "noise" about .02, whatever the run.
    """
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for params in (1e7, 4e7, 1.6e8, 6.4e8, 2.5e9):
        for multiplier in (5, 20, 80):
            tokens = params * multiplier
            nll = float((30 / params**0.25 + 40 / tokens**0.25 + 0.4) * np.exp(rng.normal(0, 0.01)))
            solved = float(np.exp(-0.05 - 6000 * (6 * params * tokens) ** -0.17))
            noise = min(abs(rng.normal(0.02, 0.02)), 1.0)
            right = {"rising": gold_to_exact_match(nll), "zero": 0.0, "noise": noise, "solved": solved}[scores]
            run = {"run": f"{params:.0e}-{multiplier}x", "family": "known", "params": params, "tokens": tokens}
            run |= {
                "flops": 6 * params * tokens,
                "flops_convention": "6ND",
                "task": "gsm8k",
                "num_fewshot": 5,
                "n": 1319,
            }
            values = {f"exact_match,{name}": rng.binomial(1319, right) / 1319 for name in filters}
            rows += [run | {"metric": name, "value": value, "chance": 0.0} for name, value in values.items()]
            losses = {"nll": nll, "bits_per_byte": nll / np.log(2), "nll_mean_prob": 0.93 * nll}
            rows += [run | {"metric": name, "value": value} for name, value in losses.items()]
    return pd.DataFrame(rows)


def gold_to_exact_match(nll: float) -> float:
    """The score of a ``generative_ladder`` that rises, at a gold loss in nats per byte."""
    return float(np.exp(-25 * max(nll - 0.35, 0.0) ** 1.5))
