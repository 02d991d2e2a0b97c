"""What a form is: fitted to many tasks at once, it predicts scores and how uncertain they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pandas as pd

from ...fit.newton import Array
from ..task_data import TaskData


class FittedForm(Protocol):
    """A form, fitted to one task."""

    def predict(self, X: pd.DataFrame) -> tuple[Array, Array]:
        """Mean and standard deviation of a new score at models (m rows: flops, params, tokens), (m,) each.

        The standard deviation is meant: it needs no other form to be believed. NaN where a model tells too little.
        """


class Form(Protocol):
    """A form; its module in this folder has one as ``FORM``."""

    @property
    def name(self) -> str:
        """As the report prints it."""

    @property
    def weight(self) -> float:
        """Prior weight in the pool, where all paths of laws together count 1."""

    @property
    def shares(self) -> bool:
        """Whether the tasks of one horizon tell each other something: all of them are then fitted at once."""

    def fit(self, tasks: Sequence[TaskData], horizons: Sequence[str] | None = None) -> list[FittedForm | None]:
        """Fitted to every task; None where a task's data cannot carry it.

        ``horizons`` names what each task was known at; by default all are of one.
        """
