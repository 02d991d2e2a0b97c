"""Which file is changed in which way: by chance, or every way once."""

from __future__ import annotations

import random
from collections.abc import Iterator

from .mutate import BYTES, KINDS, STRUCTURE, Mutation, _bits
from .world import Files

COPIES = ("copy", "results_9", "é", "a b", "x" * 200)


def mutate(files: Files, rng: random.Random) -> tuple[Files, str]:
    """The files that change, and what was done to them."""
    path = rng.choice(sorted(files))
    chance = rng.random()
    if chance < 0.09:
        return _replaced(files, path, rng, rng.choice((*KINDS, *3 * ("other", "copy"))))
    made = _of_kind(path) if rng.random() < 0.65 else rng.choice(BYTES)
    return _made(files, path, rng, made, again=rng.random() < 0.1)


def every(files: Files, rng: random.Random) -> Iterator[tuple[Files, str]]:
    """Each way once, of a file by chance: that of its structure three times, and once before another."""
    for kind in (*KINDS, "other", "copy"):
        yield _replaced(files, rng.choice(sorted(files)), rng, kind)
    for made in (*BYTES, None, None, None):
        path = rng.choice(sorted(files))
        yield _made(files, path, rng, made or _of_kind(path))
    path = rng.choice(sorted(files))
    yield _made(files, path, rng, _of_kind(path), again=True)


def _of_kind(path: str) -> Mutation:
    return STRUCTURE.get(path[path.rfind(".") :], _bits)


def _replaced(files: Files, path: str, rng: random.Random, kind: bytes | str) -> tuple[Files, str]:
    """A file that is something else, holds another's content, or is there again."""
    if isinstance(kind, bytes):
        return {path: kind}, f"{path} is {kind.decode()}"
    if kind == "other":
        other = rng.choice(sorted(files))
        return {path: files[other]}, f"{path} holds {other}"
    copy_name = f"{path.rpartition('/')[0]}/{rng.choice(COPIES)}{path[path.rfind('.') :]}"
    return {copy_name: files[path]}, f"{path} again as {copy_name}"


def _made(files: Files, path: str, rng: random.Random, made: Mutation, *, again: bool = False) -> tuple[Files, str]:
    changed = made(files[path], rng)
    if again:
        changed = rng.choice(BYTES)(changed, rng)
    return {path: changed}, f"{path}: {made.__name__.strip('_')}"
