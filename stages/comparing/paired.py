"""Two checkpoints on the same documents: which is better, how surely, and what would have been seen.

A document counts by what changed between A and B. Where an answer is right or wrong, only documents that flip tell
anything: ``won`` were wrong with A and are right with B, ``lost`` the other way. The difference B - A is
(won - lost) / n, and of n documents the rest say nothing about its sign.

- test: McNemar's mid-p (Fagerland, Lydersen and Laake, BMC Med. Res. Methodol. 13 (2013) 91, which finds it the one to
  use). Over n and shares of flips its size is at most 1.0004 times the level (``tests/stages/comparing``).
- interval: Tango's score interval for paired proportions (Statist. Med. 17 (1998) 891-908, eq. 8 and appendix).
- power: Connor's formula for McNemar's test (Biometrics 43 (1987) 207-211, eq. 2), solved for the difference.

Scores that are no right or wrong (F1, losses), and documents that come in clusters (several questions on one text),
are compared by their mean difference and Student's t; with clusters the variance is that of the clusters' sums (Liang
and Zeger, Biometrika 73 (1986) 13-22; for evaluations Miller, arXiv 2411.00640, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, norm, t

Array = NDArray[np.float64]
POWER = 0.8  # by convention: Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), section 2.4
HALVINGS = 60  # of an interval of length 2: to the last bit


def mid_p(lost: ArrayLike, won: ArrayLike) -> Array:
    """McNemar's two-sided mid-p value: flips go either way alike; any shape. 1 where nothing flips."""
    fewer, flips = np.minimum(lost, won), np.add(lost, won)
    tail = 2 * binom.cdf(fewer - 1, flips, 0.5) + binom.pmf(fewer, flips, 0.5)
    return np.asarray(np.minimum(tail, 1.0), dtype=float)


def score(documents: ArrayLike, lost: ArrayLike, won: ArrayLike, difference: ArrayLike) -> Array:
    """Tango's score statistic of a difference B - A (a fraction): standard normal where that is the true one.

    Positive where more was won than the difference would make. All arguments of one shape.
    """
    n, c, b, delta = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (documents, lost, won, difference)))
    # The share of losses that is likeliest under the difference: the larger root of 2n q² + h q - c δ (1 - δ) = 0.
    half = -b - c + (2 * n - b + c) * delta
    share = (np.sqrt(np.maximum(half**2 + 8 * n * c * delta * (1 - delta), 0.0)) - half) / (4 * n)
    variance = n * (2 * share + delta * (1 - delta))
    above = b - c - n * delta
    with np.errstate(divide="ignore", invalid="ignore"):
        z = above / np.sqrt(variance)
    nothing = variance <= 1e-12 * n  # no flips expected: any other number of them is beyond all doubt
    return np.asarray(np.where(nothing, np.where(np.abs(above) < 1e-9, 0.0, np.copysign(np.inf, above)), z))


def interval(documents: ArrayLike, lost: ArrayLike, won: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Tango's interval of the difference B - A: all differences that the score test does not reject; fractions."""
    z = float(norm.ppf(0.5 + level / 2))
    n, c, b = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (documents, lost, won)))
    estimate = (b - c) / n
    return _edge(n, c, b, estimate, np.full_like(estimate, -1.0), z), _edge(n, c, b, estimate, np.ones_like(n), -z)


def _edge(n: Array, c: Array, b: Array, inner: Array, outer: Array, z: float) -> Array:
    """Where the statistic is ``z``, by halving between the estimate and -1 or 1: it falls in the difference."""
    for _ in range(HALVINGS):
        middle = (inner + outer) / 2
        inside = np.abs(score(n, c, b, middle)) <= abs(z)
        inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
    return np.asarray((inner + outer) / 2)


def detectable(documents: float, flips: float, alpha: float, power: float = POWER) -> float:
    """The smallest difference (a fraction) that McNemar's test calls with probability ``power``; NaN: none would be.

    Parameters
    ----------
    documents, flips : float
        How many there were. A difference takes as many flips at least as it is large: they are raised to it.
    alpha : float
        Level of the two-sided test.
    """
    a, b, n = float(norm.isf(alpha / 2)), float(norm.ppf(power)), float(documents)
    share = flips / n
    # x = δ √n solves x = a √share + b √(share - δ²).
    root = a * a * share - (1 + b * b / n) * (a * a - b * b) * share
    found = (a * np.sqrt(share) + np.sqrt(max(root, 0.0))) / (1 + b * b / n) / np.sqrt(n)
    if found >= share:  # all flips one way, and more of them: share = δ, so √(n δ) = a + b √(1 - δ)
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if np.sqrt(n * middle) < a + b * np.sqrt(1 - middle) else (low, middle)
        found = high
    return float(found) if found < 1 - 1e-9 else float("nan")


@dataclass(frozen=True, kw_only=True)
class MeanDifference:
    """The mean of paired differences B - A, its standard error, and the degrees of freedom of that.

    ``p`` is Student's two-sided one; NaN where fewer than two documents (or clusters) tell the error. Where all of them
    differ alike, they tell no error either: no interval and no power (NaN), and ``p`` is that of the sign test.
    """

    mean: float
    stderr: float
    freedom: float

    @property
    def is_alike(self) -> bool:
        """Whether all documents (or clusters) differ alike, but for rounding."""
        return self.stderr <= 1e-9 * abs(self.mean)

    @property
    def p(self) -> float:
        """Probability of a mean so far from 0, if it is 0."""
        if not self.freedom >= 1:
            return float("nan")
        if self.is_alike:
            return 1.0 if self.mean == 0 else float(0.5**self.freedom)
        return float(2 * t.sf(abs(self.mean) / self.stderr, self.freedom))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Student's interval."""
        if not self.freedom >= 1 or self.is_alike:
            return float("nan"), float("nan")
        half = float(t.ppf(0.5 + level / 2, self.freedom)) * self.stderr
        return self.mean - half, self.mean + half

    def detectable(self, alpha: float, power: float = POWER) -> float:
        """The smallest mean that the test calls with probability ``power``: Miller's eq. 9, with Student's t."""
        if not self.freedom >= 1 or self.is_alike:
            return float("nan")
        return float(t.isf(alpha / 2, self.freedom) + t.ppf(power, self.freedom)) * self.stderr


def mean_difference(differences: ArrayLike, clusters: ArrayLike | None = None) -> MeanDifference:
    """Mean of differences (n,), which are independent, or alike within the ``clusters`` (n,) and independent between.

    The variance of G clusters is G / (G - 1) times the sum of their squared sums of residuals, over n².

    Raises
    ------
    ValueError
        For no documents.
    """
    values = np.asarray(differences, dtype=float)
    if values.size == 0:
        raise ValueError("no documents: a mean needs one at least")
    residuals = values - values.mean()
    if clusters is not None:
        _, of = np.unique(np.asarray(clusters), return_inverse=True)
        residuals = np.bincount(of.ravel(), weights=residuals)
    parts = len(residuals)
    if parts < 2:
        return MeanDifference(mean=float(values.mean()), stderr=float("nan"), freedom=0.0)
    variance = parts / (parts - 1) * float(np.sum(residuals**2)) / values.size**2
    return MeanDifference(mean=float(values.mean()), stderr=float(np.sqrt(variance)), freedom=float(parts - 1))


def holm(p: ArrayLike) -> Array:
    """Holm's adjusted p-values along the last axis (Scand. J. Statist. 6 (1979) 65-70): those at most ``alpha`` hold.

    However the tests depend on each other, a wrong one is among them with probability ``alpha`` at most. NaN: no test.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, axis=-1, kind="stable")  # NaN last
    ranked = np.take_along_axis(values, order, axis=-1)
    tests = np.sum(np.isfinite(values), axis=-1, keepdims=True)
    steps = np.maximum(tests - np.arange(values.shape[-1]), 1)
    grown = np.minimum(np.maximum.accumulate(ranked * steps, axis=-1), 1.0)
    adjusted = np.empty_like(values)
    np.put_along_axis(adjusted, order, grown, axis=-1)
    return adjusted
