"""A cell of a version that knew fewer metrics gains them from its documents, and is not scored again."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchcast.cli.score import store_app
from benchcast.scoring.store import CellRecord, Store
from benchcast.scoring.store.index import Index, IndexEntry
from benchcast.scoring.store.tables import table
from typer.testing import CliRunner
from worlds.cells import record

LOGLIKS = np.array([[-4.0, -9.0], [-30.0, -2.0], [-6.0, -5.0]])
GOLD, BYTES = np.array([0, 1, 0]), np.array([[4, 3], [5, 2], [6, 6]])
NLLS = np.array([4 / 4, 2 / 2, 6 / 6])


def old(logliks: np.ndarray = LOGLIKS) -> CellRecord:
    """A cell as it was written before ``nll_mean_prob`` was known."""
    question, choice = np.indices(logliks.shape)
    documents = pd.DataFrame(
        {
            "doc_id": question.ravel(),
            "choice": choice.ravel(),
            "gold": GOLD[question.ravel()],
            "answer_bytes": BYTES.ravel(),
            "answer_chars": BYTES.ravel(),
            "with_prompt": True,
            "loglik": logliks.ravel(),
        }
    )
    nlls = -logliks[np.arange(3), GOLD] / BYTES[np.arange(3), GOLD]
    shared = {"task": "quiz", "n": 3, "chance": 0.5}
    rows = [
        {**shared, "metric": "acc", "value": 2 / 3, "stderr": 0.33},
        {**shared, "metric": "nll", "value": float(nlls.mean()), "stderr": float(nlls.std(ddof=1) / math.sqrt(3))},
    ]
    return replace(record(), rows=rows, documents=documents)


def stored(folder: Path, cell: CellRecord) -> Store:
    store = Store(folder)
    with store.run():
        store.add([cell])
    with closing(Index(store)) as index:
        index.add([IndexEntry.from_disk(cell.id, {**cell.about, "rows": cell.rows}, failed=False)])
    return store


def test_an_old_cell_gains_the_metric_from_its_documents(tmp_path: Path) -> None:
    logliks = LOGLIKS * np.array([[1.0], [2.0], [0.5]])
    store = stored(tmp_path / "scores", old(logliks))
    for _ in range(2):  # computed, and then remembered
        with closing(Index(store)) as index:
            rows = table(index.everything()).set_index("metric")
        p = np.exp(logliks[np.arange(3), GOLD] / BYTES[np.arange(3), GOLD])
        assert rows.loc["nll_mean_prob", "value"] == pytest.approx(-math.log(p.mean()))
        error = p.std(ddof=1) / math.sqrt(3) / p.mean()
        assert rows.loc["nll_mean_prob", "stderr"] == pytest.approx(error)
        assert rows.loc["nll_mean_prob", "n"] == 3
    assert CliRunner().invoke(store_app, ["check", str(store.folder)]).exit_code == 0


def test_a_cell_whose_documents_are_gone_lacks_it_and_it_is_said(tmp_path: Path) -> None:
    cell = old()
    store = stored(tmp_path / "scores", cell)
    (store.path(cell.id) / "documents.parquet").unlink()
    said: list[str] = []
    with closing(Index(store, say=said.append)) as index:
        assert set(table(index.everything())["metric"]) == {"acc", "nll"}
    assert len(said) == 1
    assert "1 cells have no nll_mean_prob" in said[0]


def test_documents_that_are_not_those_that_were_written_give_nothing(tmp_path: Path) -> None:
    cell = old()
    store = stored(tmp_path / "scores", cell)
    old(LOGLIKS / 2).documents.to_parquet(store.path(cell.id) / "documents.parquet")
    with closing(Index(store, say=lambda _: None)) as index:
        assert set(table(index.everything())["metric"]) == {"acc", "nll"}
