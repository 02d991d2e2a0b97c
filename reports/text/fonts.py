"""Fonts for whatever a result calls its tasks: the bundled ones, then the ``cjk`` extra, then the system's.

Latin, Greek, Cyrillic, Arabic and Hebrew are in fonts that come with Matplotlib and Typst. A result that needs no more
looks at no other font, so its bytes are the same on every machine; one that needs a system font is reproducible where
that font is.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from pydantic import BaseModel

from . import wording

BUNDLED = Path(mpl.get_data_path()) / "fonts" / "ttf"
CJK_PACKAGE, CJK_FILE = "noto_cjk_sans_otc", "NotoSansCJK-Regular.ttc"
# One collection holds the regional forms of the same characters: kana mean Japanese, hangul Korean.
REGIONS = (("JP", "\u3040", "\u30ff"), ("KR", "\uac00", "\ud7a3"))


@dataclass(frozen=True, kw_only=True)
class FontSet:
    """Families to fall back on, the folders they lie in, and characters that no font here has."""

    families: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    missing: str = ""


_current: ContextVar[FontSet] = ContextVar("fonts")


def current() -> FontSet:
    """What the report being made falls back on."""
    return _current.get(FontSet())


@contextmanager
def fonts_for(*records: Any) -> Iterator[FontSet]:
    """Choose fallback fonts for every character of some records; figures and pages made inside use them."""
    chosen = choose(frozenset("".join(_strings(records))))
    token = _current.set(chosen)
    try:
        yield chosen
    finally:
        _current.reset(token)


def _strings(value: Any) -> Iterator[str]:
    """Every string of a structure, as the report prints it."""
    if isinstance(value, str):
        yield wording.clean(value)
    elif isinstance(value, BaseModel):
        for _, item in value:
            yield from _strings(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield wording.clean(key)
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


@cache
def choose(characters: frozenset[str]) -> FontSet:
    """The fewest fonts that have the characters, in the order of this module's first sentence."""
    left = {c for c in characters if not c.isspace()} - _has(str(BUNDLED / "DejaVuSans.ttf"))
    families, folders = [], []
    for path in _candidates() if left else ():
        if not left:
            break
        if gained := left & _has(path):
            font_manager.fontManager.addfont(path)
            families.append(_family(path, characters))
            folders.append(str(Path(path).parent))
            left -= gained
    return FontSet(families=tuple(families), folders=tuple(dict.fromkeys(folders)), missing="".join(sorted(left)))


def _candidates() -> Iterator[str]:
    package = importlib.util.find_spec(CJK_PACKAGE)
    if package is not None and package.origin:
        yield str(Path(package.origin).with_name(CJK_FILE))
    yield from sorted(font_manager.findSystemFonts())


def _family(path: str, characters: frozenset[str]) -> str:
    """A font's family; of a CJK collection the one whose forms the characters ask for."""
    name = str(FT2Font(path).family_name)
    if not name.endswith(" CJK JP"):
        return name
    region = next((r for r, first, last in REGIONS if any(first <= c <= last for c in characters)), "SC")
    return f"{name[:-2]}{region}"


@cache
def _has(path: str) -> frozenset[str]:
    """The characters of a font; none where it cannot be read, or holds pictures only."""
    try:
        font = FT2Font(path)
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except (OSError, RuntimeError):
        return frozenset()
