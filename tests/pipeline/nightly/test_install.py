"""Installing the nightly pass: other lines of a crontab stay as they are, the script works in cron's environment."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from benchcast.core.errors import InputError
from benchcast.nightly.schedule import cron as schedule
from hypothesis import given
from hypothesis import strategies as st
from worlds import nightly as world
from worlds.commands import benchcast

# crontab(1) as far as it matters here: -l, -r and -; refuses a text without a newline at its end.
FAKE = """#!/bin/sh
table="$FAKE_CRONTAB"
case "$1" in
    -l) if [ -f "$table" ]; then cat "$table"; else echo "no crontab for someone" >&2; exit 1; fi;;
    -r) rm "$table";;
    -) cat > "$table.new"
       [ -n "$(tail -c 1 "$table.new")" ] && { echo "new crontab file is missing newline before EOF" >&2; exit 1; }
       mv "$table.new" "$table";;
esac
"""
OTHERS = b"""# my own jobs \xe9
MAILTO=me@example.org

  */5 * * * * /usr/bin/true % input\t
#0 3 * * * /bin/sh old # benchcast: /not/ours
0 4 * * * echo 'a # benchcast: b'
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_CRONTAB", str(tmp_path / "table"))
    monkeypatch.setenv("HF_HOME", "/some where/it's")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("UNRELATED", "secret")
    folder = tmp_path / "a folder, 100% 'mine'"
    folder.mkdir()
    return world.make(folder)


def test_only_our_own_line_changes(config: Path, tmp_path: Path) -> None:
    table = tmp_path / "table"
    table.write_bytes(OTHERS)
    assert benchcast("cron", "show", str(config)).returncode == 1
    assert benchcast("cron", "install", str(config), "--at", "0 3 * * 1-5").returncode == 0
    assert benchcast("cron", "install", str(config), "--at", "30 2 * * *").returncode == 0
    assert table.read_bytes().startswith(OTHERS)
    [line] = table.read_bytes()[len(OTHERS) :].decode().splitlines()
    assert line.startswith("30 2 * * * /bin/sh '/")
    assert benchcast("cron", "show", str(config)).stdout.strip() == line
    assert benchcast("cron", "remove", str(config)).returncode == 0
    assert table.read_bytes() == OTHERS
    assert "is not in the crontab" in benchcast("cron", "remove", str(config)).stdout


def test_the_last_line_leaves_no_crontab(config: Path, tmp_path: Path) -> None:
    assert benchcast("cron", "install", str(config)).returncode == 0
    assert benchcast("cron", "remove", str(config)).returncode == 0
    assert not (tmp_path / "table").exists()


def test_the_line_works_in_a_bare_environment(config: Path, tmp_path: Path) -> None:
    """As cron runs it: what is before an unescaped % by sh -c, in the home folder, with next to no environment."""
    assert benchcast("cron", "install", str(config)).returncode == 0
    command = (tmp_path / "table").read_text().split(maxsplit=5)[5].strip()
    assert "%" not in command.replace(r"\%", "")
    command = command.replace(r"\%", "%")
    bare = {"HOME": "/", "LOGNAME": "someone", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", "-c", command], env=bare, cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(world.history(config)) == 1
    script = config.parent / "nightly" / "cron.sh"
    assert stat.S_IMODE(script.stat().st_mode) == 0o700
    assert "UNRELATED" not in script.read_text()
    assert "export HF_HOME='/some where/it'\"'\"'s'" in script.read_text()


def test_remove_deletes_what_was_kept_of_the_environment(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_SECRETHF")
    monkeypatch.setenv("HTTPS_PROXY", "http://u:SECRETPROXY@p:1")
    script = config.parent / "nightly" / "cron.sh"
    for remove in ("twice", "without a config"):
        for _ in range(2):
            installed = benchcast("cron", "install", str(config))
        assert "HF_TOKEN, HTTPS_PROXY may hold passwords" in installed.stdout
        assert "SECRET" not in installed.stdout + benchcast("cron", "show", str(config)).stdout
        assert "SECRETPROXY" in script.read_text()
        if remove == "without a config":  # the line in the crontab says where the script is
            config.unlink()
        assert f"deleted: {script}" in benchcast("cron", "remove", str(config)).stdout
        assert not script.exists()


def test_remove_deletes_no_file_of_somebody_else(config: Path, tmp_path: Path) -> None:
    assert benchcast("cron", "install", str(config)).returncode == 0
    script = config.parent / "nightly" / "cron.sh"
    script.write_text("#!/bin/sh\necho mine\n")
    assert "is left" in benchcast("cron", "remove", str(config)).stdout
    assert script.exists()


def test_the_script_stays_while_the_timer_needs_it(config: Path) -> None:
    for more in ([], ["--systemd"]):
        assert benchcast("cron", "install", str(config), *more).returncode == 0
    script = config.parent / "nightly" / "cron.sh"
    assert "deleted" not in benchcast("cron", "remove", str(config)).stdout
    assert script.exists()
    assert f"deleted: {script}" in benchcast("cron", "remove", str(config), "--systemd").stdout
    assert not script.exists()


def test_names_that_no_shell_knows_are_left_out_and_values_are_data(config: Path, tmp_path: Path) -> None:
    """Names of variables may hold anything but an equals sign; in a script they could be commands."""
    strange = ["HF_A.B", "HF_$(touch PWN)", "HF_x;touch PWN", "XDG_ü", "HF_a\nb", "BENCHCAST_1-2"]
    values = {"HF_ODD": "it's `touch PWN` $(touch PWN) \\ \"\n100%\n", "HF_RAW": "a\udcffb"}
    more = {**dict.fromkeys(strange, "1"), **values}
    done = subprocess.run(
        [*world.BENCHCAST, "cron", "install", str(config)],
        capture_output=True,
        text=True,
        env=os.environ | more,
        cwd=tmp_path,
        check=True,
    )
    assert done.stdout.count("is not a name that a shell knows") == len(strange)
    script = config.parent / "nightly" / "cron.sh"
    shown = script.read_bytes().replace(b"exec ", b"env -0; exit; exec ")
    bare = {"PATH": "/usr/bin:/bin"}
    ran = subprocess.run(["/bin/sh"], input=shown, env=bare, cwd=tmp_path, capture_output=True, check=True)
    found = dict(item.split(b"=", 1) for item in ran.stdout.split(b"\0") if b"=" in item)
    assert (found[b"HF_ODD"], found[b"HF_RAW"]) == (os.fsencode(values["HF_ODD"]), b"a\xffb")
    assert not [p for folder in (tmp_path, config.parent) for p in folder.glob("PWN*")]
    assert (ran.stderr, stat.S_IMODE(script.stat().st_mode)) == (b"", 0o700)


@pytest.mark.parametrize("program", ["echo broken >&2; exit 1", "[ $1 = -l ] || { echo broken >&2; exit 1; }"])
def test_a_crontab_that_fails_leaves_no_script(config: Path, tmp_path: Path, program: str) -> None:
    (tmp_path / "bin" / "crontab").write_text(f"#!/bin/sh\n{program}\n")
    done = benchcast("cron", "install", str(config))
    assert (done.returncode, "broken" in done.stderr) == (1, True)
    assert not (config.parent / "nightly" / "cron.sh").exists()


def test_a_time_that_cron_would_not_take_changes_nothing(config: Path, tmp_path: Path) -> None:
    (tmp_path / "table").write_bytes(OTHERS)
    done = benchcast("cron", "install", str(config), "--at", "0 25 * * *")
    assert done.returncode == 2
    assert "'25' is not a valid hour" in done.stderr
    assert (tmp_path / "table").read_bytes() == OTHERS


def test_a_timer_of_systemd(config: Path, tmp_path: Path) -> None:
    done = benchcast("cron", "install", str(config), "--systemd", "--at", "30 2 * * 1-5")
    assert done.returncode == 0
    [service] = (tmp_path / "xdg" / "systemd" / "user").glob("*.service")
    timer = service.with_suffix(".timer")
    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00\n" in timer.read_text()
    assert f'ExecStart=/bin/sh "{config.parent}/nightly/cron.sh"'.replace("%", "%%") in service.read_text()
    assert "02:30" in benchcast("cron", "show", str(config), "--systemd").stdout
    assert benchcast("cron", "remove", str(config), "--systemd").returncode == 0
    assert not service.exists()
    assert not timer.exists()


@pytest.mark.parametrize(
    "at",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "1/5 * * * *",
        "*/0 * * * *",
        "a * * * *",
        "* * * * mon-",
        "0 3 * * *\n* * * * * evil",
        "@often",
        "1,,2 * * * *",
        "-1 * * * *",
        "0 3 L * *",  # from here on what cronsim alone would take
        "0 3 * * 1#2",
        "0 3 * * 5L",
        "*/90 * * * *",
        "0 0 3 * * *",
        "0 \uff13 * * *",
    ],
)
def test_times_that_are_refused(at: str) -> None:
    with pytest.raises(InputError):
        schedule.cron(at)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("0 3 * * *", "*-*-* 03:00:00"),
        ("*/15 * * * *", "*-*-* *:00,15,30,45:00"),
        ("5 0-6/3 1,15 jan *", "*-01-01,15 00,03,06:05:00"),
        ("0 3 * * 0", "Sun *-*-* 03:00:00"),
        ("0 3 * * 7", "Sun *-*-* 03:00:00"),
        ("0 3 * * fri-7", "Sun,Fri,Sat *-*-* 03:00:00"),
        ("@weekly", "Sun *-*-* 00:00:00"),
    ],
)
def test_times_for_systemd(at: str, expected: str) -> None:
    assert schedule.calendar(at) == expected


def test_days_that_cron_and_systemd_understand_differently_are_refused() -> None:
    with pytest.raises(InputError, match="either"):
        schedule.calendar("0 3 1 * 1")


@given(st.text(alphabet="0123456789*/-, mon@daily\n%;#", max_size=20))
def test_whatever_is_accepted_is_one_plain_line(at: str) -> None:
    try:
        found = schedule.cron(at)
    except InputError:
        return
    assert found in schedule.NICKNAMES or len(found.split(" ")) == 5
    assert set(found) <= set("0123456789*/-,") | set("adeghiklmnorstuvwy@ ")


def doctor(config: Path) -> tuple[int, dict[str, str]]:
    done = benchcast("doctor", str(config))
    found = dict(line.split(": ", 1) for line in done.stdout.splitlines() if line[:2] in ("ok", "FA"))
    return done.returncode, found


def test_the_doctor_finds_what_would_fail(config: Path) -> None:
    code, found = doctor(config)
    assert code == 0
    assert all(what.startswith("ok") for what in found)
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
    from benchcast.nightly.schedule import doctor as checks

    shown = tmp_path / "proc"
    for number, command in (("1", "/sbin/init"), ("27", "/usr/bin/cronolog\0--help\0")):
        (shown / number).mkdir(parents=True)
        (shown / number / "cmdline").write_text(command)
    monkeypatch.setattr(checks, "PROCESSES", shown)
    assert "cron daemon" not in {c.what for c in checks.run_checks(config)}
    assert benchcast("cron", "install", str(config)).returncode == 0
    [check] = [c for c in checks.run_checks(config) if c.what == "cron daemon"]
    assert not check.ok
    assert "nothing will start the pass" in check.says
    for command, name in (("/usr/sbin/cron\0-f\0", "cron"), ("/bin/busybox\0crond\0-b\0", "crond")):
        (shown / "27" / "cmdline").write_text(command)
        [check] = [c for c in checks.run_checks(config) if c.what == "cron daemon"]
        assert (check.ok, check.says) == (True, name)
