"""Asks the host of commands for one command: the same files, folder, environment and exit status as a process.

    python -S -E tests/worlds/hosts/client.py SOCKET ARGUMENTS…

Imports nothing but small standard modules, so that a shell script may call it many times.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence

HEADER = 8  # bytes: the length of the request that follows
STARTED = 120  # seconds that the host may take to fork; then it hangs, and the test fails


def call(
    address: str,
    arguments: Sequence[str],
    *,
    folder: str,
    environment: Mapping[str, str],
    files: tuple[int, int, int] = (0, 1, 2),
    timeout: float | None = None,
) -> int:
    """Run ``benchcast ARGUMENTS`` on the host; its exit code, negative where a signal ended it.

    ``files`` are the descriptors of its standard input, output and error. Raises ``TimeoutError`` after ``timeout``
    seconds, and then the command is killed.
    """
    os.umask(mask := os.umask(0))
    request = {"arguments": list(arguments), "folder": folder, "environment": dict(environment), "umask": mask}
    content = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [len(content).to_bytes(HEADER, "big")], files)
        connection.sendall(content)
        connection.settimeout(STARTED)
        with connection.makefile("r") as answers:
            process = int(answers.readline())
            connection.settimeout(timeout)
            try:
                return os.waitstatus_to_exitcode(int(answers.readline()))
            except TimeoutError:
                os.kill(process, signal.SIGKILL)
                raise


if __name__ == "__main__":
    code = call(sys.argv[1], sys.argv[2:], folder=os.getcwd(), environment=os.environ, timeout=600)
    sys.exit(code if code >= 0 else 128 - code)
