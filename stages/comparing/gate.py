"""A run against what was asked of it: go, no-go, or neither can be said.

Every rule gives two p-values. ``broken`` is that of "the rule holds": it is small where the rule is surely broken.
``kept`` is that of "the rule is broken": it is small where the rule is surely kept. A no-go takes one rule that is
surely broken, a go takes all rules surely kept, and anything else is inconclusive: too few documents, or a score
that is not there (NaN).

How often they are wrong, in the whole run and over all R rules, however the rules depend on each other:

- no-go although every rule holds: at most ``false_alarms``. Each rule has its R-th part (Bonferroni), and each look the
  share of that which the run trained since the look before (``stages.monitor.sequential.spent``).
- go although a rule is broken: at most ``false_passes``. All rules must be surely kept, so each is tested at the whole
  rate (the intersection-union test: Berger, Technometrics 24 (1982) 295-300); looks share it as above.

A registered interval can be missed by a run that does just what was forecast: with six tasks and intervals of 90 %, one
of them is below its interval every fourth time. So "not below the interval" is surely broken only where two things can
be excluded at the rate: that the true score is inside the interval, and that the run is a draw from the forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from scipy.stats import binom, norm

from .paired import score

Array = NDArray[np.float64]
GO, INCONCLUSIVE, NO_GO = 1, 0, -1
KEPT, OPEN, BROKEN = 1, 0, -1
ROUNDING = 1e-6  # documents: a share of them is stated with rounding


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The two p-values of a rule, of one shape; NaN where nothing is known."""

    broken: Array
    kept: Array


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A registered forecast: centre, edges and the level of the interval, fractions."""

    forecast: ArrayLike
    low: ArrayLike
    high: ArrayLike
    level: float = 0.9


def at_least(value: ArrayLike, documents: ArrayLike, least: ArrayLike) -> Evidence:
    """A score must be ``least`` or more, by the exact binomial test.

    Parameters
    ----------
    value : array
        Measured shares of ``documents``. Where that is not a whole number of documents (F1, a mean of checkpoints), it
        is rounded to the side of caution.
    """
    return Evidence(broken=_below(value, documents, least), kept=_above(value, documents, least))


def not_below(value: ArrayLike, documents: ArrayLike, interval: Interval) -> Evidence:
    """A score must not be below its registered interval."""
    low = _below(value, documents, interval.low)
    drawn = _drawn(value, documents, interval, interval.low)
    return Evidence(broken=np.maximum(low, drawn), kept=_above(value, documents, interval.low))


def inside(value: ArrayLike, documents: ArrayLike, interval: Interval) -> Evidence:
    """A score must be inside its registered interval: neither below nor above, each at half the rate."""
    low = np.maximum(_below(value, documents, interval.low), _drawn(value, documents, interval, interval.low))
    high = np.maximum(_above(value, documents, interval.high), _drawn(value, documents, interval, interval.high))
    kept = np.maximum(_above(value, documents, interval.low), _below(value, documents, interval.high))
    return Evidence(broken=np.minimum(2 * np.fmin(low, high), 1.0), kept=kept)


def no_worse(documents: ArrayLike, lost: ArrayLike, won: ArrayLike, by: ArrayLike) -> Evidence:
    """A score must be less than ``by`` below another's on the same documents: Tango's test of non-inferiority.

    ``lost`` documents are right with the other alone, ``won`` with the run alone.
    """
    z = score(documents, lost, won, -np.asarray(by, dtype=float))
    return Evidence(broken=np.asarray(norm.cdf(z)), kept=np.asarray(norm.sf(z)))


def no_worse_apart(value: ArrayLike, documents: ArrayLike, other: ArrayLike, of: ArrayLike, by: ArrayLike) -> Evidence:
    """The same of two scores whose documents are not known one by one: as if each had been asked others.

    With Agresti and Caffo's two documents more, one right and one wrong (Am. Stat. 54 (2000) 280-288).
    """
    a, n, b, m = (np.asarray(x, dtype=float) for x in (value, documents, other, of))
    a, b = (a * n + 1) / (n + 2), (b * m + 1) / (m + 2)
    z = (a - b + np.asarray(by)) / np.sqrt(a * (1 - a) / (n + 2) + b * (1 - b) / (m + 2))
    return Evidence(broken=np.asarray(norm.cdf(z)), kept=np.asarray(norm.sf(z)))


def rules(evidence: Evidence, *, false_alarms: float, false_passes: float, share: ArrayLike = 1.0) -> NDArray[np.int8]:
    """What holds of each of R rules (last axis): ``KEPT``, ``BROKEN`` or ``OPEN``.

    ``share`` is what this look may spend of the rates: 1 where there is no other, 0 where nothing is left to spend (it
    decides nothing then); a shape that fits the rules'.
    """
    number = evidence.broken.shape[-1]
    broken = evidence.broken < false_alarms * np.asarray(share) / number
    kept = evidence.kept < false_passes * np.asarray(share)
    return np.where(broken, BROKEN, np.where(kept, KEPT, OPEN)).astype(np.int8)


def verdict(of_rules: NDArray[np.int8]) -> NDArray[np.int8]:
    """``GO``, ``NO_GO`` or ``INCONCLUSIVE`` over the last axis; no rule at all passes nothing."""
    some = of_rules.shape[-1] > 0
    go = np.all(of_rules == KEPT, axis=-1) & some
    return np.where(np.any(of_rules == BROKEN, axis=-1), NO_GO, np.where(go, GO, INCONCLUSIVE)).astype(np.int8)


def documents_needed(value: float, edge: float, rate: float) -> float:
    """How many documents would tell a score from an edge at this rate; NaN where the two are equal."""
    if abs(value - edge) < ROUNDING:
        return float("nan")
    middle = (value + edge) / 2
    return float(np.ceil(norm.isf(rate) ** 2 * middle * (1 - middle) / (value - edge) ** 2))


def tolerated(interval: Interval, rate: float) -> tuple[Array, Array]:
    """The interval that a draw from the forecast leaves to either side with probability ``rate`` each, fractions."""
    z, inner = float(norm.isf(rate)), float(norm.ppf(0.5 + interval.level / 2))
    centre, low, high = (np.asarray(x, dtype=float) for x in (interval.forecast, interval.low, interval.high))
    plain = centre - z * (centre - low) / inner, centre + z * (high - centre) / inner
    with np.errstate(divide="ignore", invalid="ignore"):
        bent = [
            expit(logit(centre) + sign * z * np.abs(logit(edge) - logit(centre)) / inner)
            for sign, edge in ((-1, low), (1, high))
        ]
    return np.fmax(np.fmin(plain[0], bent[0]), 0.0), np.fmin(np.fmax(plain[1], bent[1]), 1.0)


def _drawn(value: ArrayLike, documents: ArrayLike, interval: Interval, edge: ArrayLike) -> Array:
    """Probability of a score so far to the edge's side, if the run is a draw from the forecast and the documents' luck.

    The spread of that side is what its edge says of it. The larger of two readings: the forecast is normal in the
    score, or in its log-odds, whose tails are heavier towards the middle.
    """
    v, n, centre, end = (np.asarray(x, dtype=float) for x in (value, documents, interval.forecast, edge))
    inner = float(norm.ppf(0.5 + interval.level / 2))
    luck = centre * (1 - centre) / n
    away = np.sign(end - centre)
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = away * (v - centre) / np.sqrt(((end - centre) / inner) ** 2 + luck)
        spread = (logit(end) - logit(centre)) / inner
        odds = away * (logit(v) - logit(centre)) / np.sqrt(spread**2 + luck / (centre * (1 - centre)) ** 2)
    odds = np.where(np.isfinite(odds), odds, np.inf)  # a score of 0 or 1 has no log-odds: the other reading counts
    return np.asarray(norm.sf(np.fmin(plain, odds)))


def _below(value: ArrayLike, documents: ArrayLike, edge: ArrayLike) -> Array:
    """Probability of so low a score or a lower one, if the true one is at the edge or above."""
    n, right, p = _counts(value, documents, edge)
    return np.asarray(binom.cdf(np.ceil(right - ROUNDING), n, p))


def _above(value: ArrayLike, documents: ArrayLike, edge: ArrayLike) -> Array:
    """Probability of so high a score or a higher one, if the true one is at the edge or below."""
    n, right, p = _counts(value, documents, edge)
    return np.asarray(binom.sf(np.floor(right + ROUNDING) - 1, n, p))


def _counts(value: ArrayLike, documents: ArrayLike, edge: ArrayLike) -> tuple[Array, Array, Array]:
    n = np.floor(np.asarray(documents, dtype=float) + ROUNDING)
    p = np.clip(np.asarray(edge, dtype=float), 0.0, 1.0)
    return n, np.asarray(value, dtype=float) * n, p
