"""The command line as a process of its own, and a config of a small ladder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFIG = """
title: A small test
data: {source: table, path: ladder.csv}
targets:
  - run: 6e+08-*
  - {name: planned, params: 3e9, token_multiplier: 20}
recipes:
  - {name: llama3, optimal: all}
  - {name: overtraining, loss: text}
  - {name: ladder, last: 1, smooth: 1, huber: null}
"""


def benchcast(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a process of its own."""
    command = [sys.executable, "-m", "benchcast", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
