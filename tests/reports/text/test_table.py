"""One table in four renderers: what each shows, and that no name in it acts."""

from __future__ import annotations

import io
from html.parser import HTMLParser

import pytest
from benchcast.reports.text.table import Cell, Table, as_html, as_lines, as_page, as_rich, table
from rich.console import Console

NASTY = "[red]a</td><script>\x1b[2J"


@pytest.fixture
def scores() -> Table:
    rows = (("mmlu", "61.2"), (NASTY, "7.0"))
    return Table(head=("task", "score"), rows=rows, align="lr", title="Scores <b>", notes=("in percent",))


def test_plain_text_is_aligned(scores: Table) -> None:
    width = len("[red]a</td><script>\\x1b[2J")
    lines = as_lines(scores)
    assert lines[0] == "task".ljust(width) + "  score"
    assert lines[1] == "mmlu".ljust(width) + "   61.2"
    assert lines[2].endswith("    7.0")
    assert "\x1b" not in lines[2]


class Reader(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_notebook_shows_every_name_as_it_is(scores: Table) -> None:
    reader = Reader()
    reader.feed(as_html(scores))
    assert "script" not in reader.tags
    cells = ["mmlu", "61.2", "[red]a</td><script>\\x1b[2J", "7.0"]
    assert reader.texts == ["Scores <b>", "task", "score", *cells, "in percent"]
    assert reader.tags.count("tr") == 3


def test_a_terminal_shows_markup_and_controls(scores: Table) -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(as_rich(scores))
    assert "[red]a</td><script>\\x1b[2J" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_a_page_has_spans_and_rules() -> None:
    columns = [("Task", "l", 2.0), ("Recipe", "c", 1), ("n", "r", 0.5)]
    rows = [[Cell("mmlu", 2), "auto", "1"], [None, "ladder", "2"]]
    assert as_page(table(columns, rows, [0])) == {
        "head": ["Task", "Recipe", "n"],
        "align": ["l", "c", "r"],
        "widths": [2.0, 1, 0.5],
        "rows": [[{"text": "mmlu", "span": 2}, "auto", "1"], [None, "ladder", "2"]],
        "rules": [0],
    }


def test_a_row_has_a_cell_per_column() -> None:
    with pytest.raises(ValueError, match="2 columns"):
        Table(head=("a", "b"), rows=(("1",),), align="lr")
    with pytest.raises(ValueError, match="2 columns"):
        Table(head=("a", "b"), rows=(), align="l")
