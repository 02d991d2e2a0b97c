"""The intervals of ``auto`` at three levels, on ladders that were made up: the truth above the ladder is never seen.

Half of the tasks follow the laws that ``auto`` tries, where it is too wide if anything; half are lines in log-odds that
bend, as no law does, where it is too narrow if anything. A user has both. Of both together the coverage is nominal.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from benchcast.stages.forecast.auto import AutoForecaster
from scipy.special import expit

LADDERS, TASKS = 10, 4  # of which half bend
SIZES, MULTIPLIERS = (1e7, 3e7, 1e8, 3e8, 1.2e9), (20.0, 80.0, 320.0)
LARGEST_SEEN = 3e8
DOCUMENTS = 1000
BANDS = {0.5: (0.4, 0.7), 0.8: (0.72, 0.9), 0.9: (0.84, 0.97)}
BEND = 0.2  # log-odds per decade^1.5


def _runs() -> pd.DataFrame:
    rows = pd.DataFrame([(n, m) for n in SIZES for m in MULTIPLIERS], columns=["params", "token_multiplier"])
    rows["tokens"] = rows["params"] * rows["token_multiplier"]
    rows["flops"] = 6 * rows["params"] * rows["tokens"]
    return rows.assign(run=[f"r{i:02d}" for i in range(len(rows))])


def _bent(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A path of an integrated Wiener process that is flat at 0, (n,)."""
    step = 0.01
    paths = [np.cumsum(np.cumsum(rng.normal(0, np.sqrt(step), 500))) * step for _ in range(2)]
    at = np.abs(x) / step - 1
    return np.where(x > 0, *(np.interp(at, np.arange(500), path, left=0.0) for path in paths))


def _tasks(rng: np.random.Generator) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """Scores of all runs, those to be forecast too, and the chance of every task."""
    runs = _runs()
    size, length, floor = rng.uniform(30, 50), rng.uniform(50, 70), rng.uniform(0.3, 0.6)
    loss = (floor + size / runs["params"] ** 0.25 + length / runs["tokens"] ** 0.25).to_numpy()
    x = np.log10(runs["flops"]).to_numpy()  # what a loss is worth, near enough: a line through all runs
    x = np.polyval(np.polyfit(np.log(loss - floor), x, 1), np.log(loss - floor))
    x = x - x[runs["params"] <= LARGEST_SEEN].max()
    tables, chances = {}, {}
    for i in range(TASKS):
        chance, scatter = rng.choice([0.0, 0.25, 0.5]), rng.choice([0.005, 0.01, 0.02])
        if i % 2:
            probability = chance + (1 - chance) * expit(rng.normal() + rng.normal(0.5, 0.3) * x + BEND * _bent(x, rng))
        else:
            top = rng.uniform(0.75, 1)
            probability = chance + (top - chance) * expit(-rng.uniform(3, 7) * (loss - rng.uniform(0.8, 1.2)))
        drawn = np.clip(probability + rng.normal(0, scatter, len(x)), 0, 1)
        accuracy = rng.binomial(DOCUMENTS, drawn) / DOCUMENTS
        tables[f"t{i}"] = runs.assign(
            accuracy=accuracy,
            stderr=np.sqrt(np.maximum(accuracy * (1 - accuracy), 1 / DOCUMENTS) / DOCUMENTS),
            bits_per_byte=loss * np.exp(rng.normal(0, 0.005, len(x))),
        )
        chances[f"t{i}"] = chance
    return tables, chances


def _hits(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each target is inside, (levels, tasks, targets); its width at 90 % and the miss, (tasks, targets)."""
    tables, chances = _tasks(np.random.default_rng(seed))
    seen = {task: rows[rows["params"] <= LARGEST_SEEN] for task, rows in tables.items()}
    fitted = AutoForecaster(workers=1, max_cutoffs=3).fit(seen, chance=chances)
    beyond = {task: rows[rows["params"] > LARGEST_SEEN] for task, rows in tables.items()}
    truth = np.concatenate([rows["accuracy"] for rows in beyond.values()])
    targets = beyond["t0"][["run", "params", "tokens"]]
    made = [fitted.predict(targets, level) for level in BANDS]
    shape = (TASKS, len(targets))
    inside = [((said["low"] <= truth) & (truth <= said["high"])).to_numpy().reshape(shape) for said in made]
    width, miss = made[-1]["high"] - made[-1]["low"], np.abs(made[-1]["mean"] - truth)
    return np.array(inside), width.to_numpy().reshape(shape), miss.to_numpy().reshape(shape)


@pytest.fixture(scope="module")
def hits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    inside, width, miss = zip(*(_hits(seed) for seed in range(LADDERS)), strict=True)
    return np.stack(inside, axis=1), np.array(width), np.array(miss)


def test_nominal_intervals_cover(hits: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    inside, width, miss = hits
    coverage = dict(zip(BANDS, inside.mean(axis=(1, 2, 3)), strict=True))
    by_kind = {kind: inside[:, :, at::2].mean(axis=(1, 2, 3)).round(3) for at, kind in enumerate(("laws", "bent"))}
    print(f"coverage {coverage}, by kind {by_kind}; median width {np.median(width):.3f}, mean miss {miss.mean():.4f}")
    for level, (low, high) in BANDS.items():
        assert low <= coverage[level] <= high, coverage
    # An interval as wide as the axis would cover too.
    assert np.median(width) < 0.25
    assert miss.mean() < 0.06
