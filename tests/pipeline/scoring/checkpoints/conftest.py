"""A ladder of tiny files in the layout of the hub's cache; no torch needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds.hub.cache import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    for number, revision in enumerate(("step0", "step512", "step1000", "step143000"), 1):
        made.put(revision, number)
    return made
