"""The outcome of a comparison or a gate on a terminal: the answer, then its table."""

from __future__ import annotations

from benchcast.reports.text.table import Table, as_rich

from .forecast import console, say


def shown(table: Table) -> None:
    """The first of the notes is the answer and comes first; the others stand below the table."""
    first, *rest = table.notes
    say(first)
    console().print(as_rich(table))
    for line in rest:
        say(line)
