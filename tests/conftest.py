"""Fixtures that several folders of tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from worlds.ladders import make_ladder

# They take longest, mostly waiting: begun last, they alone would be left at the end.
FIRST = ("test_cron.py", "test_docs.py", "test_executors.py", "test_kills.py", "test_revisions.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest files first, in this order; the others as they were found."""
    order = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.path.name, len(FIRST)))


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
