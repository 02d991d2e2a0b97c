"""The ladder table refuses what cannot be, all at once, with file and row."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from benchcast.core.config import DataSettings
from benchcast.core.errors import FaultsError
from benchcast.data import ingest, schema
from worlds.ladders import generative_ladder, make_ladder


def _faults(table: pd.DataFrame, tmp_path: Path) -> list[str]:
    path = tmp_path / "ladder.csv"
    table.to_csv(path, index=False)
    with pytest.raises(FaultsError) as caught:
        schema.read_table(path)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def test_a_valid_table_comes_back_whole(ladder_csv: Path) -> None:
    table = schema.read_table(ladder_csv)
    assert list(table.columns) == list(schema.COLUMNS)
    assert len(table) == 36
    assert table["flops"].dtype == float


def test_negative_flops_a_percentage_and_a_duplicate_are_reported_together(tmp_path: Path) -> None:
    table = make_ladder()
    table.loc[3, "flops"] *= -1
    table.loc[6, "value"] = 61.2
    table = pd.concat([table, table.iloc[[9]].assign(value=0.123)], ignore_index=True)
    faults = _faults(table, tmp_path)
    assert any("row 5: flops -1.2e+16" in f and "positive" in f for f in faults)
    assert any("row 8: value 61.2" in f and "percentage" in f for f in faults)
    assert any("row 38" in f and "repeats" in f and "row 11" in f for f in faults)
    assert all("ladder.csv" in f for f in faults)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("params", 0, "positive"),
        ("tokens", "many", "not a number"),
        ("metric", "accuracy", "is unknown"),
        ("run", "", "is empty"),
        ("chance", 25, "fraction"),
        ("stderr", -0.1, "zero or more"),
        ("n", 0, "positive"),
        ("value", "inf", "is outside 0 to 1, the range of acc"),
    ],
)
def test_each_fault_names_its_row_and_column(column: str, value: object, says: str, tmp_path: Path) -> None:
    table = make_ladder().astype(object)
    table.loc[3, column] = value
    faults = _faults(table, tmp_path)
    assert any("row 5" in f and column in f and says in f for f in faults), faults


def test_an_nll_in_the_hundreds_is_called_a_sum(tmp_path: Path) -> None:
    table = make_ladder()
    table.loc[1, "value"] = 312.0
    assert any("row 3" in f and "sum" in f for f in _faults(table, tmp_path))


def test_mixed_flop_conventions_and_wrong_6nd(tmp_path: Path) -> None:
    table = make_ladder()
    table.loc[table["run"].eq("1e+07-5x"), "flops_convention"] = "attention"
    table.loc[table["run"].eq("4e+07-5x"), "flops"] *= 1.5
    faults = _faults(table, tmp_path)
    assert any("mixes FLOP conventions" in f for f in faults)
    assert any("6·params·tokens" in f for f in faults)


def test_missing_and_misspelt_columns(tmp_path: Path) -> None:
    faults = _faults(make_ladder().rename(columns={"flops": "flop"}), tmp_path)
    assert any("'flops' is missing" in f for f in faults)
    assert any("'flop' is unknown (did you mean 'flops'?)" in f for f in faults)


def test_parquet_is_read_like_csv(tmp_path: Path, ladder_csv: Path) -> None:
    table = schema.read_table(ladder_csv)
    table.to_parquet(tmp_path / "ladder.parquet")
    pd.testing.assert_frame_equal(schema.read_table(tmp_path / "ladder.parquet"), table)


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match="cannot be read"):
        schema.read_table(tmp_path / "none.csv")


def test_first_steps_alone_are_no_fault_of_the_unit(tmp_path: Path) -> None:
    table = make_ladder().head(3).assign(params=1.2e10, tokens=4.2e6, flops=6 * 1.2e10 * 4.2e6, step=2)
    assert len(schema.validate(table)) == 3
    assert "are the tokens in millions?" in " ".join(_faults(table.assign(step=143000), tmp_path))


def test_ratios_that_no_run_usually_has_get_a_line() -> None:
    table = make_ladder()
    assert not ingest.read_data(DataSettings(source="table"), Path(), table).account.notes
    table = table.assign(tokens=table["tokens"] * 1000, flops=table["flops"] * 1000)
    notes = ingest.read_data(DataSettings(source="table"), Path(), table).account.notes
    assert notes[0].startswith("all runs have 5e+03 to 8e+04 tokens per parameter")


def test_scores_of_written_answers_are_metrics_with_their_filters_and_a_chance_of_their_own(tmp_path: Path) -> None:
    written = generative_ladder(filters=("strict-match", "flexible-extract"))
    quiz = make_ladder()
    more = quiz[quiz["metric"].eq("acc")].assign(metric="exact_match", chance=0.0)
    table = schema.validate(pd.concat([written, quiz, more]))
    assert len(table) == len(written) + len(quiz) + len(more)
    faults = _faults(more.assign(chance=0.5 * more.index.to_series().gt(9)), tmp_path)
    assert any("a chance of 0 in some rows and 0.5 in others of exact_match" in f for f in faults)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("pass1", "pass@1"),
        ("Exact-Match", "exact_match"),
        ("exact_match,none", "exact_match"),
        ("acc,none", "acc"),
        ("exact_mach", "exact_match"),
        ("bits_per_bite", "bits_per_byte"),
    ],
)
def test_an_unknown_metric_is_told_what_it_may_mean(name: str, meant: str, tmp_path: Path) -> None:
    table = make_ladder()
    table.loc[3, "metric"] = name
    assert any(f"metric {name!r} is unknown (did you mean {meant!r}?)" in f for f in _faults(table, tmp_path))


def test_a_sampling_error_is_no_score(tmp_path: Path) -> None:
    """lm-eval's results, melted, have rows of it, which lie in [0, 1] too."""
    table = make_ladder()
    table.loc[3, "metric"] = "exact_match_stderr,strict-match"
    (fault,) = _faults(table, tmp_path)
    assert "is unknown (metrics are acc" in fault


def test_a_score_of_written_answers_in_percent_is_called_so(tmp_path: Path) -> None:
    table = generative_ladder()
    table.loc[0, "value"] = 34.5
    (fault,) = _faults(table, tmp_path)
    assert "value 34.5 is outside 0 to 1, the range of exact_match,strict-match" in fault
    assert "percentage" in fault
