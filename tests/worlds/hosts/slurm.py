"""A SLURM of one machine: ``sbatch``, ``squeue`` and ``scancel`` as scripts that run an array's tasks as processes."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

COMMANDS = ("sbatch", "squeue", "scancel")
PROGRAM = """#!{python}
import json, os, pathlib, re, signal, subprocess, sys

state = pathlib.Path({state!r})
name, arguments = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
with (state / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps([name, *arguments]) + "\\n")


def tasks():
    return {{p.name: int(p.read_text()) for p in sorted((state / "tasks").iterdir())}}


def runs(pid):
    try:
        return pathlib.Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if name == "sbatch":
    given = dict(a[2:].partition("=")[::2] for a in arguments if a.startswith("--"))
    if given.get("partition") == "none":
        sys.exit("sbatch: error: invalid partition specified: none")
    command = arguments[next(i for i, a in enumerate(arguments) if not a.startswith("--")) :]
    job = str(7001 + len({{t.split("_")[0] for t in tasks()}}))
    first, last = map(int, given["array"].split("-"))
    for index in range(first, last + 1):
        log = given["output"].replace("%A", job).replace("%a", str(index))
        told = dict(os.environ, SLURM_ARRAY_JOB_ID=job, SLURM_ARRAY_TASK_ID=str(index))
        with open(log, "ab") as out:
            started = subprocess.Popen(
                ["sh", *command], env=told, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        (state / "tasks" / f"{{job}}_{{index}}").write_text(str(started.pid))
    print(f"{{job}};cluster")
elif name == "squeue":
    assert "--format=%F_%K %T" in arguments
    print("6999_0 RUNNING")  # somebody's
    for task, pid in tasks().items():
        if runs(pid):
            print(task, "RUNNING")
else:
    for task, pid in tasks().items():
        if task.split("_")[0] in arguments and runs(pid):
            os.kill(pid, signal.SIGTERM)
"""


class FakeSlurm:
    """The commands in ``folder / "bin"``, and what was done with them."""

    def __init__(self, folder: Path) -> None:
        self.bin, self._state = folder / "bin", folder / "state"
        self.bin.mkdir(parents=True)
        (self._state / "tasks").mkdir(parents=True)
        for name in COMMANDS:
            path = self.bin / name
            path.write_text(PROGRAM.format(python=sys.executable, state=str(self._state)))
            path.chmod(0o755)

    def calls(self, name: str) -> list[list[str]]:
        """The arguments of every call of a command."""
        lines = (self._state / "calls.jsonl").read_text().splitlines()
        return [call[1:] for call in map(json.loads, lines) if call[0] == name]

    def pids(self) -> dict[str, int]:
        """``<array>_<index>`` to process of every task that was ever started."""
        return {p.name: int(p.read_text()) for p in (self._state / "tasks").iterdir()}

    def kill(self, task: str) -> None:
        """End a task as a node's failure does."""
        os.kill(self.pids()[task], signal.SIGKILL)
