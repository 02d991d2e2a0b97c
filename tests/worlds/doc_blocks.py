"""Code blocks of Markdown pages: what they hold, and what the page says about running them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(
    r"(?:^ *<!-- (?P<mark>not run|run by|file): (?P<what>.+?) -->\n)?"
    r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<body>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block. ``mark`` is ``not run`` (with the reason), ``run by`` (a test) or ``file`` (its name)."""

    kind: str
    body: str
    mark: str
    what: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, without its indentation."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        indent = len(match["indent"])
        body = "".join(line[indent:] for line in match["body"].splitlines(keepends=True))
        line = text[: match.start("kind")].count("\n") + 1
        found.append(Block(match["kind"], body, match["mark"] or "", match["what"] or "", line))
    return found
