"""The tables of documents: worded here once, for a terminal."""

from __future__ import annotations

from typing import get_args

from ..records.documents import DocumentsResult, Move, TaskDocuments
from .numbers import DASH, level, percent
from .table import Table


def summary(result: DocumentsResult) -> Table:
    """A row per task and target: how many documents are expected to move, and where to."""
    first = ("task", "target", "documents", "largest run", "it scored", "forecast", "± error")
    head = (*first, "gained", "lost", "stay right", "stay wrong", "open")
    rows = []
    for task in result.tasks:
        names = [task.task, task.target, str(len(task.documents)), task.run]
        numbers = [percent(task.measured), percent(task.forecast), percent(task.stderr)]
        rows.append([*names, *numbers, *(str(task.count(move)) for move in get_args(Move))])
    notes = (
        "gained, lost: the probability of a right answer crosses one half; stay: it is "
        f"{level(result.sure)} or more (right), or {level(1 - result.sure)} or less, at both; open: all others.",
        "Scores in percent; forecasts are from the documents alone, one form of several that auto weighs.",
    )
    title = "Documents expected to flip, and those that do not move"
    return Table(head=head, rows=tuple(rows), align="llrlrrrrrrrr", title=title, notes=notes)


def documents(task: TaskDocuments, most: int) -> Table:
    """The documents of one task whose probability changes most."""
    marks = {True: "right", False: "wrong", None: DASH}
    rows = tuple([d.document, marks[d.right], percent(d.now), percent(d.target), d.move] for d in task.documents[:most])
    head = ("document", f"at {task.run}", "P(right) there", f"P(right) at {task.target}", "expected")
    title = f"{task.task}: the {len(rows)} of {len(task.documents)} documents that change most"
    return Table(head=head, rows=rows, align="llrrl", title=title)
