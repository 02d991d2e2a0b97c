"""How a result prints and writes itself: it asks the renderer that the package's face has put here.

Records know no table, no PDF and no file. ``import benchcast`` says once where the renderer is (``use``), so
``print(result)`` and ``result.write("out")`` work, and no import leads from the records up to what draws them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Renderer(Protocol):
    """What the records ask for; ``benchcast.report`` has it."""

    def as_line(self, record: Any) -> str:
        """What the record says, in one line."""

    def as_text(self, record: Any) -> str:
        """The record as a table in plain text."""

    def as_html(self, record: Any) -> str:
        """The record as a table for a notebook."""

    def as_frame(self, record: Any) -> pd.DataFrame:
        """The record as a pandas frame."""

    def as_figure(self, record: Any, task: str | None = None, family: str | None = None) -> Figure:
        """The record's answer as a figure, or one task of it along compute."""

    def write_report(self, record: Any, out: Path, html: bool = False) -> dict[str, Path]:
        """The record as files in a folder; paths by kind."""


_load: Callable[[], Renderer] | None = None


def use(load: Callable[[], Renderer]) -> None:
    """Say where the renderer is; ``load`` is called when a result is first shown or written."""
    global _load
    _load = load


def renderer() -> Renderer:
    """The renderer in use.

    Raises
    ------
    RuntimeError
        When none was named: the module was imported without its package.
    """
    if _load is None:
        raise RuntimeError("no renderer: import benchcast first")
    return _load()


class DisplayMixin:
    """Printing: a table as text, in a notebook as HTML, and a frame."""

    title: str

    def __repr__(self) -> str:
        said = self.title if _load is None else renderer().as_line(self)
        return f"<{type(self).__name__}: {said}>"

    def __str__(self) -> str:
        return renderer().as_text(self)

    def _repr_html_(self) -> str:
        return renderer().as_html(self)
