"""What every law shares: the scikit-learn contract, estimates with standard errors, and predictive spread.

A law is one class that names its columns and parameters and gives three functions of them: the curve, its
Jacobian, and seeds to start the search from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..fit import checks
from ..fit.bootstrap import BootstrapResults, Kind, resample
from ..fit.errors import FitError
from ..fit.estimate import Fit, fit
from ..fit.newton import Array, Problem
from ..notices import Notice
from ..notices import laws as notices
from . import describe

RETRY_SEEDS = 2  # seeds that a resample is searched from again where its first searches leave a doubt


@dataclass(frozen=True)
class Parameter:
    """A parameter as the paper writes it; ``log`` means that the search runs over its logarithm."""

    name: str
    unit: str
    log: bool = False


@dataclass(frozen=True, kw_only=True)
class PredictiveDistribution:
    """Predictive distribution at m points on the link scale: Student t around ``mean`` (m,).

    ``curve_stderr`` is the standard error of the fitted curve, ``noise_std`` the residual standard deviation of a new
    observation; the two are kept apart because they answer different questions.
    """

    mean: Array
    curve_stderr: Array
    noise_std: float
    dof: float

    @property
    def std(self) -> Array:
        """Standard deviation of a new observation, (m,)."""
        return np.sqrt(self.curve_stderr**2 + self.noise_std**2)


class Law(RegressorMixin, BaseEstimator, ABC):
    """Base of all laws.

    ``X`` is an array whose first columns are ``columns`` in that order, or a DataFrame, from which ``columns``
    are taken by name when it has them (so a whole ladder table can be passed). Counts below one are read as one.

    Attributes
    ----------
    estimates_, stderrs_ : dict of float
        Natural-scale parameters and their standard errors (delta method).
    covariance_ : ndarray (p, p)
        Covariance on the search scale (logarithms where ``Parameter.log``).
    status_ : FitStatus
        How the search ended: "converged", "bound hit" or "abnormal".
    agreement_, gradient_, cost_ : float
        Share of the searches that met at the optimum, the scaled gradient left there, and the objective.
    runner_up_, runner_up_cost_ : ndarray (p,) or None, float
        The next best optimum that a search ended in.
    notes_ : tuple of Notice
        What a reader of the fit should know.
    residual_std_ : float
        On the link scale. ``dof_`` are its degrees of freedom.
    """

    columns: ClassVar[tuple[str, ...]]
    parameters: ClassVar[tuple[Parameter, ...]]
    formula: ClassVar[str]  # Typst mathematics, printed in the report's methods
    source: ClassVar[str]
    x_unit: ClassVar[str]
    y_unit: ClassVar[str]
    log_link: bool = False  # residuals are differences of logarithms
    huber: float | None = None
    linear: ClassVar[tuple[int, ...]] = ()  # parameters that the curve is linear in
    limits: ClassVar[tuple[str, ...]] = ()  # constructor arguments that set bounds and nothing else
    # A check for every constructor argument: called with the law's name, the argument's name and its value at the fit,
    # as scikit-learn does; it raises ValueError naming the argument.
    constraints: ClassVar[Mapping[str, Callable[[str, str, Any], object]]] = {"huber": checks.threshold}

    # A formula is written once for one set of parameters, theta (p,), and for k of them at once, theta (p, k, 1).

    @abstractmethod
    def _curve(self, theta: Array, x: Array) -> Array:
        """The law, natural scale: parameters (p,) or (p, k, 1) and inputs (m, columns) to (m,) or (k, m)."""

    @abstractmethod
    def _jacobian(self, theta: Array, x: Array) -> Array:
        """Derivative of ``_curve`` by the parameters, (m, p) or (k, m, p): ``stack_jacobian`` stacks it."""

    def _derive(self, theta: Array, x: Array) -> tuple[Array, Array]:
        """Curve and Jacobian; a law overrides it where the two share work."""
        return self._curve(theta, x), self._jacobian(theta, x)

    # Sum over observations of v (k, n) times the law's second derivatives, (k, p, p), as a method of (x, jac, v). For
    # laws whose second derivatives are multiples of their Jacobian (sums of exponentials): the result must be linear in
    # ``jac`` (k, n, p), so that it also serves where that is divided by the curve.
    _curvature: Callable[[Array, Array, Array], Array] | None = None

    @abstractmethod
    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Starting points (k, p) on the search scale."""

    @abstractmethod
    def _bounds(self, y: Array) -> tuple[Array, Array]:
        """Lower and upper bounds (p,) on the search scale; ``y`` for those that the data imply."""

    def _check_parameters(self) -> None:
        """Check what the constructor was given; a law whose arguments depend on each other adds to it."""
        for name, value in self.get_params(deep=False).items():
            if name not in self.constraints:
                raise TypeError(f"{type(self).__name__}: argument {name!r} has no entry in constraints")
            self.constraints[name](type(self).__name__, name, value)

    def _more_notes(self) -> tuple[Notice, ...]:
        return ()

    # ---- scikit-learn's contract ----

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.target_tags.positive_only = self.log_link
        tags.regressor_tags.poor_score = True  # a law is not a universal approximator
        return tags

    def fit(
        self,
        X: ArrayLike | pd.DataFrame,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Law:
        """Estimate the parameters.

        Parameters
        ----------
        X : (n, len(columns)) or DataFrame with ``columns``
        y : (n,)
        sample_weight : (n,), optional
        groups : (n,), optional
            Runs the observations belong to, for clustered standard errors.

        Raises
        ------
        FitError
            For data that cannot be fitted: fewer than two points, numbers that are not finite or lie outside the law's
            domain.
        ValueError
            For wrong constructor arguments, and for arrays whose shapes do not belong together.
        """
        problem, seeds, ids = self._prepare(X, y, sample_weight, groups)
        try:
            with np.errstate(all="ignore"):
                self._store(fit(problem, seeds, ids), len(problem.observed))
        except np.linalg.LinAlgError as error:
            raise FitError(f"{type(self).__name__}: {error}") from error
        return self

    def predict(self, X: ArrayLike | pd.DataFrame) -> Array:
        """The curve at ``X`` (m, len(columns)); returns (m,) in ``y_unit``."""
        check_is_fitted(self)
        x = self._inputs(self._checked_inputs(X))
        with np.errstate(all="ignore"):
            return np.nan_to_num(self._curve(self.theta_, x), posinf=1e300, neginf=-1e300)

    # ---- uncertainty ----

    def predict_distribution(self, X: ArrayLike | pd.DataFrame) -> PredictiveDistribution:
        """Predictive distribution at ``X`` by the delta method, on the link scale."""
        check_is_fitted(self)
        x = self._inputs(self._checked_inputs(X))
        with np.errstate(all="ignore"):
            mean = self._curve(self.theta_, x)
            jac = self._jacobian(self.theta_, x)
            if self.log_link:
                mean, jac = np.log(mean), jac / mean[:, None]
            variance = np.einsum("ij,jk,ik->i", jac, self.covariance_, jac)
        return PredictiveDistribution(
            mean=mean, curve_stderr=np.sqrt(np.maximum(variance, 0.0)), noise_std=self.residual_std_, dof=self.dof_
        )

    def interval(
        self, X: ArrayLike | pd.DataFrame, level: float = 0.9, new_observation: bool = True
    ) -> tuple[Array, Array]:
        """Central interval at ``X``: of a new observation, or of the curve itself; both (m,)."""
        checks.level(level)
        spread = self.predict_distribution(X)
        half = student.ppf(0.5 + level / 2, spread.dof) * (spread.std if new_observation else spread.curve_stderr)
        low, high = spread.mean - half, spread.mean + half
        with np.errstate(over="ignore"):  # an end beyond all numbers is infinite
            return (np.exp(low), np.exp(high)) if self.log_link else (low, high)

    def resample(
        self,
        X: ArrayLike | pd.DataFrame,
        y: ArrayLike,
        n: int = 1000,
        kind: Kind = "pairs",
        groups: ArrayLike | None = None,
        seed: int = 0,
        counts: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> BootstrapResults:
        """Refit on ``n`` resamples of the data it was fitted on: pairs, whole ``groups`` ("runs"), or wild.

        ``theta`` (n, p) is on the search scale; ``natural`` turns it into the estimates. ``counts`` (n, len(y)) says
        how often each row is drawn instead of drawing here.
        """
        check_is_fitted(self)
        if kind not in ("pairs", "runs", "wild"):
            raise ValueError(f"kind must be pairs, runs or wild; got {kind!r}")
        if kind == "runs" and groups is None and counts is None:
            raise ValueError("kind='runs' draws whole groups: give groups")
        checks.count("n", n)
        x, target = validate_data(self, self._select(X), y, dtype=np.float64, y_numeric=True, reset=False)
        target = target.astype(float)
        x, weight = self._inputs(x), _check_sample_weight(sample_weight, x, dtype=np.float64, ensure_non_negative=True)
        problem = self._problem(x, target, weight)
        ids = None if groups is None else np.asarray(groups)
        drawn = None if counts is None else np.asarray(counts)
        with np.errstate(all="ignore"):
            seeds = self._seeds(x, target, weight)
            ranked = seeds[np.argsort(problem.cost(np.clip(seeds, problem.lower, problem.upper)), kind="stable")]
            return resample(problem, self.theta_, n, kind, ids, ranked[:RETRY_SEEDS], seed, drawn)

    def natural(self, theta: Array) -> dict[str, Array]:
        """Parameters (k, p) of the search scale as the paper writes them, each (k,)."""
        return {p.name: np.exp(v) if p.log else v for p, v in zip(self.parameters, theta.T, strict=True)}

    def report(self) -> str:
        """The fit as text to print: formula, source, status, and every estimate with its standard error and unit."""
        check_is_fitted(self)
        return describe.report(self)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:  # scikit-learn's signature
        made = super().__repr__(N_CHAR_MAX)
        return describe.line(self, made) if hasattr(self, "estimates_") else made

    # ---- inside ----

    def _select(self, X: ArrayLike | pd.DataFrame) -> ArrayLike | pd.DataFrame:
        """Of a frame the law's columns by name; one that has some of them only is no table of others by position."""
        if not isinstance(X, pd.DataFrame) or not set(self.columns) & set(X.columns):
            return X
        if missing := [name for name in self.columns if name not in X.columns]:
            needed = ", ".join(self.columns)
            raise ValueError(f"{type(self).__name__}: the frame has no column {missing[0]!r}; it needs {needed}")
        return X[list(self.columns)]

    def _checked_inputs(self, X: ArrayLike | pd.DataFrame) -> Array:
        """As scikit-learn checks them; plain arrays, which ``auto`` asks of by the thousand, at once."""
        if _is_plain(X) and X.shape[1] == self.n_features_in_ and not hasattr(self, "feature_names_in_"):
            return X
        return np.asarray(validate_data(self, self._select(X), dtype=np.float64, reset=False))

    def _inputs(self, x: Array) -> Array:
        if x.shape[1] < len(self.columns):
            raise ValueError(f"{type(self).__name__} needs columns {self.columns}; got {x.shape[1]} feature(s).")
        if np.any(x < 0):
            raise FitError(f"Negative values in data passed to {type(self).__name__}: inputs are counts or losses.")
        return np.asarray(x[:, : len(self.columns)])

    def _prepare(
        self, X: ArrayLike | pd.DataFrame, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> tuple[Problem, Array, NDArray[np.generic] | None]:
        """What is to be minimised, the seeds, and the groups; validated. Raises what ``fit`` does."""
        self._check_parameters()
        x, target = self._checked_data(X, y)
        weight = _check_sample_weight(sample_weight, x, dtype=np.float64, ensure_non_negative=True)
        used = weight > 0
        if self.log_link and np.any(target[used] <= 0):
            raise FitError(f"{type(self).__name__} is fitted on logarithms: y must be positive.")
        # Rows of weight zero must not matter, not even for where the search starts.
        x, target, weight = x[used], target[used], weight[used]
        try:
            with np.errstate(all="ignore"):
                seeds = self._seeds(x, target, weight)
        except (np.linalg.LinAlgError, RuntimeError) as error:  # scipy's nnls gives up with the latter
            raise FitError(f"{type(self).__name__}: no start for the search: {error}") from error
        return self._problem(x, target, weight), seeds, None if groups is None else np.asarray(groups)[used]

    def _checked_data(self, X: ArrayLike | pd.DataFrame, y: ArrayLike) -> tuple[Array, Array]:
        """Inputs (n, columns) and observations (n,), two or more and finite."""
        unnamed = not hasattr(self, "feature_names_in_")
        if unnamed and _is_plain(X) and len(X) >= 2 and _is_plain(y, 1) and len(y) == len(X):
            self.n_features_in_ = X.shape[1]
            return self._inputs(X), y
        try:
            x, target = validate_data(self, self._select(X), y, dtype=np.float64, y_numeric=True, ensure_min_samples=0)
        except ValueError as error:
            if _not_finite(X) or _not_finite(y):
                raise FitError(str(error)) from None
            raise
        target = target.astype(float)
        if len(target) < 2:
            raise FitError(
                f"Found array with {len(target)} sample(s) while a minimum of 2 is required by {type(self).__name__}."
            )
        return self._inputs(x), target

    def _problem(self, x: Array, y: Array, weight: Array) -> Problem:
        lower, upper = self._bounds(y)
        observed = np.log(y) if self.log_link else y

        def value(theta: Array, x: Array) -> Array:
            curve = self._curve(theta, x)
            return np.log(curve) if self.log_link else curve

        def derive(theta: Array, x: Array) -> tuple[Array, Array]:
            curve, jac = self._derive(theta, x)
            return (np.log(curve), jac / curve[..., None]) if self.log_link else (curve, jac)

        return Problem(
            value=value,
            derive=derive,
            curvature=self._curvature,
            x=x,
            observed=observed,
            weight=weight,
            lower=lower,
            upper=upper,
            huber=self.huber,
            log_link=self.log_link,
            linear=self.linear,
        )

    def _store(self, result: Fit, n: int) -> None:
        """Set the attributes of a fit to ``n`` observations."""
        self.theta_ = result.theta
        self.covariance_ = result.covariance
        self.status_, self.agreement_ = result.status, result.agreement
        self.cost_, self.gradient_ = result.cost, result.gradient
        self.runner_up_, self.runner_up_cost_ = result.runner_up, result.runner_up_cost
        self.residual_std_, self.dof_, self.n_points_ = result.residual_std, result.dof, n
        natural = [np.exp(v) if p.log else v for p, v in zip(self.parameters, result.theta, strict=True)]
        errors = np.sqrt(np.diag(result.covariance))
        self.estimates_ = {p.name: float(v) for p, v in zip(self.parameters, natural, strict=True)}
        self.stderrs_ = {
            p.name: float(e * v if p.log else e) for p, v, e in zip(self.parameters, natural, errors, strict=True)
        }
        hit = [p.name for p, h in zip(self.parameters, result.at_bound, strict=True) if h]
        notes = [notices.AT_BOUND(parameters=", ".join(hit))] if hit else []
        if result.dof <= 0:
            notes.append(notices.NO_NOISE(points=n, parameters=len(self.parameters)))
        self.notes_ = (*notes, *self._more_notes())


def _is_plain(X: object, dimensions: int = 2) -> TypeGuard[Array]:
    """Whether it is an array (n, columns) of finite float64 numbers."""
    if not isinstance(X, np.ndarray) or X.dtype != np.float64 or X.ndim != dimensions or not X.size:
        return False
    return bool(np.isfinite(X).all())


def _not_finite(values: ArrayLike | pd.DataFrame) -> bool:
    """Whether an array of numbers holds NaN or infinity."""
    array = np.asarray(values)
    return array.dtype.kind == "f" and not bool(np.isfinite(array).all())


def log_count(x: NDArray[np.float64]) -> Array:
    """Logarithm of a count (FLOPs, tokens, parameters); less than one is read as one."""
    return np.log(np.maximum(x, 1.0))


def only_finite(values: NDArray[np.float64]) -> Array:
    """NaN in place of what is infinite: an answer that does not exist."""
    return np.where(np.isfinite(values), values, np.nan)


def stack_jacobian(*parts: Array) -> Array:
    """A Jacobian from its columns, each scalar, (m,) or (k, m): (m, p) or (k, m, p), stored parameter by parameter."""
    stacked = np.stack(np.broadcast_arrays(*parts), axis=-2)
    return np.asarray(np.swapaxes(stacked, -1, -2))
