"""The index of nights and reports: what it says and links, and what axe-core finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from benchcast.reports.documents.index_page import index_bytes, spark
from benchcast.reports.records.nightly import Ends, ForecastSeries, MeasuredAt
from benchcast.reports.records.overview import Night, Overview, Place, RunReport
from worlds.hosts.browser import Elements, findings, look_at, sideways, text

NASTY = "</title><script>document.title='taken'</script>"
FIRST = datetime(2026, 11, 1, 3, tzinfo=UTC)


def series(nights: int, **more: Any) -> ForecastSeries:
    times = tuple(FIRST + timedelta(days=k) for k in range(nights))
    made: dict[str, Any] = {
        "target": "7B",
        "task": "recall_phrase",
        "recipe": "auto",
        "family": "mix",
        "times": times,
        "forecast": tuple(0.5 + 0.01 * k for k in range(nights)),
        "low": tuple(0.4 + 0.01 * k for k in range(nights)),
        "high": tuple(0.6 + 0.01 * k for k in range(nights)),
        "measured": tuple(MeasuredAt(time, 0.3, 1e9 * (k + 1)) for k, time in enumerate(times)),
        "registered": Ends(forecast=0.5, low=0.4, high=0.6),
    }
    return ForecastSeries(**made | more)


def night(day: int, **more: Any) -> Night:
    made: dict[str, Any] = {"verdict": f"on course since step {day}", "urgent": False, "messages": (), "scored": day}
    files = (Place(label="page", path=f"{day}/report.html"),)
    return Night(time=FIRST + timedelta(days=day), files=files, **made | more)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    nights = [
        night(1),
        night(2, verdict="left its band", urgent=True, messages=(f"alert: {NASTY}",)),
        night(3, verdict=""),
    ]
    run = RunReport(folder="a/b", title=NASTY, headline="It is forecast.", targets=(NASTY,), tasks=2, files=())
    made = Overview(
        title=NASTY,
        verdict="1B: left its band on 1 of 2 tasks",
        urgent=True,
        standing=("outside: 1B",),
        series=(series(3), series(1, task="שלום <b>", registered=None, measured=())),
        nights=tuple(nights),
        runs=(run,),
    )
    path = tmp_path / "index.html"
    path.write_bytes(index_bytes(made))
    assert index_bytes(made) == path.read_bytes()
    return path


def test_it_is_plain_html_with_the_newest_night_first(index: Path) -> None:
    page = Elements(index.read_text())
    assert page.addresses == [f"{day}/report.html" for day in (3, 2, 1)]
    assert page.inside("title").startswith(NASTY)
    assert [tag for tag, _ in page.tags].count("script") == 1
    days = [data for _, data in page.texts if data.startswith("2026-11-")]
    assert days == ["2026-11-04", "2026-11-03", "2026-11-02"]
    assert "No verdict was recorded." in page.inside("span")


def test_a_series_is_told_in_words(index: Path) -> None:
    drawn = spark(series(3), "recall")
    assert drawn.get("aria-label", "").replace("\u00a0", " ") == (
        "recall: registered 50 (40 to 60); forecast 50 (40 to 60) on 2026-11-01, and 52 (42 to 62) on 2026-11-03 "
        "after 3 nights"
    )
    assert len(drawn.findall("circle")) == 3
    nothing = spark(series(2, forecast=(None, None), low=(None, None), high=(None, None), measured=()), "none")
    assert not nothing.findall("polyline")


def test_a_series_stands_where_its_numbers_are() -> None:
    """Higher scores are drawn higher, later nights further right, and all of it inside the picture."""
    drawn = spark(series(4), "recall")
    (line,) = drawn.findall("polyline")
    points = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
    assert points == sorted(points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    _, _, width, height = map(float, drawn.get("viewBox", "").split())
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
    (band,) = drawn.iter("rect")
    top, tall = float(band.get("y", "nan")), float(band.get("height", "nan"))
    assert top + tall / 2 == pytest.approx(points[0][1], abs=0.2)  # registered as the first night forecast


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (400, "light")])
def test_axe_finds_nothing(browser: Any, index: Path, width: int, scheme: str) -> None:
    assert findings(browser, index, width, scheme) == []
    assert not sideways(browser)


def test_its_tables_sort(browser: Any, index: Path) -> None:
    look_at(browser, index)
    assert text(browser, "title")[0].startswith(NASTY)
    nights = "table:has(.day) "
    browser.execute_script("document.querySelectorAll(arguments[0])[2].click()", f"{nights} thead button")
    assert text(browser, f"{nights} tbody td:nth-child(3)") == ["1", "2", "3"]
    assert text(browser, f"{nights} [aria-sort=ascending]") == ["New scores"]
