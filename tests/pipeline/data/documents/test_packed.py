"""The package's own documents: the same as the ladder table's scores, in a file of a few megabytes."""

from __future__ import annotations

from contextlib import nullcontext
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
from benchcast.data.documents.collect import Asked, CheckpointDocuments, Documents
from benchcast.data.documents.packed import pack, packed_documents
from benchcast.data.ingest import demo
from benchcast.stages.documents.matrix import DocumentMatrix

RUNS = ("r", "s")


def documents(seed: int = 0, checkpoints: int = 4) -> Documents:
    rng = np.random.default_rng(seed)
    nll = rng.gamma(2, 1, (checkpoints, 50))
    margin = rng.normal(0, 1, (checkpoints, 50))

    def read(asked: Asked, runs: object, account: object) -> list[CheckpointDocuments]:
        return [
            CheckpointDocuments(
                run=RUNS[i % 2],
                step=float(i),
                params=1e6,
                tokens=(i + 1) * 1e7,
                flops=6e6 * (i + 1) * 1e7,
                names=np.arange(50),
                nll=nll[i],
                margin=margin[i] / (1 + (asked.metric == "acc_norm")),
                correct=margin[i] > 0,
            )
            for i in range(checkpoints - (asked.task == "short"))
        ]

    return Documents(read=read)


def same(one: DocumentMatrix | None, other: DocumentMatrix | None) -> None:
    assert one is not None
    assert other is not None
    order = np.lexsort((other.places["tokens"], other.places["run"]))
    assert one.places[["run", "step", "tokens", "flops"]].to_numpy().tolist() == (
        other.places[["run", "step", "tokens", "flops"]].to_numpy()[order].tolist()
    )
    np.testing.assert_allclose(one.nll, other.nll[order], rtol=5e-4)
    assert one.margin is not None
    assert other.margin is not None
    np.testing.assert_allclose(one.margin, other.margin[order], rtol=5e-4, atol=1e-6)
    assert one.correct is not None
    assert other.correct is not None
    np.testing.assert_array_equal(one.correct, other.correct[order])


@pytest.mark.parametrize("metric", ["acc", "acc_norm"])
def test_what_is_packed_comes_back(tmp_path: Path, metric: str) -> None:
    asked = {"quiz": ("acc", "acc_norm")}
    content = pack(documents(), asked, RUNS)
    assert content == pack(documents(), asked, RUNS)
    (tmp_path / "d.npz").write_bytes(content)
    read = packed_documents(lambda: nullcontext(tmp_path / "d.npz"))
    same(
        read.matrix(Asked(task="quiz", metric=metric), RUNS),
        documents().matrix(Asked(task="quiz", metric=metric), RUNS),
    )
    only = read.matrix(Asked(task="quiz", metric=metric), ["s"])
    assert only is not None
    assert set(only.places["run"]) == {"s"}
    assert read.matrix(Asked(task="other"), RUNS) is None


def test_tasks_of_other_checkpoints_are_refused() -> None:
    with pytest.raises(ValueError, match="task 'short' was not scored on the same checkpoints"):
        pack(documents(), {"quiz": ["acc"], "short": ["acc"]}, RUNS)


def test_the_demos_documents_are_those_of_its_table() -> None:
    if not (files("benchcast.demo_ladder") / "documents.npz").is_file():
        pytest.skip("the demo ladder's documents are not in the package")
    with as_file(files("benchcast.demo_ladder") / "documents.npz") as path:
        assert path.stat().st_size < 4e6
    data = demo()
    assert data.documents is not None
    runs = set(data.table["run"])
    for metric in ("acc", "acc_norm", "exact_match,first-word"):
        for task, rows in data.table[data.table["metric"].eq(metric)].groupby("task"):
            accuracies = rows.set_index(["run", "tokens"])["value"].to_dict()
            matrix = data.documents.matrix(Asked(task=str(task), shots=0.0, metric=metric), runs, accuracies)
            assert matrix is not None
            assert matrix.correct is not None
            where = list(zip(matrix.places["run"], matrix.places["tokens"], strict=True))
            np.testing.assert_allclose(matrix.correct.mean(axis=1), [accuracies[key] for key in where], atol=1e-6)
            nll = data.table[data.table["task"].eq(task) & data.table["metric"].eq("nll")]
            nll = nll.set_index(["run", "tokens"])["value"]
            np.testing.assert_allclose(matrix.mean_nll(), [nll[key] for key in where], rtol=2e-4)
    assert data.documents.account.record().left_out == ()
