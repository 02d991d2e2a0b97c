"""Download a published testbed, file by file, each checked against a pinned SHA-256."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import pooch
from requests.exceptions import RequestException

from ..core.errors import BenchcastError


def registry(source: str) -> dict[str, str]:
    """Pinned hashes of a source's files, from the ``files.sha256`` beside its reader: ``{path: sha256}``."""
    lines = (files(f"benchcast.data.sources.{source}") / "files.sha256").read_text().splitlines()
    return {path: digest for digest, path in (line.split(maxsplit=1) for line in lines if line)}


def fetch(source: str, base: str, cache: Path | None = None) -> Path:
    """Download what is missing into the user's cache and return the folder.

    Parameters
    ----------
    source : str
        Name of a published source, such as ``model_ladder``.
    base : str
        Address of the folder to download from: a fixed commit, or a mirror of it.
    cache : Path, optional
        Instead of the user's cache folder, or of ``BENCHCAST_CACHE``.

    Raises
    ------
    BenchcastError
        When a file cannot be downloaded or does not have its pinned hash; nothing wrong is kept.
    """
    root = cache or Path(os.environ.get("BENCHCAST_CACHE") or pooch.os_cache("benchcast"))
    folder = root / source
    getter = pooch.create(folder, base, registry=registry(source), retry_if_failed=2)
    pooch.get_logger().setLevel("WARNING")
    for name in getter.registry:
        try:
            getter.fetch(name)
        except (RequestException, OSError, ValueError) as error:
            what = " ".join(str(error).split())
            raise BenchcastError(
                f"{name}: cannot be downloaded ({what}); get the folder yourself and give it with --data or --from"
            ) from error
    return folder
