"""Metrics that run code which the model wrote: computed in a process of their own, never in this one.

That process (``untrusted_process``) loads the task again and forks one more for every document, with limits on CPU
time, memory, file sizes and wall time, an empty environment and a fresh folder to work in. This keeps accidents apart;
it is no sandbox: such code can read what its user can read, and reach the network. Where that matters, score in a
container.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from ...core.errors import TaskError
from ..requests.kinds.base import Task
from .judging import Judged

# What the process needs to load a task as this one did; secrets such as tokens stay here.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "XDG_CACHE_HOME")
KEPT_PREFIXES = ("HF_HOME", "HF_HUB_", "HF_DATASETS_", "HF_EVALUATE_", "HF_MODULES_", "TRANSFORMERS_", "OMP_")
ALLOW = "HF_ALLOW_CODE_EVAL"  # Hugging Face's own switch

_processes: dict[str, _Process] = {}


def judge(task: Task, texts: Sequence[Sequence[str]]) -> Judged:
    """Judge texts as ``judging.judge`` does, elsewhere.

    Raises
    ------
    TaskError
        When the task cannot be loaded there, or its own code fails.
    """
    if task.digest not in _processes:
        _processes[task.digest] = _Process(task)
    try:
        reply = _processes[task.digest].ask({"texts": texts})
    except TaskError:
        _processes.pop(task.digest).close()
        raise
    aggregation = task.harness.aggregation()
    only = list(aggregation.values())
    for values in reply["values"].values():
        for document in values:
            for metric in document:
                if metric not in aggregation and len(only) == 1:  # pass@1 of pass_at_k, as lm-eval calls it
                    aggregation[metric] = only[0]
    return Judged(filtered=reply["filtered"], values=reply["values"], lost=reply["lost"])


def close() -> None:
    """End the processes; to be called at the end of a run."""
    while _processes:
        _processes.popitem()[1].close()


class _Process:
    """A process that holds one task."""

    def __init__(self, task: Task) -> None:
        environment = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith(KEPT_PREFIXES)}
        environment = {k: v for k, v in environment.items() if "TOKEN" not in k} | {ALLOW: "1"}
        module = __name__.rpartition(".")[0] + ".untrusted_process"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
            text=True,
            encoding="utf-8",
        )
        settings, base = task.origin
        content = settings.model_dump(mode="json", exclude_unset=True)
        digest, documents = task.digest, None
        if task.chosen is not None:
            digest, documents = task.chosen.whole, task.chosen.subset.documents.tolist()
        about = {"name": task.name, "digest": digest, "documents": documents}
        self.ask({"settings": content, "base": str(base), **about})

    def ask(self, question: Any) -> Any:
        """Its answer to one question."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):  # it is gone: there is no answer then
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise TaskError("the process that runs the model's code ended")
        reply = json.loads(line)
        if "error" in reply:
            raise TaskError(str(reply["error"]))
        return reply

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # a question that it did not read
                    stream.close()
