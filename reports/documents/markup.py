"""Web pages of one file each: elements that hold any text, and a policy that lets only this package's script run.

Names may be anything. Elements are trees of the standard library, whose writer escapes every text and attribute; data
for a script is JSON in which nothing can end its element; and the browser is told (content security policy) to run the
script of the page and no other, and to load nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, tostring

from ..text.table import Cell, Table

TEMPLATES = Path(__file__).parent / "templates"
# What could end the element, start a comment or a script in it, or break a line where JavaScript sees one.
ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
Node = Element | str | None


def element(tag: str, *children: Node, **attributes: str | float | None) -> Element:
    """An element; None is left out. ``class_`` and ``aria_label`` are written ``class`` and ``aria-label``."""
    names = {key: key.rstrip("_").replace("_", "-") for key in attributes}
    node = Element(tag, {names[key]: str(value) for key, value in attributes.items() if value is not None})
    last: Element | None = None
    for child in children:
        if isinstance(child, Element):
            node.append(child)
            last = child
        elif child is not None and last is None:
            node.text = (node.text or "") + shown(child)
        elif child is not None and last is not None:
            last.tail = (last.tail or "") + shown(child)
    return node


def shown(text: str) -> str:
    """Text without control characters, which HTML forbids."""
    return CONTROLS.sub("\ufffd", text)


def markup(nodes: Iterable[Element]) -> str:
    """The elements as HTML."""
    return "\n".join(tostring(node, encoding="unicode", method="html") for node in nodes)


def paragraphs(lines: Iterable[str], class_: str | None = None) -> list[Element]:
    """A paragraph per line; what stands between backticks is to be typed."""
    return [element("p", *words(line), class_=class_) for line in lines]


def words(line: str) -> Iterator[Element | str]:
    """A line with its code: ``run `benchcast plan` ``."""
    parts = line.split("`")
    if len(parts) % 2 == 0:  # a backtick without its end is only a character
        parts = [line]
    yield from (element("code", part) if index % 2 else part for index, part in enumerate(parts))


def name(text: str) -> Element:
    """A name, isolated from the direction of its neighbours; it may break after an underscore."""
    first, *rest = text.split("_")
    return element("bdi", first, *(part for word in rest for part in ("_", element("wbr"), word)))


def sheet(t: Table, label: str = "") -> Element:
    """A table of the report. It scrolls within itself on a narrow screen, and can be reached by keyboard then."""
    align = [("left" if i == 0 else "text") if letter == "l" else None for i, letter in enumerate(t.align)]
    heads = (element("th", text, scope="col", class_=side) for text, side in zip(t.head, align, strict=True))
    head = element("thead", element("tr", *heads)) if any(t.head) else None
    body = element("tbody", *(_row(row, align) for row in t.rows))
    return scrolling(element("table", head, body), label or t.title or "table")


def _row(row: Sequence[str | Cell | None], align: Sequence[str | None]) -> Element:
    """A row whose first cell names it; a cell over several rows leaves those below without one."""
    made = element("tr")
    for index, (cell, side) in enumerate(zip(row, align, strict=True)):
        if cell is not None:
            text, span = (cell.text, cell.span) if isinstance(cell, Cell) else (cell, 1)
            tag, scope = ("th", "row") if index == 0 else ("td", None)
            made.append(element(tag, name(text), class_=side, scope=scope, rowspan=span if span > 1 else None))
    return made


def scrolling(table: Element, label: str, kind: str = "") -> Element:
    """A table in a box that scrolls; ``kind``: ``narrow``, as wide as text; ``tall``, as high as a screen."""
    return element("div", table, class_=f"scroll {kind}".strip(), role="region", aria_label=label, tabindex="0")


def embedded(value: Any) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(ESCAPES)


def filled(template: str, styles: Sequence[str], scripts: Sequence[str], parts: Mapping[str, str]) -> bytes:
    """A page, UTF-8: the template with its style, script and parts, each of them HTML, in the places ``{{NAME}}``."""
    style, script = ("\n".join((TEMPLATES / file).read_text("utf-8") for file in files) for files in (styles, scripts))
    # Images: only those inside the page, and the one that the script makes of the chart.
    images = "img-src data: blob:"
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; {images}; base-uri 'none'"
    every = {**parts, "STYLE": style, "SCRIPT": script, "POLICY": policy}
    text = (TEMPLATES / template).read_text("utf-8")
    # In one pass: a part may hold any text, such as the name of a place.
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda found: every[found[1]], text).encode("utf-8", "replace")


def _hash(text: str) -> str:
    """A source expression of a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
