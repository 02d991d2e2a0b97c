"""The report as its readers get it: real PDFs, read back."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pypdf
import pytest
from benchcast.reports.documents import forecast as document
from benchcast.reports.documents import typesetting, writing
from benchcast.reports.documents.forecast import write
from benchcast.reports.documents.typesetting import ReportError
from benchcast.reports.figures import diagnostics
from benchcast.reports.figures import ladder_map as coverage
from benchcast.reports.figures import panels as figures
from benchcast.reports.records.forecast import LadderRun
from benchcast.reports.sections import content, pictures
from benchcast.reports.text import fonts
from benchcast.reports.text.numbers import percent
from worlds.reports import as_record, make_result

NASTY = (
    "#set page(width: 1cm)",
    "<script>alert(1)</script>",
    "$x$ *b* _i_ `c`",
    '"quoted" \\n @label [y]',
    "задача – tâche ≥ 5",
    "_hidden",
)


def pages(pdf: Path | bytes) -> list[str]:
    """Text of every page, each run of white space as one space."""
    data = pdf if isinstance(pdf, bytes) else pdf.read_bytes()
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(io.BytesIO(data)).pages]


def drawn_once(**changes: Any) -> dict[str, Any]:
    """A result with one figure: what a test asks of its words does not need the others drawn."""
    made = make_result(**changes)
    return made | {"figures": made["figures"][:1]}


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    made = make_result()
    return made | {"figures": made["figures"][::3]}  # one for each recipe


@pytest.fixture(scope="module")
def written(result: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write(as_record(result), tmp_path_factory.mktemp("report") / "new" / "folder")


@pytest.fixture(scope="module")
def text(written: dict[str, Path]) -> list[str]:
    return pages(written["pdf"])


def test_the_fixture_is_a_result(result: dict[str, Any]) -> None:
    results = pytest.importorskip("benchcast.reports.records.forecast")
    again = results.Result.model_validate(result).model_dump(mode="json", by_alias=True)
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(result))


def test_page_one_has_the_answer_of_the_first_recipe(text: list[str], result: dict[str, Any]) -> None:
    """Nothing is planned and no recipe grades itself: page one is the largest target by the first recipe."""
    assert result["title"] in text[0]
    assert "13B-5T, 391 times the compute of the ladder's largest run, is forecast by the recipe Llama 3" in text[0]
    for f in (f for f in result["forecasts"] if (f["recipe"], f["target"]) == ("llama3", "13B-5T")):
        measured = "–" if f["actual"] is None else percent(f["actual"])
        interval = f"{100 * f['low']:.0f} to {100 * f['high']:.0f}"
        carried = percent(f["baselines"]["carry_forward"])
        assert f"{f['task']} {percent(f['forecast'])} {interval} {carried} {measured}" in text[0]
    for told in ("Cost", "How sure", "Compared with", "Could be wrong", "What next", "On record", "no grade"):
        assert told in text[0]
    assert "annealed on data no ladder run saw" in text[0]


def test_other_targets_and_recipes_follow(text: list[str], result: dict[str, Any]) -> None:
    for f in (f for f in result["forecasts"] if f["target"] == "13B-5T" and f["forecast"] is not None):
        assert f"{percent(f['forecast'])} ({100 * f['low']:.0f}–{100 * f['high']:.0f})" in text[1]
    assert "Held-out runs" in text[1]
    assert "What the published recipes say" in text[1]
    last = " ".join(text[-2:])
    for f in result["forecasts"]:
        assert percent(f["baselines"]["direct"]) in last
        assert all(note in last for note in f["notes"])


def test_all_forecasts_show_interval_baselines_actual_and_notes(text: list[str], result: dict[str, Any]) -> None:
    f = next(f for f in result["forecasts"] if f["recipe"] == "ladder" and f["target"] == "7B-4T")
    numbers = [f["forecast"], f["baselines"]["direct"], f["baselines"]["carry_forward"], f["actual"]]
    own, direct, carried, actual = (f"{100 * value:.1f}" for value in numbers)
    row = f"Model ladder {own} {100 * f['low']:.1f}–{100 * f['high']:.1f} {direct} {carried} {actual} in ok"
    assert row in " ".join(text)


def test_engineer_pages(text: list[str], result: dict[str, Any]) -> None:
    assert 6 <= len(text) <= 9
    everything = " ".join(text)
    for run in result["ladder"]:
        assert run["run"] in everything
    for source in {law["source"] for law in result["laws"]}:
        assert source in everything
    p = result["provenance"]
    for fact in (p["data_digest"], p["config_digest"], "numpy 2.1.3", *p["about"], "params: 6.9e+09"):
        assert fact in everything
    assert "α = 0.348 ± 0.011" in everything
    assert "bound hit 1" in everything
    assert "k is at its upper bound" in everything


def test_pdf_is_tagged_titled_and_outlined(written: dict[str, Path], result: dict[str, Any]) -> None:
    data = written["pdf"].read_bytes()
    reader = pypdf.PdfReader(io.BytesIO(data))
    assert reader.metadata is not None
    assert reader.metadata.title == result["title"]
    assert "/CreationDate" not in reader.metadata
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert "pdfuaid" in str(reader.trailer["/Root"]["/Metadata"].get_object().get_data())
    titles = [item["/Title"] for item in reader.outline if isinstance(item, dict)]
    assert [title.split(maxsplit=1)[-1] for title in titles] == [
        "Held-out runs",
        "What the published recipes say",
        "Laws and measurements, task by task",
        "Fitted parameters",
        "The ladder",
        "Methods",
        "Provenance",
        "All forecasts",
        "All notes",
    ]


def test_same_bytes_again(tmp_path: Path, monkeypatch: Any) -> None:
    one = drawn_once(tasks=("mmlu",))
    first = write(as_record(one), tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    again = write(as_record(json.loads(json.dumps(one))), Path("elsewhere"))
    for kind, path in first.items():
        assert path.read_bytes() == again[kind].read_bytes(), kind


def test_a_users_matplotlibrc_changes_nothing(result: dict[str, Any]) -> None:
    import matplotlib as mpl

    figure = as_record(result).figures[0]
    plain = figures.panel_figure(figure, [], {})
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9, "text.parse_math": True}):
        assert figures.panel_figure(figure, [], {}) == plain


def test_json_and_csv_say_what_the_result_says(written: dict[str, Path], result: dict[str, Any]) -> None:
    assert json.loads(written["json"].read_text("utf-8")) == json.loads(json.dumps(result))
    with written["csv"].open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == len(result["forecasts"])
    for row, forecast in zip(rows, result["forecasts"], strict=True):
        flat = {**forecast, **forecast["baselines"]}
        flat |= {key: " | ".join(forecast[key]) for key in ("notes", "reasons", "codes")}
        assert row == {key: "" if flat[key] is None else str(flat[key]) for key in document.COLUMNS}


def test_only_three_files_and_nothing_outside(tmp_path: Path) -> None:
    small = drawn_once(tasks=("#read('/etc/passwd')", "../../up", "a/b"), targets=("7B-4T",), title="../title")
    write(as_record(small), tmp_path / "out", stem="monday")
    assert {p.name for p in tmp_path.rglob("*")} == {"out", "monday.pdf", "result.json", "forecasts.csv"}


@pytest.mark.parametrize("stem", ["", "..", "a/b", "/abs"])
def test_stem_is_a_plain_name(stem: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stem"):
        write(as_record(make_result(tasks=("t",))), tmp_path, stem)
    assert not list(tmp_path.iterdir())


def test_nasty_names_show_literally(tmp_path: Path) -> None:
    nasty = drawn_once(tasks=NASTY, targets=("7B-4T",), title='#panic("title") $t$ *bold*')
    nasty["forecasts"][0]["notes"] = ['#eval("1 + 1") note $n$ // end']
    nasty["laws"][0]["formula"] = '#read("data.json")'
    for point in nasty["figures"][0]["panels"][0]["points"]:
        point["group"], point["run"] = "_$g$", "_$run"
    shown = pages(write(as_record(nasty), tmp_path)["pdf"])
    for name in (nasty["title"], *NASTY):  # what is cut on page one is whole on a later page
        assert name in " ".join(shown)
    assert '#eval("1 + 1") note $n$ // end' in " ".join(shown)
    assert '#read("data.json")' in " ".join(shown)


def embedded_fonts(pdf: Path) -> dict[str, bool]:
    """Every font of a PDF, and whether its glyphs are in the file."""
    found = {}
    for page in pypdf.PdfReader(pdf).pages:
        for font in page["/Resources"].get("/Font", {}).values():
            inner = font.get_object()["/DescendantFonts"][0].get_object()
            descriptor = inner["/FontDescriptor"].get_object()
            found[inner["/BaseFont"]] = bool({"/FontFile2", "/FontFile3"} & set(descriptor))
    return found


def test_every_script_is_shown_with_embedded_fonts(tmp_path: Path) -> None:
    """PDF/UA allows no missing glyph: that it was reached says that every character has one."""
    pytest.importorskip("noto_cjk_sans_otc")
    tasks = ("常识推理", "فهم المقروء", "שאלות", "한국어", "かな 😀")
    pdf = write(as_record(drawn_once(tasks=tasks, targets=("7B-4T",), title="标题 تقرير \u202e")), tmp_path)["pdf"]
    assert "pdfuaid" in str(pypdf.PdfReader(pdf).trailer["/Root"]["/Metadata"].get_object().get_data())
    fonts_in = embedded_fonts(pdf)
    assert all(fonts_in.values())
    assert any("NotoSansCJK" in name for name in fonts_in)
    first = pages(pdf)[0]
    for name in ("常识推理", "한국어", "かな", "标题"):
        assert name in first
    assert "No font here has" not in first


def test_characters_no_font_has_are_named(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(fonts, "_candidates", lambda: iter(()))
    fonts.choose.cache_clear()
    strange = drawn_once(tasks=("任务 שלום",), targets=("7B-4T",), title="标题 \u202e")
    files = write(as_record(strange), tmp_path)
    fonts.choose.cache_clear()
    assert "No font here has U+4EFB, U+52A1, U+6807, U+9898: pip install 'benchcast[cjk]'" in pages(files["pdf"])[0]
    assert json.loads(files["json"].read_text("utf-8"))["forecasts"][0]["task"] == "任务 שלום"
    assert "任务 שלום" in files["csv"].read_text("utf-8")


def test_nulls_are_dashes_and_page_one_says_why(tmp_path: Path) -> None:
    bare = make_result(tasks=("mmlu",), targets=("7B-4T",)) | {"figures": []}
    for f in bare["forecasts"]:
        empty = dict.fromkeys(("forecast", "low", "high", "stderr", "actual", "chance", "middle", "params", "tokens"))
        f |= empty | {"status": "failed", "baselines": {"direct": None, "carry_forward": None}}
    shown = pages(write(as_record(bare), tmp_path)["pdf"])
    assert "No number is given for 7B-4T on mmlu: the line is fitted on" in shown[0]
    assert "Add runs to the ladder" in shown[0]
    assert "Llama 3 – – – – – – failed" in " ".join(shown)


def test_nan_is_null_in_json_and_left_out_of_figures(tmp_path: Path) -> None:
    odd = drawn_once(tasks=("mmlu",), targets=("7B-4T",))
    odd["forecasts"][0]["stderr"] = math.inf
    curve = odd["figures"][0]["panels"][0]["curves"][0]
    curve["high"] = [math.nan] * len(curve["high"])
    curve["low"] = [math.inf] * len(curve["low"])
    saved = json.loads(write(as_record(odd), tmp_path)["json"].read_text())
    assert saved["forecasts"][0]["stderr"] is None
    assert saved["figures"][0]["panels"][0]["curves"][0]["high"][0] is None


@pytest.mark.parametrize("drop", ["forecasts", "laws", "figures", "ladder"])
def test_a_result_may_lack_a_part(drop: str) -> None:
    assert len(pages(document.pdf_bytes(as_record(drawn_once(tasks=("mmlu",)) | {drop: []})))) >= 2


def test_many_tasks_fit_on_page_one_and_have_an_index_that_is_right(tmp_path: Path, monkeypatch: Any) -> None:
    blank = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="3"/>'
    figures_drawn: list[str] = []

    def panels(figure: Any, *_: Any) -> bytes:
        figures_drawn.append(figure.task)
        return blank

    monkeypatch.setattr(pictures, "panel_figure", panels)
    monkeypatch.setattr(pictures.multiples, "multiples_figure", lambda *_: blank)
    tasks = tuple(f"task_{i:02d}" for i in range(46))
    many = make_result(tasks=tasks)
    many["figures"] = [f for f in many["figures"] if f["task"] in tasks[: content.DETAILED + 1]]
    pdf = write(as_record(many), tmp_path)["pdf"]
    assert "pdfuaid" in str(pypdf.PdfReader(pdf).trailer["/Root"]["/Metadata"].get_object().get_data())
    assert len(figures_drawn) == 3 * content.DETAILED  # the others share sheets of small panels: drawing takes the time
    shown = pages(pdf)
    assert "task_41" in shown[0]
    assert "4 more rows are in the table of all forecasts" in shown[0]
    assert "On record" in shown[0]
    assert "34 more tasks are in result.json" in " ".join(shown)
    appendix = " ".join(shown[shown.index(next(t for t in shown if "All forecasts" in t)) :])
    assert all(task in appendix for task in tasks)
    assert appendix.count("Carried forward") >= 3  # the header again on each page
    index = next(t for t in shown if "Laws and measurements" in t)
    listed = {name: int(page) for name, page in re.findall(r"(task_\d\d) (\d+)\b", index.split("Laws and")[1])}
    assert set(listed) == set(tasks)
    for name in tasks[1:12]:
        assert f"{name} Figure" in shown[listed[name] - 1], name
    for page in {listed[name] for name in tasks[12:]}:
        assert "tasks without a page of their own" in shown[page - 1]


def test_a_figure_of_panels_takes_less_than_a_second(result: dict[str, Any]) -> None:
    """Drawn alone, 36 of them leave a report of forty tasks within the half minute that it may take."""
    figure = as_record(result).figures[0]
    started = time.process_time()
    figures.panel_figure(figure, [], {})
    assert time.process_time() - started < float(os.environ.get("BENCHCAST_REPORT_SECONDS", "30")) / 36


def test_residuals_and_leverage_of_every_law(result: dict[str, Any], text: list[str]) -> None:
    pairs = [("dolma", "mmlu"), ("dolma", "hellaswag"), ("dolma", "arc_challenge")]
    shown = diagnostics.panels(as_record(result).laws, pairs, 1, {"llama3": "Llama 3"})
    assert [title for title, _ in shown][:2] == ["Llama 3: nll_linear", "Llama 3: sigmoid"]
    assert all(len(points) == 8 for _, points in shown)
    svg = diagnostics.diagnostics_figure(shown).decode()
    marks = svg.count("<use ") - len(re.findall(r'id="[xy]tick_', svg))
    assert marks >= 8 * len(shown)
    assert "Residuals against leverage" in " ".join(text)


def test_the_map_of_the_ladder(result: dict[str, Any]) -> None:
    ladder, forecasts = as_record(result).ladder, as_record(result).forecasts
    whole = coverage.coverage_figure(ladder, forecasts)
    assert whole is not None
    assert coverage.coverage_figure([r for r in ladder if r.role != "fit"], forecasts) is None
    assert coverage.coverage_figure(ladder[:1], []) is not None  # nothing to enclose
    assert coverage.coverage_figure([_without_params(ladder[0]), ladder[1]], []) is not None
    planned = coverage.coverage_figure(ladder[:12], forecasts)  # the targets are no runs now
    assert planned is not None
    assert planned != whole


def _without_params(run: LadderRun) -> LadderRun:
    return run.model_copy(update={"params": 0.0})


def test_rarer_notes_move_to_an_appendix(tmp_path: Path) -> None:
    noted = make_result(tasks=("mmlu",), targets=("7B-4T",)) | {"figures": []}
    noted["forecasts"][0]["notes"] = ["seen by all", *(f"rare {i}" for i in range(9))]
    noted["forecasts"][1]["notes"] = ["seen by all"]
    shown = pages(write(as_record(noted), tmp_path)["pdf"])
    assert "Seen by all (mmlu)" in shown[0]
    assert "Rare 8" not in shown[0]
    assert "4 rarer warnings are in the notes at the end" in shown[0]
    assert "1. seen by all (2 of 3 forecasts)" in shown[-1]
    assert "rare 8 (1 of 3 forecasts)" in shown[-1]


def test_two_families_are_told_apart(tmp_path: Path) -> None:
    one, two = (drawn_once(tasks=("mmlu",), targets=("7B-4T",), family=name) for name in ("c4-mix", "rpj-mix"))
    both = one | {key: one[key] + two[key] for key in ("forecasts", "laws", "ladder", "scores")}
    both["figures"] = two["figures"]
    shown = pages(write(as_record(both), tmp_path)["pdf"])
    assert "in the family c4-mix and" in shown[0]
    assert re.search(r"family c4-mix mmlu \d.* family rpj-mix mmlu \d", shown[0])  # a row under each name
    assert "mmlu (rpj-mix)" in " ".join(shown)


def test_failed_typesetting_leaves_old_files(result: dict[str, Any], tmp_path: Path, monkeypatch: Any) -> None:
    old = {name: f"old {name}".encode() for name in ("report.pdf", "result.json", "forecasts.csv")}
    for name, data in old.items():
        (tmp_path / name).write_bytes(data)
    broken = tmp_path / "package"
    shutil.copytree(typesetting.HERE, broken, ignore=shutil.ignore_patterns("__pycache__"))
    (broken / "template.typ").write_text("#panic()")
    monkeypatch.setattr(typesetting, "HERE", broken)
    with pytest.raises(ReportError, match="typeset"):
        write(as_record(drawn_once(tasks=("mmlu",))), tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == old


def test_failed_writing_leaves_old_files(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "report.pdf").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(as_record(drawn_once(tasks=("mmlu",))), tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"report.pdf": b"old"}
