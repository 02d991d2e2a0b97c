"""From log-likelihoods of choices to what is kept of a document: the gold answer's NLL, the margin, right or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

RIGHT = "right"  # column of stored answers: whether it is one of several right ones; absent where each has one
METRICS = ("acc", "acc_norm")  # by which the best answer is chosen
Floats = NDArray[np.float64]


def margins(
    logliks: Floats, lengths: NDArray[np.integer], document: NDArray[np.integer], gold: NDArray[np.bool_], metric: str
) -> tuple[Floats, NDArray[np.bool_]] | None:
    """Margin and correctness of every document, in the order of the first answer of each.

    Parameters
    ----------
    logliks : (a,) array
        Log-likelihood of every answer, nats, the answers of one document together.
    lengths : (a,) array
        Length of every answer in characters, by which ``acc_norm`` divides.
    document : (a,) array
        Which document an answer belongs to, growing from 0 without a gap.
    gold : (a,) array
        Whether it is a gold answer: at least one of a document. Of several the most likely counts.
    metric : str
        ``acc`` or ``acc_norm``.

    Returns
    -------
    (k,) margins, (k,) whether a gold answer is the first of the best, as lm-eval decides; or None
        None where a document has a single answer: there is no other to be better than.
    """
    if np.bincount(document).min() < 2:
        return None
    score = logliks / lengths if metric == "acc_norm" else logliks
    starts = np.flatnonzero(np.append(True, document[1:] != document[:-1]))
    best = np.maximum.reduceat(score, starts)
    wrong = np.maximum.reduceat(np.where(gold, -np.inf, score), starts)
    right = np.maximum.reduceat(np.where(gold, score, -np.inf), starts)
    # The first answer of the best counts, as with argmax.
    position = np.arange(len(score))
    first = np.minimum.reduceat(np.where(score == best[document], position, len(score)), starts)
    return right - wrong, gold[first]


def right_answers(answers: pd.DataFrame) -> NDArray[np.bool_]:
    """Of every stored answer whether it is a right one."""
    if RIGHT in answers:
        return np.asarray(answers[RIGHT], dtype=bool)
    return np.asarray(answers["choice"] == answers["gold"], dtype=bool)


def gold_nlls(
    logliks: Floats, lengths: NDArray[np.integer] | Floats, document: NDArray[np.integer], gold: NDArray[np.bool_]
) -> Floats:
    """(k,) minus the log-likelihood of the gold answer, nats per byte; of several golds of a document the mean.

    As ``margins``, with ``lengths`` of the answers in bytes. NaN where a document has no gold answer.
    """
    counts = np.bincount(document[gold], minlength=int(document[-1]) + 1)
    sums = np.bincount(document[gold], weights=-logliks[gold] / lengths[gold], minlength=len(counts))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(counts > 0, sums / counts, np.nan), dtype=float)
