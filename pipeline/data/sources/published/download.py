"""Download a published testbed, file by file, each checked against a pinned SHA-256."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import pooch
from requests.exceptions import RequestException

from ....core.errors import BenchcastError

# Fixed commits; the files below them are listed with their hashes in <source>.sha256.
BASES = {
    "overtraining": "https://raw.githubusercontent.com/mlfoundations/scaling/"
    "a003c4913793ac2ae7ef87b28ecb562955d026d5/exp_data/",
    "model_ladder": "https://raw.githubusercontent.com/allenai/OLMo-ladder/"
    "67a3f440f787d020da35e3ca8eeae475fae754f5/src/scripts/paper/data/ladder-runs/",
}


def registry(source: str) -> dict[str, str]:
    """Pinned hashes of a source's files: ``{path: sha256}``."""
    lines = (files("benchcast.data.sources.published") / f"{source}.sha256").read_text().splitlines()
    return {path: digest for digest, path in (line.split(maxsplit=1) for line in lines if line)}


def fetch(source: str, base: str | None = None, cache: Path | None = None) -> Path:
    """Download what is missing into the user's cache and return the folder.

    Parameters
    ----------
    source : {"overtraining", "model_ladder"}
    base : str, optional
        Another place to download from (a mirror).
    cache : Path, optional
        Instead of the user's cache folder, or of ``BENCHCAST_CACHE``.

    Raises
    ------
    BenchcastError
        When a file cannot be downloaded or does not have its pinned hash; nothing wrong is kept.
    """
    root = cache or Path(os.environ.get("BENCHCAST_CACHE") or pooch.os_cache("benchcast"))
    folder = root / source
    getter = pooch.create(folder, base or BASES[source], registry=registry(source), retry_if_failed=2)
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
