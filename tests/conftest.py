"""Fixtures that several folders of tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from worlds.ladders import make_ladder


@pytest.fixture
def ladder_csv(tmp_path: Path) -> Path:
    """A valid ladder table on disk."""
    path = tmp_path / "ladder.csv"
    make_ladder(noise=0.003).to_csv(path, index=False)
    return path


@pytest.fixture
def only_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One Ray at a time: two that start together may take each other's ports, and one then waits for ever."""
    with FileLock(tmp_path_factory.getbasetemp().parent / "ray.lock", timeout=500):
        yield
