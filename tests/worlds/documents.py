"""A task's documents from a known item response law: what a ladder of models says of each, and how larger ones fare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from benchcast.stages.documents.matrix import DocumentMatrix
from numpy.typing import NDArray
from scipy.special import expit

CHANCE = 0.25


@dataclass(frozen=True, kw_only=True)
class World:
    """k documents, each with a floor and a share of the loss that falls with size and data."""

    base: NDArray[np.float64]
    reach: NDArray[np.float64]

    @classmethod
    def of(cls, documents: int = 600, seed: int = 0) -> World:
        rng = np.random.default_rng(seed)
        return cls(base=rng.gamma(4, 0.5, documents), reach=rng.uniform(-0.2, 2.5, documents))

    def nll(self, params: NDArray[np.float64], tokens: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m, k), nats per token."""
        fall = 200 / params**0.3 + 600 / tokens**0.33
        return np.asarray(np.maximum(self.base + fall[:, None] * self.reach, 0.0))

    def probability(self, params: NDArray[np.float64], tokens: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of a right answer, (m, k)."""
        return np.asarray(CHANCE + (1 - CHANCE) * expit(1.5 * (2.2 - self.nll(params, tokens))))

    def accuracy(self, params: NDArray[np.float64], tokens: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected, (m,)."""
        return np.asarray(self.probability(params, tokens).mean(axis=1))

    def ladder(
        self, noise: float = 0.05, seed: int = 1, sizes: int = 6, gaps: float = 0.0
    ) -> tuple[DocumentMatrix, NDArray[np.float64]]:
        """Sizes x five checkpoints, with noise of documents and of runs; and the measured accuracies."""
        rng = np.random.default_rng(seed)
        params = np.geomspace(2e7, 2e8, sizes).repeat(5)
        tokens = np.tile(np.geomspace(2e9, 2e10, 5), sizes)
        common = rng.normal(0, noise / 3, sizes).repeat(5)
        nll = self.nll(params, tokens) + common[:, None] + rng.normal(0, noise, (len(params), len(self.base)))
        nll[rng.uniform(size=nll.shape) < gaps] = np.nan
        places = pd.DataFrame({"run": np.arange(sizes).repeat(5).astype(str), "params": params, "tokens": tokens})
        accuracy = self.accuracy(params, tokens) + rng.normal(0, noise / 10, len(params))
        names = np.array([f"q{j}" for j in range(len(self.base))])
        return DocumentMatrix(places=places, nll=np.maximum(nll, 0).astype(np.float32), names=names), accuracy


LARGER = pd.DataFrame({"params": [1e9, 4e9], "tokens": [6e10, 2e11]})
