"""The tables of documents: worded here once, for a terminal."""

from __future__ import annotations

from ..records.documents import DocumentsResult, TaskDocuments
from .numbers import DASH, finite, percent
from .table import Table


def summary(result: DocumentsResult) -> Table:
    """A row per task and target: how many documents are expected to move, and where to."""
    first = ("task", "target", "documents", "largest run", "it scored", "forecast", "± error")
    head = (*first, "become right", "become wrong", "stay right", "stay wrong", "between")
    rows = []
    for task in result.tasks:
        counts = [str(task.count(move)) for move in ("becomes right", "becomes wrong", "stays right", "stays wrong")]
        names = [task.task, task.target, str(len(task.documents)), task.run]
        numbers = [percent(task.measured), percent(task.forecast), percent(task.stderr)]
        rows.append([*names, *numbers, *counts, str(task.count("moves"))])
    notes = (
        "become: the probability of a right answer crosses one half; stay: it changes by less than "
        f"{100 * result.still:g} points; between: it changes by more on one side.",
        "Accuracies in percent; forecasts are from the documents alone, one form of several that auto weighs.",
    )
    title = "Documents expected to flip, and those that do not move"
    return Table(head=head, rows=tuple(rows), align="llrlrrrrrrrr", title=title, notes=notes)


def documents(task: TaskDocuments, most: int) -> Table:
    """The documents of one task that are expected to gain most, and those to lose most."""
    known = [d for d in task.documents if finite(d.now) is not None]
    shown = known if len(known) <= most else [*known[: (most + 1) // 2], *known[len(known) - most // 2 :]]
    marks = {True: "right", False: "wrong", None: DASH}
    rows = tuple([d.document, marks[d.right], percent(d.now), percent(d.target), d.move] for d in shown)
    head = ("document", f"at {task.run}", "P(right) there", f"P(right) at {task.target}", "expected")
    return Table(head=head, rows=rows, align="llrrl", title=f"{task.task}: {len(rows)} of {len(known)} documents")
