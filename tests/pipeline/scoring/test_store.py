"""The store on its own: what comes in whole, what is found again, what is noticed. No torch needed."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from benchcast.core.digest import file_digest
from benchcast.core.errors import BenchcastError, InputError
from benchcast.scoring.store import CellRecord, Store, cell
from benchcast.scoring.store.index import Index, IndexEntry
from benchcast.scoring.store.keys import Cell, Setup
from benchcast.scoring.store.tables import table
from worlds.cells import SETUP, record
from worlds.commands import benchcast, printed


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "scores")


def add(store: Store, index: Index, *records: CellRecord) -> None:
    with store.run():
        store.add(records)
    index.add(IndexEntry.from_disk(r.id, {**r.about, "rows": r.rows}, failed=False) for r in records)


def test_the_key_of_a_cell_is_what_decides_its_number() -> None:
    base = Cell(checkpoint="c", requests="r", setup=SETUP, task="quiz")
    assert Cell(checkpoint="c", requests="r", setup=SETUP, task="renamed").id == base.id
    others = [
        Cell(checkpoint="d", requests="r", setup=SETUP, task="quiz"),
        Cell(checkpoint="c", requests="s", setup=SETUP, task="quiz"),
    ]
    for change in (
        {"lm_eval": "0.4.14"},
        {"dtype": "bfloat16"},
        {"add_bos_token": True},
        {"max_length": 5},
        {"backend": "vllm"},
        {"softmax_dtype": "bfloat16"},
        {"scorer": 2},
    ):
        others.append(Cell(checkpoint="c", requests="r", setup=Setup(**(asdict(SETUP) | change)), task="quiz"))
    assert len({cell.id for cell in (base, *others)}) == 1 + len(others)


def test_what_is_missing_is_what_was_not_added(store: Store) -> None:
    index = Index(store)
    add(store, index, record("c1", "r1"), record("c1", "r2"), record("c2", "r1"))
    missing = index.missing(["c1", "c2", "c3"], ["r1", "r2"], SETUP.digest, failed_too=False)
    assert missing == {"c2": ["r2"], "c3": ["r1", "r2"]}
    failed = record("c2", "r2")
    index.add([IndexEntry.from_disk(failed.id, failed.about | {"reason": "no"}, failed=True)])
    assert index.missing(["c1", "c2"], ["r1", "r2"], SETUP.digest, failed_too=False) == {}
    assert index.missing(["c1", "c2"], ["r1", "r2"], SETUP.digest, failed_too=True) == {"c2": ["r2"]}
    assert index.missing(["c1"], ["r1"], "another setup", failed_too=False) == {"c1": ["r1"]}


def test_the_index_is_made_again_from_the_disk(store: Store) -> None:
    index = Index(store)
    add(store, index, record("c1", "r1", 0.25), record("c2", "r1", 0.75))
    store.fail(record("c3").id, record("c3").about | {"reason": "broken"})
    before = table(index.everything())
    index.close()
    (store.folder / "index.sqlite").write_bytes(b"no database")
    said: list[str] = []
    index = Index(store, say=said.append)
    pd.testing.assert_frame_equal(table(index.everything()), before)
    index.close()
    assert len(said) == 1
    assert "index.sqlite: was broken (file is not a database); it was made again from the 2 cells on disk" in said[0]
    assert printed("store", "rebuild", store.folder).strip().endswith("2 cells")
    again = Index(store)
    pd.testing.assert_frame_equal(table(again.everything()), before)
    assert before["value"].tolist() == [0.25, 0.75]
    assert again.missing(["c3"], ["r1"], SETUP.digest, failed_too=False) == {}


def test_check_finds_what_was_changed_lost_or_left_out(store: Store) -> None:
    index = Index(store)
    add(store, index, record("c1"), record("c2"), record("c3"))
    index.close()

    def check() -> tuple[int, list[str]]:
        done = benchcast("store", "check", store.folder)
        return done.returncode, done.stderr.splitlines()

    assert check() == (0, [])
    one, two, three = sorted(store.folder.glob("cells/??/*"))
    (one / "documents.parquet").write_bytes(b"PAR1")
    (two / "results.json").write_text("{")
    three.rename(three.with_name("0" * 40))
    code, lines = check()
    assert code == 1
    assert any("documents.parquet is not the file that was written" in line for line in lines)
    assert any(f"{two / 'results.json'}: is not JSON" in line for line in lines)
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

    monkeypatch.setattr("benchcast.scoring.store.index.file_digest", digest)
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


def check(store: Store) -> tuple[int, list[str]]:
    """``benchcast store check``: exit code, and what it says on stderr."""
    from benchcast.cli.score import store_app
    from typer.testing import CliRunner

    done = CliRunner().invoke(store_app, ["check", str(store.folder)])
    return done.exit_code, done.stderr.splitlines()


def rewrite(store: Store, cell: str, change: Callable[[dict[str, Any]], object]) -> None:
    path = store.path(cell) / "results.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def answers() -> pd.DataFrame:
    """Two documents of two choices each: the first is answered rightly."""
    return pd.DataFrame(
        {
            "doc_id": [0, 0, 1, 1],
            "choice": [0, 1, 0, 1],
            "gold": [0, 0, 0, 0],
            "answer_bytes": [2, 2, 2, 2],
            "answer_chars": [2, 2, 2, 2],
            "with_prompt": True,
            "loglik": [-1.0, -2.0, -3.0, -2.0],
        }
    )


def asked(value: float = 0.5) -> CellRecord:
    one = record(value=value)
    nll = {"task": "quiz", "metric": "nll", "value": 1.0, "stderr": 0.5, "n": 2, "chance": 0.5}
    rows = [{**one.rows[0], "n": 2}, nll]
    return CellRecord(id=one.id, about=one.about, rows=rows, results=one.results, documents=answers())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["benchcast"]["rows"][0].update(value=0.75), "somebody edited it"),
        (lambda c: c["benchcast"]["rows"][0].update(stderr=0.1), "somebody edited it"),
        (lambda c: c["results"]["quiz"].update({"acc,none": 0.75}), "somebody edited it"),
        (lambda c: c["benchcast"]["place"].update(tokens=2e5), "somebody edited it"),
        (lambda c: c["benchcast"]["rows"].pop(), "somebody edited it"),
        (lambda c: c["benchcast"]["rows"][0].update(value=0.75) or resealed(c), "acc is 0.75, but its documents"),
        (lambda c: c["benchcast"]["rows"][1].update(n=3) or resealed(c), "n is 3, but its documents give 2"),
        (lambda c: c["benchcast"].pop("setup_digest"), "has no 'setup_digest'"),
        (lambda c: c["benchcast"].update(rows=None), "has no rows"),
        (lambda c: c["benchcast"]["rows"][0].update(value=None), "the value of acc is not a number"),
        (lambda c: c["benchcast"]["rows"][0].pop("metric"), "has no 'metric'"),
        (lambda c: c["benchcast"].update(checkpoint="another"), "are not those of its cell"),
        (lambda c: c["benchcast"]["setup"].update(dtype="float16"), "setup is not what setup_digest is of"),
        (lambda c: c["benchcast"]["place"].pop("run"), "has no 'run'"),
    ],
)
def test_check_finds_edited_results(store: Store, change: Callable[[dict[str, Any]], object], words: str) -> None:
    index = Index(store)
    add(store, index, asked(), record("c2"))
    index.close()
    assert check(store) == (0, [])
    rewrite(store, asked().id, change)
    code, lines = check(store)
    assert code == 1
    assert any(words in line for line in lines), lines
    assert all(asked().id in line for line in lines)


def resealed(content: dict[str, Any]) -> None:
    content["benchcast"]["content_sha256"] = cell.content_digest(content)


@pytest.mark.parametrize("change", [lambda d: d.iloc[:2], lambda d: pd.concat([d, d.assign(doc_id=d["doc_id"] + 2)])])
def test_check_finds_documents_that_are_cut_or_doubled_with_their_digest(
    store: Store, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    index = Index(store)
    add(store, index, asked())
    index.close()
    path = store.path(asked().id) / "documents.parquet"
    change(answers()).to_parquet(path)
    rewrite(store, asked().id, lambda c: c["benchcast"].update(documents_sha256=file_digest(path)) or resealed(c))
    code, lines = check(store)
    assert code == 1
    assert any("n is 2, but its documents give" in line for line in lines), lines


def test_cells_of_versions_without_a_digest_are_said_to_be_unchecked(store: Store) -> None:
    index = Index(store)
    add(store, index, asked())
    index.close()
    rewrite(store, asked().id, lambda c: (c["benchcast"].pop("content_sha256"), c["benchcast"].pop("derived")))
    code, lines = check(store)
    assert code == 0
    assert len(lines) == 1
    assert lines[0].startswith("note: 1 cells are of a version that wrote no digest of results")
    rewrite(store, asked().id, lambda c: c["benchcast"]["rows"][1].update(value=2.0))
    assert any("nll is 2.0, but its documents give 1" in line for line in check(store)[1])


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE content SET about = replace(about, '0.25', '0.75')",
        "UPDATE content SET about = '{}'",
        "DELETE FROM content",
        "UPDATE cell SET checkpoint = checkpoint + 1",
        "UPDATE checkpoint SET digest = digest || 'x'",
        "UPDATE setup SET digest = 'another'",
    ],
)
def test_check_finds_an_index_that_says_something_else(store: Store, edit: str) -> None:
    index = Index(store)
    add(store, index, record("c1", value=0.25))
    index.close()
    with contextlib.closing(sqlite3.connect(store.folder / "index.sqlite")) as database:
        database.execute(edit)
        database.commit()
    code, lines = check(store)
    assert code == 1
    assert "the index says something else" in lines[0]
    Index(store).rebuild()
    assert check(store) == (0, [])


def test_one_bad_cell_or_record_does_not_stop_rebuild(store: Store) -> None:
    index = Index(store)
    ones = [record(f"c{i}") for i in range(4)]
    add(store, index, *ones)
    index.close()
    rewrite(store, ones[0].id, lambda c: c["benchcast"].pop("setup_digest"))
    (store.path(ones[1].id) / "results.json").write_bytes(b"")
    (store.path(ones[2].id) / "results.json").write_text("[" * 200_000)
    (store.folder / "failures" / "ab").mkdir(parents=True)
    for name, content in (("abcdef", "{}"), ("abcde0", ""), ("abcde1", '{"cell": 5}'), ("abcde2", "[1]")):
        (store.folder / "failures" / "ab" / f"{name}.json").write_text(content)
    os.mkfifo(store.folder / "failures" / "ab" / "abcde3.json")
    said: list[str] = []
    again = Index(store, say=said.append)
    assert again.rebuild() == 1
    assert again.cells() == {ones[3].id}
    assert len(said) == 8
    again.close()
    code, lines = check(store)
    assert code == 1
    assert len([line for line in lines if "is not in the index" not in line]) == 8


@pytest.mark.parametrize("where", [(0, 100), (100, 4000), (4096, 8192), (8192, 12288), (20_000, 60_000)])
def test_a_broken_index_is_made_again_whatever_is_asked_of_it(store: Store, where: tuple[int, int]) -> None:
    index = Index(store)
    add(store, index, *(record(f"c{i}") for i in range(60)))
    before = table(index.everything())
    index.close()
    path = store.folder / "index.sqlite"
    data = bytearray(path.read_bytes())
    assert len(data) > where[1]
    data[slice(*where)] = b"U" * (where[1] - where[0])
    path.write_bytes(bytes(data))
    said: list[str] = []
    again = Index(store, say=said.append)
    digests = [f"c{i}" for i in range(60)]
    assert again.missing(digests, ["r1"], SETUP.digest, failed_too=False) == {}
    pd.testing.assert_frame_equal(table(again.everything()), before)
    again.add([IndexEntry.from_disk("0" * 40, record("new").about | {"cell": "0" * 40}, failed=False)])
    assert len(said) <= 1


def test_an_index_that_another_process_made_again_is_opened_again(store: Store) -> None:
    index = Index(store)
    add(store, index, record("c1"))
    other = Index(store)
    assert other.rebuild() == 1
    add(store, index, record("c2"))
    assert index.cells() == {record("c1").id, record("c2").id}


@pytest.mark.parametrize("content", [b"", b"{", b"{}"])
def test_a_broken_cell_gives_way_to_a_new_one(store: Store, content: bytes) -> None:
    with store.run():
        store.add([record()])
        (store.path(record().id) / "results.json").write_bytes(content)
        store.add([record(value=0.75)])
    assert store.about(record().id)["rows"][0]["value"] == 0.75
    with store.run():
        store.add([record(value=0.1)])
    assert store.about(record().id)["rows"][0]["value"] == 0.75  # a whole one stays


def test_nan_is_null_on_disk_and_nan_again(store: Store) -> None:
    with store.run():
        store.add([record()])
    ((_, content),) = store.cells()
    row = content["benchcast"]["rows"][0]
    assert math.isnan(row["stderr"])
    read = table([store.about(record().id)])
    assert read["stderr"].isna().all()


def test_names_that_hold_line_separators_or_half_characters_come_back(store: Store) -> None:
    odd = "quiz\u2028two\udcff\x85"
    one = record()
    about, rows = one.about | {"task": odd, "source": odd}, [{**one.rows[0], "task": odd}]
    changed = CellRecord(id=one.id, about=about, rows=rows, results={"results": {odd: {}}}, documents=one.documents)
    index = Index(store)
    add(store, index, changed)
    assert store.about(one.id)["task"] == odd
    assert index.everything()[0]["source"] == odd
    index.close()
    assert check(store) == (0, [])
    assert Index(store).rebuild() == 1


def test_the_table_says_tokenizer_and_precision(store: Store) -> None:
    frame = table([{**record().about, "rows": record().rows, "tokenizer": "abc"}])
    assert frame.loc[0, ["tokenizer", "chat_template", "dtype"]].tolist() == ["abc", "", "float32"]


def test_a_plan_that_is_broken_is_no_traceback(store: Store) -> None:
    for content in ("", "{}", "[]", '{"tasks": 5}'):
        (store.folder / "plan.json").write_text(content)
        with pytest.raises(InputError, match="holds no scores yet"):
            store.plan()
