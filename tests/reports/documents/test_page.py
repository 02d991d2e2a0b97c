"""The web page as its readers get it: a headless Chromium, the file opened from disk."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchcast.reports.documents import page
from benchcast.reports.documents.forecast import write
from worlds.commands import CONFIG, benchcast, process
from worlds.news import NEWS, latest
from worlds.reports import as_record, make_graded, make_result

NASTY = (
    "</script><script>document.title='broken'</script>",
    "<!--<script>",
    "#set page(width: 1cm)",
    "../../up",
    "任务 שלום العربية",
    "{{DATA}} {{TITLE}} & \u2028 \\u003c",
    "<img src=x onerror=alert(1)>",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium and chromedriver on the path")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options, webdriver.ChromeService(driver)) as opened:
        yield opened


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config, its ladder, and what ``benchcast run --html`` made of them."""
    from worlds.ladders import make_ladder

    folder = tmp_path_factory.mktemp("page")
    make_ladder(noise=0.003).to_csv(folder / "ladder.csv", index=False)
    (folder / "c.yaml").write_text(CONFIG)
    done = benchcast("run", folder / "c.yaml", "--html", "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    assert f"web page: {folder / 'out' / 'report.html'}" in done.stdout
    return folder


def look_at(browser: Any, path: Path, width: int = 1000) -> None:
    """Open a file, and expect nothing on the console."""
    browser.set_window_size(width, 900)
    browser.get(path.as_uri())
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def text(browser: Any, selector: str) -> list[str]:
    return [e.text for e in browser.find_elements("css selector", selector)]


def slide(browser: Any, stop: int) -> None:
    """Move the slider as a hand would: the value changes and the page is told."""
    browser.execute_script(
        "const s = document.getElementById('flops'); s.value = arguments[0]; s.dispatchEvent(new Event('input'));", stop
    )


def test_the_slider_shows_what_the_command_line_prints(browser: Any, study: Path) -> None:
    look_at(browser, study / "out" / "report.html")
    last = int(browser.find_element("id", "flops").get_attribute("max"))
    shown = []
    for stop in (2, last):
        slide(browser, stop)
        command = browser.find_element("id", "command").text.replace("CONFIG", str(study / "c.yaml")).split()
        assert command[0] == "benchcast"
        printed = benchcast(*command[1:])
        assert printed.returncode == 0, printed.stderr
        row = next(line for line in printed.stdout.splitlines() if "quiz" in line)
        forecasts = re.findall(r"\d+\.\d \(\d+–\d+\)", row)
        direct = row.split("│")[-4].strip()
        assert len(forecasts) == 3
        assert text(browser, "#shown td") == [*forecasts, direct]
        shown.append(forecasts)
    assert shown[0] != shown[1]
    assert browser.get_log("browser") == []


def test_the_table_shows_what_the_result_says(browser: Any, study: Path) -> None:
    look_at(browser, study / "out" / "report.html")
    result = json.loads((study / "out" / "result.json").read_text())
    rows = text(browser, "#rows tr")
    assert len(rows) == len({(f["task"], f["target"]) for f in result["forecasts"]})
    for f in result["forecasts"]:
        line = next(row for row in rows if f["target"] in row)
        assert f"{100 * f['forecast']:.1f} ({100 * f['low']:.0f}–{100 * f['high']:.0f})" in line
    browser.find_element("id", "filter").send_keys("PLANNED")
    assert [r.split()[:2] for r in text(browser, "#rows tr") if r] == [["quiz", "planned"]]


def test_a_run_tells_its_name_and_score(browser: Any, study: Path) -> None:
    look_at(browser, study / "out" / "report.html")
    result = json.loads((study / "out" / "result.json").read_text())
    marks = browser.find_elements("css selector", ".point")
    assert len(marks) == len(result["ladder"])
    scores = dict(zip(result["scores"][0]["runs"], result["scores"][0]["accuracy"], strict=True))
    from selenium.webdriver import ActionChains

    ActionChains(browser).move_to_element(marks[0]).perform()
    tip = browser.find_element("id", "tip").text
    name = tip.splitlines()[0]
    assert f"{100 * scores[name]:.1f} %" in tip
    size = next(run for run in result["ladder"] if run["run"] == name)
    assert f"{size['params'] / 1e6:.3g}M parameters" in tip


def test_a_graded_nightly_page_shows_grades_dangers_and_news(browser: Any, tmp_path: Path) -> None:
    graded = make_graded()
    path = write(as_record(graded), tmp_path, html=True, latest=latest())["html"]
    look_at(browser, path, 400)
    rows = {row.split()[0]: row for row in text(browser, "#rows tr")}
    for f in graded["forecasts"]:
        assert f" {f['grade']}" in rows[f["task"]].split(")")[-1]
    assert "–" in rows["piqa"]  # refused: no number
    wrong = text(browser, "#wrong")[0]
    assert "beyond-tested" in wrong
    shown = text(browser, "#news")[0]
    assert shown.splitlines()[:2] == ["What changed since 2026-11-24", NEWS["changes"][0]]
    assert "below the band" in shown
    assert "Cost: the 12 runs" in text(browser, "#question")[0]
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


def test_a_phone_needs_no_sideways_scrolling(browser: Any, study: Path) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 400, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        look_at(browser, study / "out" / "report.html", 400)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 400
        slide(browser, 0)
        assert browser.find_element("id", "shown").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_names_are_shown_as_they_are(browser: Any, tmp_path: Path) -> None:
    nasty = make_result(tasks=NASTY, targets=("7B-4T",), title="</title><script>alert('t')</script> {{DATA}}")
    nasty["forecasts"][0]["notes"] = ["<b>note</b>"]
    write(as_record(nasty), tmp_path / "out", html=True)
    look_at(browser, tmp_path / "out" / "report.html")
    assert "<script>alert('t')</script>" in browser.title
    wanted = [" ".join(name.split()) for name in NASTY]
    assert text(browser, "#task option") == wanted
    assert text(browser, "#rows tr td:first-child") == wanted
    assert any("<b>note</b>" in note for note in text(browser, "#notes p"))
    assert browser.find_element("id", "noslide").is_displayed()
    assert {p.name for p in tmp_path.rglob("*")} == {"out", "report.html", "report.pdf", "result.json", "forecasts.csv"}


def test_injected_script_would_not_run(browser: Any, study: Path, tmp_path: Path) -> None:
    """The policy of the page holds even where an element got in."""
    source = (study / "out" / "report.html").read_text()
    forged = tmp_path / "forged.html"
    forged.write_text(source.replace("</body>", "<script>document.title = 'taken'</script></body>"))
    browser.get(forged.as_uri())
    assert browser.title != "taken"
    assert any("Content Security Policy" in entry["message"] for entry in browser.get_log("browser"))


def test_a_result_without_forecasts_still_opens(browser: Any, tmp_path: Path) -> None:
    write(as_record(make_result(tasks=("mmlu",)) | {"forecasts": []}), tmp_path, html=True)
    look_at(browser, tmp_path / "report.html")


def test_numbers_round_as_in_python(browser: Any, study: Path) -> None:
    look_at(browser, study / "out" / "report.html")
    values = [k / 800 for k in range(1200)] + [k / 7 for k in range(100)] + [0.6215, 0.001, 1.0]
    for digits in (0, 1):
        told = browser.execute_script("return arguments[0].map(v => fixed(v, arguments[1]))", values, digits)
        assert told == [f"{value:.{digits}f}" for value in values]


def test_the_same_bytes_and_no_network(study: Path, tmp_path: Path) -> None:
    again = process("run", study / "c.yaml", "--html", "--out", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    first = (study / "out" / "report.html").read_bytes()
    assert (tmp_path / "again" / "report.html").read_bytes() == first
    typeset = benchcast("report", study / "out" / "result.json", "--html", "--out", tmp_path / "third")
    assert typeset.returncode == 0, typeset.stderr
    assert (tmp_path / "third" / "report.html").read_bytes() == first
    assert not re.search(rb"(src|href|url)\s*[=(]", first), "the page refers to another file"
    assert set(re.findall(rb"https?://[\w./]+", first.split(b'id="data"')[0] + first.split(b"</script>", 1)[1])) <= {
        b"http://www.w3.org/2000/svg"
    }


def test_data_cannot_leave_its_element() -> None:
    told = page.embedded({name: name for name in NASTY})
    assert not set("<>&\u2028\u2029") & set(told)
    assert json.loads(told) == {name: name for name in NASTY}
