"""The documents of a cell whose answers were written: the reference answer's NLL, and whether the answer was right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

WRITTEN = "answer"  # a column that only such cells have
SCORE = "score "  # a column with a score of every document; the metric's name in the table follows
NAME, GOLD, BYTES = "doc_id", "gold_loglik", "gold_bytes"


def right_of(documents: pd.DataFrame, metric: str) -> NDArray[np.bool_] | None:
    """Whether each document, by growing id, was answered right: (k,); None where scores are no right or wrong."""
    if SCORE + metric not in documents:
        return None
    score = documents.drop_duplicates(NAME).sort_values(NAME, kind="stable")[SCORE + metric].to_numpy(dtype=float)
    return score == 1 if np.isin(score, (0.0, 1.0)).all() else None


def written_documents(documents: pd.DataFrame, metric: str) -> dict[str, Any] | None:
    """``names``, ``nll`` (nats per byte of the reference answer; NaN: none) and ``correct`` of every document, (k,).

    None where no document has a reference answer: there is no likelihood to follow.
    """
    each = documents.drop_duplicates(NAME).sort_values(NAME, kind="stable")
    loglik, size = each[GOLD].to_numpy(dtype=float), each[BYTES].to_numpy(dtype=float)
    known = np.isfinite(loglik) & (size > 0)
    if not known.any():
        return None
    nll = np.full(len(each), np.nan, dtype=np.float32)
    nll[known] = -loglik[known] / size[known]
    return {"names": each[NAME].to_numpy(), "nll": nll, "correct": right_of(documents, metric)}
