"""The commands about trust, as processes on the demo ladder: backtest, solve, compare, suggest, register, settle."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pypdf
import pytest
from benchcast import run
from benchcast.core import files as store
from benchcast.core.config import Config, load
from benchcast.core.digest import object_digest
from benchcast.core.errors import FaultsError, InputError
from benchcast.data.ingest import demo
from benchcast.forecasting import questions
from benchcast.registry import register as records
from benchcast.registry.settle import settle
from worlds.commands import printed


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return demo().table


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Path:
    """A config of one task that holds the largest runs out, over the demo's table as a file."""
    folder = tmp_path_factory.mktemp("trust")
    kept = table[table["task"].isin(["word_order", "validation"])]
    store.write_table(kept, folder / "ladder.csv")
    text = "data: {source: table, path: ladder.csv}\nmetric: acc\ntargets: [{run: '1.3M-*'}, {run: 640K-10x}]\n"
    (folder / "small.yaml").write_text(text + "recipes: [auto]\n")
    return folder / "small.yaml"


def test_backtest_prints_error_and_coverage_by_ratio(small: Path) -> None:
    found = json.loads(printed("backtest", str(small), "--json", "-"))["answers"]
    whole = [t for t in found if t["task"] == "" and t["ratio_high"] is None and t["ratio_low"] == 1]
    assert len(whole) == 1
    assert sum(t["n"] for t in found if t["task"] == "") == 2 * whole[0]["n"]  # the bins, and all together
    assert 0.8 <= whole[0]["coverage"] <= 1
    assert "delta method" in printed("backtest", str(small))


def test_solve_inverts_the_forecast(small: Path) -> None:
    """The budget that solve finds is forecast at the accuracy asked for, and lies between its ends."""
    asked = ("solve", str(small), "--task", "word_order", "--accuracy", "0.93")
    (found,) = json.loads(printed(*asked, "--json"))["answers"]  # without a file: to stdout
    assert found["low"] < found["flops"]
    assert found["high"] is None or found["flops"] < found["high"]
    assert 6 * found["params"] * found["tokens"] == pytest.approx(found["flops"])
    text = small.read_text().split("targets")[0] + "runs: {exclude: ['1.3M-*', 640K-10x]}\n"
    text += f"targets: [{{name: x, flops: {found['flops']}, token_multiplier: 20}}]\n"
    text += "recipes: [{name: auto, refuse: false}]\n"
    again = small.with_name("again.yaml")
    again.write_text(text)
    (forecast,) = json.loads(printed("forecast", str(again), "--json", "-"))["forecasts"]
    assert forecast["forecast"] == pytest.approx(0.93, abs=0.003)


def test_compare_is_antisymmetric_and_knows_the_better_mix(tmp_path: Path, table: pd.DataFrame) -> None:
    """A copy of the ladder that scores 5 points less everywhere loses with a probability above 0.9."""
    mine = table[table["task"].isin(["word_order"])]
    worse = mine.assign(run="w-" + mine["run"], family="worse")
    score = worse["metric"].eq("acc")
    worse["value"] = np.where(score, worse["value"] - 0.05, worse["value"])
    both = pd.concat([mine.assign(family="better"), worse])
    store.write_table(both, tmp_path / "both.csv")
    config = tmp_path / "mixes.yaml"
    config.write_text(
        "data: {source: table, path: both.csv}\nmetric: acc\nrecipes: [auto]\n"
        "targets: [{name: big, flops: 1e14, token_multiplier: 20}]\n"
    )
    settings = load(config, Config)
    (one,) = questions.compare(settings, tmp_path, None, "better", "worse", 1e14, 20.0)
    (other,) = questions.compare(settings, tmp_path, None, "worse", "better", 1e14, 20.0)
    assert one.probability > 0.9
    assert one.probability + other.probability == pytest.approx(1.0, abs=1e-9)
    assert "is not a family of the table" in printed(
        "compare", str(config), "better", "none", "--flops", "1e14", code=2
    )


def test_suggest_fits_the_budget(small: Path) -> None:
    found = json.loads(printed("suggest", str(small), "--budget", "30T", "--json", "-"))["answers"]
    assert found
    assert all(s["flops"] <= 3e13 * 1.0001 and 0 <= s["shrinks"] <= 1 for s in found)
    assert "no run of" in printed("suggest", str(small), "--budget", "1e3", code=2)


def test_questions_tell_what_was_left_out_and_read_their_data_once(
    small: Path,
    table: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On stderr, so that what is printed as JSON stays JSON."""
    from benchcast.cli import next_run
    from benchcast.cli import trust as cli_trust
    from benchcast.data import ingest
    from benchcast.forecasting import questions
    from benchcast.forecasting import run as forecast
    from benchcast.reports.records.account import Account

    account = Account()
    account.leave("rows that are no scores", "a\x1b[2Jb")
    loaded = ingest.read_data(load(small, Config).data, small.parent)
    told = dataclasses.replace(loaded, account=account.record())
    reads: list[int] = []
    given: list[object] = []
    monkeypatch.setattr(ingest, "read_data", lambda *a: (reads.append(1), told)[1])
    for name in ("solve", "compare", "suggest"):
        monkeypatch.setattr(questions, name, lambda *a: (given.append(a[2]), [])[1])
    next_run.solve(small, task="word_order", accuracy=0.9, json="-")
    cli_trust.compare(small, "a", "b", flops=1e14, json="-")
    next_run.suggest(small, budget=3e13, json="-")
    out, err = capsys.readouterr()
    contents = [json.loads(part) for part in out.replace("}\n{", "}\n\n{").split("\n\n")]
    assert [c["schema"] for c in contents] == [f"benchcast.{n}/1" for n in ("solve", "compare", "suggest")]
    assert all(c["answers"] == [] and c["account"]["left_out"][0]["count"] == 1 for c in contents)
    assert err == "data: left out 1: rows that are no scores: a\\x1b[2Jb\n" * 3
    assert (len(reads), given) == (3, [told] * 3)
    monkeypatch.setattr(
        ingest, "read_data", lambda _, __, data: data
    )  # it was read: solve and suggest take it as it is
    assert forecast.run(load(small, Config), small.parent, told).provenance.account == account.record()


def test_compare_says_when_there_is_nothing_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchcast.reports.records.account import Account

    asked = {
        "data": {"source": "demo"},
        "targets": [{"run": "1.3M-10x"}],
        "recipes": ["llama3"],
        "tasks": ["recall", "word_order"],
    }
    result = run(asked)
    first, second = result.forecasts
    account = Account()
    none = first.model_copy(update={"low": None})
    for kept in ((none, second), (none, second.model_copy(update={"forecast": None}))):
        answer = result.model_copy(update={"forecasts": kept})
        monkeypatch.setattr(questions.auto, "run", lambda *_, answer=answer: answer)
        ask = (Config.model_validate(asked), Path(), None, first.family, first.family, 1e14, 20.0, account)
        if kept[1] is second:
            assert [c.task for c in questions.compare(*ask)] == ["word_order"]
            assert account.record().left_out[0].examples == ("recall",)
        else:
            with pytest.raises(InputError, match="nothing to compare"):
                questions.compare(*ask)


def test_register_is_chained_and_every_edit_shows(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "forecasts.jsonl"
    for _ in range(3):
        printed("register", str(small), "--register", str(path))
    known = records.read(path)
    assert [r.previous for r in known[1:]] == [r.hash for r in known[:-1]]
    lines = path.read_text().splitlines()
    edited = lines[1].replace('"level":0.9', '"level":0.8', 1)
    for wrong, what in (
        ([lines[0], edited, lines[2]], "line 2: was edited"),
        ([lines[0], lines[2]], "line 2: does not follow"),
        ([lines[1], lines[2]], "line 1: does not follow"),
        ([lines[1], lines[0], lines[2]], "line 1: does not follow"),
        ([*lines, lines[2]], "line 4: does not follow"),
        ([*lines, lines[2][:50]], "line 4: is not a record"),
    ):
        path.write_text("\n".join(wrong) + "\n")
        with pytest.raises(FaultsError, match=what):
            records.read(path)
    before = path.read_bytes()
    assert "line 4: is not a record" in printed("register", str(small), "--register", str(path), code=2)
    assert path.read_bytes() == before


def test_a_register_of_an_earlier_version_is_still_whole(tmp_path: Path) -> None:
    """Whose forecasts had fewer fields: the hash is of what was written then."""
    path = tmp_path / "forecasts.jsonl"
    result = run(
        {"data": {"source": "demo"}, "targets": [{"run": "1.3M-10x"}], "recipes": ["llama3"], "tasks": ["recall"]}
    )
    records.register(result, path)
    content = json.loads(path.read_text())
    for forecast in content["forecasts"]:
        del forecast["tested_ratio"]
    content["hash"] = object_digest({k: v for k, v in content.items() if k != "hash"})
    path.write_text(json.dumps(content) + "\n")
    [record] = records.read(path)
    assert record.hash == content["hash"]
    records.register(result, path)
    assert [r.previous for r in records.read(path)] == [records.START, record.hash]


def test_settle_scores_what_was_registered(small: Path, tmp_path: Path, table: pd.DataFrame) -> None:
    path, ladder, plot = tmp_path / "forecasts.jsonl", small.with_name("ladder.csv"), tmp_path / "calibration.svg"
    printed("register", str(small), "--register", str(path))
    out = json.loads(printed("settle", str(ladder), "--register", str(path), "--plot", str(plot), "--json", "-"))
    (record,) = records.read(path)
    assert len(out["settled"]) == len(record.forecasts) == 4
    for s, f in zip(out["settled"], record.forecasts, strict=True):
        assert s["actual"] == pytest.approx(f.actual)
        assert f.forecast is not None
        assert s["error"] == pytest.approx(f.forecast - s["actual"])
        assert s["inside"] == (f.low <= s["actual"] <= f.high)
    assert plot.read_text().startswith("<?xml")
    told = printed("settle", str(ladder), "--register", str(path), "--out", str(tmp_path / "settled"))
    assert told.rstrip().endswith(f"report: {tmp_path / 'settled' / 'settlement.pdf'}")
    assert json.loads((tmp_path / "settled" / "settlement.json").read_text()) == out
    assert "is not a known key" not in printed("settle", str(ladder), "--register", str(tmp_path / "none"), code=2)


def test_a_refused_task_counts_with_its_baseline(small: Path, tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "forecasts.jsonl"
    printed("register", str(small), "--register", str(path))
    (record,) = records.read(path)
    empty = {"forecast": None, "low": None, "high": None, "status": "refused", "grade": "D"}
    refused = record.model_copy(update={"forecasts": tuple(f.model_copy(update=empty) for f in record.forecasts)})
    found = settle([refused], table, {})
    assert found.refused == 4
    assert found.coverage is None
    carry = [abs((f.baselines.carry_forward or 0) - (f.actual or 0)) for f in record.forecasts]
    assert found.mean_error == pytest.approx(np.mean(carry))


def test_a_title_may_hold_what_ends_lines_elsewhere(tmp_path: Path) -> None:
    result = run(
        {
            "data": {"source": "demo"},
            "targets": [{"run": "1.3M-10x"}],
            "recipes": ["llama3"],
            "tasks": ["recall"],
            "title": "a\u2028b\u0085c",
        }
    )
    for _ in range(2):
        records.register(result, tmp_path / "r.jsonl")
    assert len(records.read(tmp_path / "r.jsonl")) == 2


def test_the_report_says_what_the_register_holds(small: Path, tmp_path: Path) -> None:
    """The single forecasts of the backtest give its coverage; the page says since when the forecasts are on record."""
    record = json.loads(printed("register", str(small), "--register", str(tmp_path / "r.jsonl"), "--json", "-"))
    printed("run", str(small), "--out", str(tmp_path / "out"), "--register", str(tmp_path / "r.jsonl"))
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    count = len(result["forecasts"])
    assert result["registered"] == {"count": count, "hash": record["hash"], "time": record["time"]}
    (trials,) = result["trials"]
    held = [low <= a <= high for low, a, high in zip(trials["low"], trials["actual"], trials["high"], strict=True)]
    (whole,) = [t for t in result["backtests"] if t["task"] and t["ratio_high"] is None and t["ratio_low"] == 1]
    assert whole["n"] == len(held)
    assert whole["coverage"] == pytest.approx(sum(held) / len(held))
    first = " ".join(pypdf.PdfReader(tmp_path / "out" / "report.pdf").pages[0].extract_text().split())
    assert f"On record Yes, since {record['time'][:10]} (record {record['hash'][:12]})" in first

    result["forecasts"][0]["high"] += 1e-9  # another number is another forecast
    (tmp_path / "changed.json").write_text(json.dumps(result))
    changed = ["report", str(tmp_path / "changed.json"), "--out", str(tmp_path / "again")]
    printed(*changed, "--register", str(tmp_path / "r.jsonl"))
    assert json.loads((tmp_path / "again" / "result.json").read_text())["registered"]["count"] == count - 1
