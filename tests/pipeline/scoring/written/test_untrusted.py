"""What keeps a model's code apart: limits on time, memory, files and environment, and nothing lost but the document."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchcast.core.errors import TaskError
from benchcast.scoring.measure import untrusted_process as apart

# Forked from a process that has threads, as the tests may have: a warning of newer Pythons.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def _little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "CPU_SECONDS", 1)
    monkeypatch.setattr(apart, "WALL_SECONDS", 3)
    monkeypatch.setattr(apart, "FILE_SIZE", 1 << 20)
    monkeypatch.setattr(apart, "MEMORY", 256 << 20)


def spin() -> Any:
    while True:
        pass


def sleep() -> Any:
    time.sleep(60)


def swell() -> Any:
    kept = bytearray(1 << 30)
    return {"right": len(kept)}


def fill() -> Any:
    Path("big").write_bytes(b"x" * (8 << 20))
    return {"right": 1.0}


def end() -> Any:
    raise SystemExit(0)


@pytest.mark.parametrize("program", [spin, end])
def test_a_program_that_ends_its_process_loses_its_document_only(program: Callable[[], Any]) -> None:
    assert apart.apart(program, 1) == {}


def test_a_program_that_sleeps_is_not_waited_for() -> None:
    began = time.monotonic()
    assert apart.apart(sleep, 1) == {}
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("program", [swell, fill])
def test_memory_and_files_have_limits(program: Callable[[], Any]) -> None:
    with pytest.raises(TaskError, match=r"MemoryError|File too large"):
        apart.apart(program, 1)


def test_it_sees_an_empty_folder_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")

    def look() -> Any:
        Path("left").touch()
        return {"files": float(len(os.listdir())), "secrets": float("HF_TOKEN" in os.environ), "where": os.getcwd()}

    here = os.getcwd()
    seen = apart.apart(look, 1)
    assert (seen["files"], seen["secrets"]) == (1, 0)
    assert not Path(seen["where"]).exists()
    assert os.getcwd() == here


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc, as Linux has it")
def test_what_a_program_leaves_behind_is_ended(tmp_path: Path) -> None:
    """A process that left its group, and its child: both lose their parent."""
    program = f"""
import os, time
from benchcast.scoring.measure.untrusted_process import adopt, apart, end_strays

def leave():
    if not os.fork():
        os.setsid()
        os.fork()
        open({str(tmp_path)!r} + "/" + str(os.getpid()), "w").close()
        time.sleep(60)
    while len(os.listdir({str(tmp_path)!r})) < 2:
        time.sleep(0.01)
    return {{"right": 1.0}}

spared = adopt()
assert apart(leave, 1) == {{"right": 1.0}}
end_strays(spared)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    left = [int(path.name) for path in tmp_path.iterdir()]
    assert len(left) == 2
    assert not [pid for pid in left if Path(f"/proc/{pid}").exists()]


def test_an_error_of_the_task_itself_is_told() -> None:
    def broken() -> Any:
        raise KeyError("no such field")

    with pytest.raises(TaskError, match="no such field"):
        apart.apart(broken, 1)


def test_code_is_seen_however_far_from_the_metric_it_is_run() -> None:
    """CRUXEval of lm-eval is not marked, and runs code three functions below its metric."""
    pytest.importorskip("lm_eval")
    from types import SimpleNamespace

    from benchcast.scoring.requests.kinds.unsafe import runs_code
    from lm_eval.tasks.cruxeval import utils as cruxeval
    from lm_eval.tasks.drop import utils as drop

    def task(metric: Any) -> Any:
        config = SimpleNamespace(process_results=metric, filter_list=None)
        return SimpleNamespace(config=config, aggregation=dict, get_config=lambda key: None)

    assert runs_code(task(cruxeval.pass_at_k))
    assert not runs_code(task(cruxeval.extract_code_input))
    assert not runs_code(task(drop.process_results))
