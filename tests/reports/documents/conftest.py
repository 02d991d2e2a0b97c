"""One browser for all tests of web pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from worlds import browsing


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with browsing.start() as opened:
        yield opened
