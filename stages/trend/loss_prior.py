r"""Chinchilla's loss law with weak priors, so that three runs are enough: many ladders in one search.

.. math:: L(N, D) = E + A / N^{\alpha} + B / D^{\beta}

(Hoffmann et al., arXiv 2203.15556, equation 2) is fitted by penalised least squares on log L. The priors are normal:
around 0.33 on the exponents, where the published fits lie, and wide on the logarithms of E and of the two terms at the
middle of the ladder. With many runs they do not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..fit.newton import Array
from .padding import by_padded_size

PUBLISHED = np.array([1.69, np.log(406.4), np.log(410.7), 0.34, 0.28])  # E, log A, log B, alpha, beta; nats per token
EXPONENT, EXPONENT_STD = 0.33, 0.12
TERM_SHARES = np.array([0.55, 0.25, 0.25])  # E and the two terms, as shares of the ladder's losses
TERM_STDS = np.array([0.4, 0.8, 0.8])  # on their logarithms
NOISE = 0.01  # of log L, before the residuals speak; counts NOISE_RUNS runs
NOISE_RUNS = 4
SEARCH_STEPS = 60
DAMPING_STEPS = 8
MOST_DAMPING = 1e12


@dataclass(frozen=True, kw_only=True)
class LossLaw:
    """A fitted or published law: ``theta`` is (E, log A, log B, alpha, beta), ``covariance`` (5, 5) that of the fit."""

    theta: Array
    covariance: Array | None = None

    def loss(self, params: Array, tokens: Array) -> Array:
        """Loss of models (m,), in the unit of the losses that were fitted."""
        irreducible, log_a, log_b, alpha, beta = self.theta
        size, data = np.exp(log_a - alpha * np.log(params)), np.exp(log_b - beta * np.log(tokens))
        return np.asarray(irreducible + size + data)

    def stderr(self, params: Array, tokens: Array) -> Array:
        """Standard error of the loss (m,) by the delta method; zero where nothing was fitted."""
        if self.covariance is None:
            return np.zeros(len(params))
        _, log_a, log_b, alpha, beta = self.theta
        size, data = np.exp(log_a - alpha * np.log(params)), np.exp(log_b - beta * np.log(tokens))
        jac = np.stack([np.ones(len(params)), size, data, -size * np.log(params), -data * np.log(tokens)], axis=1)
        return np.asarray(np.sqrt(np.maximum(np.einsum("mi,ij,mj->m", jac, self.covariance, jac), 0.0)))


def fit_loss_laws(ladders: Sequence[tuple[Array, Array, Array]]) -> list[LossLaw]:
    """A law for every ladder of (params, tokens, loss), each (n,) with losses above zero.

    Raises
    ------
    ValueError
        For a ladder without a run.
    """
    if not ladders:
        return []
    if any(len(loss) == 0 for _, _, loss in ladders):
        raise ValueError("a loss law needs at least one run")
    laws: dict[int, LossLaw] = {}
    for size, alike in by_padded_size([len(loss) for _, _, loss in ladders]):
        problem = _Problem.of([ladders[i] for i in alike], size)
        theta, information = problem.search()
        laws.update({i: problem.law(place, theta[place], information[place]) for place, i in enumerate(alike)})
    return [laws[i] for i in range(len(ladders))]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Problem:
    """Padded data of k ladders; parameters are (log E, log a, log b, alpha, beta), a and b the terms at the centre."""

    log_n: Array
    log_d: Array
    log_loss: Array
    known: Array
    center: Array  # (k, 2)
    prior: Array  # (k, 5)

    @classmethod
    def of(cls, ladders: Sequence[tuple[Array, Array, Array]], size: int) -> _Problem:
        block = np.zeros((4, len(ladders), size))
        center, prior = np.zeros((len(ladders), 2)), np.zeros((len(ladders), 5))
        for i, (params, tokens, loss) in enumerate(ladders):
            n = len(loss)
            center[i] = np.log(params).mean(), np.log(tokens).mean()
            logs = np.log(params) - center[i, 0], np.log(tokens) - center[i, 1], np.log(loss), np.ones(n)
            block[:, i, :n] = logs
            prior[i] = [
                np.log(TERM_SHARES[0] * loss.min()),
                *np.log(TERM_SHARES[1:] * loss.mean()),
                EXPONENT,
                EXPONENT,
            ]
        return cls(log_n=block[0], log_d=block[1], log_loss=block[2], known=block[3], center=center, prior=prior)

    def search(self) -> tuple[Array, Array]:
        """Damped Gauss-Newton of all ladders at once: parameters (k, 5) and information (k, 5, 5)."""
        theta, noise = self.prior.copy(), np.full(len(self.prior), NOISE)
        precision = np.diag(1 / np.append(TERM_STDS, [EXPONENT_STD, EXPONENT_STD]) ** 2)
        damping = np.full(len(theta), 1e-2)
        count = self.known.sum(axis=1)
        for step in range(SEARCH_STEPS):
            residual, jac = self._derive(theta)
            weighted = jac / noise[:, None, None] ** 2
            information = np.einsum("kni,knj->kij", weighted, jac) + precision
            gradient = np.einsum("kni,kn->ki", weighted, residual) - (theta - self.prior) @ precision
            now = self._cost(theta, noise, precision)
            moved = np.zeros(len(theta), dtype=bool)
            for _ in range(DAMPING_STEPS):
                scaled = information * (1 + damping[:, None, None] * np.eye(5))
                trial = theta + np.linalg.solve(scaled, gradient[:, :, None])[:, :, 0]
                better = ~moved & (self._cost(trial, noise, precision) <= now)
                theta[better] = trial[better]
                moved |= better
                damping = np.where(better, damping / 5, np.where(moved, damping, np.minimum(damping * 5, MOST_DAMPING)))
                if moved.all():
                    break
            if step % 10 == 9:
                squares = np.sum(self._derive(theta)[0] ** 2, axis=1)
                noise = np.sqrt((NOISE_RUNS * NOISE**2 + squares) / (NOISE_RUNS + count))
        return theta, information

    def _terms(self, theta: Array) -> tuple[Array, Array, Array]:
        with np.errstate(over="ignore"):
            irreducible = np.exp(theta[:, :1]) * np.ones_like(self.log_n)
            size = np.exp(theta[:, 1:2] - theta[:, 3:4] * self.log_n)
            data = np.exp(theta[:, 2:3] - theta[:, 4:5] * self.log_d)
        return irreducible, size, data

    def _derive(self, theta: Array) -> tuple[Array, Array]:
        """Residuals of log L (k, n), and the Jacobian of the curve (k, n, 5); zero where there is no run."""
        irreducible, size, data = self._terms(theta)
        total = irreducible + size + data
        jac = np.stack([irreducible, size, data, -size * self.log_n, -data * self.log_d], axis=2) / total[:, :, None]
        return (self.log_loss - np.log(total)) * self.known, jac * self.known[:, :, None]

    def _cost(self, theta: Array, noise: Array, precision: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            residual = (self.log_loss - np.log(sum(self._terms(theta)))) * self.known
            penalty = np.einsum("ki,ij,kj->k", theta - self.prior, precision, theta - self.prior)
            cost = np.sum(residual**2, axis=1) / noise**2 + penalty
        return np.where(np.isfinite(cost), cost, np.inf)

    def law(self, i: int, theta: Array, information: Array) -> LossLaw:
        """In the published parametrisation, with the covariance carried over."""
        log_n, log_d = self.center[i]
        natural = np.array(
            [np.exp(theta[0]), theta[1] + theta[3] * log_n, theta[2] + theta[4] * log_d, theta[3], theta[4]]
        )
        carry = np.eye(5)
        carry[0, 0], carry[1, 3], carry[2, 4] = natural[0], log_n, log_d
        return LossLaw(theta=natural, covariance=carry @ np.linalg.inv(information) @ carry.T)
