"""Fewer documents: which k of a task's n to ask, and what they say about the score of all of them.

The documents are a sample that is drawn with knowledge of every document's history, and the full score is estimated
from them as in model-assisted survey sampling (Särndal, Swensson and Wretman 1992, chapters 3 and 6):

- What is known of a document is its mean value at the checkpoints that were asked everything, and how far it goes along
  with the directions in which the documents of these checkpoints differ most: its features.
- What the features leave unsaid is its noise. It is learnt from runs that the features do not know (one run left out
  at a time), and a document is drawn with a probability that grows with it (Neyman 1934), in the order of difficulty.
- At a new checkpoint the k values are regressed on the features, and the full mean is that of the predictions plus the
  weighted mean of what they miss. That is a fixed weight for each of the k documents, whatever is averaged: losses,
  probabilities, right or wrong. Weights add up to 1.

With nothing known the documents are evenly spaced and weigh the same. Others choose anchor points by clustering
(arXiv 2309.08638) or by an item response model (tinyBenchmarks, arXiv 2402.14992); what was compared stands in
``docs/methods/subset.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fit.newton import Array

FACTORS = (0, 1, 2, 4, 8, 16)  # numbers of directions that are tried; how many are used is what left-out runs say
PER_FEATURE = 10  # documents that must be asked for every feature
CHECKPOINTS = 10  # of a run that are looked at: more of one run say the same again
BINS = 20  # of equally many documents of like difficulty, over which noise is smoothed
TRUST = 4.0  # runs whose worth of noise a document borrows from its bin
FIRST = 0.8  # share of the first value's noise in what a document is drawn by; the others have the rest
LEAST_NOISE = 0.5  # of the mean: no document is drawn more seldom than that says, so that no weight is far above n/k
RIDGE = 1e-3  # of a feature's own variance
MOST_INFLATED = 4.0  # what a stated error is multiplied by at most


@dataclass(frozen=True, kw_only=True, eq=False)
class Subset:
    """k chosen documents of n, and how the full mean follows from their values.

    Attributes
    ----------
    documents : (k,) int
        Positions of the documents, ascending.
    weights : (k,)
        The full mean is the weighted sum of their values; the weights add up to 1.
    features : (k, p)
        What was known of each beforehand, its first column 1.
    total : int
        n, all documents.
    method : str
        ``even`` or ``informed``.
    checkpoints, runs : int
        How many checkpoints, of how many runs, the choice was made from.
    inflation : dict
        Name of a value to the factor by which errors on runs that were left out exceeded the stated ones, at least 1.
    remark : str
        Why the choice is even although there was something to choose from, or that errors could not be tested.
    """

    documents: NDArray[np.intp]
    weights: Array
    features: Array
    total: int
    method: str = "even"
    checkpoints: int = 0
    runs: int = 0
    inflation: Mapping[str, float]
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The full mean of one value: ``sampling`` is the standard error that it would have with all documents asked,
    ``estimation`` that of estimating it from some."""

    value: float
    sampling: float
    estimation: float

    @property
    def stderr(self) -> float:
        """Both errors together."""
        return float(np.hypot(self.sampling, self.estimation))


def evenly(total: int, count: int, remark: str = "") -> Subset:
    """``count`` of ``total`` documents at even distances, all of the same weight.

    Raises
    ------
    ValueError
        For fewer than two documents, or as many as there are.

    Examples
    --------
    >>> evenly(10, 5).documents.tolist()
    [1, 3, 5, 7, 9]
    """
    _check(total, count)
    documents = ((np.arange(count) + 0.5) * total / count).astype(np.intp)
    weights, features = np.full(count, 1 / count), np.ones((count, 1))
    return Subset(documents=documents, weights=weights, features=features, total=total, inflation={}, remark=remark)


def choose(values: Mapping[str, NDArray[Any]], runs: Sequence[str], count: int) -> Subset:
    """Choose ``count`` documents by what checkpoints that were asked all of them answered.

    Parameters
    ----------
    values : mapping of name to (m, n)
        Values of every document at m checkpoints. The first is a loss that is known of every document; it decides
        the order and the directions. Others (probabilities, right or wrong) help and are helped.
    runs : (m,)
        The run of every checkpoint.
    count : int
        k.

    Returns
    -------
    Subset
        Even where the left-out runs say that nothing is gained; ``remark`` says so.

    Raises
    ------
    ValueError
        For values that are not finite or whose shapes do not belong together, and as ``evenly`` does.
    """
    profiles = {name: np.asarray(table, dtype=float) for name, table in values.items()}
    first = next(iter(profiles.values()))
    _check(first.shape[1], count)
    if any(t.shape != first.shape or not np.isfinite(t).all() for t in profiles.values()) or len(first) != len(runs):
        raise ValueError("subset: values must be finite tables of the same checkpoints (a run each) by documents")
    labels = np.unique(np.asarray(runs), return_inverse=True)[1]
    rows = _thinned(labels)
    profiles, labels = {name: table[rows] for name, table in profiles.items()}, labels[rows]
    found = _drawn(profiles, labels, count)
    names = sorted({str(run) for run in runs})
    about: dict[str, Any] = {"checkpoints": len(runs), "runs": len(names)}
    if len(names) < 2:
        return Subset(**found, **about, method="informed", inflation={}, remark="one run: its errors are not tested")
    inflation, worse = _tested(profiles, labels, count)
    if worse:
        return evenly(first.shape[1], count, "on runs that were left out the choice did no better than even distances")
    return Subset(**found, **about, method="informed", inflation=inflation)


def estimate(subset: Subset, values: NDArray[Any], name: str = "") -> Estimate:
    """The mean of a value over all documents, from its values (k,) at the chosen ones.

    ``name`` is that of the value, as it was when the documents were chosen; the errors of one that was not known then
    are inflated like the worst.

    Raises
    ------
    ValueError
        When there are not k finite values.
    """
    y = np.asarray(values, dtype=float)
    if y.shape != subset.weights.shape or not np.isfinite(y).all():
        raise ValueError(f"subset: needs a finite value for each of its {len(subset.weights)} documents")
    weights, total = subset.weights, subset.total
    value = float(weights @ y)
    positive = np.maximum(weights, 0.0)
    sampling = float(positive @ (y - value) ** 2 / positive.sum()) / total
    # Of a document that is drawn with probability 1/(n·w): Σ w (w − 1/n) e², e what the features leave.
    left = y - subset.features @ (_regression(subset.features, weights) @ y)
    freedom = len(y) / max(len(y) - subset.features.shape[1], 1)
    error = float(np.abs(weights * (weights - 1 / total)) @ left**2) * freedom
    inflation = subset.inflation.get(name, max(subset.inflation.values(), default=1.0))
    return Estimate(value=value, sampling=sampling**0.5, estimation=inflation * error**0.5)


def _check(total: int, count: int) -> None:
    if not 2 <= count < total:
        raise ValueError(f"subset: can choose from 2 to {total - 1} of {total} documents; got {count}")


def _thinned(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """At most ``CHECKPOINTS`` rows of every run, evenly spread, the last among them."""
    kept = []
    for run in np.unique(labels):
        rows = np.flatnonzero(labels == run)
        kept.append(rows[np.unique(np.linspace(len(rows) - 1, 0, min(CHECKPOINTS, len(rows))).round().astype(int))])
    return np.sort(np.concatenate(kept))


def _drawn(profiles: Mapping[str, Array], labels: NDArray[np.intp], count: int) -> dict[str, Any]:
    """Documents, weights, features and the number of all documents."""
    most = max(count // PER_FEATURE, 1)
    factors, noise = _noise(profiles, labels, count)
    known = _features(profiles, factors)[:, : 1 + most]
    first = next(iter(profiles.values()))
    chance = _probabilities(noise, count)
    documents = _systematic(chance, np.argsort(first.mean(axis=0), kind="stable"), count)
    design = 1 / chance[documents]
    design /= design.sum()
    weights = design + (known.mean(axis=0) - design @ known[documents]) @ _regression(known[documents], design)
    return {"documents": documents, "weights": weights, "features": known[documents], "total": first.shape[1]}


def _features(profiles: Mapping[str, Array], factors: int) -> Array:
    """(n, 1 + p): one, then scaled to mean 0, deviation 1, every value's mean and the first value's directions."""
    first = next(iter(profiles.values()))
    columns = [table.mean(axis=0) for table in profiles.values()]
    if factors:
        left = first - columns[0]
        left = left - left.mean(axis=1, keepdims=True)
        size, vectors = np.linalg.eigh(left @ left.T)
        strong = np.flatnonzero(size > 1e-9 * max(size[-1], 1e-300))[::-1][:factors]
        columns += list(vectors[:, strong].T @ left)
    kept = [column - column.mean() for column in columns]
    scaled = [column / column.std() for column in kept if column.std() > 1e-9]
    return np.column_stack([np.ones(first.shape[1]), *scaled])


def _regression(features: Array, weights: Array) -> Array:
    """(p, k): coefficients of a weighted ridge regression on the features are this times the values."""
    weighed = features * np.maximum(weights, 0.0)[:, None]
    penalty = np.full(features.shape[1], RIDGE)
    penalty[0] = 0.0
    return np.asarray(np.linalg.solve(weighed.T @ features + np.diag(penalty), weighed.T))


def _noise(profiles: Mapping[str, Array], labels: NDArray[np.intp], count: int) -> tuple[int, Array]:
    """How many directions to use, and what features leave unsaid of every document (n,), of mean 1.

    Runs are left out one at a time, and their documents regressed on features that do not know them. Of a single run
    the checkpoints' own features are used, and no directions.
    """
    runs = np.unique(labels)
    tables = list(profiles.values())
    n = tables[0].shape[1]
    if len(labels) < 2:
        return 0, np.ones(n)
    most = max(count // PER_FEATURE - len(tables), 0)
    sizes = [f for f in FACTORS if f <= most] if len(runs) > 1 else [0]
    squares = np.zeros((len(sizes), len(tables), n))
    for run in runs:
        out = labels == run
        rest = {name: table[~out if len(runs) > 1 else out] for name, table in profiles.items()}
        known = _features(rest, max(sizes))
        fewest = known.shape[1] - min(max(sizes), known.shape[1] - 1)
        for i, factors in enumerate(sizes):
            columns = known[:, : min(fewest + factors, known.shape[1])]
            basis = np.linalg.qr(columns)[0]
            for j, table in enumerate(tables):
                left = table[out] - (table[out] @ basis) @ basis.T
                squares[i, j] += (left**2).mean(axis=0) / len(runs)
    costs = [np.sqrt(s[0]).mean() * np.sqrt(1 + f / count) for f, s in zip(sizes, squares, strict=True)]
    best = int(np.argmin(costs))
    order = np.argsort(tables[0].mean(axis=0), kind="stable")
    each = [np.sqrt(_smoothed(square, order, len(runs))) for square in squares[best]]
    relative = [e / e.mean() if e.mean() > 0 else np.ones(n) for e in each]
    others = np.mean(relative[1:] or relative, axis=0)
    noise = FIRST * relative[0] + (1 - FIRST) * others
    return sizes[best], np.maximum(noise, LEAST_NOISE)


def _smoothed(squares: Array, order: NDArray[np.intp], runs: int) -> Array:
    """Squares of few runs, drawn towards the mean of documents of like difficulty."""
    edges = np.linspace(0, len(order), min(BINS, len(order)) + 1).round().astype(int)
    means = np.add.reduceat(squares[order], edges[:-1]) / np.diff(edges)
    smooth = np.empty(len(order))
    smooth[order] = np.repeat(means, np.diff(edges))
    return np.asarray((runs * squares + TRUST * smooth) / (runs + TRUST))


def _probabilities(noise: Array, count: int) -> Array:
    """Probability of being drawn, in proportion to the noise where that is at most 1; they add up to ``count``."""
    sure = np.zeros(len(noise), dtype=bool)
    while True:
        chance = np.where(sure, 1.0, noise / noise[~sure].sum() * (count - sure.sum()))
        if not (over := (chance > 1) & ~sure).any():
            return chance
        sure |= over


def _systematic(chance: Array, order: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """A document at every whole step of the summed probabilities, in this order: no chance is thrown."""
    steps = np.cumsum(chance[order])
    at = np.searchsorted(steps * count / steps[-1], np.arange(count) + 0.5)
    return np.sort(order[at])


def _tested(profiles: Mapping[str, Array], labels: NDArray[np.intp], count: int) -> tuple[dict[str, float], bool]:
    """Errors on runs that were left out over the stated ones, at least 1, for every value; and whether even distances
    would have done better on the first value."""
    first = next(iter(profiles))
    plain = evenly(profiles[first].shape[1], count)
    ratios: dict[str, list[float]] = {name: [] for name in profiles}
    errors, plain_errors = [], []
    for run in np.unique(labels):
        out = labels == run
        rest = {name: table[~out] for name, table in profiles.items()}
        subset = Subset(**_drawn(rest, labels[~out], count), inflation={})
        for name, table in profiles.items():
            missed = []
            for row in table[out]:
                stated = estimate(subset, row[subset.documents], name)
                miss = stated.value - row.mean()
                missed.append((miss / stated.estimation) ** 2 if stated.estimation > 0 else float(miss != 0))
                if name == first:
                    errors.append(miss**2 / len(table[out]))
                    plain_errors.append((row[plain.documents].mean() - row.mean()) ** 2 / len(table[out]))
            ratios[name].append(float(np.mean(missed)))
    inflation = {name: float(np.clip(np.mean(r) ** 0.5, 1.0, MOST_INFLATED)) for name, r in ratios.items()}
    return inflation, bool(np.sum(errors) > np.sum(plain_errors))
