"""Where workers run: in this process, in processes of this machine, on a Ray cluster, or as a SLURM array.

Every worker has a slot of its own: the driver gives it one job at a time and knows which one it lost when it dies. So
the jobs of one checkpoint can follow each other on one worker, and a lost worker costs one job, which is tried again.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import math
import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ...core.config import ScoreSettings
from ...core.errors import InputError, WorkerLostError, first_line
from ...core.redact import redacted
from .worker import JobResult, Worker, WorkerJob, WorkerSettings, answer_here

logger = logging.getLogger(__name__)
CONNECT = 5.0  # seconds in which a Ray cluster takes a connection, or is taken for gone


class WorkerSlot(Protocol):
    """Where one worker runs; a new one is started when it dies."""

    def submit(self, job: WorkerJob) -> Future[JobResult]:
        """Start a job; the future raises ``WorkerLostError`` when the worker dies."""

    def close(self) -> None:
        """Send the worker away, and free what it holds; the next job calls a new one."""


class _InProcess:
    """The worker in this process; ``submit`` returns when the job is done."""

    def __init__(self, worker_settings: WorkerSettings) -> None:
        self._worker_settings = worker_settings
        self._worker: Worker | None = None

    def submit(self, job: WorkerJob) -> Future[JobResult]:
        future: Future[JobResult] = Future()
        try:
            self._worker = self._worker or Worker(self._worker_settings)
            future.set_result(self._worker.answer(job))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        self._worker = None


class _ChildProcess:
    """A worker in a process of its own, started again after it died."""

    def __init__(self, worker_settings: WorkerSettings) -> None:
        self._worker_settings = worker_settings
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, job: WorkerJob) -> Future[JobResult]:
        answer: Future[JobResult] = Future()
        try:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
            inner = self._pool.submit(answer_here, self._worker_settings, job)
        except BrokenProcessPool as error:  # it died between two jobs
            self._pool = None
            answer.set_exception(WorkerLostError(str(error)))
            return answer

        def hand_over(done: Future[JobResult]) -> None:
            error = done.exception()
            if isinstance(error, BrokenProcessPool):
                self._pool = None
                error = WorkerLostError("the worker process died (killed, or out of memory)")
            if error is None:
                answer.set_result(done.result())
            else:
                answer.set_exception(error)

        inner.add_done_callback(hand_over)
        return answer

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


class _RayActor:
    """A Ray actor, placed again by Ray after it or its node died."""

    def __init__(self, worker_settings: WorkerSettings, cpus: float, gpus: float) -> None:
        import ray

        self._make = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0)(Worker)
        self._worker_settings = worker_settings
        self._actor: Any = None
        self._gone = False

    def submit(self, job: WorkerJob) -> Future[JobResult]:
        import ray.exceptions

        if self._gone:  # it may only be out of reach: it must not come back beside its successor
            self.close()
        self._actor = self._actor or self._make.remote(self._worker_settings)
        answer: Future[JobResult] = Future()

        def hand_over(done: Future[JobResult]) -> None:
            error = done.exception()
            if isinstance(
                error, ray.exceptions.RayActorError | ray.exceptions.WorkerCrashedError | ray.exceptions.ObjectLostError
            ):
                self._gone = True  # not closed here: this runs in Ray's own thread
                error = WorkerLostError(redacted(first_line(error)))
            if error is None:
                answer.set_result(done.result())
            else:
                answer.set_exception(error)

        self._actor.answer.remote(job).future().add_done_callback(hand_over)
        return answer

    def close(self) -> None:
        import ray

        if self._actor is not None:
            with contextlib.suppress(Exception):  # dead, or its node is
                ray.kill(self._actor)
        self._actor, self._gone = None, False


@contextmanager
def worker_slots(
    settings: ScoreSettings, store: Path | None = None, say: Callable[[str], None] = logger.info
) -> Iterator[Sequence[WorkerSlot]]:
    """The workers that the settings ask for.

    ``store`` is a folder that all machines see, for a SLURM array's jobs and answers; ``say`` hears of its submissions.

    Raises
    ------
    InputError
        When the executor needs something that is not installed, or a device that is not there.
    """
    if settings.backend == "vllm" and importlib.util.find_spec("vllm") is None:
        raise InputError("score.backend: vllm is not installed: pip install 'lm-eval[vllm]'")
    _check_device(settings.device)
    with _slots(settings, store or Path(settings.store), say) as made:
        try:
            yield made
        finally:
            for slot in made:
                slot.close()


def _slots(
    settings: ScoreSettings, store: Path, say: Callable[[str], None]
) -> contextlib.AbstractContextManager[Sequence[WorkerSlot]]:
    if settings.executor != "slurm":
        return _ray(settings, say) if settings.executor == "ray" else _local(settings)
    from . import slurm

    # Each task of the array sees its own GPUs, numbered from 0; whether there are any it finds out itself.
    device = "cuda:0" if settings.device == "cuda" else settings.device
    return slurm.slots(settings, _worker_settings(settings, device, _threads(settings)), store, say)


def _check_device(device: str) -> None:
    import torch

    if device == "auto":
        return
    try:
        torch.device(device)
    except RuntimeError:
        raise InputError(
            f"score.device: {device!r} is not a device; give auto, cpu, cuda or cuda:0, cuda:1, …"
        ) from None


@contextmanager
def _local(settings: ScoreSettings) -> Iterator[list[WorkerSlot]]:
    import torch

    count = torch.cuda.device_count()
    if settings.device.startswith("cuda") and not count:
        raise InputError(f"score.device: {settings.device!r}: torch finds no GPU here; give cpu or auto")
    if settings.device.startswith("cuda:") and int(settings.device[5:]) >= count:
        raise InputError(f"score.device: {settings.device!r}: torch finds {count} GPUs here, numbered from 0")
    gpus = count if settings.device == "auto" or settings.device == "cuda" else 0
    workers = settings.workers or max(1, gpus)
    if workers == 1:
        device = "cuda:0" if gpus else "cpu" if settings.device == "auto" else settings.device
        yield [_InProcess(_worker_settings(settings, device, _threads(settings)))]
        return
    # On CPUs one thread each, unless the machine has more cores than workers.
    threads = _threads(settings) or max(1, (os.cpu_count() or 1) // workers)
    devices = [f"cuda:{i % gpus}" if gpus else settings.device.replace("auto", "cpu") for i in range(workers)]
    yield [_ChildProcess(_worker_settings(settings, device, None if gpus else threads)) for device in devices]


@contextmanager
def _ray(settings: ScoreSettings, say: Callable[[str], None]) -> Iterator[list[WorkerSlot]]:
    try:
        import ray
    except ImportError as error:
        raise InputError(f"score.executor: ray is not installed: pip install 'benchcast[ray]' ({error})") from error
    started_here = not ray.is_initialized()
    if started_here:
        silent = _silent_cluster()
        if silent and (set_so := os.environ.get("RAY_ADDRESS")):
            raise InputError(f"RAY_ADDRESS: no Ray cluster answers at {set_so}: start it, or unset RAY_ADDRESS")
        if silent:
            say(f"warning: the Ray cluster that was last known here, {silent}, does not answer; one is started here")
        try:
            if silent:
                raise ConnectionError(silent)
            ray.init(address="auto", log_to_driver=False, logging_level="error")  # a cluster that is running
        except ConnectionError:  # there is none
            ray.init(address="local", log_to_driver=False, logging_level="error", include_dashboard=False)
    try:
        has = ray.cluster_resources()
        gpus = (
            settings.gpus_per_worker
            if settings.gpus_per_worker is not None
            else 1.0
            if has.get("GPU") and settings.device != "cpu"
            else 0.0
        )
        cpus = settings.cpus_per_worker or 1.0
        fit = min(has.get("CPU", 1.0) / cpus, has.get("GPU", 0.0) / gpus if gpus else math.inf)
        if fit < 1:
            raise InputError(
                f"score.cpus_per_worker, score.gpus_per_worker: a worker needs {cpus:g} CPUs and {gpus:g} GPUs; the "
                f"cluster has {has.get('CPU', 0):g} and {has.get('GPU', 0):g}"
            )
        worker_settings = _worker_settings(settings, "cuda:0" if gpus else "cpu", None if gpus else max(1, int(cpus)))
        yield [_RayActor(worker_settings, cpus, gpus) for _ in range(settings.workers or max(1, int(fit)))]
    finally:
        if started_here:
            ray.shutdown()


def _silent_cluster() -> str:
    """Address of the cluster that Ray would join, by ``RAY_ADDRESS`` or its notes, if nobody answers; else empty.

    Ray itself tries such an address for minutes.
    """
    try:
        from ray._private.services import canonicalize_bootstrap_address

        address = str(canonicalize_bootstrap_address("auto") or "")
    except Exception:  # it is Ray's own, and may move: then Ray finds out itself
        return ""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return ""
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT).close()
    except OSError:
        return address
    return ""


def _threads(settings: ScoreSettings) -> int | None:
    return None if settings.cpus_per_worker is None else max(1, int(settings.cpus_per_worker))


def _worker_settings(settings: ScoreSettings, device: str, threads: int | None) -> WorkerSettings:
    return WorkerSettings(
        device=device,
        dtype=settings.dtype,
        batch_size=settings.batch_size,
        share=settings.share_prefix,
        threads=threads,
        backend=settings.backend,
        add_bos_token=settings.add_bos_token,
        max_length=settings.max_length,
        seed=settings.seed,
    )
