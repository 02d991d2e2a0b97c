"""Losses of the gold answer from the log-likelihoods of the choices: the one place that defines them.

Used by our own scoring and by the reader of lm-eval's sample files, so that both give the same numbers.

For a document with choices :math:`1 … k`, log-likelihoods :math:`\\ell_j` (nats, of the whole answer given the
prompt) and gold answer :math:`g` of :math:`b` bytes:

.. math:: \\mathrm{nll} = -\\ell_g / b, \\qquad \\mathrm{nll\\_choice} = \\log \\textstyle\\sum_j e^{\\ell_j} - \\ell_g

Of several right answers :math:`G` (TruthfulQA's second form) every one counts the same, and any of them is right:

.. math:: \\mathrm{nll} = \\frac1{|G|} \\textstyle\\sum_{g \\in G} -\\ell_g / b_g, \\qquad
   \\mathrm{nll\\_choice} = \\log \\textstyle\\sum_j e^{\\ell_j} - \\log \\sum_{g \\in G} e^{\\ell_g}

``bits_per_byte`` is nll / ln 2. The score of a task is the mean over its :math:`n` documents, but for

.. math:: \\mathrm{nll\\_mean\\_prob} = -\\log \\frac1n \\textstyle\\sum_i e^{-\\mathrm{nll}_i},

minus the log of the gold answer's mean probability (of a byte, its geometric mean over the answer): documents that are
nearly known count most, hopeless ones hardly, as in the accuracy. Nats per byte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, kw_only=True)
class Document:
    """One scored document: a log-likelihood per choice (nats), the gold choice, its length in bytes.

    ``more_golds`` are further right choices, each with its length in bytes. ``name`` is its id, ``answer_chars`` the
    length of every choice in characters, where they are wanted.
    """

    logliks: tuple[float, ...]
    gold: int
    gold_bytes: int
    more_golds: tuple[tuple[int, int], ...] = ()
    name: str = ""
    answer_chars: tuple[int, ...] = ()

    @property
    def golds(self) -> tuple[tuple[int, int], ...]:
        """Every right choice with its length in bytes."""
        return ((self.gold, self.gold_bytes), *self.more_golds)


@dataclass(frozen=True)
class Mean:
    """Mean over documents and its standard error (NaN for a single document), same unit."""

    value: float
    stderr: float


def answer_bytes(text: str) -> int:
    """Length of an answer in UTF-8 bytes, without the white space before it.

    What separates prompt and answer belongs to neither, wherever the task file puts it: in ``target_delimiter``
    or at the start of every choice.
    """
    return len(text.lstrip().encode("utf-8"))


def gold_nll(document: Document) -> float:
    """Negative log-likelihood of the gold answer, nats per byte; of several golds the mean."""
    nlls = [-document.logliks[choice] / length for choice, length in document.golds]
    return nlls[0] if len(nlls) == 1 else math.fsum(nlls) / len(nlls)


def choice_nll(document: Document) -> float:
    """Minus the log of the probability that is on gold answers after a softmax over the choices, nats."""
    if not document.more_golds:
        return _log_sum(document.logliks) - document.logliks[document.gold]
    right = _log_sum([document.logliks[choice] for choice, _ in document.golds])
    return max(_log_sum(document.logliks) - right, 0.0)  # where nearly all is right, rounding may fall below


def _log_sum(logliks: Sequence[float]) -> float:
    values = np.asarray(logliks)
    top = float(values.max())
    return top + math.log(float(np.exp(values - top).sum()))


def chance(documents: Sequence[Document]) -> float:
    """Score of guessing: the mean of gold answers / number of choices, NaN where there is nothing to choose from."""
    if any(len(d.logliks) < 2 for d in documents):
        return math.nan
    return float(np.mean([len(d.golds) / len(d.logliks) for d in documents]))


def mean(values: Sequence[float]) -> Mean:
    """Mean with the standard error that lm-eval reports: sample deviation (n − 1) over √n."""
    array = np.asarray(values, dtype=float)
    stderr = float(array.std(ddof=1)) / math.sqrt(len(array)) if len(array) > 1 else math.nan
    return Mean(float(array.mean()), stderr)


def ratio(sums: ArrayLike, counts: ArrayLike) -> Mean:
    """A sum over a sum, as of texts their loss over their bytes; the error is that of the residuals about the ratio."""
    above, below = np.asarray(sums, dtype=float), np.asarray(counts, dtype=float)
    value = float(above.sum() / below.sum())
    return Mean(value, mean(list((above - value * below) / below.mean())).stderr)


def of_mean_probability(nlls: Sequence[float]) -> Mean:
    """Minus the log of the mean probability exp(−nll) over documents, in the unit of ``nlls``.

    The standard error is the mean probability's, by the delta method: s / (p̄ √n), s with n − 1.
    """
    array = np.asarray(nlls, dtype=float)
    least = float(array.min())  # taken out first: exp(-1000) would be zero for every document
    probability = mean(list(np.exp(least - array)))
    return Mean(least - math.log(probability.value), probability.stderr / probability.value)


def losses(documents: Sequence[Document]) -> dict[str, Mean]:
    """``nll``, ``bits_per_byte``, ``nll_mean_prob`` and, where there are choices, ``nll_choice`` of a task."""
    nlls = [gold_nll(d) for d in documents]
    nll = mean(nlls)
    means = {"nll": nll, "bits_per_byte": Mean(nll.value / math.log(2), nll.stderr / math.log(2))}
    means["nll_mean_prob"] = of_mean_probability(nlls)
    if all(len(d.logliks) > 1 for d in documents):
        means["nll_choice"] = mean([choice_nll(d) for d in documents])
    return means
