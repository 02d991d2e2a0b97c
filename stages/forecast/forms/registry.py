"""All forms, and how they are fitted: those whose tasks tell each other something to all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..task_data import TaskData
from . import documents, trend
from .form import FittedForm, Form

FORMS: Mapping[str, Form] = {form.name: form for form in (trend.FORM, documents.CLUSTERS, documents.FACTORS)}
FittedForms = Mapping[str, FittedForm | None]  # by name


def fit_shared(tasks: Sequence[TaskData], horizons: Sequence[str] | None = None) -> list[FittedForms]:
    """The forms that tasks of one horizon share something for, fitted to every task; see ``Form.fit``."""
    forms = {name: form.fit(tasks, horizons) for name, form in FORMS.items() if form.shares}
    return [{name: fitted[i] for name, fitted in forms.items()} for i in range(len(tasks))]


def fit_others(tasks: Sequence[TaskData], shared: Sequence[FittedForms]) -> list[dict[str, FittedForm]]:
    """Every form that a task's data can carry, beside those that are fitted already; in the order of ``FORMS``."""
    alone = {name: form.fit(tasks) for name, form in FORMS.items() if not form.shares}
    every = [{name: fitted[i] for name, fitted in alone.items()} | dict(shared[i]) for i in range(len(tasks))]
    return [{name: one for name in FORMS if (one := each.get(name)) is not None} for each in every]
