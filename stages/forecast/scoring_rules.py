"""How good a forecast was, once the truth is in: rules that reward honest intervals.

Interval (Winkler) score, CRPS and log score are proper: no other statement than what one believes does better on
average (Gneiting and Raftery, Strictly Proper Scoring Rules, Prediction, and Estimation, JASA 102 (2007)).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from ..fit import checks
from ..fit.newton import Array

EDGE = 0.005  # accuracies are moved this far from 0 and 1 before a logit is taken


def logit(accuracy: ArrayLike) -> Array:
    """Log-odds of an accuracy (m,), kept ``EDGE`` away from 0 and 1."""
    p = np.clip(np.asarray(accuracy, dtype=float), EDGE, 1 - EDGE)
    return np.asarray(np.log(p / (1 - p)))


def interval_score(low: ArrayLike, high: ArrayLike, actual: ArrayLike, level: float = 0.9) -> Array:
    """Winkler's score of central intervals, (m,), in the unit of the accuracy: width plus a fine for each miss.

    Gneiting and Raftery (2007), equation 43. Smaller is better. ValueError for a level that is not between 0 and 1.
    """
    checks.level(level)
    a, b, y = (np.asarray(v, dtype=float) for v in (low, high, actual))
    fine = 2 / (1 - level)
    return np.asarray(b - a + fine * np.maximum(a - y, 0) + fine * np.maximum(y - b, 0))


def crps_logit_normal(center: ArrayLike, scale: ArrayLike, actual: ArrayLike) -> Array:
    """Continuous ranked probability score, (m,), of a logit-normal accuracy, in points of accuracy.

    By the quantile form (Laio and Tamea, HESS 11 (2007)): twice the mean pinball loss over the quantiles. ``center``
    and ``scale`` are the mean and standard deviation of the log-odds.
    """
    mean, sd, y = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (center, scale, actual))
    levels = (np.arange(400) + 0.5) / 400
    quantiles = 1 / (1 + np.exp(-(mean[:, None] + sd[:, None] * norm.ppf(levels))))
    error = y[:, None] - quantiles
    return np.asarray(2 * np.mean(np.maximum(levels * error, (levels - 1) * error), axis=1))


def log_score_logit_normal(center: ArrayLike, scale: ArrayLike, actual: ArrayLike) -> Array:
    """Minus the log density of the accuracy, (m,), under a logit-normal; smaller is better."""
    y = np.clip(np.asarray(actual, dtype=float), EDGE, 1 - EDGE)
    return np.asarray(-norm.logpdf(logit(y), center, scale) + np.log(y * (1 - y)))
