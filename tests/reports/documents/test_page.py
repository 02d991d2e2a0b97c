"""The web page: what it says without a script, and as its readers get it in a headless Chromium, opened from disk."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from benchcast.reports.documents import markup, page
from benchcast.reports.records.answer import answer
from benchcast.reports.records.forecast import Result
from benchcast.reports.records.nightly import News
from benchcast.reports.sections.headline import headline
from worlds.commands import CONFIG, benchcast
from worlds.hosts.browser import Elements, complaints, findings, look_at, sideways, text
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


@pytest.fixture(scope="module")
def result(study: Path) -> Result:
    return Result.model_validate_json((study / "out" / "result.json").read_text())


def said(result: Result) -> str:
    return page.page_bytes(result).decode()


def saved(result: dict[str, Any], folder: Path, news: News | None = None) -> Path:
    """The page of such JSON, as a file."""
    path = folder / "page.html"
    path.write_bytes(page.page_bytes(as_record(result), news))
    return path


def data_of(html: str) -> dict[str, Any]:
    found = re.search(r'id="data">(.*?)</script>', html, re.S)
    assert found
    loaded: dict[str, Any] = json.loads(found[1])
    return loaded


def slide(browser: Any, stop: int) -> None:
    """Move the slider as a hand would: the value changes, the page is told, and told again when the hand lets go."""
    script = "const s = document.getElementById('flops'); s.value = arguments[0];"
    browser.execute_script(script + "for (const e of ['input', 'change']) s.dispatchEvent(new Event(e));", stop)


def press(browser: Any, selector: str) -> None:
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)


# ---- without a browser ----


def test_the_answer_and_every_forecast_stand_in_plain_html(result: Result) -> None:
    elements = Elements(said(result))
    words = "".join(data for tag, data in elements.texts if tag not in ("script", "style"))
    assert headline(result) in words
    groups = {(f.family, f.task, f.target) for f in result.forecasts}
    assert sum(tag == "tr" and "data-task" in attrs for tag, attrs in elements.tags) == len(groups)
    for f in result.forecasts:
        assert f.forecast is not None
        assert f"{100 * f.forecast:.1f} (" in words


def test_the_page_needs_no_other_file(result: Result) -> None:
    html = said(result)
    assert all(address.startswith(("#", "data:")) for address in Elements(html).addresses)
    shell = html.replace(re.findall(r'id="data">(.*?)</script>', html, re.S)[0], "")
    assert not re.search(r"url\(|@import|\bfetch\(|XMLHttpRequest|import\(", shell)
    assert set(re.findall(r"https?://[\w./]+", shell)) == {"http://www.w3.org/2000/svg"}


def test_the_policy_names_the_script_and_the_style_that_are_there(result: Result) -> None:
    html = said(result)
    policy = next(attrs["content"] for tag, attrs in Elements(html).tags if "http-equiv" in attrs)
    blocks = re.findall(r"<(style|script)>(.*?)</\1>", html, re.S)
    assert [tag for tag, _ in blocks] == ["style", "script"]
    for tag, content in blocks:
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")


def test_every_control_has_a_name(result: Result) -> None:
    tags = Elements(said(result)).tags
    labelled = {attrs["for"] for tag, attrs in tags if tag == "label" and "for" in attrs}
    inside = re.findall(r"<label[^>]*>[^<]+<(?:select|input)[^>]* id=\"(\w+)\"", said(result))
    inside += re.findall(r"<label[^>]*>[^<]+<(?:select|input) id=\"(\w+)\"", said(result))
    for tag, attrs in tags:
        if tag in ("select", "input"):
            assert attrs["id"] in labelled | set(inside)
        if attrs.get("role") in ("region", "group"):
            assert attrs["aria-label"]


def test_the_chart_begins_with_the_run_of_the_headline() -> None:
    graded = as_record(make_graded(targets=("7B-4T", "13B-5T")))
    data = data_of(said(graded))
    assert data["target"] in headline(graded)
    assert data["task"] in headline(graded)
    assert [r["name"] for r in data["recipes"] if r["shown"]] == ["Auto"]
    assert data["target"] == answer(graded).rows[0].target


def test_a_result_of_an_earlier_version_has_the_laws_of_its_figures() -> None:
    """Without forecasts along compute a chart still has its curves, targets and runs."""
    old = as_record(make_result(tasks=("mmlu",)))
    assert old.sweeps == ()
    (task,) = data_of(said(old))["tasks"]
    (track,) = task["tracks"]
    assert track["m"] is None
    llama3, ladder = track["lines"]  # of over-training's figures none draws the score against compute
    for line, recipe in ((llama3, "llama3"), (ladder, "ladder")):
        figure = next(f for f in old.figures if f.recipe == recipe)
        (curve,) = figure.panels[2].curves
        assert line["law"]
        assert line["flops"] == pytest.approx(list(curve.x), rel=1e-6)
        assert line["forecast"] == pytest.approx(list(curve.y), abs=1e-6)
    assert len(task["runs"]) == len(old.ladder)
    assert [t["name"] for t in task["targets"]] == ["7B-4T", "13B-5T"]


def test_data_cannot_leave_its_element() -> None:
    told = markup.embedded({name: name for name in NASTY})
    assert not set("<>&\u2028\u2029") & set(told)
    assert json.loads(told) == {name: name for name in NASTY}


def test_the_same_bytes_from_the_stored_result(study: Path, tmp_path: Path) -> None:
    first = (study / "out" / "report.html").read_bytes()
    typeset = benchcast("report", study / "out" / "result.json", "--html", "--out", tmp_path / "third")
    assert typeset.returncode == 0, typeset.stderr
    assert (tmp_path / "third" / "report.html").read_bytes() == first


# ---- in a browser ----


def test_the_slider_shows_what_the_command_line_prints(browser: Any, study: Path) -> None:
    look_at(browser, study / "out" / "report.html")
    browser.execute_script("document.querySelectorAll('#recipes input').forEach(b => b.checked || b.click())")
    last = int(browser.find_element("id", "flops").get_attribute("max"))
    shown = []
    for stop in (2, last):
        slide(browser, stop)
        (how,) = text(browser, "#how")
        command = how.split(": ")[-1].replace("CONFIG", str(study / "c.yaml")).split()
        assert command[0] == "benchcast"
        printed = benchcast(*command[1:])
        assert printed.returncode == 0, printed.stderr
        row = next(line for line in printed.stdout.splitlines() if "quiz" in line)
        forecasts = re.findall(r"(\d+\.\d) \((\d+)–(\d+)\)", row)
        assert len(forecasts) == 3
        (says,), (beside,) = text(browser, "#says"), text(browser, "#beside")
        one, low, high = forecasts[0]
        assert says.startswith(f"quiz: {one} %, between {low} and {high} % with 90 % confidence")
        assert re.findall(r"(\d+\.\d) \((\d+)–(\d+)\)", beside) == forecasts[1:]
        assert f"direct law {row.split('│')[-4].strip()}" in beside
        shown.append(forecasts)
    assert shown[0] != shown[1]
    assert complaints(browser) == []


def test_it_starts_at_the_planned_run_and_its_address_brings_a_view_back(browser: Any, study: Path) -> None:
    look_at(browser, study / "out" / "report.html")
    (first,) = text(browser, "#size")
    assert first.startswith("planned: ")
    assert "planned" in text(browser, "#svg text")
    slide(browser, 3)
    moved, (elsewhere,) = browser.execute_script("return location.hash"), text(browser, "#size")
    assert elsewhere != first
    press(browser, "#rows a")
    assert browser.execute_script("return document.activeElement.id") == "chart"
    (linked,) = text(browser, "#size")
    assert linked not in (first, elsewhere)
    for wanted in (elsewhere, first):
        browser.back()
        assert text(browser, "#size") == [wanted]
    look_at(browser, study / "out" / "report.html", fragment=moved)
    assert text(browser, "#size") == [elsewhere]


def test_columns_sort_and_say_so(browser: Any, study: Path, result: Result) -> None:
    look_at(browser, study / "out" / "report.html")

    def measured() -> list[str]:
        return text(browser, "#rows td:last-child")

    for order, turn in (("ascending", False), ("descending", True)):
        press(browser, "table.sticky thead th:last-child button")
        assert text(browser, f"table.sticky th[aria-sort={order}]") == ["Measured"]
        known = [float(value) for value in measured() if value != "–"]
        assert known == sorted(known, reverse=turn)
        assert measured()[-1] == "–"  # not known: last, whichever the order
    browser.find_element("id", "filter").send_keys("PLANNED")
    shown = [row for row in browser.find_elements("css selector", "#rows tr") if row.is_displayed()]
    assert [row.text.split()[:2] for row in shown] == [["quiz", "planned"]]
    assert text(browser, "#found") == [f"1 of {len(result.forecasts) // 3} rows"]


def test_runs_are_told_by_arrow_keys(browser: Any, study: Path, result: Result) -> None:
    from selenium.webdriver import ActionChains, Keys

    look_at(browser, study / "out" / "report.html")
    assert len(browser.find_elements("css selector", ".point")) == len(result.ladder)
    browser.execute_script("document.getElementById('frame').focus()")
    scores = dict(zip(result.scores[0].runs, result.scores[0].accuracy, strict=True))
    by_compute = sorted(result.ladder, key=lambda run: run.flops)
    for key, run in ((Keys.ARROW_RIGHT, by_compute[0]), (Keys.END, by_compute[-1]), (Keys.ARROW_LEFT, by_compute[-2])):
        ActionChains(browser).send_keys(key).perform()
        (tip,) = text(browser, "#tip")
        assert tip.startswith(f"{run.run}{100 * scores[run.run]:.1f} %, {run.params / 1e6:.3g}M parameters")
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not browser.find_element("id", "tip").is_displayed()


def test_picture_and_numbers_are_saved(browser: Any, study: Path, result: Result, tmp_path: Path) -> None:
    import pandas as pd

    look_at(browser, study / "out" / "report.html")
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    for button in ("#png", "#csv", "#allcsv"):
        press(browser, button)
    wanted = [tmp_path / name for name in ("benchcast-quiz.png", "benchcast-quiz.csv", "benchcast-forecasts.csv")]
    until = time.monotonic() + 20
    while not all(path.is_file() and path.stat().st_size for path in wanted) and time.monotonic() < until:
        time.sleep(0.05)
    picture, chart, every = wanted
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.stat().st_size > 10_000  # curves and letters are on it
    scores = dict(zip(result.scores[0].runs, result.scores[0].accuracy, strict=True))
    rows = pd.read_csv(chart)
    measured = rows[rows["kind"].str.startswith("measured")]
    assert dict(zip(measured["name"], measured["score"], strict=True)) == pytest.approx(scores)
    made = {(f.task, f.target, round(f.forecast, 6)) for f in result.forecasts if f.forecast is not None}
    saved = pd.read_csv(every)
    assert set(zip(saved["task"], saved["run"], saved["forecast"].round(6), strict=True)) == made


def test_a_nightly_page_on_a_phone_begins_with_its_verdict(browser: Any, tmp_path: Path) -> None:
    graded = make_graded()
    look_at(browser, saved(graded, tmp_path, latest()), 400)
    assert not sideways(browser)
    words = browser.find_element("css selector", "main").text
    assert words.lower().index(NEWS["changes"][0]) < words.lower().index(headline(as_record(graded)).lower())
    assert "below the band" in words
    (wrong,) = text(browser, "#answer")
    assert "farther beyond the ladder" in wrong
    rows = dict(zip(text(browser, "#rows th"), text(browser, "#rows tr"), strict=True))
    assert [rows[f["task"]].count(f" {f['grade']}") for f in graded["forecasts"]] == [1, 1, 1, 1]


def test_a_refused_task_is_told_in_words_and_never_an_empty_frame(browser: Any, tmp_path: Path) -> None:
    graded = make_graded(tasks=("a", "b", "c", "refused"))
    only = [f for f in graded["forecasts"] if f["task"] == "refused"]
    unmeasured = graded | {"forecasts": only, "scores": []}
    look_at(browser, saved(graded, tmp_path), fragment="#task=refused")
    assert "do not score above chance" in text(browser, "#says")[0]
    assert "No forecast is drawn" in text(browser, "#caption")[0]
    assert browser.find_elements("css selector", ".point")
    look_at(browser, saved(unmeasured, tmp_path))
    assert not browser.find_element("id", "frame").is_displayed()
    assert text(browser, "#nothing")[0].startswith("Nothing can be drawn for this task")
    nothing = make_result(tasks=("mmlu",)) | {"forecasts": []}
    look_at(browser, saved(nothing, tmp_path))
    assert not browser.find_element("id", "explore").is_displayed()
    assert "Nothing was forecast." in browser.find_element("css selector", "main").text


def test_names_are_shown_as_they_are(browser: Any, tmp_path: Path) -> None:
    nasty = make_result(tasks=NASTY, targets=("7B-4T",), title="</title><script>alert('t')</script> {{DATA}}")
    nasty["forecasts"][0]["notes"] = ["<b>note</b>"]
    look_at(browser, saved(nasty, tmp_path))
    assert "<script>alert('t')</script>" in browser.title
    wanted = [" ".join(name.split()) for name in NASTY]
    assert text(browser, "#task option") == wanted
    assert text(browser, "#rows th") == wanted
    assert any("<b>note</b>" in note for note in text(browser, "section p"))
    for index, name in enumerate(wanted):
        browser.execute_script("document.querySelectorAll('#rows a')[arguments[0]].click()", index)
        assert browser.execute_script("return D.tasks[state.task].label") == name


def test_injected_script_would_not_run(browser: Any, study: Path, tmp_path: Path) -> None:
    """The policy of the page holds even where an element got in."""
    source = (study / "out" / "report.html").read_text()
    forged = tmp_path / "forged.html"
    forged.write_text(source.replace("</body>", "<script>document.title = 'taken'</script></body>"))
    browser.get(forged.as_uri())
    assert browser.title != "taken"
    assert any("Content Security Policy" in line for line in complaints(browser))


def test_numbers_round_as_in_python(browser: Any, study: Path) -> None:
    look_at(browser, study / "out" / "report.html")
    values = [k / 800 for k in range(1200)] + [k / 7 for k in range(100)] + [0.6215, 0.001, 1.0]
    for digits in (0, 1):
        told = browser.execute_script("return arguments[0].map(v => fixed(v, arguments[1]))", values, digits)
        assert told == [f"{value:.{digits}f}" for value in values]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_axe_finds_nothing(browser: Any, study: Path, width: int, scheme: str) -> None:
    assert findings(browser, study / "out" / "report.html", width, scheme) == []
    assert not sideways(browser)
