"""What people see while a ladder is scored: a bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..core.errors import plain


class Progress:
    """Is told what the driver does, and says nothing."""

    def start(self, missing: int, wanted: int) -> None:
        """How many cells are missing, of how many; once for those that choose documents, once for the others."""

    def current(self, source: str) -> None:
        """A checkpoint is begun."""

    def advance(self, cells: int, documents: int) -> None:
        """Cells were scored, or found scored."""

    def failed(self, cells: int) -> None:
        """Cells could not be scored."""

    def done(self, source: str, cells: int, seconds: float) -> None:
        """A checkpoint is finished."""

    def line(self, text: str) -> None:
        """Something worth a line of its own."""


class Lines(Progress):
    """One plain line per checkpoint, on stderr."""

    def __init__(self) -> None:
        self._missing = self._cells = self._documents = 0
        self._began = time.monotonic()

    def start(self, missing: int, wanted: int) -> None:
        """See ``Progress``."""
        self._missing = missing
        self._cells = self._documents = 0
        self._began = time.monotonic()
        self.line(f"{missing} of {wanted} cells to score")

    def advance(self, cells: int, documents: int) -> None:
        """See ``Progress``."""
        self._cells += cells
        self._documents += documents

    def failed(self, cells: int) -> None:
        """See ``Progress``."""
        self._cells += cells

    def done(self, source: str, cells: int, seconds: float) -> None:
        """See ``Progress``."""
        rate = self._documents / max(time.monotonic() - self._began, 1e-9)
        self.line(f"{self._cells}/{self._missing} {source}: {cells} cells in {seconds:.1f} s, {rate:.0f} docs/s")

    def line(self, text: str) -> None:
        """See ``Progress``."""
        print(plain(text), file=sys.stderr, flush=True)


class Bar(Progress):
    """A bar with cells done and left, documents per second, time left, the checkpoint, and failures."""

    def __init__(self, bars: object, task: object) -> None:
        self._bars, self._task = bars, task
        self._documents = self._failed = 0
        self._source = ""
        self._began = time.monotonic()

    def start(self, missing: int, wanted: int) -> None:
        """See ``Progress``."""
        self._began = time.monotonic()
        self._documents = 0
        self._bars.update(self._task, total=missing, completed=0)  # type: ignore[attr-defined]
        self._show()

    def current(self, source: str) -> None:
        """See ``Progress``."""
        self._source = source
        self._show()

    def advance(self, cells: int, documents: int) -> None:
        """See ``Progress``."""
        self._documents += documents
        self._bars.advance(self._task, cells)  # type: ignore[attr-defined]
        self._show()

    def failed(self, cells: int) -> None:
        """See ``Progress``."""
        self._failed += cells
        self._bars.advance(self._task, cells)  # type: ignore[attr-defined]
        self._show()

    def line(self, text: str) -> None:
        """See ``Progress``."""
        self._bars.console.print(plain(text), markup=False, highlight=False)  # type: ignore[attr-defined]

    def _show(self) -> None:
        from rich.markup import escape

        rate = self._documents / max(time.monotonic() - self._began, 1e-9)
        failed = f"  [red]{self._failed} failed[/red]" if self._failed else ""
        what = f"{rate:.0f} docs/s  {escape(plain(self._source))}{failed}"
        self._bars.update(self._task, description=what)  # type: ignore[attr-defined]


@contextmanager
def terminal() -> Iterator[Progress]:
    """A bar while stderr is a terminal, plain lines otherwise."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    columns = (
        TextColumn("scoring"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield Bar(bars, bars.add_task("", total=None))
