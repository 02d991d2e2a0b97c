"""A table world that several files go on from, and passes whose reports have no pages."""

from __future__ import annotations

from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def blank_pages() -> Iterator[None]:
    """Passes in this process write every file of a report, but set no page: that takes most of a pass's time.

    For tests of what a pass does and tells; what stands on its pages is in test_run.py and test_cron.py.
    """
    from benchcast.reports.documents import forecast, tracking

    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((forecast, "pdf_bytes"), (forecast, "page_bytes"), (tracking, "pages")):
            assert hasattr(module, name)
            patch.setattr(module, name, lambda *_: b"no pages")
        yield
