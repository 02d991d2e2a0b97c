"""Variable projection for seeds: where a law is linear in some of its parameters, they follow from the others."""

from __future__ import annotations

import numpy as np

from .newton import Array


def solve_linear_params(design: Array, target: Array, weight: Array, nonnegative: bool = True) -> Array:
    """Weighted least squares for k designs at once.

    Parameters
    ----------
    design : (k, n, q)
        Columns of the law that its linear parameters multiply, at each of k settings of the others.
    target, weight : (n,)
    nonnegative : bool
        Coefficients below zero are set to zero and the others solved again.

    Returns
    -------
    (k, q)

    References
    ----------
    Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973), 413-432.
    """
    weighted = np.swapaxes(design * weight[:, None], 1, 2)
    matrix, right = weighted @ design, weighted @ target
    size = np.sqrt(np.maximum(np.einsum("kqq->kq", matrix), 1e-300))
    matrix, right = matrix / (size[:, :, None] * size[:, None, :]), right / size
    eye = np.eye(design.shape[2])
    free = np.ones(right.shape, dtype=bool)
    solution = np.zeros_like(right)
    for _ in range(design.shape[2] if nonnegative else 1):
        both = free[:, :, None] & free[:, None, :]
        held = np.where(both, matrix, 0.0) + eye * np.where(free, 1e-12, 1.0)[:, None, :]
        solution = np.linalg.solve(held, np.where(free, right, 0.0)[:, :, None])[:, :, 0]
        if not nonnegative or not np.any(solution < 0):
            break
        free &= solution >= 0
    return np.asarray((np.maximum(solution, 0.0) if nonnegative else solution) / size)
