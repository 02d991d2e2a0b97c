"""Workers in processes and on a Ray cluster: the same numbers, and a lost one costs nothing but time."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest
from worlds import tiny_models
from worlds.scoring import QUIET, Heard, run, settings
from worlds.tiny_models import QUESTIONS

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from benchcast.core.errors import InputError
from benchcast.scoring.inference.executors import worker_slots
from benchcast.scoring.store import Store

pytestmark = QUIET
CHECKPOINTS = 6


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workers")
    for number in range(CHECKPOINTS):
        tiny_models.write_checkpoint(folder / "runs" / f"r{number}", f"r{number}", seed=number)
    tiny_models.edit(folder / "runs" / "r3", lambda t: t["model.norm.weight"].fill_(float("nan")))
    tiny_models.write_task(folder / "tasks", "plain", QUESTIONS)
    tiny_models.write_task(folder / "tasks", "more", QUESTIONS[::-1])
    return folder


@pytest.fixture(scope="module")
def alone(world: Path) -> pd.DataFrame:
    """The table of one worker in this process."""
    table, failures = run(world, tasks=("plain", "more"), store="alone", out="alone.csv")
    assert list(failures) == [("runs/r3", "*")]
    return table


def same(table: pd.DataFrame, alone: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(table, alone, rtol=1e-6)


class KillsOne(Heard):
    """Kills one of the workers (any child of this process that is told by ``name``) when the second cell is in."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.killed = 0

    def advance(self, cells: int, documents: int) -> None:
        if self.killed or not documents:
            return
        for child in psutil.Process().children(recursive=True):
            with_name = " ".join(child.cmdline())
            if self._name in with_name and "resource_tracker" not in with_name:
                os.kill(child.pid, signal.SIGKILL)
                self.killed = child.pid
                return


def test_two_processes_give_the_same_table_also_when_one_is_killed(world: Path, alone: pd.DataFrame) -> None:
    heard = KillsOne("multiprocessing.spawn")
    table, failures = run(world, heard, tasks=("plain", "more"), store="lost", out="lost.csv", workers=2)
    assert heard.killed
    assert list(failures) == [("runs/r3", "*")]
    same(table, alone)


def test_lm_evals_own_model_classes_are_a_backend(world: Path, alone: pd.DataFrame) -> None:
    # vLLM is reached the same way; lm-eval's HF class stands in for it here.
    chosen = settings(tasks=("plain", "more"), store="harness", out="harness.csv", checkpoints=("runs/r0",))
    from benchcast.scoring.run import score

    summary = score(chosen.model_copy(update={"backend": "hf-auto"}), world)
    assert summary.failures == []
    ours = alone[alone["run"] == "r0"].reset_index(drop=True)
    pd.testing.assert_frame_equal(summary.table, ours, rtol=1e-5)


def test_a_device_that_is_not_there_is_an_input_error() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match="torch finds no GPU here"), worker_slots(settings(device="cuda")):
        pass


@pytest.fixture
def cluster(only_ray: None) -> Iterator[object]:
    """A Ray cluster on this machine: a head without CPUs, and two nodes of one each."""
    pytest.importorskip("ray")
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [made.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    try:
        yield made, nodes
    finally:
        ray.shutdown()
        made.shutdown()


def test_a_ray_cluster_that_loses_a_node_scores_everything_once(
    world: Path, alone: pd.DataFrame, cluster: tuple[object, list[object]]
) -> None:
    made, nodes = cluster

    class LosesNode(Heard):
        lost = False

        def advance(self, cells: int, documents: int) -> None:
            if documents and not self.lost:
                self.lost = True
                threading.Thread(
                    target=lambda: (time.sleep(0.05), made.remove_node(nodes[0], allow_graceful=False))
                ).start()  # type: ignore[attr-defined]

    heard = LosesNode()
    table, failures = run(world, heard, tasks=("plain", "more"), store="ray", out="ray.csv", executor="ray", workers=2)
    assert heard.lost
    assert list(failures) == [("runs/r3", "*")]
    same(table, alone)
    cells = [content["benchcast"] for _, content in Store(world / "ray").cells()]
    assert len(cells) == 2 * (CHECKPOINTS - 1)
