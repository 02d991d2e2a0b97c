"""Documents as forms of ``auto``: clusters of them, or factors of the run x document table, each with a law.

They join the pool where a task's documents are known; ``stages/documents`` has the formulas.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...documents.forecaster import DocumentForecaster
from ...fit.errors import FitError
from ...fit.newton import Array
from ..task_data import TaskData
from .form import FittedForm

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DocumentForm:
    """``kind`` as ``DocumentForecaster.form``."""

    kind: str
    name: str
    weight: float
    of_margins: bool = True
    """Whether it is tried where the margins to the wrong choices are known."""

    shares: bool = False

    def fit(self, tasks: Sequence[TaskData], horizons: Sequence[str] | None = None) -> list[FittedForm | None]:
        """A forecaster for every task with documents of enough runs."""
        return [self._fit(task) for task in tasks]

    def _fit(self, task: TaskData) -> FittedForm | None:
        if task.documents is None or (task.documents.matrix.margin is not None and not self.of_margins):
            return None
        try:
            matrix, accuracy = task.documents.matrix, task.documents.accuracy
            return FittedDocumentForm(DocumentForecaster(self.kind).fit(matrix, accuracy, chance=task.chance))
        except FitError as error:
            logger.debug("%s: not used, %s", self.name, error)
            return None


@dataclass(frozen=True)
class FittedDocumentForm:
    """A task's documents, fitted."""

    forecaster: DocumentForecaster

    def predict(self, X: pd.DataFrame) -> tuple[Array, Array]:
        """See ``FittedForm``; NaN for a model of which only the compute is known."""
        mean, std = np.full(len(X), np.nan), np.full(len(X), np.nan)
        known = X[["params", "tokens"]].notna().all(axis=1).to_numpy()
        if known.any():
            mean[known], std[known] = self.forecaster.predict(X[known])
        return mean, std


CLUSTERS = DocumentForm(kind="clusters", name="documents in clusters", weight=0.5)
# Of margins, factors believe in themselves too much: half of the scores inside 90 % on the demo ladder's backtest.
FACTORS = DocumentForm(kind="factors", name="factors of the documents", weight=0.5, of_margins=False)
