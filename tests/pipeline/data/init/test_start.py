"""``benchcast init`` on results: the files it writes, what it leaves out and what it refuses."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from benchcast.core.config import Config, load
from worlds.commands import benchcast
from worlds.results.families import ACCURACY, FAMILY, PER_STEP, model, places, write_family
from worlds.results.lm_eval_results import SIZES, write_results


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


def test_results_of_lighteval_get_a_ladder_and_a_config(tmp_path: Path) -> None:
    for size in FAMILY:
        place = tmp_path / "results" / "org" / f"p-{size}"
        place.mkdir(parents=True)
        (place / "results_2026-01-01T00-00-00.000000.json").write_text(
            json.dumps(
                {
                    "config_general": {
                        "lighteval_sha": "0123456789",
                        "max_samples": None,
                        "model_config": {"model_name": f"org/p-{size}", "revision": "step143000"},
                    },
                    "results": {
                        "piqa|0": {"acc": ACCURACY[size], "acc_stderr": 0.01},
                        "all": {"acc": 0.1, "acc_stderr": 0.01},
                    },
                    "versions": {},
                    "config_tasks": {},
                    "summary_tasks": {},
                    "summary_general": {},
                }
            )
        )
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = load(tmp_path / "benchcast.yaml", Config)
    assert config.data.source == "lighteval"
    assert not config.names_recipes
    assert len(places(tmp_path / "results")) == 8
    assert benchcast("forecast", "benchcast.yaml", cwd=tmp_path).returncode == 0


def test_init_runs_again_and_says_which_models_are_missing(tmp_path: Path) -> None:
    write_family(tmp_path / "results")
    assert benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path).returncode == 0
    ladder = tmp_path / "results" / "ladder.yaml"
    lines = ladder.read_text().splitlines(keepends=True)
    kept = "".join(line for line in lines if "p-410m" not in line)
    ladder.write_text(kept)
    (tmp_path / "benchcast.yaml").unlink()
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "add 1 models that the results have and it does not" in done.stdout
    (added,) = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert ladder.read_text() == kept
    ladder.write_text(kept + added + "\n")
    assert benchcast("forecast", "benchcast.yaml", cwd=tmp_path).returncode == 0


def test_a_ladder_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    model(tmp_path / "results", "org/p-1b", "step1000")
    (tmp_path / "results" / "ladder.yaml").write_text("a: {}\na: {}\n")
    done = benchcast("init", "results", cwd=tmp_path)
    assert done.returncode == 2
    assert "ladder.yaml: cannot be read: line 2: the key 'a' appears twice" in done.stderr
    assert not (tmp_path / "benchcast.yaml").exists()


def test_a_ladder_is_compared_with_what_the_results_state(tmp_path: Path) -> None:
    model(tmp_path / "results", "org/p-1b", "step1000", params=1011781632)
    (tmp_path / "results" / "ladder.yaml").write_text("org/p-1b@step1000: {family: x, params: 1e8, tokens: 2e9}\n")
    done = benchcast("init", "results", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "org/p-1b@step1000: params 1e+08 in results/ladder.yaml, but 1.01178e+09 in its results" in done.stderr


def test_a_foreign_file_is_left_out_with_a_line(tmp_path: Path) -> None:
    write_family(tmp_path / "results")
    (tmp_path / "results" / "other").mkdir()
    (tmp_path / "results" / "other" / "results.json").write_text('{"score": 1}')
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "left out 1: JSON files that are not results of lm-eval: other/results.json" in done.stderr


def test_a_folder_with_odd_things_in_it_neither_hangs_nor_fails(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_family(results)
    (results / "org__p-70m").rename(results / os.fsdecode(b"org-\xff"))
    os.mkfifo(results / "results_pipe.json")
    os.mkfifo(results / "config.json")
    model(results, "org/\x1b[31mp-33m", "step1000")
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "results_pipe.json" in done.stderr
    assert benchcast("ingest", "lm_eval", "--from", str(results), "--out", "l.csv", cwd=tmp_path).returncode == 0
    assert benchcast("forecast", "benchcast.yaml", cwd=tmp_path).returncode == 0


def test_a_folder_that_a_config_cannot_name_is_a_fault(tmp_path: Path) -> None:
    results = tmp_path / os.fsdecode(b"results-\xff")
    write_family(results)
    done = benchcast("init", str(results), cwd=tmp_path)
    assert done.returncode == 2
    assert "has a name that is not UTF-8" in done.stderr
    assert benchcast("init", ".", "--tokens-per-step", "1e6", cwd=results).returncode == 0
    assert benchcast("forecast", "benchcast.yaml", cwd=results).returncode == 0


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_results(tmp_path / "results")
    (tmp_path / "results" / "ladder.yaml").write_text("mine: {}\n")
    (tmp_path / "benchcast.yaml").write_text("mine")
    done = benchcast("init", "results", cwd=tmp_path)
    assert done.returncode == 2
    assert "is there already (--force replaces it" in done.stderr
    assert (tmp_path / "benchcast.yaml").read_text() == "mine"
    done = benchcast("init", "results", "--force", cwd=tmp_path)
    assert done.returncode == 0
    assert "ladder.yaml: mine.family: is missing" in done.stdout
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
