"""Laws of model size and data, L(N, D): the loss, the best split of a budget, and the tokens that a loss takes.

Each of the three is a formula in the law's own file. They take parameters as draws, arrays (k,) by the paper's names,
so that an answer and its interval come from the same line; a fitted law answers with its estimates.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ..fit.intervals import central_interval
from ..fit.newton import Array
from .base import Law

ParameterDraws = Mapping[str, Array]  # parameters by the paper's name, each (k,)
MOST_TOKENS = 1e30  # a loss that takes more is never reached
INVERSE_STEPS = 80  # bisections of log D between 1 and MOST_TOKENS: to a part in 1e22

# Far from every run a term may be beyond all numbers: the answer is then infinite or NaN, and shown as none.
ignore_overflow = np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore")


@dataclass(frozen=True, kw_only=True)
class Split:
    """The best split of a budget for each draw: parameters N (DeepSeek: FLOPs per token), tokens D, and the loss; (k,).

    ``loss`` is in the law's ``y_unit``.
    """

    params: Array
    tokens: Array
    loss: Array

    def interval(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """Central intervals over the draws, by quantity; tokens per parameter too."""
        values = {
            "params": self.params,
            "tokens": self.tokens,
            "loss": self.loss,
            "token_multiplier": self.tokens / self.params,
        }
        return {name: central_interval(v, level) for name, v in values.items()}


class LossSurface(Law):
    """A law of parameters and tokens whose least loss under a compute budget has a closed form.

    ``flops_per_pair`` are the FLOPs C = c N D that one parameter costs for one token: 6, as in C = 6 N D (Kaplan et
    al., arXiv 2001.08361, section 2.1), unless the law measures size otherwise.
    """

    flops_per_pair: ClassVar[float] = 6.0

    @classmethod
    @abstractmethod
    def loss_at(cls, draws: ParameterDraws, params: Array, tokens: Array) -> Array:
        """L(N, D) of every draw; ``params`` and ``tokens`` broadcast against the draws (k,)."""

    @classmethod
    @abstractmethod
    def optimum_at(cls, draws: ParameterDraws, flops: float, flops_per_pair: float | None = None) -> Split:
        """The least loss under C = c N D, of every draw, in closed form."""

    @classmethod
    def tokens_at(cls, draws: ParameterDraws, loss: float, params: Array) -> Array:
        """Tokens at which a model of ``params`` (m,) reaches ``loss``, first draw: (m,); NaN where it never does.

        By bisection on log D: the loss falls with D.
        """
        one = {name: np.asarray(value).reshape(-1)[:1] for name, value in draws.items()}
        low, high = np.zeros(len(params)), np.full(len(params), np.log(MOST_TOKENS))
        with np.errstate(all="ignore"):
            reachable = cls.loss_at(one, params, np.exp(high)) <= loss
            for _ in range(INVERSE_STEPS):
                midpoint = (low + high) / 2
                above = cls.loss_at(one, params, np.exp(midpoint)) > loss
                low, high = np.where(above, midpoint, low), np.where(above, high, midpoint)
        return np.where(reachable, np.exp(high), np.nan)

    @classmethod
    def in_6nd(cls, draws: ParameterDraws) -> tuple[type[LossSurface], ParameterDraws]:
        """The same surface with size counted in parameters, C = 6 N D: its law and its draws."""
        return cls, draws

    # ---- of a fitted law ----

    def loss(self, params: ArrayLike, tokens: ArrayLike) -> Array:
        """Loss of models of ``params`` after ``tokens``, (m,) each, at the estimates; in ``y_unit``."""
        return self.loss_at(self._draw(), np.asarray(params, dtype=float), np.asarray(tokens, dtype=float))

    def optimum(self, flops: float, flops_per_pair: float | None = None) -> Split:
        """The best split of ``flops`` at the estimates, each (1,)."""
        return self.optimum_at(self._draw(), flops, flops_per_pair)

    def inverse(self, loss: float, params: ArrayLike) -> Array:
        """Tokens at which models of ``params`` (m,) reach ``loss``, (m,); NaN where they never do."""
        return self.tokens_at(self._draw(), loss, np.atleast_1d(np.asarray(params, dtype=float)))

    def _draw(self) -> ParameterDraws:
        check_is_fitted(self)
        return {name: np.array([value]) for name, value in self.estimates_.items()}
