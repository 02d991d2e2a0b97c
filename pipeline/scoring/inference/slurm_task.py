"""One task of a SLURM array: takes jobs from the spool, answers them, and leaves when there are no more.

    python -m benchcast.scoring.inference.slurm_task SPOOL

It never touches the store. A task that is told to end (its time is up, or it is preempted) puts its job back.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path

from ...core.errors import first_line
from ...core.redact import redacted
from .spool import Failure, Spool, Taken, read
from .worker import JobResult, Worker, WorkerJob, WorkerSettings

POLL = 0.2  # seconds between two looks for a job
OTHERS_AFTER = 1.0  # seconds that a job is left to the task that has its slot's checkpoint loaded
IDLE = 60.0  # seconds without a job, after which a task gives its node back
DRIVER_SILENT = 300.0  # seconds without a sign of the driver, after which it is dead


def main() -> None:
    """Answer jobs until there are no more."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    spool = Spool(Path(sys.argv[1]))
    worker = Worker(_on_this_node(spool.settings()))
    name = name_of(os.environ.get("SLURM_ARRAY_JOB_ID", "0"), os.environ.get("SLURM_ARRAY_TASK_ID", "0"))
    with spool.alive(name):
        serve(spool, worker, name)


def name_of(array: str, index: str) -> str:
    """A task's name: of this process alone, since a task that is requeued keeps its number."""
    return f"{array}_{index}-{uuid.uuid4().hex[:8]}"


def serve(spool: Spool, worker: Worker, name: str) -> None:
    """Answer jobs until none has come for a while, or the driver is gone."""
    slot, last, seen = -1, time.monotonic(), dict[int, float]()
    while time.monotonic() - last < IDLE and spool.silent(Spool.DRIVER) < DRIVER_SILENT and spool.folder.is_dir():
        taken = _next(spool, name, slot, seen)
        if taken is None:
            time.sleep(POLL)
            continue
        slot = taken.slot
        try:
            spool.answer(taken, _answer(worker, taken))
        except BaseException:
            spool.put_back(taken)
            raise
        last = time.monotonic()


def _next(spool: Spool, name: str, slot: int, seen: dict[int, float]) -> Taken | None:
    """The next job: of the slot served last, or one that nobody has taken for a moment."""
    waiting = spool.waiting()
    now = time.monotonic()
    for number, of in sorted(waiting.items(), key=lambda item: (item[1] != slot, item[0])):
        if of != slot and now - seen.setdefault(number, now) < OTHERS_AFTER:
            continue
        if taken := spool.take(number, of, name):
            return taken
    return None


def _answer(worker: Worker, taken: Taken) -> JobResult | Failure:
    try:
        job = read(taken.path)
        assert isinstance(job, WorkerJob)
        return worker.answer(job)
    except Exception as error:
        return Failure(redacted(first_line(error)))


def _on_this_node(settings: WorkerSettings) -> WorkerSettings:
    """With the device that SLURM gave to this task."""
    if settings.device != "auto":
        return settings
    import torch

    return replace(settings, device="cuda:0" if torch.cuda.is_available() else "cpu")


if __name__ == "__main__":
    main()
