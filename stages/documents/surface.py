"""Laws in size and data for many curves at once: every cluster's loss, every factor's score.

A curve y over models of N parameters and D tokens is Chinchilla's sum of two power laws, written around the ladder's
centre (N0, D0):

    y = y0 + a·h(log N/N0; alpha) + b·h(log D/D0; beta),    h(x; e) = (1 - exp(-e x)) / e

so that a and b are the slopes there, per e-fold, and an exponent only bends. This is E + A/N^alpha + B/D^beta with
a = -alpha A/N0^alpha; signs are free, since documents on which larger models are worse exist, and scores have no sign.

The exponents are on a grid, weighed by their prior N(.33, .12²) and by the data (the rest is linear, so the evidence
has a closed form): Bayesian linear regression, Bishop, Pattern Recognition and Machine Learning (2006), section 3.5.
Checkpoints of one run share an error, whose part of the variance is on a grid too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..fit.newton import Array

EXPONENTS = np.linspace(0.05, 0.61, 8)
EXPONENT_MEAN, EXPONENT_STD = 0.33, 0.12  # alpha and beta of published loss laws: arXiv 2203.15556, 2404.10102
RUN_SHARES = (0.5, 0.8, 0.95)  # of the noise's variance that the checkpoints of one run have in common
NOISE_FLOOR = 0.02  # of a curve's spread over the ladder: no curve is known better; gold NLLs come as float16
# Published constants of the loss law (arXiv 2404.10102): how steep it is in N beside D, where a ladder cannot tell.
CHINCHILLA = {"A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}


@dataclass(frozen=True, kw_only=True)
class SlopePriors:
    """Priors of the slopes, in a curve's spread over the ladder per e-fold; chosen on ladders' backtests."""

    size: float = 10.0
    """Standard deviation of each slope around zero: wide, it binds where an axis has one value only."""

    ratio: float = 2.0
    """Standard deviation of a - kappa·b around zero, kappa the published ratio of the two slopes at the centre."""


@dataclass(frozen=True, kw_only=True)
class Surfaces:
    """Fitted curves; R of them, each with weights over the grid of g points.

    Attributes
    ----------
    centre : (2,)
        log N0, log D0.
    exponents : (g, 2)
    weights : (g, R)
        Posterior weights of the grid's points.
    coefficients : (g, R, 3)
        y0, a, b.
    covariance : (g, R, 3, 3)
        Of the coefficients, over the noise's variance.
    noise : (g, R)
        Variance of a checkpoint of another run around its curve.
    correlation : (R, R)
        Of the curves' errors.
    """

    centre: Array
    exponents: Array
    weights: Array
    coefficients: Array
    covariance: Array
    noise: Array
    correlation: Array

    def predict(self, params: Array, tokens: Array) -> tuple[Array, Array]:
        """Means (t, R) of the curves at models, and standard errors (t, R) of what a new run there would show."""
        x = bent(np.log(params) - self.centre[0], self.exponents[:, 0])
        d = bent(np.log(tokens) - self.centre[1], self.exponents[:, 1])
        design = np.stack([np.ones_like(x), x, d], axis=-1)  # (g, t, 3)
        values = np.einsum("gtc,grc->gtr", design, self.coefficients)
        spread = np.einsum("gtc,grcd,gtd->gtr", design, self.covariance, design) + 1.0
        mean = np.einsum("gr,gtr->tr", self.weights, values)
        within = np.einsum("gr,gtr->tr", self.weights * self.noise, spread)
        between = np.einsum("gr,gtr->tr", self.weights, (values - mean) ** 2)
        return mean, np.sqrt(within + between)


def bent(x: Array, exponents: Array) -> Array:
    """h(x; e) = (1 - exp(-e x)) / e for every exponent, (g, len(x))."""
    e = np.asarray(exponents)[:, None]
    return np.asarray(-np.expm1(-e * np.asarray(x)[None, :]) / e)


def fit_surfaces(places: pd.DataFrame, values: Array, priors: SlopePriors | None = None) -> Surfaces:
    """A law for every column of ``values`` (m, R), measured at the rows of ``places`` (run, params, tokens).

    Raises
    ------
    ValueError
        Where values are not finite, or not a row per place.
    """
    if values.ndim != 2 or len(values) != len(places) or not np.isfinite(values).all():
        raise ValueError(f"surfaces: values must be finite, a row for each of {len(places)} places")
    priors = priors or SlopePriors()
    logs = np.log(places[["params", "tokens"]].to_numpy(dtype=float))
    centre = logs.mean(axis=0)
    shift, scale = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-9)
    y = (values - shift) / scale
    gram = _Gram.of(places["run"].to_numpy(), logs - centre, y)
    precision = _prior_precision(centre, priors)
    noise = np.full((1, y.shape[1]), 0.1)
    # The prior is in units of the curve, the regression in units of its noise: the second pass knows the noise.
    for _ in range(2):
        fit = gram.solve(precision, noise)
        noise = (fit.weights * fit.noise).sum(axis=0, keepdims=True)
    residuals = y - gram.fitted(fit)
    coefficients = fit.coefficients * scale[:, None]
    coefficients[..., 0] += shift
    return Surfaces(
        centre=centre,
        exponents=gram.exponents,
        weights=fit.weights,
        coefficients=coefficients,
        covariance=fit.covariance,
        noise=fit.noise * scale**2,
        correlation=_correlation(residuals),
    )


@dataclass(frozen=True, kw_only=True)
class _Fit:
    weights: Array
    coefficients: Array
    covariance: Array
    noise: Array


@dataclass(frozen=True, kw_only=True)
class _Gram:
    """Sums of squares and products over the checkpoints, for every point of the grid: all that a fit needs."""

    exponents: Array  # (g, 2)
    prior: Array  # (g,) log prior of the point
    volume: Array  # (g,) log determinant of the noise's correlation
    design: Array  # (g, m, 3)
    squares: Array  # (g, 3, 3)
    products: Array  # (g, 3, R)
    total: Array  # (g, R)
    rows: int

    @classmethod
    def of(cls, runs: Array, logs: Array, y: Array) -> _Gram:
        same = (runs[:, None] == runs[None, :]).astype(float)
        pairs = np.stack(np.meshgrid(EXPONENTS, EXPONENTS, indexing="ij"), axis=-1).reshape(-1, 2)
        x, d = bent(logs[:, 0], pairs[:, 0]), bent(logs[:, 1], pairs[:, 1])
        design = np.stack([np.ones_like(x), x, d], axis=-1)
        parts = []
        for share in RUN_SHARES:
            correlation = share * same + (1 - share) * np.eye(len(runs))
            inverse = np.linalg.inv(correlation)
            weighed = inverse @ design  # (g, m, 3)
            parts.append(
                (
                    np.full(len(pairs), np.linalg.slogdet(correlation)[1]),
                    np.swapaxes(weighed, 1, 2) @ design,
                    np.swapaxes(weighed, 1, 2) @ y,
                    np.broadcast_to(np.einsum("mr,mn,nr->r", y, inverse, y, optimize=True), (len(pairs), y.shape[1])),
                )
            )
        volume, squares, products, total = (np.concatenate(part) for part in zip(*parts, strict=True))
        distance = ((pairs - EXPONENT_MEAN) / EXPONENT_STD) ** 2
        return cls(
            exponents=np.tile(pairs, (len(RUN_SHARES), 1)),
            prior=np.tile(-distance.sum(axis=1) / 2, len(RUN_SHARES)),
            volume=volume,
            design=design,
            squares=squares,
            products=products,
            total=total,
            rows=len(runs),
        )

    def solve(self, precision: Array, noise: Array) -> _Fit:
        """Coefficients at every point, and the points' weights, for a guess of the noise's variance (1, R)."""
        prior = precision * noise[0][:, None, None]
        whole = self.squares[:, None] + prior  # (g, R, 3, 3)
        covariance = np.linalg.inv(whole)
        right = np.swapaxes(self.products, 1, 2)
        coefficients = np.einsum("grcd,grd->grc", covariance, right)
        rest = np.maximum(self.total - np.einsum("grc,grc->gr", coefficients, right), 0.0)
        # A scaled inverse chi-square prior of two observations' worth at the floor keeps the noise from vanishing.
        variance = (rest + 2 * NOISE_FLOOR**2) / (self.rows + 2)
        evidence = -0.5 * (self.volume[:, None] + np.linalg.slogdet(whole)[1]) - 0.5 * self.rows * np.log(variance)
        weights = evidence + self.prior[:, None]
        weights = np.exp(weights - weights.max(axis=0))
        return _Fit(
            weights=weights / weights.sum(axis=0),
            coefficients=coefficients,
            covariance=covariance,
            noise=variance,
        )

    def fitted(self, fit: _Fit) -> Array:
        """Values of the curves at the checkpoints, (m, R)."""
        design = np.tile(self.design, (len(RUN_SHARES), 1, 1))
        return np.asarray(np.einsum("gr,gmc,grc->mr", fit.weights, design, fit.coefficients, optimize=True))


def _prior_precision(centre: Array, priors: SlopePriors) -> Array:
    """Of (y0, a, b), (3, 3), in units of the curve: wide slopes, whose ratio is near the published one."""
    size = CHINCHILLA["alpha"] * CHINCHILLA["A"] * np.exp(-CHINCHILLA["alpha"] * centre[0])
    data = CHINCHILLA["beta"] * CHINCHILLA["B"] * np.exp(-CHINCHILLA["beta"] * centre[1])
    ratio = np.array([0.0, 1.0, -size / data]) / np.hypot(1.0, size / data)
    return np.diag([1e-4, priors.size**-2, priors.size**-2]) + np.outer(ratio, ratio) / priors.ratio**2


def _correlation(residuals: Array) -> Array:
    """Of the curves' residuals, (R, R); 1 on the diagonal."""
    covariance = residuals.T @ residuals
    std = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    correlation = covariance / np.outer(std, std)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)
