"""The nightly pass on a ladder that grows as a table: what it says, remembers and returns, as real processes."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pandas as pd
import pytest
import yaml
from benchcast.registry import register
from filelock import FileLock
from pypdf import PdfReader
from worlds import nightly as world
from worlds.commands import benchcast
from worlds.hosts.browser import Elements


def lines(text: str) -> list[str]:
    return text.splitlines()


def first_pages(pdf: Path) -> str:
    """Text of the news, and of the forecast after them: on one page or two."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(pdf).pages[:2]).split())


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five nights: the ladder; nothing; two good checkpoints; one far below; one back on course."""
    config = world.make(tmp_path_factory.mktemp("nights"))
    hook = config.parent / "hook.sh"
    hook.write_text(
        '#!/bin/sh\ncat >> "$(dirname "$0")/heard"\necho "-- $BENCHCAST_STATUS" >> "$(dirname "$0")/heard"\n'
    )
    hook.chmod(0o755)
    world.edit(config, reevaluate={"notify": {"command": [str(hook)]}})
    done = []
    for shares, shift in (((), 0), ((), 0), ((0.05, 0.1), 0), ((0.2,), -0.1), ((), 0), ((0.22,), 0)):
        if shares:
            world.grow(config, *shares, shift=shift)
        result = world.here(config)
        done.append({"code": result.returncode, "out": result.stdout, "err": result.stderr})
    (config.parent / "done.json").write_text(json.dumps(done))
    return config


def done(nights: Path) -> list[dict[str, str]]:
    return json.loads((nights.parent / "done.json").read_text())


def test_all_is_well_is_silent_and_what_is_not_is_said_once(nights: Path) -> None:
    passes = done(nights)
    assert [p["code"] for p in passes] == [0, 0, 0, 3, 3, 3]
    assert all(p["out"] == "" for p in passes)
    assert [p["err"] for p in passes[:3]] == ["", "", ""]
    told = world.messages(passes[3]["err"])
    assert any("outside: big: 3 scores are outside" in line and "easy 46.3 % (below " in line for line in told)
    assert all(line.startswith("alert: ") for line in told)
    assert lines(passes[3]["err"])[0].startswith("verdict: 1B: left its band on 2 of 2 tasks: easy (low), hard (low)")
    report = lines(passes[3]["err"])[-1].removeprefix("report: ")
    assert Path(report) == nights.parent / "nightly" / "reports" / world.history(nights)[2]["report"] / "report.pdf"
    assert Path(report).is_file()
    assert passes[4]["err"] == ""  # it stands, and was told
    assert any(line.startswith("cleared: outside: big, easy, hard") for line in lines(passes[5]["err"]))


def test_the_hook_hears_the_same(nights: Path) -> None:
    passes = done(nights)
    heard = [line for line in lines((nights.parent / "heard").read_text()) if not line.startswith("-- ")]
    assert heard == lines(passes[3]["err"]) + lines(passes[5]["err"])


def test_the_history_has_a_line_for_every_pass_with_news(nights: Path) -> None:
    history = world.history(nights)
    assert [e["seq"] for e in history] == [1, 2, 3, 4]
    assert [len(e["points"]) for e in history] == [0, 4, 2, 2]
    assert [p["value"] for e in history for p in e["points"] if p["task"] == "easy"] == [
        row.value
        for row in pd.read_csv(nights.parent / "ladder.csv").itertuples()
        if (row.run, row.task, row.metric) == ("1B", "easy", "acc")
    ]
    assert sorted({c["rule"] for c in history[2]["conditions"]}) in (
        ["drift", "outside"],
        ["dropped", "drift", "outside"],
    )


def test_the_band_was_registered_before_the_run_began_and_is_not_registered_again(nights: Path) -> None:
    records = register.read(nights.parent / "nightly" / "forecasts.jsonl")
    assert len(records) == 1
    history = world.history(nights)
    assert [e["registered"]["hash"] for e in history if e.get("registered")] == [records[0].hash]
    lengths = [f for f in records[0].forecasts if f.target.startswith("big @ ") and f.task == "easy"]
    assert len(lengths) == 8
    assert min(f.tokens or 0 for f in lengths) == pytest.approx(0.02 * world.D)
    assert max(f.tokens or 0 for f in lengths) == pytest.approx(world.D)


def test_reports_are_kept_by_date_and_show_both_forecasts(nights: Path) -> None:
    reports = nights.parent / "nightly" / "reports"
    names = [e["report"] for e in world.history(nights)]
    assert len(set(names)) == 4
    assert os.readlink(reports / "latest") == names[-1]
    for name in names:
        datetime.date.fromisoformat(name[:10])
        assert len(PdfReader(reports / name / "report.pdf").pages) >= 1
        assert len(PdfReader(reports / name / "tracking.pdf").pages) == 1
    pages = [first_pages(reports / n / "report.pdf") for n in names]
    assert "The first night" in pages[0]
    third = world.history(nights)[2]
    since = f"What changed since {world.history(nights)[1]['time'][:10]}"
    places = [third["verdict"]["text"], "ALARM: ", "Alerts", "outside (new): big: 3 scores are outside", since]
    found = [pages[2].index(text) for text in (*places, "The forecast of the end")]
    assert found == sorted(found)
    assert all(" ".join(message.split()).split(": ", 2)[2][:40] in pages[2] for message in third["messages"])
    assert third["verdict"]["text"] in (reports / names[2] / "report.html").read_text()
    [first], [last] = (json.loads((reports / n / "tracking.json").read_text()) for n in (names[0], names[-1]))
    before, after = (next(t for t in track["tasks"] if t["task"] == "easy") for track in (first, last))
    assert before["registered"] == after["registered"] == before["refreshed"]
    assert after["refreshed"] != after["registered"]
    assert [p["tokens"] for p in after["points"]] == pytest.approx([s * world.D for s in (0.05, 0.1, 0.2, 0.22)])
    # The band at a checkpoint is what a forecast for its very tokens says, up to the interpolation.
    true = world.accuracy("easy", world.N, 0.1 * world.D)[1]
    assert after["points"][1]["low"] < true < after["points"][1]["high"]


def test_a_pass_with_nothing_new_is_fast_and_loads_neither_torch_nor_the_typesetter(nights: Path) -> None:
    before = world.contents(nights)
    began = world.spent()
    result = world.night(nights, PYTHONPROFILEIMPORTTIME="1")
    took = world.spent() - began
    assert result.returncode == 3
    assert not {"torch", "lm_eval", "typst", "sklearn", "matplotlib"} & world.imported(result)
    assert took < 3
    after = world.contents(nights)
    assert before == after


def test_a_failing_notifier_fails_nothing_and_is_told_the_next_time(tmp_path: Path) -> None:
    config = world.make(tmp_path, notify={"command": ["false"], "urls": ["json://localhost:1/", "json://$NO_SUCH/"]})
    world.grow(config, 0.1)
    assert world.here(config).returncode == 0
    world.grow(config, 0.2, shift=-0.1)
    result = world.here(config)
    assert result.returncode == 3
    assert all(line.startswith("alert: ") for line in world.messages(result.stderr))
    assert "command could not be told" in (tmp_path / "nightly" / "reevaluate.log").read_text()
    hook = tmp_path / "hook.sh"
    hook.write_text(f"#!/bin/sh\ncat >> {tmp_path}/heard\n")
    hook.chmod(0o755)
    world.edit(config, reevaluate={"notify": {"command": [str(hook)]}})
    again = world.here(config)
    assert again.stderr == ""
    assert (tmp_path / "heard").read_text() == result.stderr
    # The run began before the first pass: its band is marked as late.
    assert world.history(config)[0]["registered"]["late"] == ["big"]


def test_apprise_tells_a_webhook(nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real web server on this machine; its port comes from the environment, as a password would."""
    pytest.importorskip("apprise")
    bodies: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    config = world.copy(nights, tmp_path)
    world.edit(config, reevaluate={"notify": {"urls": ["json://127.0.0.1:$HOOK_PORT/"]}})
    world.grow(config, 0.3, shift=0.1)
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        result = world.night(config, HOOK_PORT=str(server.server_port), no_proxy="*")
        server.shutdown()
        thread.join()
    assert result.returncode == 3
    [body] = bodies
    assert body["title"] == "Benchcast: a ladder and its big run"
    assert body["message"].splitlines() == lines(result.stderr)


def test_history_prints_and_plots(nights: Path, tmp_path: Path) -> None:
    plot = tmp_path / "history.pdf"
    done = benchcast("history", nights, "--task", "easy", "--plot", plot)
    assert done.returncode == 0, done.stderr
    record = register.read(nights.parent / "nightly" / "forecasts.jsonl")[0]
    [said] = [f for f in record.forecasts if (f.target, f.task) == ("big", "easy")]
    assert f"registered       │ {100 * said.forecast:.1f} ({100 * said.low:.1f}–{100 * said.high:.1f})" in done.stdout
    for entry in world.history(nights):
        [own] = [f for f in entry["forecasts"] if f["task"] == "easy"]
        scores = [p for p in entry["points"] if p["task"] == "easy"]
        measured = ", ".join(f"{100 * p['value']:.1f} at {p['tokens'] / 1e9:.3g}B tokens" for p in scores)
        shown = f"{100 * own['forecast']:.1f} ({100 * own['low']:.1f}"
        [row] = [x for x in lines(done.stdout) if shown in x and "registered" not in x]
        assert measured.split(", ")[-1] in row
    assert "cleared: outside: big, easy" in done.stdout
    assert PdfReader(plot).pages[0].extract_text().count("big: easy") == 1


def test_the_index_names_every_night_and_links_its_report(nights: Path) -> None:
    index = nights.parent / "nightly" / "index.html"
    written = index.read_bytes()  # by the passes
    done = benchcast("history", nights, "--html")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"index: {index}"
    assert index.read_bytes() == written
    page = Elements(index.read_text())
    entries = world.history(nights)
    links = [path for path in page.addresses if path.endswith("report.html")]
    assert links == [f"reports/{e['report']}/report.html" for e in reversed(entries)]
    assert all((index.parent / path).is_file() for path in page.addresses)
    words = " ".join("".join(data for tag, data in page.texts if tag not in ("script", "style")).split())
    assert words.count(entries[-1]["verdict"]["text"]) >= 2  # on top, and of its night
    assert all(" ".join(message.split()) in words for entry in entries for message in entry["messages"])
    assert benchcast("history", index.parent, "--html").returncode == 0  # the folder of the passes
    assert index.read_bytes().count(b"<circle") == written.count(b"<circle") > 0  # it knows the run without the config


def test_a_config_of_run_is_no_config_of_a_pass(tmp_path: Path) -> None:
    config = world.make(tmp_path)
    content = yaml.safe_load(config.read_text())
    del content["reevaluate"]
    config.write_text(yaml.safe_dump(content))
    refused = world.here(config)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: {config}: reevaluate: is missing (add ")
    assert not (tmp_path / "nightly").exists()


def test_two_passes_at_once(nights: Path) -> None:
    lock = FileLock(nights.parent / "nightly" / "pass.lock")
    with lock:
        (nights.parent / "nightly" / "pass.holder").write_text('{"pid": 42, "host": "here", "since": "today"}')
        began = time.monotonic()
        world.night(nights, "--help")
        starting, began = time.monotonic() - began, time.monotonic()
        result = world.night(nights)
        # At once: in what any command takes here and now, and a little; a wait for the other one would be longer.
        assert time.monotonic() - began < 2 * starting + 2
    assert result.returncode == 75
    assert result.stdout == ""
    [line] = lines(result.stderr)
    assert "process 42 on here since today" in line
    assert world.night(nights).returncode == 3  # a lock left by a dead pass does not block


def test_a_pass_that_is_stopped_says_so_and_the_next_one_goes_on(tmp_path: Path) -> None:
    config = world.make(tmp_path)
    process = subprocess.Popen(
        [*world.BENCHCAST, "reevaluate", str(config)],
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "nightly" / "pass.holder").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "stopped" in err
    assert world.night(config).returncode == 0


# What changed since the forecast was registered; each on a run that is on course, in this process to save time.
