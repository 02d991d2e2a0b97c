"""Tables of runs for a plan as people write them: units, spellings, repeated rows, questions they cannot answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.core.errors import InputError
from benchcast.planning import run as plan
from benchcast.reports.records.plan import PlanResult
from worlds.ladders import FIELD
from worlds.plans import benchcast, runs

FLOPS = 1e22


def small() -> pd.DataFrame:
    return runs().drop(columns="flops")


def ask(table: pd.DataFrame | str, tmp_path: Path, **config: Any) -> PlanResult:
    path = tmp_path / "runs.csv"
    text = table if isinstance(table, str) else table.to_csv(index=False)
    path.write_text(text, encoding="utf-8")
    data = {"path": "runs.csv"} | config.pop("data", {})
    return plan.run({"flops": FLOPS, "resamples": 100, "data": data} | config, tmp_path)


def refused(table: pd.DataFrame | str, tmp_path: Path, says: str, **config: Any) -> None:
    with pytest.raises(InputError) as caught:
        ask(table, tmp_path, **config)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("params", "tokens", "says"),
    [
        (1, 1e9, "are the tokens in billions?"),
        (1, 1e6, "are the tokens in millions?"),
        (1, 1e12, "cannot be"),
        (1e9, 1e9, "parameters cannot be a language model's; are they in billions?"),
        (1e9, 1, "parameters cannot be a language model's; are they in billions?"),
        (1e6, 1, "cannot be a language model's"),
        (1e3, 1, "which cannot be"),
    ],
)
def test_units_that_cannot_be_are_named(params: float, tokens: float, says: str, tmp_path: Path) -> None:
    table = small()
    table["params"] /= params
    table["tokens"] /= tokens
    if params == 1e3:
        table["params"] /= 10  # thousands of params with tens of thousands of tokens each
    refused(table, tmp_path, says)
    refused(table, tmp_path, f"of {len(table)} rows cannot be")


def test_one_unit_error_is_one_line_without_warnings(tmp_path: Path) -> None:
    table = small()
    (table / [1e9, 1e9, 1]).to_csv(tmp_path / "runs.csv", index=False)
    done = benchcast("plan", "--flops", "1e22", "--data", tmp_path / "runs.csv")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Warning" not in done.stderr


def test_flops_that_no_way_of_counting_gives(tmp_path: Path) -> None:
    refused(runs().assign(flops=lambda t: t["flops"] / 1e18), tmp_path, "are they in exaFLOPs?")


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("50M", "'50M' is not a positive number (has a suffix"),
        ("7B", "has a suffix"),
        ('"50,000,000"', "has a separator of thousands"),
        ("nan", "'nan' is not a positive number (correct it, or leave the row out"),
        ("inf", "'inf' is not a positive number"),
        ("-5e7", "'-5e7' is not a positive number"),
        ("0", "'0' is not a positive number"),
        ("", "is empty"),
        ("True", "'True' is not a positive number"),
    ],
)
def test_a_cell_is_shown_as_it_stands(cell: str, says: str, tmp_path: Path) -> None:
    lines = small().to_csv(index=False).splitlines()
    lines[3] = f"{cell},1e9,3.0"
    refused("\n".join(lines), tmp_path, "row 4, column params")
    refused("\n".join(lines), tmp_path, says)


def test_semicolons_and_decimal_commas_are_said(tmp_path: Path) -> None:
    text = small().to_csv(index=False, sep=";", decimal=",")
    refused(text, tmp_path, "separated by semicolons")
    refused(text, tmp_path, "looks like a decimal comma")
    result = ask(small().to_csv(index=False, sep=";"), tmp_path)
    assert any("semicolons" in note for note in result.provenance.account.notes)


def test_another_encoding_and_ragged_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(small().to_csv(index=False).encode("utf-16"))
    for says in ("UTF-16", "has 2 cells"):
        with pytest.raises(InputError, match=says):
            plan.run({"flops": FLOPS, "data": {"path": "runs.csv"}}, tmp_path)
        path.write_text("params,tokens,loss\n1e8,2e9\n", encoding="utf-8")


def test_repeated_rows_count_once(tmp_path: Path) -> None:
    once = ask(small(), tmp_path)
    again = ask(pd.concat([small(), small().head(30)]), tmp_path)
    assert again.answers[0] == once.answers[0]
    assert again.isoflop == once.isoflop
    assert any("30 of 72 rows repeat others and count once" in n for n in again.provenance.account.notes)
    assert again.provenance.account.read == {"rows": 72}
    assert again.provenance.account.taken == {"rows": 42}


def test_seeds_with_losses_of_their_own_are_no_repeats(tmp_path: Path) -> None:
    other = small().assign(loss=lambda t: t["loss"] * 1.001)
    result = ask(pd.concat([small(), other]), tmp_path)
    assert result.provenance.rows == 84


def test_two_losses_of_one_checkpoint_are_a_contradiction(tmp_path: Path) -> None:
    table = small().assign(run=[f"r{i}" for i in range(42)])
    more = table.head(1).assign(loss=9.0)
    refused(pd.concat([table, more]), tmp_path, "run 'r0' has 2 losses at one checkpoint")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.assign(tokens=20 * t["params"]), "one number of tokens per parameter (20)"),
        (lambda t: t.assign(params=1e8, tokens=np.geomspace(1e9, 1e11, len(t))), "one model size (100M parameters)"),
        (lambda t: t.assign(tokens=1e10, params=np.geomspace(1e8, 1e9, len(t))), "one training length (10B tokens)"),
    ],
)
def test_runs_that_cannot_answer_are_refused(change: Any, says: str, tmp_path: Path) -> None:
    refused(change(small()), tmp_path, says)


def test_a_perplexity_is_named(tmp_path: Path) -> None:
    refused(small().assign(loss=lambda t: np.exp(t["loss"])), tmp_path, "are they perplexities")


def test_a_diverged_run_is_named_and_moves_little(tmp_path: Path) -> None:
    table = small()
    before = ask(table, tmp_path).answers[0].params
    table.loc[40, "loss"] = 7.4
    result = ask(table, tmp_path)
    assert result.answers[0].params.value == pytest.approx(before.value, rel=0.1)
    assert any("row 42 (loss 7.4" in note and "diverge" in note for note in result.notes)


def test_an_isoflop_answer_that_is_not_there_says_why(tmp_path: Path) -> None:
    table = small().assign(tokens=lambda t: t["tokens"] * np.geomspace(1, 3, len(t)))
    result = ask(table, tmp_path)
    assert result.isoflop is None
    assert any(n.startswith("no isoFLOP analysis: ") for n in result.provenance.account.notes)
    done = benchcast("plan", "--flops", "1e22", "--data", tmp_path / "runs.csv", "--json", "-")
    assert done.returncode == 0
    assert "data: no isoFLOP analysis: " in done.stderr
    assert "no isoFLOP analysis" in done.stdout  # in the JSON's account


def test_flops_counted_otherwise_are_not_divided_by_six_n(tmp_path: Path) -> None:
    """Twice the FLOPs per parameter and token: the same sweep gives the same model at twice the budget."""
    plain = ask(runs(), tmp_path)
    double = ask(runs().assign(flops=lambda t: 2 * t["flops"]), tmp_path, flops=2 * FLOPS)
    assert plain.answers[1].method == double.answers[1].method == "isoFLOP (akima)"
    assert double.answers[1].params.value == pytest.approx(plain.answers[1].params.value, rel=1e-6)
    assert double.answers[1].tokens.value == pytest.approx(plain.answers[1].tokens.value, rel=1e-6)
    assert any("times 6·params·tokens" in n for n in double.provenance.account.notes)
    assert not plain.provenance.account.notes
    by_flops = [s for s in double.specifications if s.method == "isoFLOP" and s.choice["FLOPs"] == "as given"]
    assert by_flops
    for s in by_flops:
        assert s.params * s.tokens * 12 == pytest.approx(2 * FLOPS, rel=1e-6)  # type: ignore[operator]


def test_tokens_follow_from_six_n_d_only(tmp_path: Path) -> None:
    table = runs().drop(columns="tokens")
    result = ask(table, tmp_path)
    assert result.answers[0].params.value == pytest.approx(ask(runs(), tmp_path).answers[0].params.value, rel=1e-4)
    told = ask(table, tmp_path).provenance.account.notes
    assert any("they are computed as C / 6N, as if its FLOPs were 6ND" in n for n in told)
    assert not any("taken" in n for n in ask(table.assign(flops_convention="6ND"), tmp_path).provenance.account.notes)
    refused(table.assign(flops_convention="attention"), tmp_path, "C / 6N would not be the tokens")
    refused(table.drop(columns="flops"), tmp_path, "has no column 'tokens'")


def test_where_compares_numbers_as_numbers(tmp_path: Path) -> None:
    table = small().assign(kept=1.0, good="True", data="c4")
    table.loc[:3, "kept"] = 0
    result = ask(table, tmp_path, data={"where": {"kept": 1, "good": True, "data": "c4"}})
    assert result.provenance.rows == len(table) - 4
    assert any("where keeps 38 of 42 rows" in n for n in result.provenance.account.notes)


def test_a_column_is_one_thing(tmp_path: Path) -> None:
    refused(
        small(), tmp_path, "is given for another column too", data={"columns": {"params": "params", "tokens": "params"}}
    )


EXPECTED = {
    "16-plan-units-in-billions/right.csv": "5.11B",
    "16-plan-units-in-billions/both_in_billions.csv": "billions",
    "16-plan-units-in-billions/tokens_in_billions.csv": "tokens in billions",
    "16-plan-units-in-billions/tokens_in_millions.csv": "tokens in millions",
    "17-plan-dirty-tables/bom_crlf.csv": "5.11B (4.77B–5.53B)",
    "17-plan-dirty-tables/duplicates.csv": "5.11B (4.77B–5.53B)",
    "17-plan-dirty-tables/one_diverged.csv": "did they diverge?",
    "17-plan-dirty-tables/one_ratio.csv": "one number of tokens per parameter (20)",
    "17-plan-dirty-tables/perplexity_as_loss.csv": "perplexities",
    "17-plan-dirty-tables/semicolon_decimal_comma.csv": "semicolons",
    "17-plan-dirty-tables/suffixes.csv": "suffix",
    "17-plan-dirty-tables/thousands.csv": "thousands",
    "17-plan-dirty-tables/with_nan_inf_loss.csv": "'NaN' is not a positive number",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_cases(name: str) -> None:
    if not (FIELD / name).exists():
        pytest.skip("the cases are not in this checkout")
    done = benchcast("plan", "--flops", "1e22", "--data", FIELD / name)
    assert done.returncode == (0 if EXPECTED[name][0] in "5d" else 2), done.stderr
    assert EXPECTED[name] in done.stdout + done.stderr
    assert "Warning" not in done.stderr


def test_first_steps_of_a_run_are_no_fault_and_a_row_in_another_unit_is(tmp_path: Path) -> None:
    rows = [
        (n, d, min(1.69 + 406.4 / n**0.34 + 410.7 / d**0.28, 11.0))
        for n in (1.6e8, 1e9, 2.8e9, 1.2e10)
        for d in (2.1e6, 1e9, 1.6e10, 3e11)
    ]
    table = pd.DataFrame(rows, columns=["params", "tokens", "loss"])
    assert ask(table, tmp_path) is not None
    table.loc[table.index[-1], "tokens"] = 3e5  # in millions
    refused(table, tmp_path, "are the tokens in millions?")


def test_parameters_and_tokens_that_are_both_in_millions(tmp_path: Path) -> None:
    rows = [
        (n, d, 1.69 + 406.4 / (1e6 * n) ** 0.34 + 410.7 / (1e6 * d) ** 0.28)
        for n in (1e3, 2.8e3, 1.2e4)
        for d in (2e4, 1e5, 3e5)
    ]
    refused(pd.DataFrame(rows, columns=["params", "tokens", "loss"]), tmp_path, "are both in millions?")


@pytest.mark.parametrize(("column", "says"), [("params", "1e+04 to 8e+04"), ("tokens", "0.01 to 0.08")])
def test_a_table_in_thousands_gets_a_line(column: str, says: str, tmp_path: Path) -> None:
    rows = [(n, n * r, 1.69 + 406.4 / n**0.34 + 410.7 / (n * r) ** 0.28) for n in (1e8, 1e9, 3e9) for r in (10, 40, 80)]
    table = pd.DataFrame(rows, columns=["params", "tokens", "loss"])
    assert "plain counts?" not in " ".join(ask(table, tmp_path).provenance.account.notes)
    notes = " ".join(ask(table.assign(**{column: table[column] / 1e3}), tmp_path).provenance.account.notes)
    assert f"all runs have {says} tokens per parameter, usual are 1 to 2000: are both plain counts?" in notes
