"""The first hour: from a folder of one's own to a report, by the commands that the README shows."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from worlds.commands import benchcast
from worlds.ladders import FIELD, ROOT
from worlds.results.lm_eval_results import write_results


def first_hour() -> list[str]:
    """The commands of README's section on the first hour, one a line, without their comments."""
    section = (ROOT / "README.md").read_text().split("## The first hour", 1)[1]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block
    return [line.partition("  #")[0].strip() for line in block[1].splitlines() if line.strip()]


def test_the_readme_leads_from_pip_install_to_a_report(tmp_path: Path) -> None:
    """In a new environment. Its dependencies are this one's, unless BENCHCAST_FRESH=1 lets pip fetch them."""
    commands = first_hour()
    assert len(commands) == 5
    write_results(tmp_path / "results")
    fetch = os.environ.get("BENCHCAST_FRESH") == "1"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL", "PIP_REQUIRE"))}
    if not fetch:
        env |= {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}  # 0: no isolation, in pip's way
    checkout = tmp_path / "checkout"
    skip = shutil.ignore_patterns(".*", "build", "dist", "out", "*.egg-info", "__pycache__", "tests")
    shutil.copytree(ROOT, checkout, ignore=skip)
    for line in commands:
        words = line.replace(" .", f" {checkout}") if line.startswith("pip") else line
        script = f"set -e; [ ! -e bc ] || . bc/bin/activate; {words}"
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        if "venv" in line and not fetch:
            (site,) = (tmp_path / "bc" / "lib").glob("python*/site-packages")
            (site / "this.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
            for old in site.glob("setuptools*"):  # too old to build this project; the one of this environment is not
                shutil.rmtree(old)
    assert (tmp_path / "out" / "report.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "out" / "report.html").exists()
    assert (tmp_path / "forecasts.jsonl").read_text().startswith("{")
    python = subprocess.run(
        [tmp_path / "bc/bin/python", "-c", "import benchcast; print(benchcast.__file__)"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path / "bc") in python.stdout, "the checkout was used, not what pip installed"


def test_the_same_commands_lead_from_results_of_public_models_to_page_one(tmp_path: Path) -> None:
    """Eight models by revision, accuracies without samples, as people publish them."""
    published = FIELD / "01-init-accuracy-only-results" / "results"
    if not published.exists():
        pytest.skip(f"the results are not here: {published}")
    shutil.copytree(published, tmp_path / "results")
    for line in first_hour()[2:]:
        words = shlex.split(line.replace("--token-multiplier 20", "--tokens-per-step 2097152"))
        done = benchcast(*words[1:], cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "out" / "report.pdf").read_bytes().startswith(b"%PDF")
    answers = json.loads((tmp_path / "out" / "result.json").read_text())["forecasts"]
    assert any(a["recipe"] == "auto" and a["task"] == "piqa" and a["grade"] in "ABC" for a in answers)
