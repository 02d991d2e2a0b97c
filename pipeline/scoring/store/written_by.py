"""By which defaults of generation a checkpoint wrote the answers in a store.

``generation_config.json`` decides what a model writes and none of its likelihoods, so it is no part of a checkpoint's
identity. It is remembered here instead, by the checkpoint's digest, so that an edited one is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from ...core import files, reading

NAME = "generation_configs.json"


class WrittenBy:
    """Digest of a checkpoint to that of its defaults when it wrote; in ``<store>/generation_configs.json``."""

    def __init__(self, store: Path) -> None:
        self._path = store / NAME
        self._lock = FileLock(store / "locks" / f"{NAME}.lock")
        self._known = self._read()

    def knows(self, checkpoint: str) -> bool:
        """Whether a checkpoint has written something."""
        return checkpoint in self._known

    def other_than(self, defaults: Mapping[str, str]) -> dict[str, str]:
        """Those of the checkpoints whose defaults are not these any more, with these."""
        return {c: now for c, now in defaults.items() if self._known.get(c, now) != now}

    def note(self, checkpoint: str, defaults: str) -> None:
        """Remember by which defaults a checkpoint wrote; raises BenchcastError when the disk is full."""
        if self._known.get(checkpoint) == defaults:
            return
        with self._lock:
            self._known = self._read() | {checkpoint: defaults}
            files.write_text(json.dumps(self._known, indent=0, sort_keys=True) + "\n", self._path)

    def _read(self) -> dict[str, str]:
        """What is remembered; a file that is broken tells nothing."""
        try:
            content = reading.json_of(reading.data(self._path))
        except ValueError:
            return {}
        return {str(k): str(v) for k, v in content.items()} if isinstance(content, dict) else {}
