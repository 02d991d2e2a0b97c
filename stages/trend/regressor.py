"""The trend as a scikit-learn regressor, like the other laws: one task, effective compute to accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..fit.newton import Array
from .log_odds import FittedTrend, TrendData, TrendPriors, fit_trends


@dataclass(frozen=True, kw_only=True)
class TrendDistribution:
    """Predictive distribution of new scores at m points: ``mean`` and ``std`` (m,), fractions."""

    mean: Array
    std: Array


class LogOddsTrend(RegressorMixin, BaseEstimator):
    """A trend in log-odds with priors, for one task; ``log_odds`` has the formula and its sources.

    Parameters
    ----------
    chance : float
        Score of guessing, in [0, 1).
    priors : TrendPriors, optional
        By default those of the documentation.

    Attributes
    ----------
    trend_ : FittedTrend
    slope_ : float
        Of the trend at the ladder's end, log-odds per decade of effective compute.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(18, 21, 7)[:, None]  # log10 FLOPs
    >>> accuracy = 0.25 + 0.75 / (1 + np.exp(-(x[:, 0] - 21)))
    >>> trend = LogOddsTrend(chance=0.25).fit(x, accuracy)
    >>> bool(abs(trend.predict([[22.0]])[0] - (0.25 + 0.75 / (1 + np.exp(-1)))) < 0.1)
    True
    """

    def __init__(self, chance: float = 0.0, priors: TrendPriors | None = None) -> None:
        self.chance = chance
        self.priors = priors

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        stderr: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit one task.

        Parameters
        ----------
        X : (n, 1) or more columns
            log10 effective FLOPs in the first column.
        y : (n,)
            Accuracy, a fraction.
        sample_weight : (n,), optional
            A score of weight w counts as w scores; weight 0 leaves it out.
        stderr : (n,), optional
            Sampling error of every score, a fraction; by default none.
        groups : (n,), optional
            Which scores are checkpoints of one run; by default each is a run.

        Raises
        ------
        ValueError
            For a chance outside [0, 1), inputs that are not finite, or no score with a weight.
        """
        if not 0 <= self.chance < 1:
            raise ValueError(f"chance: {self.chance!r} is not in [0, 1)")
        x, score = validate_data(self, X, y, dtype=float, y_numeric=True)
        weight = _check_sample_weight(sample_weight, x, dtype=float)
        kept = weight > 0
        if not kept.any():
            raise ValueError("every sample_weight is zero: there is nothing to fit")
        runs = np.arange(len(x)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
        sampling = np.zeros(len(x)) if stderr is None else np.asarray(stderr, dtype=float)
        data = TrendData(
            x=x[kept, 0],
            accuracy=score[kept],
            sampling=sampling[kept],
            runs=runs[kept],
            chance=float(self.chance),
            weight=weight[kept],
        )
        self.trend_: FittedTrend = fit_trends([data], self.priors)[0]
        self.slope_ = float(self.trend_.weights @ self.trend_.slopes)
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Accuracy at ``X`` (m, columns), (m,)."""
        return self.predict_distribution(X).mean

    def predict_distribution(self, X: ArrayLike) -> TrendDistribution:
        """Mean and standard deviation of new scores at ``X`` (m, columns)."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=float)
        mean, std = self.trend_.predict(x[:, 0])
        return TrendDistribution(mean=mean, std=std)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # what is no fraction is out of its reach
        return tags
