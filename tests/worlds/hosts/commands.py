"""A process that has imported what commands import, and forks one for each: a command then costs no imports.

    python tests/worlds/hosts/commands.py SOCKET [scoring]

Listens on a Unix socket for ``client.call``. The fork becomes ``benchcast ARGUMENTS`` with the client's files, folder,
environment and umask; the client is told its process id, and then its exit status as ``os.waitpid`` gives it. Ends, and
removes the socket's folder, when its standard input ends: then all who used it are gone.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import shutil
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from worlds.hosts.client import HEADER

SCORING = ("lm_eval.evaluator_utils", "lm_eval.models.huggingface", "transformers.models.llama.modeling_llama")
# These import torch, or are nothing that a command of a test needs.
LEFT_OUT = ("benchcast.scoring.inference", "benchcast.demo_ladder", "benchcast.__main__")


def load(scoring: bool) -> None:
    """Import every module of the package, those of the scorer where it is asked for."""
    if scoring:
        import torch

        torch.set_num_threads(1)  # before any fork: no threads to lose
        for name in SCORING:
            importlib.import_module(name)
    for top in ("benchcast", "benchcast.stages", "benchcast.reports"):
        package = importlib.import_module(top)
        for module in pkgutil.walk_packages(package.__path__, f"{top}."):
            if not module.name.startswith(LEFT_OUT) or (scoring and module.name.startswith(LEFT_OUT[0])):
                importlib.import_module(module.name)
    gc.freeze()


def become(request: dict[str, Any], files: list[int]) -> NoReturn:
    """Be the command, as if just started: what the host registered for its own end is not for this process."""
    from benchcast.cli.app import main

    atexit._clear()
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(3, max(files) + 1)
    os.chdir(request["folder"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv = ["benchcast", *request["arguments"]]
    code: Any = 1
    try:
        main()
        code = 0
    except SystemExit as left:
        code = left.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(code))


def reap() -> None:
    """Wait for those that have served."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def serve(connection: socket.socket) -> NoReturn:
    """Take one request, fork the command and tell the client how it ended."""
    header, files, *_ = socket.recv_fds(connection, HEADER, 3)
    with connection.makefile("rb") as incoming:
        request = json.loads(incoming.read(int.from_bytes(header, "big")))
    command = os.fork()
    if command == 0:
        connection.close()
        become(request, files)
    with contextlib.suppress(BrokenPipeError):  # the client may be gone before the command is
        connection.sendall(f"{command}\n".encode())
        connection.sendall(f"{os.waitpid(command, 0)[1]}\n".encode())
    os._exit(0)


def main() -> None:
    address = sys.argv[1]
    load("scoring" in sys.argv[2:])
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen(64)
        print("ready", flush=True)
        while sys.stdin not in (ready := select.select([server, sys.stdin], [], [])[0]):
            assert ready == [server]
            reap()
            connection, _ = server.accept()
            with connection:
                if os.fork() == 0:
                    server.close()
                    serve(connection)
    reap()
    place = Path(address).parent
    Path(f"{place}.lock").unlink(missing_ok=True)
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
