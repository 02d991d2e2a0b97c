"""A figure in the text: the file it is in, what a reader who cannot see it is told, and its caption."""

from __future__ import annotations

from dataclasses import dataclass

Files = dict[str, bytes]  # by name: what the template names, and Typst reads from memory


@dataclass(frozen=True, kw_only=True)
class Picture:
    """``alt`` is for those who cannot see it."""

    file: str
    alt: str
    caption: str


def picture(file: str, kind: str, caption: str) -> Picture:
    """A figure whose kind of plot and caption say what it shows."""
    return Picture(file=file, alt=f"{kind} {caption}".strip(), caption=caption)
