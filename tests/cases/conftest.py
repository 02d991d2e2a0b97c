"""Inputs that once gave a wrong number in silence, or stopped what works: each by the command a user would type.

They are shaped like public files and bug reports and lie beside the checkout; without them these tests are skipped. The
same kinds, built small, are in the tests of each reader. Cases that score checkpoints are in the tests of ``score``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds.shell import Shell


@pytest.fixture
def sh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capsys)
