"""One browser for all tests of web pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from worlds.hosts import browser as chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with chromium.start() as opened:
        yield opened
