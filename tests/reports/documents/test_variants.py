"""Report variants: what changed since last night, and how registered forecasts fared."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pypdf
import pytest
from benchcast.core.errors import BenchcastError
from benchcast.registry.register import Record
from benchcast.registry.settle import settle
from benchcast.reports.documents import settlement
from benchcast.reports.documents.forecast import write
from benchcast.reports.records.forecast import Forecast, Result
from benchcast.reports.records.nightly import News
from benchcast.reports.records.settlement import SettledForecast, Settlement
from benchcast.reports.sections import news
from worlds.news import NEWS, latest
from worlds.reports import as_record, make_graded


def pages(pdf: Path | bytes) -> list[str]:
    data = pdf if isinstance(pdf, bytes) else pdf.read_bytes()
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(io.BytesIO(data)).pages]


def test_a_nightly_report_begins_with_what_changed(tmp_path: Path) -> None:
    paths = write(as_record(make_graded()), tmp_path / "night", html=True, latest=latest())
    first = pages(paths["pdf"])[0]
    places = [
        first.index(text)
        for text in (NEWS["verdict"], "below the band", "since 2026-11-23", *NEWS["changes"], "The forecast of the end")
    ]
    assert places == sorted(places)
    assert "mmlu 41.2 44.0–51.0 below the band" in first
    assert "../../x 70.0 66.0–74.0 as forecast" in first
    page = paths["html"].read_text("utf-8")
    assert "What changed since 2026-11-24" in page
    assert "<b>" not in page.split('id="data"')[1].split("</script>")[0]
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == [
        "forecasts.csv",
        "report.html",
        "report.pdf",
        "result.json",
    ]


def test_a_quiet_night_says_so_and_a_long_one_is_cut() -> None:
    assert news.section(News()).changes == (news.NONE,)
    many = news.section(News(changes=tuple(f"change {i}" for i in range(50)))).changes
    assert len(many) == news.MOST_CHANGES + 1
    assert many[-1] == "38 more changes."


def test_without_news_nothing_of_it_shows(tmp_path: Path) -> None:
    assert "What changed" not in pages(write(as_record(make_graded()), tmp_path)["pdf"])[0]


@pytest.fixture(scope="module")
def settled() -> Settlement:
    """Graded forecasts registered one day, and their measured scores, three of four inside."""
    forecasts = Result.model_validate(make_graded()).forecasts
    registered = Record(
        time="2026-11-01T00:00:00+00:00",
        title="t",
        benchcast="0",
        code_digest="c",
        config_digest="c",
        data_digest="d",
        forecasts=forecasts,
        previous="0" * 64,
        hash="ab" * 32,
    )
    truth = measured((f, "acc", 0.77 if f.task == "piqa" else _truth(f)) for f in forecasts)
    return settle([registered], truth, {})


def measured(scores: Iterable[tuple[Forecast, str, float]]) -> pd.DataFrame:
    """A ladder table in which the forecast runs have these scores."""
    return pd.DataFrame(
        {
            "run": f.target,
            "family": f.family,
            "params": f.params,
            "tokens": f.tokens,
            "flops": f.flops,
            "task": f.task,
            "num_fewshot": 0.0,
            "prompt": "",
            "metric": metric,
            "value": value,
        }
        for f, metric, value in scores
    )


def _truth(f: Forecast) -> float:
    assert f.forecast is not None
    assert f.high is not None
    return f.high + 0.02 if f.task == "mmlu" else f.forecast + 0.004


def test_a_settlement_says_how_forecasts_fared(settled: Settlement, tmp_path: Path) -> None:
    paths = settled.write(tmp_path / "out")
    shown = pages(paths["pdf"])
    everything = " ".join(shown)
    miss = 100 * sum(abs(s.error) for s in settled.settled) / 4
    assert f"4 forecasts have been settled: they miss by {miss:.1f} points" in shown[0]
    assert "2 of 3 measured scores lie in the 90 % interval" in shown[0]
    assert "Registered on 2026-11-01. 1 were refused, 0 have no measured score yet." in shown[0]
    for s in settled.settled:
        said = "refused –" if s.forecast is None else f"{100 * s.forecast:.1f}"
        assert f"{s.task} {s.target} {s.grade} {said}" in everything
        assert f"{100 * s.actual:.1f}" in everything
    largest = max(settled.settled, key=lambda s: abs(s.error))
    rows = everything.split("largest miss first")[1]
    assert rows.index(largest.task) == min(rows.index(s.task) for s in settled.settled)
    assert json.loads(paths["json"].read_text()) == json.loads(settled.model_dump_json())


def test_a_forecast_is_held_against_the_metric_it_is_of(settled: Settlement) -> None:
    forecasts = Result.model_validate(make_graded()).forecasts
    registered = Record(
        time="2026-11-01T00:00:00+00:00",
        title="t",
        benchcast="0",
        code_digest="c",
        config_digest="c",
        data_digest="d",
        forecasts=tuple(f.model_copy(update={"metric": "acc"}) for f in forecasts),
        previous="0" * 64,
        hash="ab" * 32,
    )
    truth = measured((f, metric, at) for f in forecasts for metric, at in (("acc", 0.6), ("acc_norm", 0.1)))
    assert {s.actual for s in settle([registered], truth, {}).settled} == {0.6}
    assert {s.actual for s in settle([registered], truth, {}, "acc_norm").settled} == {0.1}


def test_a_settlement_twice_is_the_same_bytes(settled: Settlement, tmp_path: Path) -> None:
    one, two = settled.write(tmp_path / "a"), settled.write(tmp_path / "b")
    assert one["pdf"].read_bytes() == two["pdf"].read_bytes()


def test_names_of_settled_forecasts_are_shown_as_they_are(settled: Settlement, tmp_path: Path) -> None:
    names = ("<script>", "#set page", "../../x", "阅读理解")
    renamed: tuple[SettledForecast, ...] = tuple(
        s.model_copy(update={"task": name}) for s, name in zip(settled.settled, names, strict=True)
    )
    made = settled.model_copy(update={"settled": renamed})
    everything = " ".join(pages(settlement.write(made, tmp_path / "out")["pdf"]))
    for name in names:
        assert name in everything
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == ["settlement.json", "settlement.pdf"]


def test_a_place_that_cannot_be_written_is_one_line(settled: Settlement, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchcastError, match="cannot be written"):
        settled.write(tmp_path / "file")
