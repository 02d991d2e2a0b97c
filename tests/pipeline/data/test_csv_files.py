"""CSV files as people have them: separators, encodings, lines as an editor counts them, and what is no table."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchcast.core import reading
from benchcast.core.config import DataSettings
from benchcast.core.errors import FaultsError, UnreadableError
from benchcast.data import csv_files, ingest, schema
from benchcast.reports.records.account import Account
from hypothesis import given
from hypothesis import strategies as st

HEAD = "run,family,step,params,tokens,flops,flops_convention,task,metric,value,n,stderr\n"


def row(
    run: str = "a",
    step: int = 1,
    value: str = "0.5",
    task: str = "q",
    metric: str = "acc",
    n: str = "",
    params: float = 1e8,
    tokens: float = 2e9,
    flops: float | None = None,
    convention: str = "6ND",
    stderr: str = "",
) -> str:
    counted = 6 * params * tokens * step if flops is None else flops
    return f"{run},m,{step},{params},{tokens * step},{counted},{convention},{task},{metric},{value},{n},{stderr}\n"


def read(folder: Path, text: str | bytes, account: Account | None = None, name: str = "t.csv") -> pd.DataFrame:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return schema.read_table(path, account)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_are_read_and_said(separator: str, tmp_path: Path) -> None:
    account = Account()
    found = read(tmp_path, (HEAD + row()).replace(",", separator), account)
    assert found["value"].tolist() == [0.5]
    assert any("separated by" in line for line in account.record().notes)


def test_byte_order_mark_other_line_ends_gzip_and_blank_lines_change_nothing(tmp_path: Path) -> None:
    plain = HEAD + row() + "\n" + row("b", value="0.7")
    want = read(tmp_path, plain)
    for text in ("\ufeff" + plain, plain.replace("\n", "\r\n"), plain.replace("\n\n", "\n").replace("\n", "\r")):
        pd.testing.assert_frame_equal(read(tmp_path, text), want)
    pd.testing.assert_frame_equal(read(tmp_path, gzip.compress(plain.encode()), name="t.csv.gz"), want)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ((HEAD + row()).encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ((HEAD + row("é")).encode("latin-1"), r"line 2 is not UTF-8 \(byte 0xe9\)"),
        (HEAD + row() + row("b").replace("acc", "acc\0"), "line 3 has a NUL byte"),
        (HEAD + row() + "a,b\n", "line 3 has 2 cells, the header has 12"),
        (HEAD + row().replace("0.5", "0,5"), "line 2 has 13 cells, the header has 12"),
        (HEAD + '"a,m\n', "not CSV"),
        (HEAD.replace("stderr", "n") + row(), "has the column 'n' twice"),
        ("", "is empty"),
        (HEAD, "there are no rows"),
        (HEAD.upper() + row(), "write RUN as run, FAMILY as family"),
        (HEAD.replace("run,", "") + row()[2:], "column 'run' is missing"),
    ],
)
def test_what_is_no_table_is_named_in_one_line(text: str | bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match=says):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("31.2%", "percentage"),
        ('"0,312"', "decimal comma"),
        ("7e-1x", "is not a number"),
        ("NaN", "leave the cell"),
        ("31.2", "percentage"),
        ("inf", "leave the cell"),
        ("True", "is not a number"),
        ("1_0", "is not a number"),
        ("0.5b", "suffix"),
    ],
)
def test_a_cell_that_is_no_number_is_a_fault_with_its_line(cell: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match=rf"t\.csv: row 4: value .*{says}"):
        read(tmp_path, HEAD + row() + "\n" + row("b", value=cell))


def test_lines_are_counted_as_an_editor_does_where_cells_hold_line_ends(tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match="row 4: value 'x' is not a number"):
        read(tmp_path, HEAD + row('"two\nlines"') + row("b", value="x"))


def test_equal_rows_count_once_and_a_whole_one_stands_for_a_part(tmp_path: Path) -> None:
    account = Account()
    found = read(tmp_path, HEAD + row(n="1000") + row(n="1000") + row(n="10", value="0.9"), account)
    assert found["value"].tolist() == [0.5]
    notes = " ".join(account.record().notes)
    assert "1 rows of t.csv repeat others" in notes
    assert "1 rows of t.csv are of fewer documents" in notes
    with pytest.raises(FaultsError, match=r"row 3: repeats .* of row 2 with another value \(0\.9, there 0\.5\)"):
        read(tmp_path, HEAD + row() + row(value="0.9"))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (row(tokens=2), "2e-08 tokens per parameter, which cannot be; are the tokens in billions"),
        (row(params=0.1, tokens=2e9), "0.1 parameters cannot be a language model's; are they in billions"),
        (row(params=1e8, tokens=2e6 / 1e6), "are the tokens in billions"),
        (row(convention="given", flops=1.2e9), "1e-09 times 6·params·tokens"),
        (row(step=1) + row(step=2, tokens=2e8), r"has 4e\+08 tokens at step 2, fewer than 2e\+09 at step 1"),
        (row(n="1000", stderr="0.6"), "stderr 0.6"),
        (row(metric="nll", value="1.0") + row(metric="bits_per_byte", value="1.0"), "is not nll 1 / ln 2"),
        (row(metric="accuracy"), "metric 'accuracy' is unknown .did you mean 'acc'"),
    ],
)
def test_units_and_statements_that_cannot_be(rows: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match=says):
        read(tmp_path, HEAD + rows)


def test_scores_and_losses_at_other_tokens_are_told(tmp_path: Path) -> None:
    text = (
        HEAD
        + row(tokens=1.1e9)
        + row(tokens=1.122816e9, step=1, metric="val_loss", value="3.1").replace(",1,", ",,", 1)
    )
    (tmp_path / "t.csv").write_text(text)
    read_ = ingest.read_data(DataSettings(source="table"), Path(), tmp_path / "t.csv")
    assert any("1 of 1 runs lie at different tokens" in note for note in read_.account.notes)


def test_a_flood_of_faults_is_bounded(tmp_path: Path) -> None:
    text = HEAD + "".join(row(f"r{i}", value="x") for i in range(5000))
    with pytest.raises(FaultsError) as error:
        read(tmp_path, text)
    assert len(str(error.value).split("\n")) <= 21
    assert "4950 more rows: is not a number" in "".join(map(str, error.value.faults))


def test_a_fifo_a_folder_and_a_bomb_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo.csv")
    (tmp_path / "folder.csv").mkdir()
    for name, what in (("fifo.csv", "FIFO"), ("folder.csv", "folder")):
        with pytest.raises(FaultsError, match=f"is a {what}"):
            schema.read_table(tmp_path / name)
    monkeypatch.setattr(reading, "MOST_TABLE", 1 << 20)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"0" * (8 << 20)))
    with pytest.raises(UnreadableError, match="unpacks to more than 1 MiB"):
        reading.unpacked(tmp_path / "bomb.csv.gz", 1 << 20)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_read_back_to_the_last_bit(numbers: list[float]) -> None:
    values, bad = csv_files.numbers([repr(number) for number in numbers])
    assert np.array_equal(values, np.array(numbers))
    assert not bad.any()
