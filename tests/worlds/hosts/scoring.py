"""A process that has imported everything and forks runs of the scorer, so that a run costs no imports.

    python tests/worlds/hosts/scoring.py < commands

Reads lines of JSON: a world, a store, a log, and words of what to do: CELLS+SECONDS, ``whole`` or ``pair``. Forks one
run after the other: it is killed with SIGKILL so many seconds after it has computed so many cells, or left to finish
(``whole``), or run twice at the same time (``pair``). Settings may follow the words. Every run appends a line to the
log for every cell, or piece of one, that it has computed. Answers with a list of exit statuses for every word.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import lm_eval.evaluator_utils
import lm_eval.models.huggingface  # noqa: F401
import torch
import transformers.models.llama.modeling_llama  # noqa: F401
from benchcast.scoring import record, run
from benchcast.scoring.requests import book
from benchcast.scoring.requests.kinds import generation
from worlds.scoring import settings


def score(world: Path, store: str, log: Path, more: dict[str, Any]) -> None:
    book.GROUP_TOKENS = 1  # a group per task
    generation.PIECE = 7  # a batch of a task that is written
    add = record.Recorder.add

    def logged(self: Any, checkpoint: Any, group: Any, scored: Any) -> Any:
        with log.open("a") as file:
            for spec in group.specs:
                piece = "" if group.piece is None else f" {group.pieces.index(group.key)}"
                file.write(json.dumps([os.getpid(), checkpoint.source, spec.name + piece]) + "\n")
        return add(self, checkpoint, group, scored)

    record.Recorder.add = logged  # type: ignore[method-assign]
    usual = {"tasks": ("plain", "more", "third"), "validation_text": ("words.txt",), "store": store}
    run.score(settings(**usual | more), world)


def main() -> None:
    torch.set_num_threads(1)  # before any fork: no threads to lose
    for line in sys.stdin:
        folder, store, path, *words = json.loads(line)
        world, log = Path(folder), Path(path)
        more = words.pop() if isinstance(words[-1], dict) else {}
        answer = []
        for word in words:
            children = [fork(world, store, log, more) for _ in range(2 if word == "pair" else 1)]
            if word not in ("whole", "pair"):
                kill(children[0], log, *word.split("+"))
            answer.append([os.waitpid(child, 0)[1] for child in children])
        print(json.dumps(answer), flush=True)


def kill(child: int, log: Path, cells: str, seconds: str) -> None:
    """Kill the run at its moment; one that ends before it is left to be waited for."""

    def computed() -> int:
        return sum(json.loads(line)[0] == child for line in log.read_text().splitlines()) if log.exists() else 0

    while computed() < int(cells):
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.002)
    time.sleep(float(seconds))
    os.kill(child, signal.SIGKILL)


def fork(world: Path, store: str, log: Path, more: dict[str, Any]) -> int:
    child = os.fork()
    if child == 0:
        score(world, store, log, more)
        os._exit(0)
    return child


if __name__ == "__main__":
    main()
