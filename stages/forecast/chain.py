"""Two laws in a row, with the uncertainty of both.

The first law gives the distribution of the middle quantity (a loss): Student t around its curve, whose scale adds
the covariance of its parameters and, for a new observation, its residual noise. Every quantile of that distribution
is pushed through the second law, which adds its own covariance and noise; the interval is read off the mixture. So
the first stage's noise is propagated through the second's curve, not only through its slope, and an interval near a
floor or ceiling is as asymmetric as the curve is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, stdtr
from scipy.stats import t as student

from ..fit import checks
from ..fit.newton import Array
from ..laws.base import Law, PredictiveDistribution

QUANTILES, STEPS = 100, 30  # of the first law's distribution; bisection steps for a quantile of the mixture


@dataclass(frozen=True)
class ChainForecast:
    """At m targets: the plug-in forecast, the band of the curve, the interval of a new observation; each (m,)."""

    intermediate_loss: Array
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
        """Forecast with band and interval of nominal coverage ``level``, between 0 and 1; ValueError otherwise."""
        checks.level(level)
        middle = self._middle(X)
        mean = self._score(self.second.predict(middle[:, None]))
        first = self.first.predict_distribution(X)
        tails = (0.5 - level / 2, 0.5 + level / 2)
        curve = self._mixture(first, False, quantiles)
        new = self._mixture(first, True, quantiles)
        curve_low, curve_high = (curve.quantile(p, steps) for p in tails)
        low, high = (new.quantile(p, steps) for p in tails)
        # Half the width of the central 68.3 %: the standard error where the mixture is symmetric.
        one_low, one_high = (new.quantile(p, steps) for p in (0.1587, 0.8413))
        return ChainForecast(
            intermediate_loss=middle,
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

    def _mixture(self, first: PredictiveDistribution, new_observation: bool, quantiles: int) -> Mixture:
        """The second law's distribution at equally likely losses of the first."""
        scale = first.std if new_observation else first.curve_stderr
        nodes = student.ppf((np.arange(quantiles) + 0.5) / quantiles, max(first.dof, 1e-9))
        losses = first.mean[:, None] + scale[:, None] * nodes
        losses = np.exp(np.minimum(losses, 50.0)) if self.first.log_link else losses
        losses = np.clip(np.nan_to_num(losses, nan=0.0), 0.0, 1e6)
        second = self.second.predict_distribution(losses.reshape(-1, 1))
        spread = second.std if new_observation else second.curve_stderr
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
        """The ``probability`` quantile of each row, (m,), on [0, 1].

        Newton steps inside a bracket; a step that would leave it, or is not half as long as the one before, bisects
        it instead. A row is done when its step is below 1e-10, and at the latest after ``steps`` of them.
        """
        low, high = np.zeros(len(self.mean)), np.ones(len(self.mean))
        value = np.full(len(self.mean), 0.5)
        # The ends of the axis are reached exactly when the mass lies beyond them.
        value[self._below(high) < probability] = 1.0
        value[self._below(low) >= probability] = 0.0
        left = np.flatnonzero(value == 0.5)
        moved = np.ones(len(self.mean))
        for _ in range(steps):
            at = value[left]
            excess = self._below(at, left) - probability
            low[left], high[left] = np.where(excess < 0, at, low[left]), np.where(excess < 0, high[left], at)
            middle = (low[left] + high[left]) / 2
            slope = self._density(at, left)
            newton = at - excess / np.maximum(slope, 1e-100)
            short = (newton > low[left]) & (newton < high[left]) & (2 * np.abs(newton - at) < moved[left])
            value[left] = np.where(short, newton, middle)
            moved[left] = np.abs(value[left] - at)
            left = left[moved[left] > 1e-10]
            if not left.size:
                break
        return np.where(np.isfinite(self.scale).all(axis=1), value, np.nan)

    def _standard(self, value: Array, rows: Any) -> tuple[Array, Array]:
        scale = np.maximum(self.scale[rows], 1e-12)
        return (value[:, None] - self.mean[rows]) / scale, scale

    def _below(self, value: Array, rows: Any = slice(None)) -> Array:
        """Probability of a score below ``value``, row by row."""
        return np.asarray(stdtr(self._freedom, self._standard(value, rows)[0]).mean(axis=1))

    def _density(self, value: Array, rows: Any) -> Array:
        """Derivative of the above."""
        z, scale = self._standard(value, rows)
        height = np.exp(gammaln((self._freedom + 1) / 2) - gammaln(self._freedom / 2)) / np.sqrt(self._freedom * np.pi)
        return np.asarray((height * (1 + z * z / self._freedom) ** (-(self._freedom + 1) / 2) / scale).mean(axis=1))

    @property
    def _freedom(self) -> float:
        return max(self.dof, 1e-9)
