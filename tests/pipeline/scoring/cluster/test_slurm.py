"""Workers as a SLURM array: the same numbers, each cell once, and a task that dies is submitted again."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from worlds import tiny_models
from worlds.doc_blocks import blocks
from worlds.hosts.slurm import FakeSlurm
from worlds.ladders import ROOT
from worlds.scoring import QUIET, Heard, run, settings
from worlds.tiny_models import QUESTIONS

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from benchcast.core.config import ScoreConfig
from benchcast.core.errors import InputError
from benchcast.nightly.schedule import doctor
from benchcast.scoring.checkpoints.files import files_of
from benchcast.scoring.inference import slurm, slurm_task, spool
from benchcast.scoring.inference.executors import worker_slots
from benchcast.scoring.inference.spool import Spool, Taken
from benchcast.scoring.inference.worker import JobResult, WorkerJob, WorkerSettings
from benchcast.scoring.requests import encoded
from benchcast.scoring.store import Store
from pydantic import ValidationError

pytestmark = QUIET
CHECKPOINTS = 5


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    made = FakeSlurm(tmp_path / "cluster")
    monkeypatch.setenv("PATH", f"{made.bin}:/usr/bin:/bin")
    for name, seconds in (("LOOK", 0.5), ("ASK_AGAIN", 0.5), ("POLL", 0.05)):
        monkeypatch.setattr(slurm, name, seconds)
    return made


@pytest.fixture
def world(tmp_path: Path) -> Path:
    for number in range(CHECKPOINTS):
        tiny_models.write_checkpoint(tmp_path / "runs" / f"r{number}", f"r{number}", seed=number)
    tiny_models.edit(tmp_path / "runs" / "r3", lambda t: t["model.norm.weight"].fill_(float("nan")))
    tiny_models.write_task(tmp_path / "tasks", "plain", QUESTIONS)
    tiny_models.write_task(tmp_path / "tasks", "more", QUESTIONS[::-1])
    return tmp_path


class Killer(threading.Thread):
    """Kills whichever task has a job that is not answered, once."""

    def __init__(self, cluster: FakeSlurm, store: Path) -> None:
        super().__init__(daemon=True)
        self._cluster, self._store = cluster, store
        self.killed = ""

    def run(self) -> None:
        until = time.monotonic() + 120
        while not self.killed and time.monotonic() < until:
            for folder in (self._store / "slurm").glob("*"):
                for job in Spool(folder).taken():
                    self._kill(job, Spool(folder))
            time.sleep(0.002)

    def _kill(self, job: Taken, spool: Spool) -> None:
        """Kill a job's task, unless it has answered by the time that it stands still."""
        task = job.taker.split("-")[0]
        pid = self._cluster.pids()[task]
        os.kill(pid, signal.SIGSTOP)
        if not self.killed and job.path.exists() and not (spool.folder / "answers" / f"{job.number:08d}").exists():
            self.killed = task
            self._cluster.kill(task)
        else:
            os.kill(pid, signal.SIGCONT)


def test_an_array_that_loses_a_task_scores_everything_once(world: Path, cluster: FakeSlurm) -> None:
    tasks = ("plain", "more")
    alone, _ = run(world, tasks=tasks, store="alone", out="alone.csv")
    heard, killer = Heard(), Killer(cluster, world / "array")
    killer.start()
    asked = {"partition": "small", "time": "1:00:00", "setup": ("GREETING=hello",)}
    table, failures = run(
        world, heard, tasks=tasks, store="array", out="array.csv", executor="slurm", workers=2, slurm=asked
    )
    killer.join()
    assert any(f"trying again: SLURM task {killer.killed} is no longer running" in line for line in heard.lines)
    assert list(failures) == [("runs/r3", "*")]
    pd.testing.assert_frame_equal(table, alone, rtol=1e-6)
    cells = [content["benchcast"] for _, content in Store(world / "array").cells()]
    assert len(cells) == 2 * (CHECKPOINTS - 1)
    assert "SLURM job 7001: 2 tasks submitted" in heard.lines[0]
    first = cluster.calls("sbatch")[0]
    assert {"--parsable", "--array=0-1", "--partition=small", "--time=1:00:00"} <= set(first)
    assert cluster.calls("scancel")[-1][0] == "7001"
    assert list((world / "array" / "slurm").iterdir()) == []


def test_what_slurm_refuses_is_one_line_before_anything_is_scored(tmp_path: Path, cluster: FakeSlurm) -> None:
    def refusal(**changes: Any) -> str:
        asked = settings(executor="slurm", **({"workers": 1} | changes))
        with pytest.raises(InputError) as refused, worker_slots(asked, tmp_path / "store"):
            pass
        return str(refused.value)

    assert "score.workers: say how many tasks" in refusal(workers=None)
    assert refusal(slurm={"partition": "none"}).endswith("invalid partition specified: none")
    ended = refusal(slurm={"setup": ["echo no such module: cuda; exit 3"]})
    assert ended == "score.slurm: all tasks of job 7001 ended before they worked: no such module: cuda"
    (cluster.bin / "sbatch").unlink()
    assert "sbatch is not on the path" in refusal()


def test_the_doctor_looks_for_slurm_and_not_for_a_gpu(cluster: FakeSlurm) -> None:
    assert doctor._slurm().ok
    (cluster.bin / "squeue").unlink()
    assert doctor._slurm().says == "no squeue on the path"


@pytest.mark.parametrize(
    ("slurm_settings", "says"),
    [
        ({"time": 7200}, "write it in quotes"),  # 2:00:00 without quotes, to YAML
        ({"options": ["--array=0-99"]}, "not an option of sbatch that can be set here"),
        ({"options": ["--comment=two words"]}, "not an option"),
        ({"options": ["script.sh"]}, "not an option"),
    ],
)
def test_settings_that_would_do_something_else(slurm_settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings(slurm=slurm_settings)


def test_resources_are_arguments_of_their_own() -> None:
    asked = settings(
        cpus_per_worker=8, gpus_per_worker=2, slurm={"account": "a b; rm", "memory": "32G", "options": ["--exclusive"]}
    )
    assert slurm.options(asked) == [
        "--account=a b; rm",  # no shell sees it
        "--mem=32G",
        "--cpus-per-task=8",
        "--gres=gpu:2",
        "--exclusive",
    ]


@pytest.fixture
def job(tmp_path: Path) -> WorkerJob:
    tiny_models.write_checkpoint(tmp_path / "model", "m")
    files = files_of(tmp_path / "model")
    requests = encoded.pack([([1, 2], [3], 0), ([4], [5, 6], 1)])
    prompts = encoded.Prompts(texts=("é\n", ""), arguments=({"until": ["\n"], "max_gen_toks": 3}, {}), seed=1)
    return WorkerJob(
        files=files, digest="d", signature=(("a", 1, 2.5),), limit=64, key="k", requests=requests, prompts=prompts
    )


@pytest.fixture
def handed(tmp_path: Path, job: WorkerJob) -> Spool:
    made = Spool(tmp_path / "spool")
    made.make(WorkerSettings(device="cpu", dtype="float32", batch_size=4), "")
    return made


def test_a_job_arrives_as_it_was_handed_in(handed: Spool, job: WorkerJob) -> None:
    handed.put(1, 0, job)
    taken = handed.take(1, 0, "t")
    assert taken is not None
    assert handed.take(1, 0, "other") is None
    got = spool.read(taken.path)
    assert replace(got, requests=job.requests) == job
    np.testing.assert_array_equal(got.requests.tokens, job.requests.tokens)
    result = JobResult(logliks=np.array([-1.5, -np.inf]), greedy=np.array([True, False]), how={"n": np.int64(3)})
    handed.answer(taken, result)
    ((number, answer),) = handed.answers()
    assert (number, answer.how) == (1, {"n": 3})
    np.testing.assert_array_equal(answer.logliks, result.logliks)
    assert list(handed.answers()) == []
    (handed.folder / "answers" / "00000002").write_bytes(b"PK\x03\x04 half")
    ((number, answer),) = handed.answers()
    assert number == 2
    assert "its answer cannot be read" in answer.error
    assert list(handed.answers()) == []
    with pytest.raises(TypeError, match="a object cannot be handed"):
        spool.write(handed.folder / "no", {"what": object()})


class Stub:
    """A worker without a model: ends when it is told to, in the middle of a job."""

    def __init__(self, *ends: BaseException | None) -> None:
        self.ends = list(ends)

    def answer(self, job: WorkerJob) -> JobResult:
        end = self.ends.pop(0)
        if end is not None:
            raise end
        return JobResult(logliks=np.zeros(2), greedy=np.zeros(2, dtype=bool), how={})


def test_a_task_that_is_told_to_end_puts_its_job_back(
    handed: Spool, job: WorkerJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_task, "IDLE", 1.5)
    handed.put(1, 0, job)
    handed.put(2, 1, job)
    with pytest.raises(SystemExit):
        slurm_task.serve(handed, Stub(SystemExit(143)), "a_0-x")  # type: ignore[arg-type]
    assert handed.waiting() == {1: 0, 2: 1}
    slurm_task.serve(handed, Stub(ValueError("not\nthis"), None), "a_0-y")  # type: ignore[arg-type]
    answers = dict(handed.answers())
    assert answers[1] == spool.Failure("ValueError: not this")
    assert isinstance(answers[2], JobResult)


class NoArray:
    """An array whose only task is reported running, though it is silent."""

    def __init__(self) -> None:
        self.submitted: list[int] = []

    def submit(self, count: int) -> str:
        self.submitted.append(count)
        return "7001"

    def tasks(self) -> dict[str, str] | None:
        return {"7001_0": "RUNNING"} if len(self.submitted) == 1 else {}

    def cancel(self) -> None:
        pass


def test_silent_tasks_lose_their_jobs_and_arrays_in_vain_are_not_submitted_for_ever(
    handed: Spool, job: WorkerJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOOK", "ASK_AGAIN", "POLL"):
        monkeypatch.setattr(slurm, name, 0.02)
    monkeypatch.setattr(slurm, "SILENT", 0.3)
    array, heard = NoArray(), Heard()
    pool = slurm.Pool(array, handed, 1, heard.line)  # type: ignore[arg-type]
    with handed.alive("7001_0-abc"):
        pool.start()
        first = pool.submit(0, job)
        assert handed.take(1, 0, "7001_0-gone") is not None  # it dies before its first sign of life
        assert "did not answer for" in str(first.exception(timeout=20))
        array.submitted.append(1)
        second = pool.submit(0, job)
        assert "3 SLURM arrays gave no answer" in str(second.exception(timeout=20))
    pool.close()
    assert len(array.submitted) == 2 + slurm.IN_VAIN


def test_a_task_leaves_when_its_driver_is_gone(handed: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_task, "DRIVER_SILENT", 0.3)
    served = threading.Thread(target=slurm_task.serve, args=(handed, Stub(), "a_0-x"))
    began = time.monotonic()
    served.start()
    served.join(timeout=20)
    assert not served.is_alive()
    assert time.monotonic() - began >= 0.3


def test_the_page_shows_the_script_and_a_config_that_is_read() -> None:
    shown = blocks(ROOT / "docs" / "howto" / "slurm.md")
    (script,) = [b.body for b in shown if slurm.SCRIPT.name in b.what]
    assert script == slurm.SCRIPT.read_text(encoding="utf-8")
    (config,) = [b.body for b in shown if b.what == "slurm.yaml"]
    asked = ScoreConfig.model_validate(yaml.safe_load(config)).score
    assert asked.workers == 16
    assert slurm.options(asked)[:4] == ["--partition=gpu", "--account=my-group", "--time=4:00:00", "--mem=64G"]
