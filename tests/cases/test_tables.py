"""Ladder tables and tables of runs as other programs write them, and the forecasts and plans made of them."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
from worlds.ladders import constant_ladder
from worlds.shell import Done, Shell, case


def plan(sh: Shell, data: str) -> tuple[Done, dict[str, float]]:
    """Outcome, and parameters and tokens of the first answer."""
    done = sh("plan", "--flops", "1e22", "--data", data, "--json", "p.json")
    if done.code:
        return done, {}
    answer = json.loads((sh.folder / "p.json").read_text())["answers"][0]
    return done, {name: answer[name]["value"] for name in ("params", "tokens")}


def test_a_plan_from_runs_in_plain_numbers(sh: Shell) -> None:
    """Their copies in billions and millions are refused: test_refused.py."""
    case("16", sh.folder)
    _, right = plan(sh, "right.csv")
    assert right["params"] == pytest.approx(5.1e9, rel=0.1)
    assert right["tokens"] == pytest.approx(3.26e11, rel=0.1)


def test_rows_given_twice_count_once(sh: Shell) -> None:
    case("17", sh.folder)
    done, twice = plan(sh, "duplicates.csv")
    assert "30" in done.text
    assert "repeat" in done.text
    _, clean = plan(sh, "bom_crlf.csv")
    assert twice == pytest.approx(clean, rel=1e-6)


def test_one_ratio_of_tokens_to_parameters_is_said(sh: Shell) -> None:
    case("17", sh.folder)
    said = plan(sh, "one_ratio.csv")[0].text
    assert "tokens per parameter" in said or "tokens-per-parameter" in said


def test_one_run_that_diverged_does_not_stop_a_plan(sh: Shell) -> None:
    case("17", sh.folder)
    assert plan(sh, "one_diverged.csv")[0].code == 0


def test_a_forecast_from_a_ladder_in_plain_numbers(sh: Shell) -> None:
    case("18", sh.folder)
    done = sh("forecast", "c.yaml", "--data", "right.csv")
    assert done.code == 0
    said = re.search(r"recall\D+(\d+\.\d) ", done.out)
    assert said is not None
    assert 64 <= float(said[1]) <= 86  # the case's own interval; read in other units it is 52


def test_a_config_with_a_byte_order_mark_and_windows_lines(sh: Shell) -> None:
    case("19", sh.folder)
    assert sh("forecast", "bom_crlf.yaml").code == 0


def test_scores_whose_tokens_were_rounded_do_not_join(sh: Shell) -> None:
    case("23", sh.folder)
    done = sh("ingest", "table", "--from", "losses.csv", "--add", "scores_rounded_tokens.csv", "--out", "m.csv")
    assert "24 of 25 runs" in done.err
    assert "different tokens" in done.err


@pytest.mark.parametrize("name", ["bom_crlf.csv", "base.csv.gz", "trailing_space.csv"])
def test_a_ladder_table_of_another_format_is_the_same_table(sh: Shell, name: str) -> None:
    case("24", sh.folder)
    base, _ = sh.ingest("table", "base.csv")
    pd.testing.assert_frame_equal(sh.ingest("table", name)[0], base)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("semicolon.csv", "semicolon"),
        ("tab.tsv", "tab"),
        ("utf16.csv", "UTF-16"),
        ("thousands.csv", "56,136"),
        ("metric_accuracy.csv", "accuracy"),
        ("capital_headers.csv", "Run"),
    ],
)
def test_a_ladder_table_of_another_kind_is_named_and_read_right_if_at_all(sh: Shell, name: str, word: str) -> None:
    case("24", sh.folder)
    base, _ = sh.ingest("table", "base.csv")
    table, said = sh.either("table", name)
    assert word.lower() in said.lower(), said
    assert len(said.splitlines()) <= 22
    if table is not None:  # read all the same, and said how: then the numbers are the same too
        pd.testing.assert_frame_equal(table[["run", "task", "value"]], base[["run", "task", "value"]])


def test_a_constant_score_has_no_certain_forecast(sh: Shell) -> None:
    constant_ladder(0.5, 1000).to_csv("t.csv", index=False)
    sh.write(
        c="data: {source: table, path: t.csv}\ntargets: [{name: x, flops: 1e24, token_multiplier: 20}]\n"
        "recipes: [{name: overtraining, loss: val}, auto]\n"
    )
    assert sh("forecast", "c.yaml", "--json", "r.json").code == 0
    for forecast in json.loads((sh.folder / "r.json").read_text())["forecasts"]:
        if forecast["forecast"] is not None and forecast["low"] is not None:
            assert forecast["high"] - forecast["low"] > 0.01, forecast
