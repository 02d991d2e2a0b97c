"""Two laws in a row, with the uncertainty of both.

The first law gives the distribution of the middle quantity (a loss): Student t around its curve, whose scale adds
the covariance of its parameters and, for a new observation, its residual noise. Every quantile of that distribution
is pushed through the second law, which adds its own covariance and noise; the interval is read off the mixture. So
the first stage's noise is propagated through the second's curve, not only through its slope, and an interval near a
floor or ceiling is as asymmetric as the curve is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr
from scipy.stats import t as student

from stages.base import Law, Spread
from stages.fitting import Array

QUANTILES, STEPS = 100, 30  # of the first law's distribution; bisection steps for a quantile of the mixture


@dataclass(frozen=True)
class ChainForecast:
    """At m targets: the plug-in forecast, the band of the curve, the interval of a new observation; each (m,)."""

    middle: Array
    mean: Array
    curve_low: Array
    curve_high: Array
    low: Array
    high: Array
    stderr: Array


class Chain:
    """Compose fitted laws ``first`` (inputs to loss) and ``second`` (loss to score).

    Parameters
    ----------
    first, second : Law
        Fitted. ``second`` takes one column, in the unit that ``first`` predicts.
    complement : bool
        The second law gives an error; report 1 - error.
    """

    def __init__(self, first: Law, second: Law, complement: bool = False) -> None:
        self.first, self.second, self.complement = first, second, complement

    def predict(self, X: ArrayLike) -> Array:
        """Score at ``X`` (m, columns of ``first``), clipped to [0, 1]; returns (m,)."""
        return self._score(self.second.predict(self._middle(X)[:, None]))

    def forecast(
        self, X: ArrayLike, level: float = 0.9, quantiles: int = QUANTILES, steps: int = STEPS
    ) -> ChainForecast:
        """Forecast with band and interval of nominal coverage ``level``."""
        middle = self._middle(X)
        mean = self._score(self.second.predict(middle[:, None]))
        first = self.first.spread(X)
        tails = (0.5 - level / 2, 0.5 + level / 2)
        curve = self._mixture(first, False, quantiles)
        new = self._mixture(first, True, quantiles)
        curve_low, curve_high = (curve.quantile(p, steps) for p in tails)
        low, high = (new.quantile(p, steps) for p in tails)
        # Half the width of the central 68.3 %: the standard error where the mixture is symmetric.
        one_low, one_high = (new.quantile(p, steps) for p in (0.1587, 0.8413))
        return ChainForecast(
            middle=middle,
            mean=mean,
            curve_low=np.minimum(curve_low, mean),
            curve_high=np.maximum(curve_high, mean),
            low=np.minimum(low, mean),
            high=np.maximum(high, mean),
            stderr=(one_high - one_low) / 2,
        )

    def _middle(self, X: ArrayLike) -> Array:
        """The first law's loss; a line can fall below zero far out, a loss cannot."""
        return np.maximum(self.first.predict(X), 0.0)

    def _mixture(self, first: Spread, new_observation: bool, quantiles: int) -> Mixture:
        """The second law's distribution at equally likely losses of the first."""
        scale = first.total if new_observation else first.curve
        nodes = student.ppf((np.arange(quantiles) + 0.5) / quantiles, max(first.dof, 1e-9))
        losses = first.mean[:, None] + scale[:, None] * nodes
        losses = np.exp(np.minimum(losses, 50.0)) if self.first.log_link else losses
        losses = np.clip(np.nan_to_num(losses, nan=0.0), 0.0, 1e6)
        second = self.second.spread(losses.reshape(-1, 1))
        spread = second.total if new_observation else second.curve
        mean = 1 - second.mean if self.complement else second.mean
        return Mixture(mean.reshape(losses.shape), spread.reshape(losses.shape), second.dof)

    def _score(self, value: Array) -> Array:
        return np.clip(1 - value if self.complement else value, 0.0, 1.0)


@dataclass(frozen=True)
class Mixture:
    """Equal parts of Student t distributions, (m, parts) means and scales, of a score that is cut to [0, 1]."""

    mean: Array
    scale: Array
    dof: float

    def quantile(self, probability: float, steps: int) -> Array:
        """The ``probability`` quantile of each row, (m,), by bisection on [0, 1]."""
        low, high = np.zeros(len(self.mean)), np.ones(len(self.mean))
        scale = np.maximum(self.scale, 1e-12)
        for _ in range(steps):
            middle = (low + high) / 2
            below = stdtr(max(self.dof, 1e-9), (middle[:, None] - self.mean) / scale).mean(axis=1) < probability
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        # The ends of the axis are reached exactly when the mass lies beyond them.
        ends = np.where(low == 0.0, 0.0, np.where(high == 1.0, 1.0, (low + high) / 2))
        return np.where(np.isfinite(self.scale).all(axis=1), ends, np.nan)
