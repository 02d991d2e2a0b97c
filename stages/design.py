"""Which run to add to the ladder: the one that shrinks the target's uncertainty most for its cost.

Sequential optimal design for a scalar of interest (c-optimality; Chaloner and Verdinelli, Bayesian Experimental Design:
A Review, Statist. Sci. 10 (1995)): one more observation at x lowers the variance of the curve at the target by a
rank-one update that depends on where x is, not on what will be measured there.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from stages.base import Law
from stages.fitting import Array


def variance_after(law: Law, candidates: pd.DataFrame, target: pd.DataFrame) -> tuple[float, Array]:
    """Variance of a fitted law's curve at the target, on the link scale: now, and after each candidate, (k,).

    Parameters
    ----------
    law : Law
        Fitted, with a covariance.
    candidates : DataFrame (k rows), target : DataFrame (1 row)
        With the law's ``columns``.
    """
    at = _gradient(law, target)[0]
    new = _gradient(law, candidates)
    covariance, noise = law.covariance_, law.residual_std_**2
    now = float(at @ covariance @ at)
    shared = new @ covariance @ at
    own = np.einsum("ij,jk,ik->i", new, covariance, new)
    return now, np.asarray(np.maximum(now - shared**2 / np.maximum(noise + own, 1e-300), 0.0))


def shrinkage(law: Law, candidates: pd.DataFrame, target: pd.DataFrame) -> Array:
    """Share by which the standard deviation of a new observation at the target would shrink, (k,), between 0 and 1."""
    now, after = variance_after(law, candidates, target)
    noise = law.residual_std_**2
    return np.asarray(1 - np.sqrt((after + noise) / max(now + noise, 1e-300)))


def _gradient(law: Law, rows: pd.DataFrame) -> Array:
    """Derivative of the curve by the parameters, on the link scale, (m, p)."""
    x = rows[list(law.columns)].to_numpy(dtype=float)
    jac = law._jacobian(law.theta_, x)
    return np.asarray(jac / law._curve(law.theta_, x)[:, None] if law.log_link else jac)
