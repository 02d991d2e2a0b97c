"""The first hour: from a folder of one's own to a report, by the commands that the README shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, make_ladder
from lm_eval_results import SIZES, write_results
from test_cli import benchcast

from pipeline.config import Config, ScoreConfig, load


def first_hour() -> list[str]:
    """The commands of README's section on the first hour, one a line, without their comments."""
    section = (ROOT / "README.md").read_text().split("## The first hour", 1)[1]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block
    return [line.partition("  #")[0].strip() for line in block[1].splitlines() if line.strip()]


def test_the_readme_leads_from_pip_install_to_a_report(tmp_path: Path) -> None:
    """In a new environment. Its dependencies are this one's, unless BENCHCAST_FRESH=1 lets pip fetch them."""
    commands = first_hour()
    assert len(commands) <= 5
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
    python = subprocess.run([tmp_path / "bc/bin/python", "-c", "import pipeline; print(pipeline.__file__)"],
                            cwd=tmp_path, env=env, capture_output=True, text=True, check=True)  # fmt: skip
    assert str(tmp_path / "bc") in python.stdout, "the checkout was used, not what pip installed"


def test_results_get_a_config_and_a_ladder(tmp_path: Path) -> None:
    write_results(tmp_path / "results")
    done = benchcast("init", "results", "--token-multiplier", "20", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ladder = yaml.safe_load((tmp_path / "results" / "ladder.yaml").read_text())
    assert {name: float(place["params"]) for name, place in ladder.items()} == {
        f"acme/lm-{size}": params for size, params in SIZES.items()
    }
    assert all(float(p["tokens"]) == 20 * float(p["params"]) for p in ladder.values())
    config = load(tmp_path / "benchcast.yaml", Config)
    assert [t.run for t in config.targets] == [None, "lm-2.8B"]
    assert config.targets[0].flops == pytest.approx(10 * 6 * 2.8e9 * 5.6e10)
    assert [r.name for r in config.recipes] == ["llama3", "ladder"]


def test_what_names_do_not_tell_is_left_to_fill_in(tmp_path: Path) -> None:
    write_results(tmp_path / "results")
    done = benchcast("init", "results", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'fill in what is marked "add" for 7 of 7 models' in done.stdout
    failed = benchcast("run", "benchcast.yaml", cwd=tmp_path)
    assert failed.returncode == 2
    assert len(failed.stderr.splitlines()) == 7
    assert "acme/lm-10M.tokens: is missing" in failed.stderr


@pytest.mark.parametrize(
    ("name", "run", "step", "params", "tokens"),
    [
        ("EleutherAI/pythia-160m@step3000", "pythia-160m", 3000, 1.6e8, 3000 * 2e6),
        ("/ckpt/190M-5x/step-5000", "190M-5x", 5000, 1.9e8, 1e10),
        ("org/olmo_1.3B-100B-tokens", "olmo_1.3B-100B-tokens", None, 1.3e9, 1e11),
        ("llama-7b-hf", "llama-7b-hf", None, 7e9, None),
        ("gpt2", "gpt2", None, None, None),
        ("/a/checkpoint-10", "a", 10, None, 2e7),
    ],
)
def test_what_a_name_tells(name: str, run: str, step: int | None, params: float | None, tokens: float | None) -> None:
    from pipeline.init import _guess

    wanted = {"run": run, "family": "my-mix", "step": step, "params": params, "tokens": tokens}
    assert _guess(name, None, 2e6) == {k: v for k, v in wanted.items() if v is not None}


def test_earlier_steps_saw_their_share(tmp_path: Path) -> None:
    from pipeline.init import _guess, _spread_over_steps

    places = [_guess(f"runs/10M/step-{step}", 20, None) for step in (50, 100)]
    _spread_over_steps(places)
    assert [p["tokens"] for p in places] == [1e8, 2e8]


def test_results_without_samples_say_what_to_do(tmp_path: Path) -> None:
    write_results(tmp_path / "results", with_samples=False)
    done = benchcast("init", "results", "--token-multiplier", "20", cwd=tmp_path)
    assert done.returncode == 2
    assert "--log_samples" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "benchcast.yaml").exists()
    assert not (tmp_path / "results" / "ladder.yaml").exists()


def test_a_table_gets_a_config_that_runs(tmp_path: Path) -> None:
    make_ladder(noise=0.003).to_csv(tmp_path / "my ladder #1.csv", index=False)
    done = benchcast("init", "my ladder #1.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert benchcast("forecast", "benchcast.yaml", cwd=tmp_path).returncode == 0
    config = load(tmp_path / "benchcast.yaml", Config)
    assert [r.name for r in config.recipes] == ["auto", "llama3", "ladder", "overtraining"]


def test_checkpoints_get_a_config_to_score(tmp_path: Path) -> None:
    for run in ("10M", "25M"):
        for step in (100, 200):
            place = tmp_path / "runs" / run / f"step-{step}"
            place.mkdir(parents=True)
            (place / "config.json").write_text("{}")
            (place / "model.safetensors").write_bytes(b"")
    done = benchcast("init", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "then: benchcast score benchcast.yaml" in done.stdout
    score = load(tmp_path / "benchcast.yaml", ScoreConfig).score
    assert score.checkpoints == ("runs/*/*",)
    assert score.pattern == "{run}/step-{step}"
    assert len(list(tmp_path.glob(score.checkpoints[0]))) == 4
    load(tmp_path / "benchcast.yaml", Config)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_results(tmp_path / "results")
    (tmp_path / "results" / "ladder.yaml").write_text("mine: {}\n")
    (tmp_path / "benchcast.yaml").write_text("mine")
    done = benchcast("init", "results", cwd=tmp_path)
    assert done.returncode == 2
    assert "is there already (--force replaces it" in done.stderr
    assert (tmp_path / "benchcast.yaml").read_text() == "mine"
    assert benchcast("init", "results", "--force", cwd=tmp_path).returncode == 0
    assert (tmp_path / "results" / "ladder.yaml").read_text() == "mine: {}\n"


@pytest.mark.parametrize(
    ("path", "says"), [("nowhere", "does not exist"), ("empty", "holds neither results of lm-eval")]
)
def test_nothing_to_start_from(path: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = benchcast("init", path, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]


def test_names_of_any_kind_survive(tmp_path: Path) -> None:
    names = ["- a: [b]", "{x}", "null", "1e5", "naïve 模型", 'say "hi" # no', "*&!"]
    table = make_ladder(noise=0.003)
    runs = list(dict.fromkeys(table["run"]))
    table["run"] = table["run"].map(dict(zip(runs, [*names, *runs[len(names) :]], strict=True)))
    biggest = table.loc[table["flops"].idxmax(), "run"]
    table.loc[table["run"].eq(biggest), "run"] = 'largest: "#{}" 最大'
    table.to_csv(tmp_path / "l.csv", index=False)
    assert benchcast("init", "l.csv", cwd=tmp_path).returncode == 0
    result = benchcast("forecast", "benchcast.yaml", "--json", "-", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert 'largest: "#{}" 最大' in {f["target"] for f in json.loads(result.stdout)["forecasts"]}


def test_the_shell_completes_commands() -> None:
    script = Path(sys.executable).with_name("benchcast")
    env = os.environ | {"_BENCHCAST_COMPLETE": "complete_bash", "COMP_WORDS": "benchcast in", "COMP_CWORD": "1"}
    done = subprocess.run([script], env=env, capture_output=True, text=True, timeout=60)
    assert set(done.stdout.split()) == {"ingest", "init"}
