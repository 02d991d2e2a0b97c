"""The process that runs what models wrote: ``python -m benchcast.scoring.measure.untrusted_process``.

It reads JSON lines: first which task to load, then texts to judge, and answers each with a line. Whatever runs the
model's code is forked from here, document by document, so that this process stays as it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...core.config import ScoreSettings
from ...core.errors import TaskError, first_line
from ..requests import tasks
from ..requests.kinds.base import Task
from ..subsets.tasks import cut
from .judging import Values, judge

CPU_SECONDS = 15  # for every text of a document
WALL_SECONDS = 30
MEMORY = 4 << 30  # bytes beside what the process has already
FILE_SIZE = 16 << 20  # bytes of a file that it writes
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
ROUNDS = 100  # generations of processes that are ended
Send = Callable[[Any], None]
_talks: list[int] = []  # file descriptors that lead to the driver


def main() -> None:
    """Answer questions until there are no more."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    _talks.append(replies.fileno())
    os.dup2(2, 1)  # whatever prints, prints elsewhere

    def send(reply: Any) -> None:
        replies.write(json.dumps(reply, default=_plain) + "\n")
        replies.flush()

    first = json.loads(sys.stdin.readline())
    try:
        with tasks.quiet():
            task = _task(first)
    except Exception as error:  # task files run their own code
        send({"error": first_line(error)})
        return
    spared = adopt()
    send({"ready": True})
    for line in sys.stdin:
        try:
            send(_judged(task, json.loads(line)["texts"], spared))
        except Exception as error:
            send({"error": first_line(error)})


def _task(asked: dict[str, Any]) -> Task:
    """The task that was asked for; raises TaskError when it is another one than there."""
    settings = ScoreSettings.model_validate(asked["settings"])
    alone = settings.model_copy(update={"tasks": (asked["name"],)})
    for one in (alone, settings):  # some tasks are only known as members of a group
        with contextlib.suppress(Exception), tasks.cached_templates():
            built, _ = tasks.load(one, Path(asked["base"]))
            for task in built:
                if task.name == asked["name"] and task.digest == asked["digest"]:
                    return task if asked["documents"] is None else cut(task, asked["documents"])
    raise TaskError("it could not be loaded again as it was: did its files change while it was scored?")


def adopt() -> set[int]:
    """Become the parent of whatever loses its own, where the system can (Linux); returns the children there are."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    return set(_children())


def end_strays(spared: set[int]) -> None:
    """End what a program left behind, also what left its group; to be called after ``adopt``."""
    for _ in range(ROUNDS):  # a process that dies leaves its own children to this one
        strays = [pid for pid in _children() if pid not in spared]
        for pid in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        if not strays:
            return


def _children() -> list[int]:
    """Processes whose parent this one is; none where there is no /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):  # it is gone meanwhile
            if int(path.read_text(errors="replace").rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(path.parent.name))
    return found


def _judged(task: Task, texts: Sequence[Sequence[str]], spared: set[int]) -> dict[str, Any]:
    limit = max(map(len, texts), default=1)

    def process(doc: Any, filtered: list[Any]) -> Values:
        try:
            return apart(lambda: task.harness.process_results(doc, filtered), limit)
        finally:
            end_strays(spared)

    judged = judge(task, texts, process)
    lost = 0
    for values in judged.values.values():
        metrics = dict.fromkeys(metric for document in values for metric in document)
        if not metrics:
            raise TaskError("no document's program stayed within the limits")
        for document in values:
            if not document:
                lost += 1
                document.update(dict.fromkeys(metrics, 0.0))
    return {"filtered": judged.filtered, "values": judged.values, "lost": lost}


def apart(compute: Callable[[], Values], texts: int) -> Values:
    """What a computation gives in a process of its own; empty when that did not live to tell.

    Raises
    ------
    TaskError
        When the computation itself raised an error.
    """
    read, write = os.pipe()
    folder = tempfile.mkdtemp(prefix="benchcast-")
    child = os.fork()
    if child == 0:
        os.close(read)
        _in_child(compute, write, folder, texts)
    os.close(write)
    try:
        content = _heard(read, child, time.monotonic() + WALL_SECONDS * texts)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # what it started, too
            os.killpg(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
        os.close(read)
        shutil.rmtree(folder, ignore_errors=True)
    try:
        reply = json.loads(content)
    except ValueError:
        return {}
    if not isinstance(reply, dict) or not isinstance(reply.get("values"), dict):
        raise TaskError(str(reply.get("error", "")) if isinstance(reply, dict) else "its metrics are not numbers")
    return dict(reply["values"])


def _in_child(compute: Callable[[], Values], write: int, folder: str, texts: int) -> None:
    """Compute within limits, and never return."""
    try:
        os.setsid()
        os.chdir(folder)
        _limit(texts)
        os.environ.clear()
        os.environ.update({"PATH": os.defpath, "HOME": folder, "TMPDIR": folder, "HF_ALLOW_CODE_EVAL": "1"})
        tempfile.tempdir = folder
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2, *_talks):  # a program that outlives this process must hold nothing that others wait for
            os.dup2(nothing, stream)
        try:
            reply: dict[str, Any] = {"values": compute()}
        except Exception as error:  # the task's own code: what a program raised is the metric's to judge
            reply = {"error": first_line(error)}
        data = json.dumps(reply, default=_plain).encode()
        while data:
            data = data[os.write(write, data) :]
    finally:
        os._exit(0)


def _limit(texts: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    wanted = {
        resource.RLIMIT_CPU: CPU_SECONDS * texts,
        resource.RLIMIT_FSIZE: FILE_SIZE,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_AS: pages * resource.getpagesize() + MEMORY,
    }
    for kind, most in wanted.items():
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _heard(read: int, child: int, until: float) -> bytes:
    """What a process says until it ends, closes the pipe, or its time is over."""
    content = b""
    gone = False
    while time.monotonic() < until:
        if select.select([read], [], [], 0.0 if gone else 0.2)[0]:
            part = os.read(read, 1 << 16)
            if not part:
                break
            content += part
        elif gone:
            break
        else:
            gone = os.waitpid(child, os.WNOHANG)[0] == child
    return content


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


if __name__ == "__main__":
    main()
