"""Pieces of cells that are answered while others of the same cell are not: what a killed run need not ask again.

::

    <store>/partial/<ab>/<cell id>/<key of the piece>.json

A piece says whose it is and how many there are, and carries the digest of its content. When the last one is in, the
cell is stored and they are removed.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchcast.reports.text.strict_json import dumps

from ...core import files, reading
from ...core.digest import object_digest
from ...core.errors import plain

FOLDER = "partial"
SHA256 = "content_sha256"


@dataclass(frozen=True, kw_only=True)
class AnsweredPiece:
    """The answers to one piece of a cell's requests: texts, and log-likelihoods (nats) with whether they are greedy.

    ``state`` is that of the random generators afterwards, ``how`` how it was computed; ``of`` counts all pieces.
    """

    cell: str
    key: str
    of: int
    texts: tuple[str, ...]
    logliks: tuple[float, ...]
    greedy: tuple[bool, ...]
    state: str
    how: dict[str, Any]


class Partials:
    """The answered pieces in a store's folder."""

    def __init__(self, store: Path) -> None:
        self.folder = store / FOLDER

    def add(self, piece: AnsweredPiece) -> None:
        """Keep a piece; raises BenchcastError when the disk is full."""
        content = asdict(piece)
        content[SHA256] = _digest(content)
        files.write_text(dumps(content), self._of(piece.cell) / f"{piece.key}.json", durable=True)

    def get(self, cell: str, key: str) -> AnsweredPiece | None:
        """A piece, or None where it is not there or not what was written: it is asked again."""
        path = self._of(cell) / f"{key}.json"
        try:
            return _read(path)
        except ValueError:
            return None

    def clear(self, cell: str) -> None:
        """Remove all pieces of a cell."""
        shutil.rmtree(self._of(cell), ignore_errors=True)
        with contextlib.suppress(OSError):  # it holds other cells
            self._of(cell).parent.rmdir()

    def cells(self) -> dict[str, tuple[int, int]]:
        """Cell to its pieces that are there, and how many there are in all."""
        found: dict[str, tuple[int, int]] = {}
        for piece in self._walk(lambda _: None):
            have, _ = found.get(piece.cell, (0, 0))
            found[piece.cell] = have + 1, piece.of
        return found

    def faults(self) -> Iterator[str]:
        """What is wrong with the pieces on disk, one line each."""
        said: list[str] = []
        for _ in self._walk(said.append):
            pass
        yield from said

    def _walk(self, say: Callable[[str], None]) -> Iterator[AnsweredPiece]:
        for path in sorted(self.folder.glob("??/*/*.json")):
            try:
                yield _read(path)
            except ValueError as error:
                say(plain(f"{path}: {error}; it counts as not answered"))

    def _of(self, cell: str) -> Path:
        return self.folder / cell[:2] / cell


def _read(path: Path) -> AnsweredPiece:
    """A piece; raises ValueError when it is not what was written."""
    content = reading.json_of(reading.data(path))
    if not isinstance(content, dict) or content.get(SHA256) != _digest(content):
        raise ValueError("is not what was written")
    if content.get("cell") != path.parent.name or content.get("key") != path.stem:
        raise ValueError("is a piece of another cell")
    try:
        return AnsweredPiece(
            cell=content["cell"],
            key=content["key"],
            of=int(content["of"]),
            texts=tuple(content["texts"]),
            logliks=tuple(math.nan if v is None else float(v) for v in content["logliks"]),
            greedy=tuple(content["greedy"]),
            state=content["state"],
            how=content["how"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError("is not a piece of a cell") from error


def _digest(content: dict[str, Any]) -> str:
    return object_digest(json.loads(dumps({k: v for k, v in content.items() if k != SHA256})))
