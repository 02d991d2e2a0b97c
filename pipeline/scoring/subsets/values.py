"""The value of every document at one checkpoint, by the names of the table's metrics, from a cell's documents.

What a mean over documents gives the score is here under the score's name, but for ``nll_mean_prob``: of it here are the
probabilities whose mean's logarithm it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data.documents.choices import RIGHT, gold_nlls, margins, right_answers
from ..store.cell import SCORE

Values = dict[str, NDArray[np.float64]]


def values_of(documents: pd.DataFrame) -> Values:
    """Metric to a value (k,) of every document, in the order of ``doc_id``; only what is known of every document.

    The gold answer's loss comes first, where there is one. Empty where the documents are of another kind, or have not
    one gold answer each.
    """
    if "gold_loglik" in documents:
        found = _of_written(documents)
    elif {"choice", "gold"} <= set(documents.columns):
        found = _of_choices(documents)
    else:
        found = {}
    return {name: values for name, values in found.items() if len(values) and np.isfinite(values).all()}


def _of_written(documents: pd.DataFrame) -> Values:
    each = documents.drop_duplicates("doc_id")
    with np.errstate(divide="ignore", invalid="ignore"):
        losses = _losses(-each["gold_loglik"].to_numpy(dtype=float) / each["gold_bytes"].to_numpy(dtype=float))
    scores = {
        str(column).removeprefix(SCORE): each[column].to_numpy(dtype=float)
        for column in each.columns
        if str(column).startswith(SCORE)
    }
    return losses | scores


def _of_choices(documents: pd.DataFrame) -> Values:
    answers = documents[documents["with_prompt"].to_numpy(dtype=bool)]
    number, names = pd.factorize(answers["doc_id"])
    gold = right_answers(answers)
    golds = np.bincount(number[gold], minlength=len(names))
    if not len(names) or golds.min() < 1 or (np.diff(number) < 0).any() or (golds.max() > 1 and RIGHT not in answers):
        return {}
    logliks = answers["loglik"].to_numpy(dtype=float)
    found = _losses(gold_nlls(logliks, answers["answer_bytes"].to_numpy(dtype=float), number, gold))
    if np.bincount(number).min() < 2:
        return found | {"acc": answers["greedy"].to_numpy(dtype=float)[gold]}
    starts = np.flatnonzero(np.append(True, number[1:] != number[:-1]))
    right = np.logaddexp.reduceat(np.where(gold, logliks, -np.inf), starts)
    found["nll_choice"] = np.logaddexp.reduceat(logliks, starts) - right
    for metric in ("acc", "acc_norm"):
        chosen: Any = margins(logliks, answers["answer_chars"].to_numpy(), number, gold, metric)
        found[metric] = chosen[1].astype(float)
    return found


def _losses(nll: NDArray[np.float64]) -> Values:
    return {"nll": nll, "bits_per_byte": nll / np.log(2), "nll_mean_prob": np.exp(-nll)}
