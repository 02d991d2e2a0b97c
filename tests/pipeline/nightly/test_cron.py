"""The installed line under a real cron daemon, in its bare environment, while checkpoints appear one at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pypdf import PdfReader
from worlds import nightly as world
from worlds.hosts.lines import HERE

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from worlds.scoring import QUIET

pytestmark = QUIET
TICKS = max(2, int(os.environ.get("BENCHCAST_TICKS", "2")))  # a minute each
HOST = HERE / "cron.sh"
QUIET_SECONDS = 8


def unusable() -> str:
    """Why no cron daemon can be run here, or empty."""
    for program in ("cron", "crontab", "unshare"):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            return f"{program} is not installed"
    if os.geteuid() != 0:
        return "a cron daemon of one's own needs root"
    tried = subprocess.run(
        ["unshare", "--mount", "sh", "-c", "mount --make-rprivate / && mount -t tmpfs tmpfs /run"],
        capture_output=True,
        text=True,
        check=False,
    )
    return tried.stderr.strip()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    made = world.make_scoring(tmp_path)
    (tmp_path / "hook.sh").write_text("#!/bin/sh\ncat >> heard\nenv > environment\n")
    world.edit(made, score={"quiet_seconds": QUIET_SECONDS}, reevaluate={"notify": {"command": ["/bin/sh", "hook.sh"]}})
    for folder in tmp_path.glob("runs/*"):
        world.age(folder)
    assert world.here(made).returncode == 0
    return made


@pytest.fixture
def daemon(config: Path) -> Iterator[subprocess.Popen[str]]:
    if reason := unusable():
        pytest.skip(reason)
    install = [*world.BENCHCAST, "cron", "install", str(config), "--at", "* * * * *"]
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", str(HOST), *install],
        stdin=subprocess.PIPE,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.stdin.close()
    process.wait(30)
    process.stdout.close()


def slowly(config: Path, share: float, seed: int, until: float) -> Path:
    """Write a checkpoint piece by piece until that time."""
    aside = world.big(config, share, seed)
    folder = config.parent / "slow"
    aside.rename(folder)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:5000])
    folder.rename(aside)
    while time.time() < until:
        time.sleep(2)
        (aside / "notes").write_text(str(time.time()))
    (aside / "model.safetensors").write_bytes(whole)
    return aside


def tick(config: Path, after: str) -> str:
    """Wait for the next pass to end; returns its time."""
    deadline = time.monotonic() + 150
    path = config.parent / "nightly" / "status.json"
    while time.monotonic() < deadline:
        status = json.loads(path.read_text())
        if status["time"] != after and not (config.parent / "nightly" / "pass.holder").exists():
            return str(status["time"])
        time.sleep(0.3)
    raise AssertionError("cron started no pass within 150 s")


def test_cron_fires_the_installed_line(config: Path, daemon: subprocess.Popen[str]) -> None:
    if (left := 60 - time.time() % 60) < 20:  # what is dropped now must be there at the tick
        before = json.loads((config.parent / "nightly" / "status.json").read_text())["time"]
        time.sleep(left)
        tick(config, before)
    last = json.loads((config.parent / "nightly" / "status.json").read_text())["time"]
    corrupt = world.big(config, 0.1, 90)
    (corrupt / "model.safetensors").write_bytes(b"\x10junk")
    world.age(corrupt)
    world.age(world.big(config, 0.2, 91))
    good = [0.2, 0.3]
    over_the_tick = time.time() + 60 - time.time() % 60 + 4
    slow = threading.Thread(target=slowly, args=(config, 0.3, 92, over_the_tick))
    slow.start()
    for number in range(TICKS):
        last = tick(config, last)
        slow.join()
        if number == 0:
            assert world.tokens_scored(config) == [0.2 * 2e10]
        if number < TICKS - 1:
            good.append(round(0.4 + number / 20, 2))
            world.age(world.big(config, good[-1], 93 + number))
    assert daemon.poll() is None

    assert world.tokens_scored(config) == pytest.approx([share * 2e10 for share in sorted(good)])
    cells = [path.name for path in config.parent.glob("scores/cells/??/*")]
    assert len(cells) == 2 * (6 + len(good))
    log = (config.parent / "nightly" / "reevaluate.log").read_text()
    scored = Counter(line.split(" INFO ")[1].split(":")[0] for line in log.splitlines() if ": 2 cells in " in line)
    assert {f"big/at-{share}" for share in good} <= set(scored)
    assert set(scored.values()) == {1}

    told = world.messages((config.parent / "heard").read_text())
    assert [line for line in told if "at-0.1" in line] == [line for line in told if "failure" in line]
    assert len([line for line in told if "failure" in line]) == 1
    environment = dict(line.split("=", 1) for line in (config.parent / "environment").read_text().splitlines())
    assert environment["LOGNAME"] == "root"  # of cron
    assert environment["OMP_NUM_THREADS"] == "1"  # of the day it was installed

    history = world.history(config)
    assert sorted({p["tokens"] for e in history for p in e["points"]}) == world.tokens_scored(config)
    assert len([p for e in history for p in e["points"]]) == 2 * len(good)
    latest = config.parent / "nightly" / "reports" / "latest"
    assert latest.resolve().name == history[-1]["report"]
    result = json.loads((latest / "result.json").read_text())
    assert {r["run"] for r in result["ladder"]} == {*(f"r{n}" for n in range(6)), "big"}
    text = PdfReader(latest / "report.pdf").pages[0].extract_text()
    assert "a scored ladder and its big run" in " ".join(text.split())
    [track] = json.loads((latest / "tracking.json").read_text())
    table = pd.read_csv(config.parent / "ladder.csv")
    own = table[table["run"].eq("big") & table["metric"].eq("acc")].sort_values("tokens")
    for task in track["tasks"]:
        if task["points"] and task["band"]:
            assert [p["value"] for p in task["points"]] == own.loc[own["task"].eq(task["task"]), "value"].tolist()
    assert any(task["points"] for task in track["tasks"])
