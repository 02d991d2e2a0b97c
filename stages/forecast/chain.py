"""Two laws in a row, with the uncertainty of both: one implementation, for the recipes' chains and ``auto``'s paths.

The first law gives the distribution of the intermediate loss: Student t around its curve, whose scale adds the
covariance of its parameters and, for a new observation, its residual noise. Equally likely quantiles of that
distribution are pushed through the second law (``compose``), which adds its own covariance and noise: a mixture. So the
first stage's noise is propagated through the second's curve, not only through its slope, and an interval near a floor
or ceiling is as asymmetric as the curve is.

Two numbers are read off a mixture. ``Chain.forecast`` reads quantiles: its ``stderr`` is half the width of the central
68.3 %, with the tails that few degrees of freedom give. ``auto`` fits hundreds of chains and needs only how sure each
is beside the others: it takes ``Mixture.moment_std`` at nine quantiles, which cuts those tails and so is somewhat
smaller (0.0091 for 0.0098 in one case); its intervals are calibrated on past misses afterwards.
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
from ..laws.base import Law

QUANTILES, STEPS = 100, 30  # of the first law's distribution; bisection steps for a quantile of the mixture
LARGEST_LOSS, LARGEST_LOG_LOSS = 1e6, 50.0  # a loss beyond these is no other statement than these
SCORE_STD_CAP = 0.25  # standard deviation of an accuracy that says nothing


@dataclass(frozen=True, kw_only=True)
class LossDistribution:
    """The first law at m targets: the loss of its curve (m,), and equally likely losses about it (m, quantiles)."""

    curve: Array
    likely: Array


@dataclass(frozen=True, kw_only=True)
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

    Examples
    --------
    >>> import numpy as np
    >>> from benchcast.stages import FLOPsToNLL, NLLToAccuracy
    >>> flops, noise = np.geomspace(1e18, 1e21, 8), 0.005 * (-1.0) ** np.arange(8)
    >>> loss = 2.7 - 0.09 * np.log10(flops) + noise
    >>> accuracy = 0.25 + 0.75 / (1 + np.exp(9 * (loss - 0.9))) + noise
    >>> chain = Chain(FLOPsToNLL().fit(flops[:, None], loss), NLLToAccuracy(0.25, 1.0).fit(loss[:, None], accuracy))
    >>> forecast = chain.forecast([[1e23]], level=0.8)
    >>> bool(forecast.low[0] < forecast.mean[0] < forecast.high[0])
    True
    """

    def __init__(self, first: Law, second: Law, complement: bool = False) -> None:
        self.first, self.second, self.complement = first, second, complement

    def predict(self, X: ArrayLike) -> Array:
        """Score at ``X`` (m, columns of ``first``), clipped to [0, 1]; returns (m,)."""
        return self._score(self.second.predict(self._curve_loss(X)[:, None]))

    def forecast(
        self, X: ArrayLike, level: float = 0.9, quantiles: int = QUANTILES, steps: int = STEPS
    ) -> ChainForecast:
        """Forecast with band and interval of nominal coverage ``level``, between 0 and 1; ValueError otherwise."""
        checks.level(level)
        loss = self._curve_loss(X)
        mean = self._score(self.second.predict(loss[:, None]))
        tails = (0.5 - level / 2, 0.5 + level / 2)
        curve, new = (self._mixture(X, quantiles, new_observation=new) for new in (False, True))
        curve_low, curve_high = (curve.quantile(p, steps) for p in tails)
        low, high = (new.quantile(p, steps) for p in tails)
        # Half the width of the central 68.3 %: the standard error where the mixture is symmetric.
        one_low, one_high = (new.quantile(p, steps) for p in (0.1587, 0.8413))
        return ChainForecast(
            intermediate_loss=loss,
            mean=mean,
            curve_low=np.minimum(curve_low, mean),
            curve_high=np.maximum(curve_high, mean),
            low=np.minimum(low, mean),
            high=np.maximum(high, mean),
            stderr=(one_high - one_low) / 2,
        )

    def _curve_loss(self, X: ArrayLike) -> Array:
        return curve_loss(self.first, X)

    def _mixture(self, X: ArrayLike, quantiles: int, *, new_observation: bool) -> Mixture:
        losses = loss_distribution(self.first, X, quantiles, new_observation=new_observation)
        _, mixture = compose(losses, self.second, new_observation=new_observation)
        return mixture.complement() if self.complement else mixture

    def _score(self, value: Array) -> Array:
        return np.clip(1 - value if self.complement else value, 0.0, 1.0)


def curve_loss(first: Law, X: ArrayLike) -> Array:
    """The first law's loss, (m,); a line can fall below zero far out, a loss cannot."""
    return np.maximum(first.predict(X), 0.0)


def loss_distribution(first: Law, X: ArrayLike, quantiles: int, *, new_observation: bool = True) -> LossDistribution:
    """The first law's loss at ``X`` (m, columns): of its curve, or of a new observation."""
    distribution = first.predict_distribution(X)
    scale = distribution.std if new_observation else distribution.curve_stderr
    nodes = student.ppf((np.arange(quantiles) + 0.5) / quantiles, max(distribution.dof, 1e-9))
    losses = distribution.mean[:, None] + scale[:, None] * nodes
    losses = np.exp(np.minimum(losses, LARGEST_LOG_LOSS)) if first.log_link else losses
    likely = np.clip(np.nan_to_num(losses, nan=0.0), 0.0, LARGEST_LOSS)
    return LossDistribution(curve=curve_loss(first, X), likely=likely)


def compose(losses: LossDistribution, second: Law, *, new_observation: bool = True) -> tuple[Array, Mixture]:
    """The second law over a distribution of losses: its curve at the curve's loss (m,), and the mixture of scores.

    Both are in the unit of the second law (an error, where it gives errors).
    """
    every = np.column_stack([losses.curve, losses.likely])
    distribution = second.predict_distribution(every.reshape(-1, 1))
    scale = distribution.std if new_observation else distribution.curve_stderr
    mean, scale = distribution.mean.reshape(every.shape), scale.reshape(every.shape)
    return mean[:, 0], Mixture(mean=mean[:, 1:], scale=scale[:, 1:], dof=distribution.dof)


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Equal parts of Student t distributions, (m, parts) means and scales, of a score that is cut to [0, 1]."""

    mean: Array
    scale: Array
    dof: float

    def complement(self) -> Mixture:
        """Of one minus the score."""
        return Mixture(mean=1 - self.mean, scale=self.scale, dof=self.dof)

    def moment_std(self) -> Array:
        """Standard deviation, (m,), of the parts' means and scales, at most ``SCORE_STD_CAP``, which is also unknown.

        The scales count as standard deviations: what few degrees of freedom add to them is left out.
        """
        scale = np.minimum(np.nan_to_num(self.scale, nan=SCORE_STD_CAP, posinf=SCORE_STD_CAP), SCORE_STD_CAP)
        variance = np.mean(scale**2, axis=1) + np.var(np.clip(self.mean, 0.0, 1.0), axis=1)
        return np.asarray(np.minimum(np.sqrt(variance), SCORE_STD_CAP))

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
            midpoint = (low[left] + high[left]) / 2
            slope = self._density(at, left)
            newton = at - excess / np.maximum(slope, 1e-100)
            short = (newton > low[left]) & (newton < high[left]) & (2 * np.abs(newton - at) < moved[left])
            value[left] = np.where(short, newton, midpoint)
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
