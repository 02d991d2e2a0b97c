"""Workers as tasks of a SLURM array: one job id in the queue, as many workers as the cluster has room for just now.

The driver stays where it was started and is still the only one that writes the store; jobs and answers are files of a
``Spool`` below the store, which the nodes must see under the same path. A task takes whatever job waits, so it does not
matter how many of the array run at once. A task that dies costs its job, which is tried again; tasks that are missing
(their time was up, the node failed) are submitted again while there is work for them.

SLURM is spoken to through ``sbatch``, ``squeue`` and ``scancel`` with lists of arguments, never through a shell.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...core.config import ScoreSettings
from ...core.errors import BenchcastError, InputError, WorkerLostError
from .spool import Failure, Spool
from .worker import JobResult, WorkerJob, WorkerSettings

SCRIPT = Path(__file__).with_name("slurm.sbatch")
COMMANDS = ("sbatch", "squeue", "scancel")
POLL = 0.2  # seconds between two looks for answers
LOOK = 15.0  # seconds between two questions to SLURM: its controller serves everybody
SILENT = 120.0  # seconds without a sign of life, after which a task is dead, whatever SLURM says
ASK_AGAIN = 60.0  # seconds after a submission before the next one, and before a queue without it says something
IN_VAIN = 3  # submissions in a row that brought no answer, after which the jobs are given up
STALE = 86400.0  # seconds after which what a killed driver left is taken away
TIMEOUT = 120.0  # seconds that a command of SLURM may take
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")


@dataclass
class _Open:
    """A job without an answer yet."""

    slot: int
    future: Future[JobResult]


class SlurmSlot:
    """A place for one job at a time; which task of the array answers it is not said."""

    def __init__(self, pool: Pool, number: int) -> None:
        self._pool, self._number = pool, number

    def submit(self, job: WorkerJob) -> Future[JobResult]:
        """Hand the job in."""
        return self._pool.submit(self._number, job)

    def close(self) -> None:
        """Nothing to free: a task without work leaves by itself."""


class Array:
    """The arrays that were submitted for one run: what of them is in the queue, and more of them."""

    def __init__(self, settings: ScoreSettings, folder: Path) -> None:
        self._options = options(settings)
        self._folder = folder
        self._jobs: list[str] = []

    def submit(self, count: int) -> str:
        """Ask for so many tasks; the array's job id.

        Raises
        ------
        InputError
            When sbatch refuses.
        """
        logs = self._folder / "logs" / "%A_%a.log"
        command = ["sbatch", "--parsable", f"--array=0-{count - 1}", f"--output={logs}", *self._options]
        done = _ask([*command, str(SCRIPT), sys.executable, str(self._folder)])
        if done.returncode:
            raise InputError(f"score.slurm: sbatch refused: {_line(done.stderr or done.stdout)}")
        job = done.stdout.strip().split(";")[0]
        self._jobs.append(job)
        return job

    def tasks(self) -> dict[str, str] | None:
        """Name (``<array>_<index>``) to state of the tasks that have not ended; None when SLURM does not say."""
        done = _ask(["squeue", "--me", "--noheader", "--array", "--format=%F_%K %T"])
        if done.returncode:
            return None
        states = dict(line.split()[:2] for line in done.stdout.splitlines() if len(line.split()) >= 2)
        return {n: s for n, s in states.items() if n.rsplit("_", 1)[0] in self._jobs and s not in ENDED}

    def cancel(self) -> None:
        """End what is still there."""
        if self._jobs:
            with contextlib.suppress(InputError):
                _ask(["scancel", *self._jobs])


class Pool:
    """Jobs out, answers in, and an eye on the tasks; the eye is a thread of its own."""

    def __init__(self, array: Array, spool: Spool, size: int, say: Callable[[str], None]) -> None:
        self._array, self._spool, self._size, self._say = array, spool, size, say
        self._open: dict[int, _Open] = {}
        self._lock = threading.Lock()
        self._number = self._in_vain = 0
        self._looked = self._submitted = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Submit the array, and wait until one of its tasks works.

        Raises
        ------
        InputError
            When sbatch refuses, or all tasks end before they work: with the last line of their log.
        """
        job = self._array.submit(self._size)
        self._say(f"SLURM job {job}: {self._size} tasks submitted; waiting for the first")
        while not self._spool.names_alive():
            tasks = self._array.tasks()
            since = time.monotonic() - self._submitted
            if tasks == {} and since > min(ASK_AGAIN, 5.0) and not self._spool.names_alive():
                raise InputError(f"score.slurm: all tasks of job {job} ended before they worked: {self._last_words()}")
            time.sleep(min(LOOK, POLL + since / 5))
        self._thread.start()

    def submit(self, slot: int, job: WorkerJob) -> Future[JobResult]:
        """Let a job wait for a task."""
        future: Future[JobResult] = Future()
        with self._lock:
            self._number += 1
            number = self._number
            self._open[number] = _Open(slot, future)
        self._spool.put(number, slot, job)
        return future

    def close(self) -> None:
        """Stop watching, and end the tasks."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._array.cancel()

    def _watch(self) -> None:
        while not self._over.wait(POLL):
            try:
                self._collect()
                if time.monotonic() - self._looked >= LOOK:
                    self._looked = time.monotonic()
                    self._look()
            except Exception as error:  # a full disk, a file system that is away: the next look may do better
                self._say(f"warning: SLURM: {_line(str(error))}")
                self._over.wait(LOOK)

    def _collect(self) -> None:
        for number, answer in self._spool.answers():
            self._in_vain = 0
            self._spool.forget(number)
            if isinstance(answer, Failure):
                self._settle(number, BenchcastError(answer.error))
            else:
                self._settle(number, answer)

    def _settle(self, number: int, answer: JobResult | BenchcastError) -> None:
        with self._lock:
            entry = self._open.pop(number, None)
        if entry is None:  # of a task that was given up too early: its job is elsewhere
            return
        if isinstance(answer, BenchcastError):
            entry.future.set_exception(answer)
        else:
            entry.future.set_result(answer)

    def _look(self) -> None:
        """Give up what dead tasks had, and ask for tasks that are missing."""
        taken = self._spool.taken()  # before SLURM is asked: who has a job was running then
        tasks = self._array.tasks()
        for job in taken:
            task = job.taker.split("-")[0]
            gone = tasks is not None and tasks.get(task, "PENDING") == "PENDING"
            if gone or self._spool.silent(job.taker) > SILENT:
                self._collect()  # it may have answered in between
                self._spool.forget(job.number)
                why = "is no longer running" if gone else f"did not answer for {SILENT:g} s"
                self._settle(job.number, WorkerLostError(f"SLURM task {task} {why}"))
        if tasks is None or time.monotonic() - self._submitted < ASK_AGAIN:
            return
        missing = min(self._size, len(self._open)) - len(tasks)
        if missing <= 0:
            return
        if self._in_vain == IN_VAIN:
            self._in_vain = 0
            for number in list(self._open):
                self._spool.forget(number)
                self._settle(number, WorkerLostError(f"{IN_VAIN} SLURM arrays gave no answer: {self._last_words()}"))
            return
        self._in_vain += 1
        self._submitted = time.monotonic()
        self._say(f"SLURM job {self._array.submit(missing)}: {missing} tasks submitted in place of those that ended")

    def _last_words(self) -> str:
        logs = sorted((self._spool.folder / "logs").glob("*.log"))
        said = [line for log in logs for line in log.read_text(errors="replace").splitlines() if line.strip()]
        return _line(said[-1]) if said else "they wrote nothing; sacct may know why"


@contextmanager
def slots(
    settings: ScoreSettings, worker_settings: WorkerSettings, store: Path, say: Callable[[str], None]
) -> Iterator[list[SlurmSlot]]:
    """Slots that a SLURM array serves, while the context lasts.

    Raises
    ------
    InputError
        When there is no SLURM here, or it refuses the array, or the array's tasks cannot start.
    """
    if settings.workers is None:
        raise InputError("score.workers: say how many tasks the SLURM array has")
    if missing := [name for name in COMMANDS if shutil.which(name) is None]:
        raise InputError(f"score.executor: slurm: {missing[0]} is not on the path; start it where SLURM's commands are")
    _sweep(store / "slurm")
    spool = Spool(store / "slurm" / uuid.uuid4().hex)
    spool.make(worker_settings, "".join(f"{line}\n" for line in settings.slurm.setup))
    pool = Pool(Array(settings, spool.folder), spool, settings.workers, say)
    with spool.alive(Spool.DRIVER):
        try:
            pool.start()
        except BaseException:  # the tasks' logs stay
            pool.close()
            raise
        try:
            yield [SlurmSlot(pool, number) for number in range(settings.workers)]
        finally:
            pool.close()
            shutil.rmtree(spool.folder, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Take away what drivers left that were killed: their tasks have long ended."""
    for old in folder.glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - max(p.stat().st_mtime for p in (old, *old.glob("alive/*"))) > STALE:
                shutil.rmtree(old, ignore_errors=True)


def options(settings: ScoreSettings) -> list[str]:
    """The options of sbatch that a config asks for."""
    slurm = settings.slurm
    given = {"partition": slurm.partition, "account": slurm.account, "time": slurm.time, "mem": slurm.memory}
    given["cpus-per-task"] = None if settings.cpus_per_worker is None else f"{max(1, int(settings.cpus_per_worker))}"
    given["gres"] = f"gpu:{settings.gpus_per_worker:g}" if settings.gpus_per_worker else None
    return [f"--{name}={value}" for name, value in given.items() if value is not None] + list(slurm.options)


def _ask(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
