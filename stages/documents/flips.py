"""Which documents are expected to flip between the largest run and the target, and which never move."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..fit.newton import Array
from .forecaster import DocumentForecaster
from .matrix import DocumentMatrix

MOVES = ("gained", "lost", "stays right", "stays wrong", "open")
SURE = 0.8  # probability from which a document counts as right; below 1 - SURE as wrong; between the two it is open


def expected_flips(
    forecaster: DocumentForecaster, matrix: DocumentMatrix, target: pd.DataFrame, sure: float = SURE
) -> pd.DataFrame:
    """Every document with its probability of being answered right now and at the target, the largest movers first.

    Parameters
    ----------
    forecaster : DocumentForecaster
        Fitted to ``matrix``.
    matrix : DocumentMatrix
        The ladder's documents; "now" is its checkpoint of most compute.
    target : DataFrame
        One row: params, tokens.
    sure : float
        A document with a probability of at least ``sure`` counts as right, of at most 1 - ``sure`` as wrong.

    Returns
    -------
    DataFrame
        document; now, at_target (probabilities); change; move: ``gained`` or ``lost`` where it crosses one half,
        ``stays right`` and ``stays wrong`` where it is surely so now and then, ``open`` otherwise; right_now (whether
        it was answered right, missing where that is not known). The sum of ``at_target`` over documents is the expected
        number of right answers. Documents that the forecast does not use are left out.

    Raises
    ------
    ValueError
        Where the target is not one row, ``sure`` is not between one half and 1, or the matrix is another than the
        fitted one.
    """
    if len(target) != 1:
        raise ValueError(f"flips: the target must be one model; got {len(target)}")
    if not 0.5 < sure < 1:
        raise ValueError(f"flips: sure must be between 0.5 and 1; got {sure!r}")
    if len(forecaster.used_) != matrix.documents:
        raise ValueError(f"flips: fitted to {len(forecaster.used_)} documents, the matrix has {matrix.documents}")
    largest = int((matrix.places["params"] * matrix.places["tokens"]).to_numpy().argmax())
    columns = ["params", "tokens"]
    models = pd.concat([matrix.places.iloc[[largest]][columns], target[columns]])
    now, then = forecaster.document_probabilities(models)
    names = matrix.names if matrix.names is not None else np.arange(matrix.documents)
    table = pd.DataFrame({"document": names, "now": now, "at_target": then, "change": then - now})
    table["move"] = _moves(now, then, sure)
    table["right_now"] = _right(matrix, largest)
    table = table[forecaster.used_]
    order = table["change"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _moves(now: Array, then: Array, sure: float) -> NDArray[Any]:
    conditions = [
        (now < 0.5) & (then >= 0.5),
        (now >= 0.5) & (then < 0.5),
        np.minimum(now, then) >= sure,
        np.maximum(now, then) <= 1 - sure,
    ]
    return np.select(conditions, list(MOVES[:4]), default=MOVES[4])


def _right(matrix: DocumentMatrix, row: int) -> pd.Series:
    """Whether each document was right at a checkpoint, as far as it is known."""
    if matrix.correct is not None:
        return pd.Series(matrix.correct[row], dtype="boolean").mask(np.isnan(matrix.nll[row]))
    if matrix.margin is not None:
        margin = matrix.margin[row]
        return pd.Series(margin > 0, dtype="boolean").mask(np.isnan(margin))
    return pd.Series([pd.NA] * matrix.documents, dtype="boolean")
