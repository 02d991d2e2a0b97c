"""A ladder of a known truth, as the forecasting stages take it: wide, a row per run."""

from __future__ import annotations

import numpy as np
import pandas as pd

SIZES, MULTIPLIERS = (1e7, 3e7, 1e8, 3e8, 1e9), (20.0, 80.0, 320.0)


def ladder(seed: int, noise: float = 0.005, top: float = 0.9) -> pd.DataFrame:
    """Runs of a known truth: Chinchilla's form for the loss, a sigmoid from chance .25 to ``top`` for the accuracy."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame([(n, m) for n in SIZES for m in MULTIPLIERS], columns=["params", "token_multiplier"])
    rows["tokens"] = rows["params"] * rows["token_multiplier"]
    rows["flops"] = 6 * rows["params"] * rows["tokens"]
    loss = 0.4 + 40 / rows["params"] ** 0.25 + 60 / rows["tokens"] ** 0.25
    rows["bits_per_byte"] = loss * np.exp(rng.normal(0, 0.003, len(rows)))
    rows["accuracy"] = 0.25 + (top - 0.25) / (1 + np.exp(5 * (loss - 1.0))) + rng.normal(0, noise, len(rows))
    return rows.assign(run=[f"r{i:02d}" for i in range(len(rows))]).sort_values("flops", ignore_index=True)
