"""The command line as tests call it, in a fork that has the imports or as a process of its own; a config to run it on.

``benchcast`` is for what a command says, writes and returns; ``process`` for what only a new process can show: what is
imported, the seed of hashes, a pipe that is closed.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock
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
    """The socket of the process that forks commands; with ``scoring`` it has imported torch as well.

    All workers of one run of pytest share it: whoever comes first starts it, and it ends with the last that has its
    pipe open for writing.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    place = Path(tempfile.gettempdir()) / f"bc-{run[-12:]}{'-s' * scoring}"  # a socket's path has 100 letters at most
    with FileLock(f"{place}.lock", timeout=SECONDS):
        if not (place / "s").exists():
            _start(place, scoring)
        held = os.open(place / "open", os.O_WRONLY | os.O_NONBLOCK)
    atexit.register(os.close, held)
    return str(place / "s")


def _start(place: Path, scoring: bool) -> None:
    """Start a host whose standard input is a named pipe, and wait until it listens."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    os.mkfifo(place / "open")
    pipe = os.open(place / "open", os.O_RDONLY | os.O_NONBLOCK)  # else it would wait for somebody who writes
    first = os.open(place / "open", os.O_WRONLY)  # the host ends when nobody has it open
    os.set_blocking(pipe, True)
    words = [sys.executable, str(HOST), str(place / "s"), *(["scoring"] if scoring else [])]
    started = subprocess.Popen(words, stdin=pipe, stdout=subprocess.PIPE, text=True, env=environment())
    os.close(pipe)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    started.stdout.close()
    started.returncode = 0  # it outlives this process: nobody waits for it
    atexit.register(os.close, first)


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
