"""Installing the nightly pass: other lines of a crontab stay as they are, the script works in cron's environment."""

from __future__ import annotations

import os
import shutil
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
from worlds.hosts import crontabs

OTHERS = b"""# my own jobs \xe9
MAILTO=me@example.org

  */5 * * * * /usr/bin/true % input\t
#0 3 * * * /bin/sh old # benchcast: /not/ours
0 4 * * * echo 'a # benchcast: b'
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return crontabs.prepare(tmp_path, monkeypatch)


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


FAILS = [
    ("crontab", "#!/bin/sh\necho broken >&2; exit 1\n"),  # cannot be read
    ("crontab", crontabs.CRONTAB.replace("    -) cat", "    -) echo broken >&2; exit 1; cat")),  # refuses
    (
        "crontab",
        crontabs.CRONTAB.replace("       mv", '       echo "* * * * * lost" > "$table.new"; mv'),
    ),  # keeps another
    ("systemctl", "#!/bin/sh\necho no bus: broken >&2; exit 1\n"),
    ("systemctl", crontabs.SYSTEMCTL + 'if [ "$2" = enable ]; then echo broken >&2; exit 1; fi\n'),  # the last step
    ("systemctl", ""),  # not installed
]


@pytest.mark.parametrize("earlier", [False, True], ids=["first", "again"])
@pytest.mark.parametrize(("program", "text"), FAILS)
def test_an_install_that_fails_leaves_everything_as_it_was(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, text: str, earlier: bool
) -> None:
    more = ["--systemd"] if program == "systemctl" else []
    (tmp_path / "table").write_bytes(OTHERS)
    if earlier:
        monkeypatch.setenv("HF_HOME", "/of an earlier day")
        assert benchcast("cron", "install", str(config), "--at", "0 1 * * *", *more).returncode == 0
        monkeypatch.setenv("HF_HOME", "/of today")
    before = crontabs.files(tmp_path)
    crontabs.write(tmp_path, program, text)
    if not text:
        (tmp_path / "bin" / program).unlink()
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/nowhere")
    done = benchcast("cron", "install", str(config), *more)
    [line] = done.stderr.splitlines()
    assert done.returncode == 1
    assert any(word in line for word in ("broken", "did not keep", "is not installed here"))
    after = crontabs.files(tmp_path)
    if "lost" in text:  # such a crontab cannot be put back either: what it was is in a file, which is named
        kept = Path(line.split("run crontab ")[1].split(",")[0])
        assert kept.read_bytes() == before["table"]
        before["table"] = after["table"]
    assert after == before


def test_what_a_failed_install_told_systemd_is_taken_back(config: Path, tmp_path: Path) -> None:
    crontabs.write(tmp_path, "systemctl", FAILS[4][1])
    done = benchcast("cron", "install", str(config), "--systemd")
    assert "systemctl --user enable: broken; nothing was installed" in done.stderr
    told = [line.removeprefix("--user ") for line in (tmp_path / "told").read_text().splitlines()]
    assert [line.split()[0] for line in told] == ["daemon-reload", "enable", "daemon-reload", "stop"]


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
    if shutil.which("systemd-analyze") is not None:  # systemd itself finds nothing to warn of
        checked = subprocess.run(["systemd-analyze", "--user", "verify", str(timer)], capture_output=True, text=True)
        assert [line for line in checked.stderr.splitlines() if timer.stem in line] == []
    assert "02:30" in benchcast("cron", "show", str(config), "--systemd").stdout
    assert benchcast("cron", "remove", str(config), "--systemd").returncode == 0
    assert [path for path in (tmp_path / "xdg").rglob("*") if path.is_file() or path.is_symlink()] == []
    told = [
        line.removeprefix("--user ").split(" benchcast-")[0] for line in (tmp_path / "told").read_text().splitlines()
    ]
    assert told == ["daemon-reload", "enable --now", "disable --now", "daemon-reload"]


def test_a_timer_takes_what_systemd_calls_a_calendar(config: Path, tmp_path: Path) -> None:
    assert benchcast("cron", "install", str(config), "--systemd", "--at", "Mon..Fri 02:30").returncode == 0
    [timer] = (tmp_path / "xdg" / "systemd" / "user").glob("*.timer")
    assert "OnCalendar=Mon..Fri 02:30\n" in timer.read_text()
    before = crontabs.files(tmp_path)
    crontabs.write(tmp_path, "systemd-analyze", '#!/bin/sh\necho "Failed to parse: $3" >&2; exit 1\n')
    wrong = benchcast("cron", "install", str(config), "--systemd", "--at", "Moon 02:30")
    assert (wrong.returncode, "Failed to parse: Moon 02:30" in wrong.stderr) == (2, True)
    crontab = benchcast("cron", "install", str(config), "--at", "Mon..Fri 02:30")  # which cron does not know
    assert (crontab.returncode, "@daily" in crontab.stderr) == (2, True)
    assert crontabs.files(tmp_path) == before


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
