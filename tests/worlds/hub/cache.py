"""The cache of the Hugging Face hub as its library lays it out, made by hand: blobs, snapshots of links, refs."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchcast.core.config import ScoreSettings
from benchcast.core.digest import file_digest
from benchcast.scoring.checkpoints import discover

LLAMA = {
    "model_type": "llama",
    "hidden_size": 512,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "vocab_size": 50304,
    "intermediate_size": 2048,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}
MODEL = "EleutherAI/pythia-70m"


def commit_of(text: str) -> str:
    """A commit's name, from anything that tells it apart."""
    return hashlib.sha1(text.encode()).hexdigest()


def put(cache: Path, model: str, revision: str, files: Path, commit: str = "") -> Path:
    """Enter a folder's files as a revision; returns its snapshot folder."""
    home = cache / f"models--{model.replace('/', '--')}"
    commit = commit or commit_of(f"{model}@{revision}")
    snapshot, blobs, ref = home / "snapshots" / commit, home / "blobs", home / "refs" / revision
    for folder in (snapshot, blobs, ref.parent):
        folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(files.iterdir()):
        content = path.read_bytes()
        blob = blobs / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        (snapshot / path.name).unlink(missing_ok=True)
        (snapshot / path.name).symlink_to(os.path.relpath(blob, snapshot))
    ref.write_text(commit)
    return snapshot


def files(folder: Path, number: int) -> Path:
    """A checkpoint's files, whose weights are this number."""
    folder.mkdir(parents=True)
    header = json.dumps({"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    (folder / "model.safetensors").write_bytes(
        struct.pack("<Q", len(header)) + header + struct.pack("<4I", *[number] * 4)
    )
    (folder / "config.json").write_text(json.dumps(LLAMA))
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", "model": {"vocab": {"a": 0}}}))
    return folder


class World:
    """A cache with revisions, and a config's folder beside it."""

    def __init__(self, folder: Path) -> None:
        self.base, self.cache = folder / "base", folder / "cache"
        self.base.mkdir()
        self.cache.mkdir()
        self._made = folder / "made"

    def put(self, revision: str, number: int, model: str = MODEL, commit: str = "") -> Path:
        """Enter a revision; returns its snapshot folder."""
        made = files(self._made / str(len(list(self._made.glob("*")))), number)
        return put(self.cache, model, revision, made, commit)

    def settings(self, *entries: str, **changes: Any) -> ScoreSettings:
        usual = {"tasks": ["t"], "quiet_seconds": 0, "hub_cache": str(self.cache)}
        place = {"family": "pythia", "tokens_per_step": 2_097_152}
        return ScoreSettings.model_validate({"checkpoints": list(entries), "place": place} | usual | changes)

    def find(
        self, *entries: str, fetching: Callable[[str], None] | None = None, **changes: Any
    ) -> discover.DiscoveredCheckpoints:
        return discover.find(self.settings(*entries, **changes), self.base, file_digest, fetching)
