"""Each kind of mutation of the two fuzzers once for every reader; ``python -m benchmarks.fuzz`` runs many more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd
from benchcast.core import config
from benchcast.core.errors import FaultsError
from benchcast.data import schema

from benchmarks.fuzz import run, semantic, table_worlds, world, worlds

SEED = 14


@pytest.mark.parametrize("reader", worlds.WORLDS)
def test_broken_files_give_a_table_or_an_error_that_helps(reader: str) -> None:
    failures = run.every("files", reader, SEED)
    assert not failures, "\n".join(map(str, failures[:20]))


@pytest.mark.parametrize("reader", semantic.READERS)
def test_no_contradiction_is_taken_in_silence(reader: str) -> None:
    failures = run.every("semantic", reader, SEED)
    assert not failures, "\n".join(map(str, failures[:20]))


def test_the_oracle_sees_what_it_is_there_for(tmp_path: Path) -> None:
    """A value that changed without a word is a failure; with a word, or as it was, it is none."""
    case = run.Case(worlds.table(), tmp_path)
    rows = dict(case.base.rows)
    key = next(iter(rows))
    rows[key] = (9.9, *rows[key][1:])
    changed = world.Read(rows)
    assert "ACCEPTED 1 rows" in run.silent(case, changed, semantic.same)
    assert run.silent(case, world.Read(rows, ("left out 1: …",)), semantic.same) == ""
    assert run.silent(case, case.base, semantic.same) == ""
    assert "nothing says" in run.silent(case, case.base, semantic.nothing)
    assert "22 lines" in run.unreadable("x\n" * 21)
    assert "control characters" in run.unreadable("\x1b[31m")


def test_half_a_character_in_a_config_is_named(tmp_path: Path) -> None:
    """Found by the fuzzer: it was loaded, and the result could then not be written."""
    path = tmp_path / "c.yaml"
    path.write_text('data: {source: demo}\ntitle: "a\\ud800b"\n')
    with pytest.raises(FaultsError, match=r"line 2: 'a\\ud800b' holds half of a character"):
        config.load(path, config.Config)


@pytest.mark.parametrize("column", ["params", "tokens", "flops"])
def test_an_infinite_size_is_a_fault_and_no_warning(column: str) -> None:
    """Found by the fuzzer: a warning of numpy came first."""
    rows = table_worlds.table_rows()
    rows[0][column] = float("inf")
    with pytest.raises(FaultsError, match="must be positive and finite"):
        schema.validate(pd.DataFrame(rows).replace("", float("nan")))
