"""A sweep to plan from, and the command line in an almost empty environment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.stages.laws.loss.chinchilla import ChinchillaLoss
from benchcast.stages.planning.published import PUBLISHED_LAWS
from worlds import commands
from worlds.commands import Done


def benchcast(*arguments: object, cwd: Path | None = None) -> Done:
    """A command in an almost empty environment."""
    return commands.benchcast(*arguments, cwd=cwd, env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"})


def runs(noise: float = 2e-3, seed: int = 0) -> pd.DataFrame:
    """An isoFLOP sweep of Chinchilla's law: 6 budgets of 7 sizes."""
    rng = np.random.default_rng(seed)
    p = PUBLISHED_LAWS["chinchilla-refit"].values()
    rows = []
    for c in np.geomspace(1e18, 3e20, 6):
        best = ChinchillaLoss.optimum_at(p, float(c)).params[0]
        for n in best * np.geomspace(0.25, 4, 7):
            loss = ChinchillaLoss.loss_at(p, np.array([n]), np.array([c / 6 / n]))[0]
            rows.append((n, c / 6 / n, c, loss * np.exp(rng.normal(0, noise))))
    return pd.DataFrame(rows, columns=["params", "tokens", "flops", "loss"])
