"""Lines to paste: crontab, scrontab and Kubernetes get what they can read, and no password."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from worlds import nightly as world
from worlds.commands import benchcast
from worlds.hosts import crontabs

TOKEN = "hf_abcdefghijklmnop"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = crontabs.prepare(tmp_path, monkeypatch)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return made


def test_a_line_of_a_crontab_starts_the_pass_and_is_known_when_it_is_pasted(config: Path, tmp_path: Path) -> None:
    before = crontabs.files(tmp_path)
    done = benchcast("cron", "line", str(config), "--at", "30 2 * * mon-fri")
    [line] = done.stdout.splitlines()
    assert (done.returncode, crontabs.files(tmp_path)) == (0, before)
    assert line.startswith("30 2 * * mon-fri cd ")
    assert TOKEN not in done.stdout + done.stderr
    assert "HF_TOKEN may be a password" in done.stderr
    command = line.split(maxsplit=5)[5]
    assert "%" not in command.replace(r"\%", "")
    shown = command.replace(r"\%", "%").replace(" reevaluate ", " reevaluate --help ")
    bare = {"HOME": "/", "LOGNAME": "someone", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(["/bin/sh", "-c", shown], env=bare, cwd="/", capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "One pass for cron" in ran.stdout
    (tmp_path / "table").write_text(line + "\n")
    assert benchcast("cron", "show", str(config)).stdout == done.stdout
    assert benchcast("cron", "install", str(config)).returncode == 0  # takes its place
    assert len((tmp_path / "table").read_text().splitlines()) == 1


def test_an_entry_of_scrontab(config: Path) -> None:
    world.edit(config, reevaluate={"max_hours": 5.5})
    lines = benchcast("cron", "line", str(config), "--scrontab", "--at", "@daily").stdout.splitlines()
    options = [line.removeprefix("#SCRON ") for line in lines if line.startswith("#SCRON ")]
    assert options[:2] == ["--job-name=benchcast-nightly", "--time=7:00:00"]
    assert f"--output={config.parent}/nightly/scrontab.log" in [o.replace("'", "") for o in options] or any(
        "scrontab.log" in option for option in options
    )
    assert lines[-1].startswith("@daily cd ")  # what follows the options is the one line they are of
    assert [line for line in lines if not line.startswith("#")] == [lines[-1]]
    assert "reevaluate" in lines[-1]


def test_a_cron_job_of_kubernetes(config: Path) -> None:
    world.edit(config, reevaluate={"max_hours": 6})
    words = ["--kubernetes", "--at", "0 3 * * 1,7", "--image", "registry/benchcast:0.3", "--time-zone", "Europe/Berlin"]
    done = benchcast("cron", "line", str(config), *words)
    job = yaml.safe_load(done.stdout)
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", job["metadata"]["name"])
    spec = job["spec"]
    assert spec["schedule"] == "0 3 * * 0,1"  # Sunday has one number there
    assert (spec["timeZone"], spec["concurrencyPolicy"]) == ("Europe/Berlin", "Forbid")
    pod = spec["jobTemplate"]["spec"]
    assert (pod["backoffLimit"], pod["activeDeadlineSeconds"]) == (0, 7 * 3600)
    pod = pod["template"]["spec"]
    assert (pod["restartPolicy"], pod["securityContext"]["runAsNonRoot"]) == ("Never", True)
    [container] = pod["containers"]
    assert (container["image"], container["args"]) == ("registry/benchcast:0.3", ["reevaluate", "nightly.yaml"])
    [mount], [volume] = container["volumeMounts"], pod["volumes"]
    assert mount["name"] == volume["name"]
    assert mount["mountPath"] == container["workingDir"]
    # As the Containerfile has it: who runs it, where it works, and that its program is benchcast.
    containerfile = (Path(__file__).parents[3] / "Containerfile").read_text()
    assert f"WORKDIR {container['workingDir']}\n" in containerfile
    assert f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}\n" in containerfile
    assert 'ENTRYPOINT ["benchcast"]' in containerfile
    assert volume["persistentVolumeClaim"]["claimName"] in done.stderr


def test_what_lies_outside_the_volume_is_told(config: Path) -> None:
    world.edit(config, data={"source": "table", "path": "../else/ladder.csv"}, reevaluate={"folder": "in/../nightly"})
    done = benchcast("cron", "line", str(config), "--kubernetes")
    assert [line.split(":")[0] for line in done.stderr.splitlines() if "which alone is in the volume" in line] == [
        "../else/ladder.csv"
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--kubernetes", "--scrontab"], "give one of them"),
        (["--at", "0 25 * * *"], "'25' is not a valid hour"),
        (["--kubernetes", "--image", "a b"], "--image: 'a b'"),
        (["--scrontab", "--at", "noon"], "is not five fields"),
    ],
)
def test_what_cannot_be_printed(config: Path, words: list[str], says: str) -> None:
    done = benchcast("cron", "line", str(config), *words)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert says in line
