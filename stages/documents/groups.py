"""Few curves for many documents: clusters of documents that move alike, or factors of the run x document table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fit.newton import Array
from .link import Cells

SEED = 0  # of k-means' starts
BINS = 64  # of equally many documents, in which the documents are shown to the link


@dataclass(frozen=True, kw_only=True)
class Groups:
    """k documents told by R curves: a document's level is its own constant plus its loadings times the curves.

    Attributes
    ----------
    constants : (k,)
        What each document has of its own.
    loadings : (R, k)
        How far each document goes along with each curve; of a cluster, 1 for its documents.
    curves : (m, R)
        What the curves are at the ladder's checkpoints.
    lowest : float
        Least level: 0 for an NLL.
    alike : bool
        Whether curves are of one kind, so that their errors are likely to agree: clusters' are, factors' not.
    """

    constants: NDArray[Any]
    loadings: NDArray[Any]
    curves: Array
    lowest: float
    alike: bool

    def levels(self, curves: Array) -> NDArray[Any]:
        """Every document's level (t, k) where the curves are ``curves`` (t, R)."""
        return np.asarray(np.maximum(self.constants + curves.astype(self.loadings.dtype) @ self.loadings, self.lowest))

    def cells(self, curves: Array) -> tuple[Array, Array]:
        """Levels (t, B) of bins of equally many documents (nearly), in the order of their levels; their shares (B,)."""
        return _binned(np.sort(self.levels(curves), axis=1))

    def observed(self, worth: Array, right: Array) -> Cells:
        """The ladder's bins with what was right: (m, k) of every document, or (m,) of the task."""
        if right.ndim == 1:
            levels, shares = self.cells(self.curves)
            return Cells(levels=levels, shares=shares, right=right, worth=worth)
        levels = self.levels(self.curves)
        order = np.argsort(levels, axis=1, kind="stable")
        bins, shares = _binned(np.take_along_axis(levels, order, axis=1))
        return Cells(
            levels=bins, shares=shares, right=_binned(np.take_along_axis(right, order, axis=1))[0], worth=worth
        )

    def gradient(self, curves: Array, slopes: Array) -> Array:
        """From slopes of the accuracy in the cells' levels (t, B) to slopes in the curves (t, R)."""
        out = np.empty(curves.shape)
        for i, order in enumerate(np.argsort(self.levels(curves), axis=1, kind="stable")):
            out[i] = _binned(self.loadings[:, order])[0] @ slopes[i]
        return out


def clusters_of(values: NDArray[Any], count: int, lowest: float) -> Groups:
    """Clusters of the documents of ``values`` (m, k), at most ``count``: k-means over level and slope.

    A document's slope is that of its values over the checkpoints' mean values: how fast it moves with the ladder. It
    keeps its mean distance from its cluster. Clustering by difficulty: arXiv 2502.17262.
    """
    from sklearn.cluster import KMeans  # half a second that only this form asks for
    from threadpoolctl import threadpool_limits

    level, slope = level_and_slope(values)
    features = np.column_stack([level, slope])
    features = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-12)
    count = min(count, len(np.unique(features, axis=0)))
    # One thread: several add up the same numbers in another order each time.
    with threadpool_limits(limits=1, user_api="openmp"):
        labels = KMeans(count, n_init=1, random_state=SEED).fit_predict(features)
    labels = np.unique(labels, return_inverse=True)[1]
    curves = _means(values, labels)
    return Groups(
        constants=(level - curves.mean(axis=0)[labels]).astype(values.dtype),
        loadings=np.eye(curves.shape[1], dtype=values.dtype)[:, labels],
        curves=curves,
        lowest=lowest,
        alike=True,
    )


def factors_of(values: NDArray[Any], rank: int, lowest: float) -> Groups:
    """The ``rank`` factors of the documents of ``values`` (m, k) that tell most, fewer where it has fewer.

    A truncated singular value decomposition of what is left without the documents' means: an item response law with
    ``rank`` abilities and a linear link; compare arXiv 2606.07616. What it leaves out of a document is in the link's
    slope.
    """
    constants = values.mean(axis=0, dtype=float)
    centred = (values - constants).astype(values.dtype)
    size, vectors = np.linalg.eigh((centred @ centred.T).astype(float))
    strong = np.flatnonzero(size > 1e-6 * max(size[-1], 1e-300))[::-1][:rank]
    root = np.sqrt(size[strong])
    loadings = (vectors[:, strong].T @ centred) / root[:, None]
    sign = np.where(loadings.sum(axis=1) < 0, -1.0, 1.0)  # an eigenvector's sign is arbitrary
    return Groups(
        constants=constants.astype(values.dtype),
        loadings=(loadings * sign[:, None]).astype(values.dtype),
        curves=vectors[:, strong] * root * sign,
        lowest=lowest,
        alike=False,
    )


def level_and_slope(values: NDArray[Any]) -> tuple[Array, Array]:
    """Mean of every document (k,), and its slope over the checkpoints' means (k,)."""
    progress = values.mean(axis=1, dtype=float)
    progress = progress - progress.mean()
    level = values.mean(axis=0, dtype=float)
    return level, np.asarray(progress @ (values - level) / max(float(progress @ progress), 1e-12))


def _means(values: NDArray[Any], labels: NDArray[np.int_]) -> Array:
    """Mean over the documents of every cluster, (m, clusters)."""
    sizes = np.bincount(labels)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    ordered = values[:, np.argsort(labels, kind="stable")].astype(float)
    return np.asarray(np.add.reduceat(ordered, starts, axis=1) / sizes)


def _binned(ordered: Array) -> tuple[Array, Array]:
    """Means over bins of columns, (t, B), and the bins' shares (B,)."""
    edges = np.linspace(0, ordered.shape[1], min(BINS, ordered.shape[1]) + 1).round().astype(int)
    sizes = np.diff(edges)
    return np.add.reduceat(ordered, edges[:-1], axis=1, dtype=float) / sizes, sizes / sizes.sum()
