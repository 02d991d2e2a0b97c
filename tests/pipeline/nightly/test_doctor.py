"""What the doctor finds before the first night: what would fail, follow the wrong run, or not start."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from worlds import nightly as world
from worlds.commands import benchcast
from worlds.hosts import crontabs


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return crontabs.prepare(tmp_path, monkeypatch)


def doctor(config: Path) -> tuple[int, dict[str, str]]:
    done = benchcast("doctor", str(config))
    found = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    return done.returncode, found


def test_the_doctor_finds_what_would_fail(config: Path) -> None:
    code, found = doctor(config)
    assert code == 0
    assert all(what.startswith("ok") for what in found)
    assert found["ok   installed"].startswith("not in a crontab or systemd of yours")
    blocked = config.parent / "blocked"
    blocked.write_text("a file, and no folder")
    bad = {"command": ["no-such-program"], "urls": ["json://$NO_SUCH_NAME/"]}
    world.edit(config, reevaluate={"folder": "blocked/nightly", "notify": bad})
    code, found = doctor(config)
    assert code == 1
    failed = {what.removeprefix("FAIL "): says for what, says in found.items() if what.startswith("FAIL")}
    assert set(failed) == {"reevaluate.folder", "notify.command", "notify.urls"}
    world.edit(config, reevaluate={"folder": "nightly", "notify": {"urls": ["nosuch://x"]}})
    assert "number 1" in doctor(config)[1]["FAIL notify.urls"]


def test_the_doctor_finds_a_script_of_an_earlier_version(config: Path) -> None:
    assert benchcast("cron", "install", str(config)).returncode == 0
    script = config.parent / "nightly" / "cron.sh"
    assert "FAIL script" not in doctor(config)[1]
    script.write_text(script.read_text().replace("-m benchcast ", "-m pipeline.cli "))
    code, found = doctor(config)
    assert code == 1
    assert f"{script} is of an earlier version" in found["FAIL script"]
    assert benchcast("cron", "install", str(config)).returncode == 0
    assert "FAIL script" not in doctor(config)[1]


def test_the_doctor_looks_whether_cron_runs(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where the pass is in the crontab; processes are read as Linux shows them."""
    from benchcast.nightly.schedule import installed

    shown = tmp_path / "proc"
    for number, command in (("1", "/sbin/init"), ("27", "/usr/bin/cronolog\0--help\0")):
        (shown / number).mkdir(parents=True)
        (shown / number / "cmdline").write_text(command)
    monkeypatch.setattr(installed, "PROCESSES", shown)
    assert "cron daemon" not in {c.what for c in installed.checks(config)}
    assert benchcast("cron", "install", str(config)).returncode == 0
    [check] = [c for c in installed.checks(config) if c.what == "cron daemon"]
    assert not check.ok
    assert "nothing will start the pass" in check.says
    for command, name in (("/usr/sbin/cron\0-f\0", "cron"), ("/bin/busybox\0crond\0-b\0", "crond")):
        (shown / "27" / "cmdline").write_text(command)
        [check] = [c for c in installed.checks(config) if c.what == "cron daemon"]
        assert (check.ok, check.says) == (True, name)


def test_the_doctor_finds_an_installed_line_that_no_longer_starts_this_config(config: Path, tmp_path: Path) -> None:
    def line() -> tuple[bool, str]:
        code, found = doctor(config)
        [(what, says)] = [(w, s) for w, s in found.items() if w.split()[1] == "crontab"]
        assert code == 1 or what.startswith("ok")  # no cron daemon runs here, which is a fault of its own
        return what.startswith("ok"), says

    assert benchcast("cron", "install", str(config)).returncode == 0
    script = config.parent / "nightly" / "cron.sh"
    as_installed, text = script.read_text(), (tmp_path / "table").read_text()
    assert line() == (True, "0 3 * * *: starts this config")
    python = as_installed.split("exec ")[1].split()[0]
    for changed, says in (
        (as_installed.replace(python, "/gone/python"), "starts /gone/python, which is gone"),
        (as_installed.replace(python, "/bin/sh"), "starts /bin/sh, and the doctor looked at"),
        (as_installed.replace("nightly.yaml", "weekly.yaml"), "weekly.yaml, which is another config"),
        ("#!/bin/sh\necho mine\n", "does not start benchcast reevaluate"),
    ):
        script.write_text(changed)
        well, found = line()
        assert not well
        assert says in found
        assert "run again: benchcast cron install" in found
    script.unlink()
    assert "which is gone" in line()[1]
    script.write_text(as_installed)
    world.edit(config, reevaluate={"folder": "other"})
    assert "reevaluate.folder of the config is another now" in line()[1]
    world.edit(config, reevaluate={"folder": "nightly"})
    (tmp_path / "table").write_text(text.replace("0 3 * * *", "0 25 * * *"))
    assert "'25' is not a valid hour" in line()[1]
    (tmp_path / "table").write_text(text)
    assert line()[0]


def test_the_doctor_reads_a_line_that_was_pasted(config: Path, tmp_path: Path) -> None:
    pasted = benchcast("cron", "line", str(config)).stdout
    (tmp_path / "table").write_text(pasted)
    assert doctor(config)[1]["ok   crontab"] == "0 3 * * *: starts this config"
    (tmp_path / "table").write_text(pasted.replace("nightly.yaml'\"'\"'", "x").replace(" -P -m ", " -m "))
    assert "does not start benchcast reevaluate" in doctor(config)[1]["FAIL crontab"]


def test_the_doctor_finds_a_pass_that_is_installed_twice_and_a_timer_that_is_not_active(
    config: Path, tmp_path: Path
) -> None:
    for more in ([], ["--systemd"]):
        assert benchcast("cron", "install", str(config), *more).returncode == 0
    found = doctor(config)[1]
    assert "as a timer of systemd: keep one" in found["FAIL installed"]
    assert found["ok   timer"] == "is active"
    crontabs.write(tmp_path, "systemctl", "#!/bin/sh\necho inactive; exit 3\n")
    assert "the timer is not active (inactive)" in doctor(config)[1]["FAIL timer"]


def test_the_doctor_compares_what_is_tracked_with_the_runs_that_are_there(config: Path) -> None:
    key = "track big"
    assert "no run is called so yet" in doctor(config)[1][f"ok   {key}"]
    assert "not registered yet: the next pass does it" in doctor(config)[1][f"ok   {key}"]
    world.grow(config, 0.1, 0.2)
    assert doctor(config)[1][f"ok   {key}"].startswith("1B: 2 scored checkpoints, the newest at 4B tokens")
    world.edit(config, reevaluate={"track": {"big": "1b"}})
    code, found = doctor(config)
    assert (code, "but 1B is; write the name as the table has it" in found[f"FAIL {key}"]) == (1, True)
    world.edit(config, reevaluate={"track": {"big": "70M-10x"}})
    assert "has 70M parameters, and big is planned with 1B" in doctor(config)[1][f"FAIL {key}"]
    world.edit(config, reevaluate={"track": {"big": "1B"}})
    table = pd.read_csv(config.parent / "ladder.csv")
    table.drop(columns="run").to_csv(config.parent / "ladder.csv", index=False)
    assert "the table cannot be read" in doctor(config)[1][f"ok   {key}"]
