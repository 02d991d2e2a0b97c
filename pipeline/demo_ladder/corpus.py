"""Text for the demonstration ladder: English prose that Debian packages ship.

``fetch`` downloads the packages by name, ``paragraphs`` pulls prose out of them, ``split`` removes
near-duplicates and holds out a validation part. Everything is deterministic given the package versions,
which end up in the provenance. ``--corpus DIR`` of ``python -m benchcast.demo_ladder`` replaces the
packages by any folder of text files.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

PACKAGES = (
    "anarchism",
    "dict-gcide",
    "dict-wn",
    "erlang-doc",
    "git-doc",
    "jargon-text",
    "libreoffice-help-en-us",
    "linux-doc-6.1",
    "manpages",
    "manpages-dev",
    "perl-doc",
    "postgresql-doc-15",
    "python-django-doc",
    "python-sqlalchemy-doc",
    "python3.11-doc",
    "racket-doc",
)

COMMON = (
    "the of and to a in is that for it as was with be by on not he his but at are this have from or had an they "
    "which one you were all her she there would their we him been has when who will no more if out so up said "
    "what its about than into them can only other time new some could these may then do any my now such like "
    "our over me even most made after also did many off before must well back through years where much your way "
    "down should because each just those how too little us"
)
FUNCTION_WORDS = frozenset(COMMON.split())
TEXT_SUFFIXES = {"", ".txt", ".html", ".htm", ".rst", ".pod", ".xhtml", ".dict", ".md"}
WORD = re.compile(r"[A-Za-z']+")
BLOCK_TAG = re.compile(r"</?(?:p|div|li|dd|dt|td|tr|h\d|pre|br|table|blockquote|section)\b[^>]*>", re.I)
DROP = re.compile(r"<(script|style|pre|head)\b.*?</\1>", re.I | re.S)
TAG = re.compile(r"<[^>]+>")


def fetch(folder: Path) -> dict[str, str]:
    """Download and unpack ``PACKAGES`` under ``folder``; returns ``{package: version}``."""
    debs, unpacked = folder / "deb", folder / "unpacked"
    debs.mkdir(parents=True, exist_ok=True)
    versions = {}
    for package in PACKAGES:
        if not (found := sorted(debs.glob(f"{package}_*.deb"))):
            subprocess.run(["apt-get", "download", package], cwd=debs, check=True, stdout=subprocess.DEVNULL)
            found = sorted(debs.glob(f"{package}_*.deb"))
        versions[package] = found[-1].name.split("_")[1].replace("%3a", ":")
        if not (target := unpacked / package).exists():
            (partial := unpacked / f".{package}").mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg-deb", "-x", str(found[-1]), str(partial)], check=True)
            partial.rename(target)
    return versions


def _read(path: Path) -> str:
    """The file as text; gzip and dictzip are unpacked, HTML is reduced to paragraphs."""
    data = path.read_bytes()
    suffixes = path.suffixes
    if data[:2] == b"\x1f\x8b":
        data, suffixes = gzip.decompress(data), suffixes[:-1]
    last = suffixes[-1].lower() if suffixes else ""
    manual = re.fullmatch(r"\.\d\w*", last) is not None
    if (last not in TEXT_SUFFIXES and not manual) or b"\0" in data[:4096]:
        return ""
    text = data.decode("utf-8", errors="ignore")
    if "htm" in last:
        text = html.unescape(TAG.sub("", BLOCK_TAG.sub("\n\n", DROP.sub("\n\n", text))))
    elif manual or last == ".pod":
        text = re.sub(r"(?m)^[.=].*$", "\n", re.sub(r"\\f[A-Z]|\\-|[A-Z]<([^<>]*)>", r"\1", text))
    return text


def is_prose(paragraph: str) -> bool:
    """Long enough, mostly letters, and with the function words of running English."""
    if len(paragraph) < 60 or sum(c.isalpha() or c == " " for c in paragraph) < 0.86 * len(paragraph):
        return False
    words = WORD.findall(paragraph.lower())
    return bool(words) and sum(w in FUNCTION_WORDS for w in words) >= 0.18 * len(words)


def paragraphs(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield ``(file, paragraph)`` for every prose paragraph under ``folder``, in a fixed order."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        for raw in re.split(r"\n\s*\n", _read(path)):
            paragraph = " ".join(raw.replace("’", "'").replace("“", '"').replace("”", '"').split())
            if is_prose(paragraph):
                yield str(path.relative_to(folder)), paragraph


def split(
    source: Iterator[tuple[str, str]], held_out: float = 0.02, block: int = 40
) -> tuple[list[list[str]], list[list[str]]]:
    """Drop near-duplicates and hold out whole blocks of neighbouring paragraphs.

    A paragraph goes when its first or its last 70 alphanumeric characters were seen before. Blocks, not
    paragraphs, are held out, so that a validation paragraph's neighbours are not in the training text.

    Returns
    -------
    train, validation : lists of blocks, a block being a list of paragraphs of one file
    """
    seen: set[str] = set()
    blocks: list[list[str]] = []
    previous = ""
    for file, paragraph in source:
        key = "".join(c for c in paragraph.lower() if c.isalnum())
        ends = {key[:70], key[-70:]}
        if ends & seen:
            continue
        seen |= ends
        if file != previous or len(blocks[-1]) >= block:
            blocks.append([])
            previous = file
        blocks[-1].append(paragraph)
    order = sorted(range(len(blocks)), key=lambda i: hashlib.sha256("\n".join(blocks[i]).encode()).digest())
    cut = int(held_out * len(blocks))
    return [blocks[i] for i in order[cut:]], [blocks[i] for i in order[:cut]]


def overlap(train: list[list[str]], validation: list[list[str]], n: int = 8) -> float:
    """Share of validation word ``n``-grams that also occur in the training text (contamination)."""

    def grams(blocks: list[list[str]]) -> Iterator[int]:
        for paragraph in (p for b in blocks for p in b):
            words = WORD.findall(paragraph.lower())
            for i in range(len(words) - n + 1):
                yield hash(tuple(words[i : i + n]))

    wanted = list(grams(validation))
    lookup = set(wanted)
    found = {g for g in grams(train) if g in lookup}
    return sum(g in found for g in wanted) / max(len(wanted), 1)
