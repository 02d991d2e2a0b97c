"""Effective compute: how many FLOPs, spent the ladder's usual way, would have reached a run's loss.

A run that is trained far from the usual tokens per parameter, or that went badly, is worth the compute at which the
fitted loss law, walked along the ladder's usual tokens per parameter, reaches the loss that was measured; a target is
worth that of its predicted loss. Gadre et al. (arXiv 2403.08540) and Ruan et al. (arXiv 2405.10938) show that accuracy
follows the loss, or a measure of capability, whatever the mix of N and D; compute on one path is such a measure in a
unit that trends are stated in. Without losses the published constants of Chinchilla map (N, D).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..fit.newton import Array
from .loss_prior import PUBLISHED, LossLaw

FLOPS_PER_TOKEN = 6.0  # times N: C = 6ND
GRID = np.linspace(4.0, 34.0, 3001)  # log10 FLOPs that a loss is looked up in
TINY_SLOPE = 1e-6  # loss per decade: below it a law says nothing of compute


@dataclass(frozen=True, kw_only=True, eq=False)
class EffectiveCompute:
    """The map of one ladder. ``law`` gives a loss, ``token_multiplier`` is the ladder's usual tokens per parameter."""

    law: LossLaw
    token_multiplier: float

    @classmethod
    def published(cls, params: Array, tokens: Array) -> EffectiveCompute:
        """With nothing fitted: the constants of Hoffmann et al. (arXiv 2203.15556) along the ladder's usual path."""
        return cls(law=LossLaw(theta=PUBLISHED), token_multiplier=usual_multiplier(params, tokens))

    def of_loss(self, loss: Array) -> Array:
        """log10 FLOPs at which the path reaches a loss (m,); at the ends of the range where it never does."""
        return np.asarray(np.interp(-np.asarray(loss, dtype=float), -self._path(), GRID))

    def of_model(self, params: Array, tokens: Array) -> Array:
        """log10 FLOPs at which the path reaches the loss that the law predicts for models (m,)."""
        return self.of_loss(self.law.loss(params, tokens))

    def stderr(self, params: Array, tokens: Array) -> Array:
        """Standard error of ``of_model`` (m,), decades, from the covariance of the law."""
        at = self.of_model(params, tokens)
        slope = np.interp(at, GRID, np.abs(np.gradient(self._path(), GRID)))
        return np.asarray(self.law.stderr(params, tokens) / np.maximum(slope, TINY_SLOPE))

    def _path(self) -> Array:
        budget = 10.0**GRID / FLOPS_PER_TOKEN
        return self.law.loss(np.sqrt(budget / self.token_multiplier), np.sqrt(budget * self.token_multiplier))


def usual_multiplier(params: Array, tokens: Array) -> float:
    """Median tokens per parameter of a ladder's runs (n,)."""
    return float(np.median(np.asarray(tokens, dtype=float) / np.asarray(params, dtype=float)))
