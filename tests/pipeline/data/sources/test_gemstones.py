"""A folder of accuracies and documents: the losses against numpy, what does not fit, and files that are broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.special
from benchcast.core.config import DataSettings
from benchcast.core.errors import InputError
from benchcast.data import ingest
from benchcast.data.documents.collect import Asked
from benchcast.data.ingest import Data
from worlds.ladders import published

RUNS = {"small": 5e7, "large": 2e8}
STEPS = (100, 200, 300)
DOCUMENTS = 40
GEMSTONES = DataSettings(source="gemstones")


def arrays(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    run = np.repeat(np.array(list(RUNS)), len(STEPS))
    step = np.tile(STEPS, len(RUNS))
    return {"run": run, "step": step, "nll": rng.gamma(2, 1, (len(run), DOCUMENTS)).astype(np.float16)}


def scores() -> pd.DataFrame:
    rows = []
    for run, params in RUNS.items():
        for step in STEPS:
            acc = 0.3 + step / 1000
            about = {"run": run, "step": step, "params": params, "tokens": step * 1e7, "task": "quiz", "acc": acc}
            rows.append(about | {"stderr": np.sqrt(acc * (1 - acc) / 199), "chance": 0.25})
    return pd.DataFrame(rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scores().to_csv(tmp_path / "accuracy.csv", index=False)
    np.savez(tmp_path / "quiz.npz", **arrays())
    return tmp_path


def read(folder: Path) -> Data:
    return ingest.read_data(GEMSTONES, Path(), folder)


def test_losses_are_numpys_and_documents_those_of_the_file(folder: Path) -> None:
    data = read(folder)
    table = data.table.set_index(["metric", "run", "step"]).sort_index()
    known = arrays()
    for i, (run, step) in enumerate(zip(known["run"], known["step"], strict=True)):
        nll = known["nll"][i].astype(float)
        assert table.loc[("nll_token", run, step), "value"] == pytest.approx(nll.mean())
        expected = np.log(DOCUMENTS) - scipy.special.logsumexp(-nll)
        assert table.loc[("nll_mean_prob", run, step), "value"] == pytest.approx(expected)
        assert table.loc[("acc", run, step), "n"] == 200
        assert table.loc[("nll_token", run, step), "n"] == DOCUMENTS
    assert (table["flops"] == 6 * table["params"] * table["tokens"]).all()
    assert set(table["flops_convention"]) == {"6ND"}
    assert data.account.left_out == ()
    assert data.documents is not None
    matrix = data.documents.matrix(Asked(task="quiz"), ["large"])
    assert matrix is not None
    assert matrix.unit == "nats/token"
    np.testing.assert_array_equal(matrix.nll, known["nll"][3:].astype(np.float32))
    assert matrix.places["tokens"].tolist() == [1e9, 2e9, 3e9]
    assert data.documents.matrix(Asked(task="other"), ["large"]) is None


def test_what_only_one_of_the_files_has_is_left_out_with_a_line(folder: Path) -> None:
    scores().drop(index=0).to_csv(folder / "accuracy.csv", index=False)
    known = arrays()
    np.savez(folder / "quiz.npz", **{name: array[:-1] for name, array in known.items()})
    np.savez(folder / "other.npz", **known)
    data = read(folder)
    lines = "\n".join(data.account.lines())
    assert "documents of checkpoints that accuracy.csv lacks: small, step 100" in lines
    assert "checkpoints without documents: they have an accuracy and no loss: quiz, large at step 300" in lines
    assert "documents of tasks that accuracy.csv lacks: other.npz" in lines
    assert data.table["metric"].value_counts().to_dict() == {"acc": 5, "nll_token": 4, "nll_mean_prob": 4}


def test_a_task_without_documents_has_its_accuracy(folder: Path) -> None:
    (folder / "quiz.npz").unlink()
    data = read(folder)
    assert set(data.table["metric"]) == {"acc"}
    assert "tasks whose documents are not there" in data.account.lines()[0]


def bad(**changes: Any) -> dict[str, Any]:
    return arrays() | changes


NEGATIVE = arrays()["nll"].copy()
NEGATIVE[1, 2] = -0.5


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (bad(nll=np.array([[object()] * 2] * 6)), "array 'nll' holds Python objects"),
        (bad(nll=arrays()["nll"][:4]), "run and step are not a name and a number for each of the 4 rows of nll"),
        (bad(nll=np.zeros((6, 3), dtype=int)), "nll is not a table of numbers"),
        (bad(nll=NEGATIVE), "nll of small at step 200, document 2, is -0.5"),
        (bad(step=np.array([100, 100, 300, 100, 200, 300])), "has a run and step twice"),
        ({"nll": arrays()["nll"]}, "has no array 'run'"),
    ],
)
def test_a_broken_archive_is_one_clear_line(folder: Path, content: dict[str, Any], line: str) -> None:
    np.savez(folder / "quiz.npz", **content)
    with pytest.raises(InputError) as caught:
        read(folder)
    assert str(caught.value).count("\n") == 0
    assert f"{folder / 'quiz.npz'}: " in str(caught.value)
    assert line in str(caught.value)


@pytest.mark.parametrize("seed", range(40))
def test_any_damage_is_one_clear_line_or_does_not_matter(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    content = bytearray((folder / "quiz.npz").read_bytes())
    if seed % 2:
        content = content[: int(rng.integers(0, len(content)))]
    else:
        for at in rng.integers(0, len(content), 8):
            content[at] = int(rng.integers(0, 256))
    (folder / "quiz.npz").write_bytes(bytes(content))
    lines = [""]
    try:
        read(folder)
    except InputError as error:
        lines = str(error).split("\n")
    assert len(lines) == 1
    assert not lines[0] or "quiz.npz" in lines[0]


def test_faults_of_the_table_name_their_line(folder: Path) -> None:
    text = (folder / "accuracy.csv").read_text().replace("small,200,", "small,200k,")
    (folder / "accuracy.csv").write_text(text)
    with pytest.raises(InputError, match=r"accuracy\.csv: line 3: column 'step': '200k' is not a number"):
        read(folder)
    (folder / "accuracy.csv").write_text("run,step\na,1\n")
    with pytest.raises(InputError, match="has no column task, params, tokens, acc, stderr, chance"):
        read(folder)
    (folder / "accuracy.csv").unlink()
    with pytest.raises(InputError, match=r"accuracy\.csv: cannot be read"):
        read(folder)


def test_the_published_folder() -> None:
    folder = published("gemstones")
    data = read(folder)
    assert data.account.left_out == ()
    assert data.table.groupby("metric").size().to_dict() == dict.fromkeys(("acc", "nll_mean_prob", "nll_token"), 3360)
    assert data.documents is not None
    matrix = data.documents.matrix(Asked(task="arc_challenge"), set(data.table["run"]))
    assert matrix is not None
    assert matrix.nll.shape == (560, 1172)
    rows = data.table[data.table["task"].eq("arc_challenge")].set_index(["metric", "run", "tokens"])["value"]
    where = list(zip(matrix.places["run"], matrix.places["tokens"], strict=True))
    np.testing.assert_allclose(rows["nll_token"].reindex(where), matrix.mean_nll(), rtol=1e-6)
    np.testing.assert_allclose(rows["nll_mean_prob"].reindex(where), matrix.nll_of_mean_prob(), rtol=1e-6)
