"""The command line as tests call it, in a fork that has the imports or as a process of its own; a config to run it on.

``benchcast`` is for what a command says, writes and returns; ``process`` for what only a new process can show: what is
imported, the seed of hashes, a pipe that is closed.
"""

from __future__ import annotations

import atexit
import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from worlds.hosts import client
from worlds.hosts.lines import environment

HOST = Path(__file__).parent / "hosts" / "commands.py"
SECONDS = 300  # no command of a test takes as long
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

Done = subprocess.CompletedProcess[str]


@functools.cache
def host(*, scoring: bool = False) -> str:
    """The socket of the process that forks commands, started once; with ``scoring`` it has imported torch as well."""
    address = str(Path(tempfile.mkdtemp(prefix="bc")) / "s")
    words = [sys.executable, str(HOST), address, *(["scoring"] if scoring else [])]
    started = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())
    assert started.stdin is not None
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    started.stdout.close()

    def end() -> None:
        assert started.stdin is not None
        started.stdin.close()
        started.wait(60)

    atexit.register(end)
    return address


def benchcast(
    *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None, scoring: bool = False
) -> Done:
    """Run a command in a fork; ``env`` is all of its environment, without it this process's."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull) as nothing:
        code = client.call(
            host(scoring=scoring),
            words := list(map(str, arguments)),
            folder=str(cwd or Path.cwd()),
            environment=os.environ if env is None else env,
            files=(nothing.fileno(), out.fileno(), err.fileno()),
            timeout=SECONDS,
        )
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(["benchcast", *words], code, *texts)


def process(*arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Done:
    """Run a command in a new process."""
    words = [sys.executable, "-m", "benchcast", *map(str, arguments)]
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=SECONDS)


def printed(*arguments: object, code: int = 0, cwd: Path | None = None) -> str:
    """What a command prints that must end with ``code``: its output, or what it says of an error."""
    done = benchcast(*arguments, cwd=cwd)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr
