"""The store on its own: what comes in whole, what is found again, what is noticed. No torch needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.cellstore import Record, Store
from pipeline.cellstore.index import Entry, Index
from pipeline.cellstore.tables import table
from pipeline.errors import BenchcastError, InputError
from pipeline.scoring.cells import Cell, Setup

SETUP = Setup("0.4.13", "float32", False, None)


def record(checkpoint: str = "c1", requests: str = "r1", value: float = 0.5) -> Record:
    cell = Cell(checkpoint, requests, SETUP, "quiz")
    place = {"run": checkpoint, "family": "f", "step": 1.0, "params": 10.0, "tokens": 100.0, "flops": 6000.0,
             "flops_convention": "6ND"}  # fmt: skip
    about = {"cell": cell.id, "checkpoint": checkpoint, "requests": requests, "task": "quiz", "version": "1",
             "setup": asdict(SETUP), "setup_digest": SETUP.digest, "source": f"runs/{checkpoint}",
             "place": place}  # fmt: skip
    rows = [{"task": "quiz", "metric": "acc", "value": value, "stderr": float("nan"), "n": 4, "chance": 0.25}]
    return Record(cell.id, about, rows, {"results": {"quiz": {"acc,none": value}}}, pd.DataFrame({"loglik": [-1.0]}))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "scores")


def add(store: Store, index: Index, *records: Record) -> None:
    with store.run():
        store.add(records)
    index.add(Entry.of(r.id, {**r.about, "rows": r.rows}, failed=False) for r in records)


def test_the_key_of_a_cell_is_what_decides_its_number() -> None:
    base = Cell("c", "r", SETUP, "quiz")
    assert Cell("c", "r", SETUP, "renamed").id == base.id
    others = [Cell("d", "r", SETUP, "quiz"), Cell("c", "s", SETUP, "quiz")]
    for change in ({"lm_eval": "0.4.14"}, {"dtype": "bfloat16"}, {"add_bos_token": True}, {"max_length": 5},
                   {"backend": "vllm"}, {"softmax_dtype": "bfloat16"}, {"scorer": 2}):  # fmt: skip
        others.append(Cell("c", "r", Setup(**(asdict(SETUP) | change)), "quiz"))
    assert len({cell.id for cell in (base, *others)}) == 1 + len(others)


def test_what_is_missing_is_what_was_not_added(store: Store) -> None:
    index = Index(store)
    add(store, index, record("c1", "r1"), record("c1", "r2"), record("c2", "r1"))
    missing = index.missing(["c1", "c2", "c3"], ["r1", "r2"], SETUP.digest, failed_too=False)
    assert missing == {"c2": ["r2"], "c3": ["r1", "r2"]}
    failed = record("c2", "r2")
    index.add([Entry.of(failed.id, failed.about | {"reason": "no"}, failed=True)])
    assert index.missing(["c1", "c2"], ["r1", "r2"], SETUP.digest, failed_too=False) == {}
    assert index.missing(["c1", "c2"], ["r1", "r2"], SETUP.digest, failed_too=True) == {"c2": ["r2"]}
    assert index.missing(["c1"], ["r1"], "another setup", failed_too=False) == {"c1": ["r1"]}


def test_the_index_is_made_again_from_the_disk(store: Store) -> None:
    index = Index(store)
    add(store, index, record("c1", "r1", 0.25), record("c2", "r1", 0.75))
    store.fail("f" * 40, record("c3").about | {"reason": "broken"})
    before = table(index.everything())
    index.close()
    (store.folder / "index.sqlite").write_bytes(b"no database")
    with pytest.raises(BenchcastError, match="run benchcast store rebuild"):
        Index(store)
    command = [sys.executable, "-m", "pipeline.cli", "store", "rebuild", str(store.folder)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().endswith("2 cells")
    again = Index(store)
    pd.testing.assert_frame_equal(table(again.everything()), before)
    assert before["value"].tolist() == [0.25, 0.75]
    assert again.missing(["c3"], ["r1"], SETUP.digest, failed_too=False) == {}


def test_check_finds_what_was_changed_lost_or_left_out(store: Store) -> None:
    index = Index(store)
    add(store, index, record("c1"), record("c2"), record("c3"))
    index.close()

    def check() -> tuple[int, list[str]]:
        command = [sys.executable, "-m", "pipeline.cli", "store", "check", str(store.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr.splitlines()

    assert check() == (0, [])
    one, two, three = sorted(store.folder.glob("cells/??/*"))
    (one / "documents.parquet").write_bytes(b"PAR1")
    (two / "results.json").write_text("{")
    three.rename(three.with_name("0" * 40))
    code, lines = check()
    assert code == 1
    assert any("documents.parquet is not the file that was written" in line for line in lines)
    assert any(f"{two}: cannot be read" in line for line in lines)
    assert any("holds another cell" in line for line in lines)
    assert any("is in the index but gone" in line for line in lines)


def test_a_file_is_hashed_again_only_when_it_changed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights"
    path.write_text("one")
    read: list[Path] = []

    def digest(p: Path) -> str:
        read.append(p)
        return p.read_text()

    monkeypatch.setattr("pipeline.cellstore.index.file_digest", digest)
    index = Index(store)
    assert [index.file_hash(path), index.file_hash(path)] == ["one", "one"]
    index.close()
    assert Index(store).file_hash(path) == "one"
    assert len(read) == 1
    path.write_text("two")
    assert Index(store).file_hash(path) == "two"
    assert Index(store, fresh=True).file_hash(path) == "two"
    assert len(read) == 3


@pytest.mark.parametrize("step", ["to_parquet", "rename"])
def test_a_full_disk_stores_nothing_of_a_batch(store: Store, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    owner: Any = pd.DataFrame if step == "to_parquet" else Path
    with store.run():
        with monkeypatch.context() as patch:
            patch.setattr(owner, step, full)
            with pytest.raises(BenchcastError, match="No space left on device"):
                store.add([record("c1"), record("c2")])
        assert list(store.cells()) == []
        store.add([record("c1")])
    assert [cell for cell, _ in store.cells()] == [record("c1").id]


def test_a_store_that_cannot_be_written_is_told_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="the store cannot be written"):
        Store(tmp_path / "file")


def test_lm_evals_own_reader_reads_a_cell(store: Store, tmp_path: Path) -> None:
    import json

    add(store, Index(store), record("c1"))
    content = json.loads((store.path(record("c1").id) / "results.json").read_text())
    assert content["results"] == {"quiz": {"acc,none": 0.5}}
    assert content["benchcast"]["rows"][0]["stderr"] is None  # JSON has no NaN


def test_two_places_of_one_checkpoint_get_a_row_each(store: Store) -> None:
    content: Callable[[], dict[str, Any]] = lambda: {**record().about, "rows": record().rows}  # noqa: E731
    places = [record().about["place"] | {"run": run, "source": run} for run in ("one", "two")]
    assert table([content()], {"c1": places})["run"].tolist() == ["one", "two"]
