"""A small world of checkpoints and tasks, and a copy of it for every test that breaks something."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds.scoring import copy_of, make


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def world(whole: Path, tmp_path: Path) -> Path:
    return copy_of(whole, tmp_path)
