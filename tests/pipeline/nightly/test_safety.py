"""The nightly pass under bad lines, odd files and floods, and what it must not say: no secrets, not without end."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest
from benchcast.core.config import NotifySettings
from benchcast.core.errors import NotToldError
from benchcast.core.redact import MOST_LETTERS, bounded, redacted, secrets_of, shown
from benchcast.nightly.alerts import channels as alerts
from benchcast.nightly.alerts.conditions import condition
from benchcast.nightly.state import State
from benchcast.nightly.tracking.points import Point, remembered
from benchcast.stages.notices import nightly
from worlds import nightly as world

pytestmark = pytest.mark.usefixtures("blank_pages")
SECRET = "SECRETTOKEN1234"


@pytest.fixture
def config(first_night: Path, tmp_path: Path) -> Path:
    return world.copy(first_night, tmp_path)


def everything(config: Path) -> str:
    files = [p for p in (config.parent / "nightly").rglob("*") if p.is_file() and p.suffix not in (".pdf", ".html")]
    return "".join(p.read_text(errors="replace") for p in files)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---- secrets ----


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["sh", "-c", f"sleep 20; echo https://hooks.slack.com/services/{SECRET}"], "sh did not end within 0.3 s"),
        (["sh", "-c", f"echo 'curl: https://u:{SECRET}@hook.org/{SECRET} failed' >&2; exit 3"], "sh ended with 3"),
        ([f"/no/such/{SECRET}"], "could not be told"),
    ],
)
def test_a_notifier_that_fails_gives_no_secret_away(config: Path, command: list[str], says: str) -> None:
    world.grow(config, 0.2, shift=-0.1)
    urls = [f"json://localhost:1/{SECRET}/$HOOK"]
    world.edit(config, reevaluate={"notify": {"command": command, "urls": urls, "timeout": 0.3}})
    began = time.monotonic()
    result = world.here(config, "-v")
    assert time.monotonic() - began < 15
    log = config.parent / "nightly" / "reevaluate.log"
    assert says in log.read_text()
    if len(command) > 1:
        assert SECRET not in everything(config) + result.stdout + result.stderr
    assert (mode(log), mode(log.with_name("output.log"))) == (0o600, 0o600)


def test_a_notifier_that_takes_too_long_ends_with_what_it_started(tmp_path: Path) -> None:
    late = tmp_path / "late"
    settings = NotifySettings(command=("sh", "-c", f"(sleep 1; touch {late}) & sleep 20"), timeout=0.2)
    channel = alerts.channels(settings, "t", tmp_path, State(tmp_path / "n"))[alerts.COMMAND]
    with pytest.raises(NotToldError, match=r"^sh did not end within 0\.2 s, and was ended$"):
        channel(["a line"])
    time.sleep(1.2)
    assert not late.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("see https://hooks.slack.com/services/T0/B0/xyz, please", "see https://hooks.slack.com/***, please"),
        ("slack://tokenA/tokenB/tokenC", "slack://***"),
        ("mailto://me:pass@mail.org?to=you", "mailto://***"),
        ("proxy http://user:pass@proxy.org:8080 failed", "proxy http://proxy.org:8080 failed"),
        ("https://x.org/?access_token=abc", "https://x.org/***"),
        ("401 for hf_abcdefghijklmnop and ghp_abcdefghijklmnop", "401 for *** and ***"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ("password=hunter22; api_key: 'abcdefg'", "password=***; api_key: '***'"),
        ("file:///tmp/a is there", "file:///tmp/a is there"),
        ("big at 2e+10 tokens: easy 0.31, D 4e+10; tokens=2e9", "big at 2e+10 tokens: easy 0.31, D 4e+10; tokens=2e9"),
        ("/data/runs/1B/step-100: no tokenizer.json", "/data/runs/1B/step-100: no tokenizer.json"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out_and_nothing_else(text: str, said: str) -> None:
    assert redacted(text) == said


def test_secrets_of_the_environment_are_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "quite-a-plain-word")
    monkeypatch.setenv("HTTPS_PROXY", "http://u:proxypassword@p:1")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    assert redacted("it said quite-a-plain-word, false, proxypassword") == "it said ***, false, ***"
    assert secrets_of([("HTTPS_PROXY", "http://p:1"), ("LANG", "C")]) == []


def test_a_condition_has_no_secret_no_escape_and_an_end() -> None:
    found = condition(nightly.FAILURE, "a", reason=f"\x1b[31m https://x.org/{SECRET} " + 5000 * "y")
    assert SECRET not in f"{found} {found.values}"
    assert SECRET not in found.body
    assert "\x1b" not in found.body
    assert len(found.body) <= MOST_LETTERS + 2


# ---- floods ----


def test_texts_are_bounded() -> None:
    text = bounded("\n".join(["x" * 10_000] * 3000 + ["and 17 more faults"]))
    assert len(text) < 6000
    assert text.endswith("and 17 more faults")
    assert shown([f"alert {n}" for n in range(500)])[-2:] == ["alert 19", "and 480 more"]
    assert shown([]) == []
    assert shown(["one", "two"]) == ["one", "two"]


def test_a_table_with_a_fault_in_every_row_is_told_in_a_few_lines(config: Path) -> None:
    world.edit(config, reevaluate={"notify": {"command": ["sh", "-c", "cat > told"]}})
    path = config.parent / "ladder.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(row.replace(",mix,", ",mix,x", 1) for row in rows * 30)]) + "\n")
    result = world.here(config)
    assert result.returncode == 1
    assert "more" in result.stderr
    for size in (
        len(result.stderr),
        (config.parent / "told").stat().st_size,
        (config.parent / "nightly" / "status.json").stat().st_size,
    ):
        assert 0 < size < 8000


# ---- one bad line, one odd file ----

BAD = {
    "cut": b'{"seq": 2, "ti',
    "no JSON": b"hello",
    "not UTF-8": b'{"seq": 2, "time": "\xff"}',
    "no object": b"[1]",
    "no time": b'{"seq": 2}',
    "odd time": b'{"seq": 2, "time": "yesterday"}',
    "points": b'{"seq": 2, "time": "2026-01-01T00:00:00+00:00", "points": [{"run": "1B"}]}',
    "seq twice": b'{"seq": 2, "seq": 3, "time": "2026-01-01T00:00:00+00:00"}',
    "empty": b"",
}


def test_bad_lines_of_the_history_are_named_set_aside_and_the_pass_goes_on(config: Path) -> None:
    path = config.parent / "nightly" / "history.jsonl"
    good = path.read_bytes()
    path.write_bytes(b"".join(line + b"\n" for line in BAD.values()) + good)
    listed = world.here(config, command="history")
    assert listed.returncode == 0
    assert listed.stderr.count("is not a record of a pass") == len(BAD)
    assert path.read_bytes().endswith(good)  # who only looks moves nothing
    result = world.here(config)
    assert result.returncode == 1
    assert result.stderr.count("history.jsonl: line ") == len(BAD)
    aside = path.with_name("history.bad").read_bytes()
    assert aside.count(b"\n") == len(BAD)
    assert b"hello\n" in aside
    assert [e["seq"] for e in world.history(config)] == [1, 2]  # the checkpoint that came is in the second
    assert len(world.history(config)[1]["points"]) == 2
    again = world.here(config)
    assert again.returncode == 0
    assert again.stderr.count("cleared: history") == len(BAD)


def test_a_task_name_with_an_end_of_line_of_unicode_does_not_poison_the_history(tmp_path: Path) -> None:
    config = world.make(tmp_path)
    path = tmp_path / "ladder.csv"
    odd = "ea\u2028s\u0085y"
    path.write_text(path.read_text().replace(",easy,", f",{odd},"), encoding="utf-8")
    assert world.here(config).returncode == 0
    grown = world.rows("1B", world.N, 0.1 * world.D).replace({"task": {"easy": odd}})
    grown.to_csv(path, mode="a", header=False, index=False)
    for _ in range(2):
        assert world.here(config).returncode == 0
    state = State(tmp_path / "nightly")
    assert state.bad_lines() == []
    assert odd in {p["task"] for e in state.history() for p in e.get("points", ())}


def test_what_is_not_finite_is_null_and_read_back(tmp_path: Path) -> None:
    nan = float("nan")
    point = Point(
        run="r",
        task="t",
        step=None,
        tokens=1e9,
        params=1e6,
        metric="acc",
        value=0.5,
        stderr=nan,
        n=None,
        version="1",
        digest="d",
    )
    state = State(tmp_path)
    state.append({"seq": 1, "time": "2026-01-01T00:00:00+00:00", "points": [point.plain()], "x": [nan, float("inf")]})
    text = (tmp_path / "history.jsonl").read_text()
    assert json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["x"] == [None, None]
    [back] = remembered(state.history()).values()
    assert point.same(back)
    assert back.same(point)
    assert not point.same(None)


def test_a_history_without_its_last_newline_is_appended_to(tmp_path: Path) -> None:
    state = State(tmp_path)
    path = tmp_path / "history.jsonl"
    for seq in (1, 2):
        state.append({"seq": seq, "time": "2026-01-01T00:00:00+00:00"})
        path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    assert [e["seq"] for e in state.history()] == [1, 2]


@pytest.mark.parametrize("name", ["nightly.yaml", "ladder.csv", "nightly/history.jsonl", "nightly/forecasts.jsonl"])
def test_a_fifo_in_the_place_of_a_file_is_refused_at_once(config: Path, name: str) -> None:
    path = config.parent / name
    path.unlink()
    os.mkfifo(path)
    began = time.monotonic()
    result = world.here(config)
    assert time.monotonic() - began < 10
    assert result.returncode in (1, 2)
    assert "FIFO" in result.stderr
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("status.json", b"\xff{"),
        ("known.json", b"\xff{"),
        ("known.json", b'{"a": [1]}'),
        ("status.json", b'{"time": "tomorrow", "told": {"terminal": "x"}, "error": 3}'),
    ],
)
def test_what_a_pass_can_do_without_does_not_stop_it(config: Path, name: str, content: bytes) -> None:
    path = config.parent / "nightly" / name
    path.write_bytes(content)
    if b"[1]" in content:
        assert "gone: [1]" in world.here(config).stderr
        return
    assert world.here(config).returncode == 0
    assert isinstance(json.loads(path.read_text()), dict)


def test_a_pass_reads_its_table_once(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is written meanwhile would give forecasts of other data than the digest says."""
    from benchcast.data import ingest

    reads, read = [], ingest.schema.read_table
    monkeypatch.setattr(ingest.schema, "read_table", lambda *a, **k: (reads.append(a), read(*a, **k))[1])
    assert world.here(config).returncode == 0
    assert len(reads) == 1
