"""Documents of a store and of lm-eval's samples reach the job of their task."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from benchcast.core.config import Config
from benchcast.data import ingest
from benchcast.data.documents.stored import documents_of as stored_of
from benchcast.data.documents.stored import stored_documents
from benchcast.forecasting.jobs import documents_of, jobs_of
from benchcast.forecasting.run import account_of, assign_roles
from benchcast.scoring.store import CellRecord, Store
from worlds.cells import SETUP, record
from worlds.results import lm_eval_results

RUNS = {"a": 1e6, "b": 4e6, "c": 1.6e7}


def answers(seed: int, questions: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    doc, choice = np.divmod(np.arange(3 * questions), 3)
    return pd.DataFrame(
        {
            "doc_id": doc,
            "choice": choice,
            "gold": np.repeat(rng.integers(0, 3, questions), 3),
            "answer_bytes": 4,
            "answer_chars": 1 + choice,
            "with_prompt": True,
            "loglik": -rng.gamma(3, 2, 3 * questions),
            "greedy": False,
        }
    )


def cell(run: str, seed: int) -> CellRecord:
    made = record(checkpoint=run)
    documents = answers(seed)
    found = stored_of(documents, made.about["place"], "acc")
    assert found.correct is not None
    made.about["place"] |= {"params": RUNS[run], "tokens": 20 * RUNS[run], "flops": 120 * RUNS[run] ** 2}
    shared = {"task": "quiz", "num_fewshot": 0, "n": 30, "chance": 1 / 3, "stderr": 0.05}
    rows = [
        {**shared, "metric": "acc", "value": float(found.correct.mean())},
        {**shared, "metric": "nll", "value": float(found.nll.mean())},
    ]
    return CellRecord(id=made.id, about=made.about, rows=rows, results=made.results, documents=documents)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of three checkpoints and one task, with its table beside it."""
    made = Store(tmp_path / "scores")
    cells = [cell(run, i) for i, run in enumerate(RUNS)]
    with made.run():
        made.add(cells)
    checkpoints = [{"source": f"runs/{c.about['place']['run']}", "digest": c.about["checkpoint"]} for c in cells]
    for checkpoint, each in zip(checkpoints, cells, strict=True):
        checkpoint["place"] = each.about["place"]
    made.write_plan({"setup": SETUP.digest, "tasks": [{"name": "quiz", "requests": "r1"}], "checkpoints": checkpoints})
    rows = [{**c.about["place"], "prompt": "", **row} for c in cells for row in c.rows]
    pd.DataFrame(rows).to_csv(tmp_path / "scores.csv", index=False)
    return tmp_path


def config(**changes: Any) -> Config:
    usual: dict[str, Any] = {"data": {"source": "table", "path": "scores.csv"}, "targets": [{"run": "c"}]}
    return Config.model_validate(usual | {"recipes": ["auto"]} | changes)


def test_stored_answers_by_hand() -> None:
    frame = pd.DataFrame(
        {
            "doc_id": [0, 0, 0, 1, 1, 0],
            "choice": [0, 1, 2, 0, 1, 0],
            "gold": [1, 1, 1, 0, 0, 1],
            "answer_bytes": [2, 4, 2, 8, 2, 2],
            "answer_chars": [2, 4, 2, 8, 2, 2],
            "with_prompt": [True, True, True, True, True, False],
            "loglik": [-3.0, -4.0, -5.0, -8.0, -1.0, -99.0],
            "greedy": False,
        }
    )
    place = {"run": "r", "params": 1e6, "tokens": 1e7}
    found = stored_of(frame, place, "acc")
    assert found.nll.tolist() == [1.0, 1.0]
    assert found.margin is not None
    assert found.margin.tolist() == [-1.0, -7.0]
    normed = stored_of(frame, place, "acc_norm")
    assert normed.margin is not None
    assert normed.margin.tolist() == [0.5, -0.5]
    assert normed.correct is not None
    assert normed.correct.tolist() == [True, False]
    other = stored_of(frame, place, "acc", by_choice=False)
    assert other.margin is None
    assert other.correct is None
    with pytest.raises(ValueError, match="not every document has one gold answer"):
        stored_of(frame.assign(gold=2), place, "acc")


def test_a_store_beside_its_table_gives_the_job_its_documents(store: Path) -> None:
    data = ingest.read_data(config().data, store)
    documents = documents_of(config(), data, store)
    (job,) = jobs_of(config(), data.table, documents=documents)
    matrix = job.documents
    assert matrix is not None
    assert matrix.places["run"].tolist() == ["a", "b"]  # the target is not read
    assert matrix.correct is not None
    accuracy = job.fitted_rows.set_index("run")["accuracy"]
    np.testing.assert_allclose(matrix.correct.mean(axis=1), accuracy[matrix.places["run"]])
    losses = data.table[data.table["metric"].eq("nll")].set_index("run")["value"]
    np.testing.assert_allclose(matrix.mean_nll(), losses[matrix.places["run"]], rtol=1e-6)
    assert documents_of(config(documents=False), data, store) is None


def test_a_config_with_a_score_section_names_the_store(store: Path) -> None:
    (store / "scores.csv").rename(store / "other.csv")
    named = config(data={"source": "table", "path": "other.csv"}, score={"checkpoints": ["runs/*"], "tasks": ["quiz"]})
    data = ingest.read_data(named.data, store)
    assert data.documents is None
    documents = documents_of(named, data, store)
    assert documents is not None
    assert jobs_of(named, data.table, documents=documents)[0].documents is not None


def test_documents_of_a_store_that_are_broken_are_left_out_with_a_line(store: Path) -> None:
    path = next((store / "scores" / "cells").glob("??/" + record(checkpoint="a").id)) / "documents.parquet"
    path.write_bytes(path.read_bytes()[:-5])
    data = ingest.read_data(config().data, store)
    documents = documents_of(config(), data, store)
    (job,) = jobs_of(config(), data.table, documents=documents)
    matrix = job.documents
    assert matrix is not None
    assert matrix.places["run"].tolist() == ["b"]
    account = account_of(config(), data, assign_roles(config(), data.table), documents)
    assert "documents of stored cells that cannot be read: quiz in runs/a" in "\n".join(account.lines())


def test_a_store_whose_plan_is_broken_says_so(store: Path) -> None:
    (store / "scores" / "plan.json").write_text("{")
    data = ingest.read_data(config().data, store)
    documents = documents_of(config(), data, store)
    (job,) = jobs_of(config(), data.table, documents=documents)
    assert job.documents is None
    account = account_of(config(), data, assign_roles(config(), data.table), documents)
    assert "stores whose plan cannot be read" in "\n".join(account.lines())


def test_what_is_no_store_has_no_documents(tmp_path: Path) -> None:
    assert stored_documents(tmp_path / "none") is None
    (tmp_path / "plan.json").write_text('{"setup": 1, "tasks": [7], "checkpoints": []}')
    assert stored_documents(tmp_path) is None


def test_samples_of_lm_eval_are_documents(tmp_path: Path) -> None:
    lm_eval_results.write_results(tmp_path)
    places = {
        f"acme/lm-{name}": {"run": name, "family": "f", "params": n, "tokens": 20 * n}
        for name, n in lm_eval_results.SIZES.items()
    }
    (tmp_path / "ladder.yaml").write_text(yaml.safe_dump(places))
    asked = config(data={"source": "lm_eval", "path": "."}, targets=[{"run": "2.8B"}])
    data = ingest.read_data(asked.data, tmp_path)
    (job,) = jobs_of(asked, data.table, documents=documents_of(asked, data, tmp_path))
    matrix = job.documents
    assert matrix is not None
    assert matrix.nll.shape == (6, lm_eval_results.DOCUMENTS)
    assert matrix.margin is not None
    assert matrix.correct is not None
    rows = job.fitted_rows.set_index("run").loc[matrix.places["run"]]
    np.testing.assert_allclose(matrix.correct.mean(axis=1), rows["accuracy"])
    np.testing.assert_allclose(matrix.mean_nll(), rows["nll"], rtol=1e-6)
    np.testing.assert_allclose(matrix.nll_of_mean_prob(), rows["nll_mean_prob"], rtol=1e-6)
    # The best wrong answer is at 1.1 nats a byte, 12 bytes long.
    np.testing.assert_allclose(matrix.margin, 12 * 1.1 - 12 * matrix.nll.astype(float), rtol=1e-4, atol=1e-4)
    assert math.isclose(float(matrix.places["flops"].iloc[0]), 120 * float(matrix.places["params"].iloc[0]) ** 2)
