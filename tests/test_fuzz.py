"""A small share of the two fuzzers, with a fixed seed; ``benchmarks/fuzz.py`` runs as many as you like."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import fuzz
import fuzz_semantic
import fuzz_world
import fuzz_worlds
import fuzz_worlds_of_tables
import pandas as pd
from benchcast.core import config
from benchcast.core.errors import FaultsError
from benchcast.data import schema

SEED = 14
SLOW = {"plan": 4}  # a fit each: a fourth of the others


@pytest.mark.parametrize("reader", fuzz_worlds.WORLDS)
def test_broken_files_give_a_table_or_an_error_that_helps(reader: str) -> None:
    failures = fuzz.run("files", reader, 50 // SLOW.get(reader, 1), SEED)
    assert not failures, "\n".join(map(str, failures[:20]))


@pytest.mark.parametrize("reader", fuzz_semantic.READERS)
def test_no_contradiction_is_taken_in_silence(reader: str) -> None:
    failures = fuzz.run("semantic", reader, 30 // SLOW.get(reader, 1), SEED)
    assert not failures, "\n".join(map(str, failures[:20]))


def test_the_oracle_sees_what_it_is_there_for(tmp_path: Path) -> None:
    """A value that changed without a word is a failure; with a word, or as it was, it is none."""
    case = fuzz.Case(fuzz_worlds.table(), tmp_path)
    rows = dict(case.base.rows)
    key = next(iter(rows))
    rows[key] = (9.9, *rows[key][1:])
    changed = fuzz_world.Read(rows)
    assert "ACCEPTED 1 rows" in fuzz.silent(case, changed, fuzz_semantic.same)
    assert fuzz.silent(case, fuzz_world.Read(rows, ("left out 1: …",)), fuzz_semantic.same) == ""
    assert fuzz.silent(case, case.base, fuzz_semantic.same) == ""
    assert "nothing says" in fuzz.silent(case, case.base, fuzz_semantic.nothing)
    assert "22 lines" in fuzz.unreadable("x\n" * 21)
    assert "control characters" in fuzz.unreadable("\x1b[31m")


def test_half_a_character_in_a_config_is_named(tmp_path: Path) -> None:
    """Found by the fuzzer: it was loaded, and the result could then not be written."""
    path = tmp_path / "c.yaml"
    path.write_text('data: {source: demo}\ntitle: "a\\ud800b"\n')
    with pytest.raises(FaultsError, match=r"line 2: 'a\\ud800b' holds half of a character"):
        config.load(path, config.Config)


@pytest.mark.parametrize("column", ["params", "tokens", "flops"])
def test_an_infinite_size_is_a_fault_and_no_warning(column: str) -> None:
    """Found by the fuzzer: a warning of numpy came first."""
    rows = fuzz_worlds_of_tables.table_rows()
    rows[0][column] = float("inf")
    with pytest.raises(FaultsError, match="must be positive and finite"):
        schema.validate(pd.DataFrame(rows).replace("", float("nan")))
