"""A process of a script in this folder that is told in lines of JSON what to do, and answers each with one."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SECONDS = 400  # for one answer; then the host hangs, and the test fails


def environment() -> dict[str, str]:
    """Of this process, with the tests on the path and one thread: a process with threads cannot be forked."""
    paths = [str(HERE.parents[1]), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


class LineHost:
    """Runs until it is closed."""

    def __init__(self, script: str) -> None:
        command = [sys.executable, "-W", "ignore", str(HERE / script)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )

    def ask(self, *values: Any) -> Any:
        """The answer to these values; a host that gives none in time is ended, and the test with it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(values) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], SECONDS)[0]:
            self._process.kill()
            raise TimeoutError(f"no answer to {values} after {SECONDS} s")
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
