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
from scipy.stats import t as student

from stages.base import Law, Spread
from stages.fitting import Array

DRAWS = (200, 40)  # quantiles of the first and of the second stage


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
        return self._score(self.second.predict(self.first.predict(X)[:, None]))

    def forecast(self, X: ArrayLike, level: float = 0.9, draws: tuple[int, int] = DRAWS) -> ChainForecast:
        """Forecast with band and interval of nominal coverage ``level``."""
        middle = self.first.predict(X)
        mean = self._score(self.second.predict(middle[:, None]))
        first = self.first.spread(X)
        curve = self._draws(first, False, draws)
        new = self._draws(first, True, draws)
        tails = [0.5 - level / 2, 0.5 + level / 2]
        # A chain that is off at the median of its own draws would not contain its forecast: always include it.
        curve_low, curve_high = np.quantile(curve, tails, axis=1)
        low, high = np.quantile(new, tails, axis=1)
        # Half the width of the central 68.3 %: the standard error where the mixture is symmetric.
        one = np.quantile(new, [0.1587, 0.8413], axis=1)
        return ChainForecast(
            middle=middle,
            mean=mean,
            curve_low=np.minimum(curve_low, mean),
            curve_high=np.maximum(curve_high, mean),
            low=np.minimum(low, mean),
            high=np.maximum(high, mean),
            stderr=(one[1] - one[0]) / 2,
        )

    def _draws(self, first: Spread, new_observation: bool, draws: tuple[int, int]) -> Array:
        """Equally weighted quantile draws of the score, (m, product of ``draws``)."""
        outer, inner = draws
        scale = first.total if new_observation else first.curve
        steps = student.ppf((np.arange(outer) + 0.5) / outer, max(first.dof, 1e-9))
        losses = first.mean[:, None] + scale[:, None] * steps
        losses = np.exp(np.minimum(losses, 50.0)) if self.first.log_link else losses
        losses = np.clip(np.nan_to_num(losses, nan=0.0), 0.0, 1e6)
        m = len(losses)
        second = self.second.spread(losses.reshape(-1, 1))
        spread = second.total if new_observation else second.curve
        steps = student.ppf((np.arange(inner) + 0.5) / inner, max(second.dof, 1e-9))
        scores = second.mean[:, None] + spread[:, None] * steps
        return self._score(scores.reshape(m, outer * inner))

    def _score(self, value: Array) -> Array:
        return np.clip(1 - value if self.complement else value, 0.0, 1.0)
