"""What is known of a task's documents: one row per checkpoint, one column per document."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

UNITS = ("nats/token", "nats/byte")
PLACE_COLUMNS = ("run", "params", "tokens")  # flops and step where they are known


@dataclass(frozen=True, kw_only=True, eq=False)
class DocumentMatrix:
    """One task's documents, as a ladder's checkpoints scored them.

    Attributes
    ----------
    places : DataFrame
        A row per checkpoint, m rows: run, params, tokens, and flops and step where known. It joins with the ladder's
        table on (run, tokens), or (run, step).
    nll : (m, k) float32
        Minus the log probability of the gold answer of every document, in ``unit``; NaN where it is not known.
    unit : str
        ``nats/token`` or ``nats/byte``: by what the gold answer's log-likelihood was divided.
    margin : (m, k) float32, optional
        Log-likelihood of the gold answer minus that of the best wrong choice, each divided as the accuracy metric asks
        (not at all for ``acc``, by length for ``acc_norm``). Above zero is right.
    correct : (m, k) bool, optional
        Whether the document was answered right.
    names : (k,) array, optional
        Ids of the documents.

    Raises
    ------
    ValueError
        Where shapes do not belong together, the unit is unknown, a column of ``places`` is missing or not above zero,
        the same (run, tokens) stands there twice, or a value is negative infinity, infinity or no number at all.

    Examples
    --------
    >>> places = pd.DataFrame({"run": ["a", "b"], "params": [1e6, 4e6], "tokens": [1e8, 1e8]})
    >>> matrix = DocumentMatrix(places=places, nll=np.array([[1.0, 3.0], [0.5, 1.5]]), unit="nats/byte")
    >>> matrix.mean_nll(), matrix.nll_of_mean_prob().round(3)
    (array([2., 1.]), array([1.566, 0.88 ]))
    >>> matrix.of_runs(["b"]).nll
    array([[0.5, 1.5]], dtype=float32)
    """

    places: pd.DataFrame
    nll: NDArray[np.float32]
    unit: str = "nats/token"
    margin: NDArray[np.float32] | None = None
    correct: NDArray[np.bool_] | None = None
    names: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        """Check shapes, units and values."""
        if self.unit not in UNITS:
            raise ValueError(f"documents: unit must be one of {', '.join(UNITS)}; got {self.unit!r}")
        object.__setattr__(self, "places", _checked_places(self.places))
        object.__setattr__(self, "nll", _values("nll", self.nll))
        if self.nll.shape[0] != len(self.places):
            raise ValueError(f"documents: nll has {self.nll.shape[0]} rows and places {len(self.places)}; one each")
        if self.margin is not None:
            object.__setattr__(self, "margin", _values("margin", self.margin))
            self._same_shape("margin", self.margin)
        if self.correct is not None:
            correct = np.asarray(self.correct)
            if correct.dtype != np.bool_:
                raise ValueError(f"documents: correct must be of type bool; got {correct.dtype}")
            object.__setattr__(self, "correct", correct)
            self._same_shape("correct", correct)
        if self.names is not None:
            names = np.asarray(self.names)
            if names.shape != (self.nll.shape[1],) or len(pd.unique(names)) != len(names):
                raise ValueError(
                    f"documents: names must be {self.nll.shape[1]} different ids, one a document; got {len(names)}"
                )
            object.__setattr__(self, "names", names)

    def of_runs(self, runs: Collection[str]) -> DocumentMatrix:
        """The checkpoints of these runs only, in the same order.

        Raises
        ------
        ValueError
            Where none of the runs is here.
        """
        here = self.places["run"].isin(list(runs)).to_numpy()
        if not here.any():
            raise ValueError(f"documents: none of these runs has documents: {', '.join(map(str, runs)) or 'no runs'}")
        return self.of_rows(here)

    def of_rows(self, rows: NDArray[Any]) -> DocumentMatrix:
        """These checkpoints only: a mask (m,), or positions in the order wanted."""
        return DocumentMatrix(
            places=self.places.iloc[np.flatnonzero(rows) if np.asarray(rows).dtype == np.bool_ else rows],
            nll=self.nll[rows],
            unit=self.unit,
            margin=None if self.margin is None else self.margin[rows],
            correct=None if self.correct is None else self.correct[rows],
            names=self.names,
        )

    def mean_nll(self) -> NDArray[np.float64]:
        """Mean over the known documents of every checkpoint, (m,), in ``unit``; NaN where none is known."""
        return _mean_of_known(self.nll.astype(float))

    def nll_of_mean_prob(self) -> NDArray[np.float64]:
        """Minus the log of the gold answer's mean probability, (m,), over the known documents; NaN where none is known.

        The metric ``nll_mean_prob``: documents that are nearly known already count most, hopeless ones hardly.
        """
        known = self.nll.astype(float)
        # The least is taken out first: exp(-1000) would be zero for every document of a long answer.
        least = np.where(np.isfinite(known), known, np.inf).min(axis=1)
        least[~np.isfinite(least)] = np.nan
        return np.asarray(least - np.log(_mean_of_known(np.exp(least[:, None] - known))))

    @property
    def documents(self) -> int:
        """Number of documents, k."""
        return int(self.nll.shape[1])

    def _same_shape(self, name: str, values: NDArray[Any]) -> None:
        if values.shape != self.nll.shape:
            raise ValueError(f"documents: {name} has shape {values.shape} and nll {self.nll.shape}; they must agree")


def _checked_places(places: pd.DataFrame) -> pd.DataFrame:
    """A copy, numbered from 0."""
    missing = [column for column in PLACE_COLUMNS if column not in places]
    if missing:
        raise ValueError(f"documents: places lacks {', '.join(missing)}; it needs {', '.join(PLACE_COLUMNS)}")
    places = places.reset_index(drop=True).copy()
    for column in ("params", "tokens"):
        values = pd.to_numeric(places[column], errors="coerce").to_numpy(dtype=float)
        wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(wrong):
            run, value = places["run"].iloc[wrong[0]], places[column].iloc[wrong[0]]
            raise ValueError(f"documents: {column} of run {run} must be a number above zero; got {value!r}")
        places[column] = values
    twice = places[places.duplicated(["run", "tokens"])]
    if len(twice):
        raise ValueError(f"documents: run {twice['run'].iloc[0]} at {twice['tokens'].iloc[0]:g} tokens appears twice")
    return places


def _values(name: str, values: Any) -> NDArray[np.float32]:
    """A table of float32; NaN is allowed, infinities are not."""
    table = np.asarray(values)
    if table.ndim != 2 or table.shape[0] == 0 or table.shape[1] == 0:
        raise ValueError(f"documents: {name} must be a table of checkpoints by documents; got shape {table.shape}")
    if not np.issubdtype(table.dtype, np.floating):
        raise ValueError(f"documents: {name} must be of a floating type; got {table.dtype}")
    table = table.astype(np.float32, copy=False)
    if np.isinf(table).any():
        row, column = np.argwhere(np.isinf(table))[0]
        raise ValueError(f"documents: {name} of checkpoint {row}, document {column} is infinite; NaN says not known")
    return table


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
