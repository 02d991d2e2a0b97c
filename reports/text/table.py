"""One table, four ways to set it: a terminal, plain text, a notebook, and the pages (PDF and web).

A table is built once, from records, where the numbers are worded; a renderer only sets it. Names in it may be anything:
every renderer shows them and lets none of them act.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from .wording import plain

if TYPE_CHECKING:
    import rich.table

Column = tuple[str, str, float]  # heading, alignment (l, r or c), share of the page's width


@dataclass(frozen=True)
class Cell:
    """A cell over several rows; the rows below have None in its place."""

    text: str
    span: int


Row = Sequence[str | Cell | None]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Headings, rows of text, and how each column is set.

    ``align`` has a letter per column: l, r or c. ``widths`` are shares of a page's width. ``rules`` are the rows with a
    line above them. ``title`` and ``notes`` stand above and below.
    """

    head: tuple[str, ...]
    rows: tuple[Row, ...]
    align: str
    widths: tuple[float, ...] = ()
    rules: tuple[int, ...] = ()
    title: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.align) != len(self.head) or any(len(row) != len(self.head) for row in self.rows):
            raise ValueError(f"a table of {len(self.head)} columns needs as many alignments, and cells in every row")

    def limited(self, most: int) -> Table:
        """The first rows of it."""
        return replace(self, rows=self.rows[:most])


def table(columns: Sequence[Column], rows: Iterable[Row], rules: Iterable[int] = ()) -> Table:
    """A table for a page, from (heading, alignment, share of the width) per column."""
    head, align, widths = zip(*columns, strict=True)
    return Table(head=head, rows=tuple(rows), align="".join(align), widths=widths, rules=tuple(rules))


def as_lines(t: Table) -> list[str]:
    """Plain text, columns aligned, the headings first."""
    rows = [[plain(_text(cell)) for cell in row] for row in (t.head, *t.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(t.head))]
    lines = []
    for row in rows:
        cells = zip(row, widths, t.align, strict=True)
        lines.append("  ".join(_set(text, width, letter) for text, width, letter in cells).rstrip())
    return lines


def _text(cell: str | Cell | None) -> str:
    return cell.text if isinstance(cell, Cell) else cell or ""


def _set(text: str, width: int, letter: str) -> str:
    return {"l": text.ljust, "r": text.rjust, "c": text.center}[letter](width)


def as_html(t: Table) -> str:
    """A table for a notebook: every name escaped, and isolated from the direction of its neighbours."""
    heads = "".join(f"<th>{_escaped(text)}</th>" for text in t.head)
    rows = ("".join(f"<td><bdi>{_escaped(_text(cell))}</bdi></td>" for cell in row) for row in t.rows)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    below = "".join(f"<div>{_escaped(text)}</div>" for text in t.notes)
    caption = f"<caption>{_escaped(t.title)}</caption>"
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{below}"


def _escaped(text: str) -> str:
    return html.escape(plain(text))


def as_page(t: Table) -> dict[str, Any]:
    """What ``sheet.typ`` and the web page's ``sheet`` set: strings, or ``{"text", "span"}`` over several rows."""
    rows = [[{"text": c.text, "span": c.span} if isinstance(c, Cell) else c for c in row] for row in t.rows]
    head, align, widths = list(t.head), list(t.align), list(t.widths)
    return {"head": head, "align": align, "widths": widths, "rows": rows, "rules": list(t.rules)}


def as_rich(t: Table, fold: bool = False) -> rich.table.Table:
    """A table for a terminal: control characters and markup are shown, never obeyed.

    Where there is no room a word is cut short, or with ``fold`` goes on in the next line.
    """
    from rich.table import Table as RichTable

    made = RichTable(title=shown(t.title) if t.title else None, title_justify="left")
    justify: dict[str, Literal["left", "right", "center"]] = {"l": "left", "r": "right", "c": "center"}
    for text, letter in zip(t.head, t.align, strict=True):
        made.add_column(shown(text), justify=justify[letter], overflow="fold" if fold else "ellipsis")
    for row in t.rows:
        made.add_row(*(shown(_text(cell)) for cell in row))
    return made


def shown(text: object) -> str:
    """Somebody else's text for a terminal: control characters and markup are shown, never obeyed."""
    from rich.markup import escape

    return escape(plain(str(text)))
