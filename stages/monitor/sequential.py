"""Is a run still on the course that was forecast? Tests of a series of scores against a band, checkpoint by checkpoint.

Every look at a run is another chance to be wrong, so each rule states its false-alarm rate for the whole run:

- ``drift``: the deviation from the forecast has shifted at some checkpoint, further from the forecast. The evidence is
  a mixture of likelihood ratios over the moment and the size of the shift, a nonnegative martingale that starts at 1;
  by Ville's inequality it ever exceeds 1/a with probability at most a while nothing has shifted, however often one
  looks (Robbins, Ann. Math. Statist. 41 (1970), 1397-1409; Shin, Ramdas and Rinaldo, arXiv 2203.03532).
- ``dropped``: fewer documents right than at the checkpoint before, by McNemar's exact test on the documents that
  changed (Psychometrika 12 (1947), 153-157), and by more than checkpoints differ anyway; its rate is spent over the run
  in proportion to the tokens seen (Lan and DeMets, Biometrika 70 (1983), 659-663).
- ``outside``: a score beyond the edge of its band by more than its sampling error. The checkpoints answer the same
  documents, so this error is nearly the same at each: its rate is that of one look, and about that of the run.

What a run that follows its band does: its deviation from the forecast is a Gaussian process in log D whose standard
deviation is the band's and which changes little while D changes by a factor of ``e**CORRELATION_LENGTH``; to it come
the sampling error, nearly the same at all checkpoints, and noise of each checkpoint alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.special import logsumexp
from scipy.stats import binom, norm

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
# By judgement; tests/stages/monitor/test_sequential.py holds the false-alarm rates by simulation, with courses that are
# slower and faster than this length.
CORRELATION_LENGTH = 1.15  # of the deviation from the forecast, in natural logarithms of tokens: a factor of about 3
CHECKPOINT_NOISE_STD = 0.003  # standard deviation of a checkpoint's accuracy that is neither sampling nor law
# Of a score's sampling variance, where it is not known how much is the checkpoint's alone. All of it is where near to
# every answer is a guess; with 5 to 20 % of the documents changing, half is more than there is.
OWN_SHARES = (0.5, 1.0)
SHIFT_MULTIPLES = (1.0, 2.0)  # the shifts looked for, in units of ``shift``
FALSE_ALARM_SHARES = {
    "drift": 0.5,
    "outside": 0.25,
    "dropped": 0.25,
}  # how the false-alarm rate is split over the rules
MEAN = "mean of the tasks"


@dataclass(frozen=True, kw_only=True)
class Paired:
    """The same documents at two checkpoints: how many, and how many turned from right to wrong and back."""

    documents: int
    lost: int
    won: int

    @property
    def drop(self) -> float:
        """Accuracy lost, a fraction."""
        return (self.lost - self.won) / self.documents

    @property
    def p_value(self) -> float:
        """Probability of losing at least as many of those that changed, if each changed either way alike."""
        return float(binom.sf(self.lost - 1, self.lost + self.won, 0.5))

    @property
    def checkpoint_std(self) -> float:
        """Standard deviation of what is one checkpoint's alone: that of the difference, over √2."""
        changed, n = self.lost + self.won, self.documents
        variance = (changed / n - self.drop**2) / n
        return float(np.sqrt(max(variance, 0.0) / 2))


def paired(before: ArrayLike, after: ArrayLike) -> Paired:
    """Compare which documents, (n,) each in the same order, were right at two checkpoints."""
    was, now = np.asarray(before, dtype=bool), np.asarray(after, dtype=bool)
    if was.shape != now.shape or was.size == 0:
        raise ValueError("paired documents must be as many at both checkpoints, and some")
    return Paired(documents=was.size, lost=int(np.sum(was & ~now)), won=int(np.sum(~was & now)))


@dataclass(frozen=True, kw_only=True)
class Series:
    """One task's scores over a run, in the order of training; all of shape (n,).

    Parameters
    ----------
    tokens : training tokens seen, increasing
    value : accuracy, a fraction
    stderr : its sampling error
    checkpoint_std : standard deviation of what is a checkpoint's alone in that error; NaN: it is not known
    forecast, low, high, band_std : the band at these tokens: centre, edges, standard deviation
    pairs : each checkpoint's documents beside those of the one before; None where they are not known
    """

    tokens: Array
    value: Array
    stderr: Array
    checkpoint_std: Array
    forecast: Array
    low: Array
    high: Array
    band_std: Array
    pairs: tuple[Paired | None, ...] = ()

    @property
    def deviation(self) -> Array:
        """Measured minus forecast."""
        return self.value - self.forecast


def drift(series: Series, total: float, shift: float = 0.02, wobble: float = CHECKPOINT_NOISE_STD) -> Array:
    """Log evidence for a shift of the deviation down and up, after every checkpoint.

    Parameters
    ----------
    series : Series
    total : float
        Tokens the run is planned to see; a shift may come at any of them.
    shift : float
        Accuracy that matters: shifts of this size and twice it are looked for.
    wobble : float
        Standard deviation of a checkpoint's accuracy beyond sampling error.

    Returns
    -------
    (n, 2)
        Log evidence; it exceeds log(1/a) ever with probability at most a when nothing shifts. Where a
        ``checkpoint_std`` is not known, the smallest under each of ``OWN_SHARES``: the smallest of several is at most
        that of the right one. One share alone misses the rate by a factor of two to three, where it is far from right.
    """
    known = np.isfinite(series.checkpoint_std)
    owns = [np.where(known, series.checkpoint_std, np.sqrt(share) * series.stderr) for share in OWN_SHARES]
    readings = [replace(series, checkpoint_std=own) for own in (owns[:1] if known.all() else owns)]
    return np.asarray(np.min([_evidence(reading, total, shift, wobble) for reading in readings], axis=0))


def _evidence(series: Series, total: float, shift: float, wobble: float) -> Array:
    """``drift`` of a series whose errors are known."""
    n = len(series.tokens)
    if n == 0:
        return np.zeros((0, 2))
    own = np.minimum(series.checkpoint_std, series.stderr)
    shared = np.sqrt(np.maximum(series.stderr**2 - own**2, 0.0))
    logs = np.log(series.tokens)
    near = np.exp(-0.5 * ((logs[:, None] - logs) / CORRELATION_LENGTH) ** 2)
    covariance = np.outer(series.band_std, series.band_std) * near + np.outer(shared, shared)
    covariance[np.diag_indices(n)] += own**2 + wobble**2 + 1e-12
    root = cholesky(covariance, lower=True)  # its leading blocks are those of the shorter series
    noise = solve_triangular(root, series.deviation, lower=True)
    steps = solve_triangular(root, np.tril(np.ones((n, n))), lower=True)  # column t: a shift at checkpoint t
    shares = spent(series.tokens, total)
    rest = np.log(np.maximum(1.0 - np.cumsum(shares), 1e-300))  # shifts that are still to come: ratio 1
    evidence = np.empty((n, 2))
    for column, sign in ((0, -1.0), (1, 1.0)):
        parts = [rest[:, None]]
        for size in SHIFT_MULTIPLES:
            height = sign * size * shift
            ratio = np.cumsum(height * steps * noise[:, None] - 0.5 * (height * steps) ** 2, axis=0)
            weight = np.log(np.maximum(shares / len(SHIFT_MULTIPLES), 1e-300))
            parts.append(np.where(np.tril(np.ones((n, n), bool)), ratio + weight, -np.inf))
        evidence[:, column] = logsumexp(np.concatenate(parts, axis=1), axis=1)
    return evidence


def drifts(series: Series, total: float, rate: float, shift: float = 0.02) -> NDArray[np.int8]:
    """-1 or +1 after every checkpoint where the run has shifted down or up, away from the forecast; (n,).

    ``rate`` is the probability of ever saying so of a run that follows its band, half for either direction.
    """
    evidence = drift(series, total, shift) >= np.log(2 / rate)
    # A blip leaves evidence behind: once the run is back on course there is nothing to say.
    away = np.where(np.abs(series.deviation) >= shift / 2, np.sign(series.deviation), 0)
    return np.where(evidence[:, 0] & (away < 0), -1, np.where(evidence[:, 1] & (away > 0), 1, 0)).astype(np.int8)


def dropped(series: Series, total: float, rate: float, wobble: float = CHECKPOINT_NOISE_STD) -> Mask:
    """Where a score is below that of the checkpoint before by more than sampling and wobble explain; (n,).

    ``rate`` is the probability of ever saying so of a run whose expected score never falls.
    """
    shares = spent(series.tokens, total)
    falls = np.zeros(len(shares), dtype=bool)
    for i in range(1, len(shares)):
        pair = series.pairs[i] if i < len(series.pairs) else None
        if pair is None:  # as two independent samples, which overstates the error
            error, fall, p = (
                np.hypot(series.stderr[i - 1], series.stderr[i]),
                series.value[i - 1] - series.value[i],
                0.0,
            )
        else:
            error, fall, p = np.sqrt(2) * pair.checkpoint_std, pair.drop, pair.p_value
        allowed = rate * shares[i]
        falls[i] = p <= allowed and fall > norm.isf(allowed) * np.hypot(error, np.sqrt(2) * wobble)
    return falls


def outside(series: Series, rate: float) -> NDArray[np.int8]:
    """-1 or +1 where a score is below or above its band by more than its sampling error; (n,)."""
    margin = norm.isf(rate / 2) * series.stderr
    return np.where(series.value < series.low - margin, -1, np.where(series.value > series.high + margin, 1, 0)).astype(
        np.int8
    )


def spent(tokens: ArrayLike, total: float) -> Array:
    """Share of the run that each checkpoint ends, (n,): together at most 1, none beyond ``total``."""
    reached = np.minimum(np.asarray(tokens, dtype=float) / total, 1.0)
    return np.diff(np.maximum.accumulate(reached), prepend=0.0)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the rules say of one task after every checkpoint, (n,) each: -1 below, +1 above; ``dropped`` true or not."""

    drift: NDArray[np.int8]
    outside: NDArray[np.int8]
    dropped: Mask

    @property
    def any(self) -> Mask:
        """Whether any rule speaks."""
        return np.asarray((self.drift != 0) | (self.outside != 0) | self.dropped)


def assess(tasks: Mapping[str, Series], total: float, rate: float = 0.05, shift: float = 0.02) -> dict[str, Verdict]:
    """Apply every rule to every task, and drift and outside to their mean as well, where there are several.

    Parameters
    ----------
    tasks : mapping of task to Series
    total : float
        Tokens the run is planned to see.
    rate : float
        Probability of any alarm at any checkpoint of a run that follows its band; split over rules and tasks.
    shift : float
        Accuracy that matters, see ``drift``.
    """
    named = dict(tasks)
    if (mean := mean_of(list(tasks.values()))) is not None:
        named[MEAN] = mean
    rates = {rule: rate * share / max(len(named), 1) for rule, share in FALSE_ALARM_SHARES.items()}
    return {
        name: Verdict(
            drift=drifts(series, total, rates["drift"], shift),
            outside=outside(series, rates["outside"]),
            dropped=np.zeros(len(series.tokens), bool) if name == MEAN else dropped(series, total, rates["dropped"]),
        )
        for name, series in named.items()
    }


def mean_of(tasks: Sequence[Series]) -> Series | None:
    """The mean score over tasks where all have one; None for a single task, or without common checkpoints.

    Tasks have documents of their own, so their sampling errors are independent; the law's errors are taken to go
    together, since all tasks are forecast from the same runs.
    """
    if len(tasks) < 2:
        return None
    common = sorted(set.intersection(*(set(t.tokens.tolist()) for t in tasks)))
    if not common:
        return None
    rows = [np.searchsorted(t.tokens, common) for t in tasks]

    def mean(name: str) -> Array:
        return np.asarray(np.mean([getattr(t, name)[r] for t, r in zip(tasks, rows, strict=True)], axis=0))

    def combined(name: str) -> Array:
        squares = [getattr(t, name)[r] ** 2 for t, r in zip(tasks, rows, strict=True)]
        return np.asarray(np.sqrt(np.sum(squares, axis=0)) / len(tasks))

    return Series(
        tokens=np.array(common),
        value=mean("value"),
        stderr=combined("stderr"),
        checkpoint_std=combined("checkpoint_std"),
        forecast=mean("forecast"),
        low=mean("low"),
        high=mean("high"),
        band_std=mean("band_std"),
    )
