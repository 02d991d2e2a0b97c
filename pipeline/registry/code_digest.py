"""Which code made a forecast: one hash of the whole package's source, wherever its wings lie."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

PACKAGE = __name__.partition(".")[0]
GROUND = ("stages", "reports")  # beside the package in a checkout, inside it where a wheel put them


def code_digest() -> str:
    """SHA-256 of the source of every module, by its name in the package; the same in a checkout and when installed."""
    folders = {"": _folder(PACKAGE)} | {f"{wing}/": _folder(f"{PACKAGE}.{wing}") for wing in GROUND}
    return digest_of(folders)


def digest_of(folders: Mapping[str, Path]) -> str:
    """The hash of the Python files in folders and below; keys are what their names begin with, ``""`` for the package.

    A file that lies below two of the folders counts once.
    """
    files = {
        prefix + path.relative_to(folder).as_posix(): path
        for prefix, folder in folders.items()
        for path in folder.rglob("*.py")
    }
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _folder(package: str) -> Path:
    return Path(str(import_module(package).__path__[0]))
