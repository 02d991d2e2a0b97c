"""A table world that several files go on from."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds import nightly as world


@pytest.fixture(scope="session")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world after its first night, with one scored checkpoint of the big run for the second; copied, not changed."""
    config = world.make(tmp_path_factory.mktemp("first-night"))
    assert world.here(config).returncode == 0
    world.grow(config, 0.1)
    return config
