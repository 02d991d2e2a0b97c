"""The matrix of checkpoints and tasks: what is scored, what failed, what is missing, as of the last run."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape

from .store import Store
from .store.index import FAILED, MISSING, SCORED, Index
from .store.keys import cell_id

MOST_ROWS = 40  # of checkpoints that are printed
FEW_TASKS = 12  # so many get a column with a name above it
STATES = ("missing", "scored", "failed")  # as the index numbers them
MARKS = ("[dim]·[/dim]", "[green]●[/green]", "[red]✗[/red]")


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """``rows`` maps a checkpoint to the state of each of ``tasks``; ``notes`` to why it is not scored at all.

    ``partly`` maps it to its tasks that are missing but answered in part: how many pieces, and of how many.
    """

    tasks: list[str]
    rows: dict[str, bytearray]
    notes: dict[str, str]
    partly: dict[str, dict[str, tuple[int, int]]]

    def count(self, state: int) -> int:
        """Number of cells in a state."""
        return sum(row.count(state) for row in self.rows.values())

    def as_dict(self) -> dict[str, Any]:
        """The matrix for a machine."""
        rows = {s: {t: STATES[v] for t, v in zip(self.tasks, row, strict=True)} for s, row in self.rows.items()}
        counts = {name: self.count(state) for state, name in enumerate(STATES)}
        return {
            "tasks": self.tasks,
            "checkpoints": rows,
            "notes": self.notes,
            "counts": counts,
            "partly": {source: {t: list(v) for t, v in tasks.items()} for source, tasks in self.partly.items()},
        }


def matrix_of(store: Store) -> Matrix:
    """The matrix of a store's last run.

    Raises
    ------
    InputError
        When nothing was ever scored into the store.
    """
    plan = store.plan()
    requests = [task["requests"] for task in plan["tasks"]]
    checkpoints = plan["checkpoints"]
    with contextlib.closing(Index(store)) as index:
        known = index.states([c["digest"] for c in checkpoints], requests, plan["setup"])
        wholes = [task.get("whole", task["requests"]) for task in plan["tasks"]]
        if wholes != requests:  # who was asked all documents needs not be asked some
            asked_all = index.states([c["digest"] for c in checkpoints], wholes, plan["setup"])
            known = {c: _best(row, asked_all[c]) for c, row in known.items()}
    rows = {c["source"]: known[c["digest"]] for c in checkpoints}
    notes = dict(plan["broken"])
    notes |= dict.fromkeys(plan["waiting"], "is still being written; left alone")
    notes |= {f"task {name}": reason for name, reason in plan["unbuilt"].items()}
    return Matrix(tasks=[task["name"] for task in plan["tasks"]], rows=rows, notes=notes, partly=_partly(store, plan))


def _partly(store: Store, plan: dict[str, Any]) -> dict[str, dict[str, tuple[int, int]]]:
    """Checkpoint to its tasks that have answers to some of their pieces."""
    pieces = store.partials.cells()
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for checkpoint, task in itertools.product(plan["checkpoints"], plan["tasks"]) if pieces else ():
        cell = cell_id(checkpoint["digest"], task["requests"], plan["setup"])
        if cell in pieces and not store.has(cell):
            found.setdefault(checkpoint["source"], {})[task["name"]] = pieces[cell]
    return found


def _best(some: bytearray, whole: bytearray) -> bytearray:
    return bytearray(SCORED if SCORED in pair else pair[0] for pair in zip(some, whole, strict=True))


def show(matrix: Matrix, *, every: bool) -> None:
    """Print the matrix: a row per checkpoint, a mark per task; unfinished ones first when there are many."""
    console = Console()
    console = console if console.is_terminal else Console(width=200)
    few = len(matrix.tasks) <= FEW_TASKS
    for number, task in enumerate(matrix.tasks):
        console.print(("│ " * number + "╭ " if few else f"{number + 1:>4} ") + escape(task), highlight=False)
    shown = list(matrix.rows.items())
    if not every and len(shown) > MOST_ROWS:
        shown = sorted(shown, key=lambda item: item[1].count(SCORED))[:MOST_ROWS]  # stable: in their order
    gap = " " if few else ""
    for source, row in shown:
        console.print(f"{gap.join(MARKS[state] for state in row)}  {escape(source)}", highlight=False)
    if more := len(matrix.rows) - len(shown):
        console.print(f"… and {more} more checkpoints, as far or further (--all shows them)")
    for source, reason in matrix.notes.items():
        console.print(f"[red]✗[/red] {escape(source)}: {escape(reason)}", highlight=False)
    for source, tasks in matrix.partly.items():
        for task, (have, of) in tasks.items():
            console.print(f"  {escape(source)}: {escape(task)}: {have} of {of} pieces answered", highlight=False)
    counts = ", ".join(f"{matrix.count(i)} {STATES[i]} {MARKS[i]}" for i in (SCORED, FAILED, MISSING))
    console.print(f"{len(matrix.rows)} checkpoints × {len(matrix.tasks)} tasks: {counts}", highlight=False)
