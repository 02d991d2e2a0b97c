"""The config that ``benchcast init`` writes: which recipes these scores allow, which run is held out; it runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from benchcast.core.config import Config, load
from worlds.commands import benchcast
from worlds.ladders import FIELD, make_ladder
from worlds.results.families import ACCURACY, FAMILY, PER_STEP, model, write_family
from worlds.results.lm_eval_results import write_results


def test_accuracies_alone_get_a_config_with_auto_that_forecasts(tmp_path: Path) -> None:
    write_family(tmp_path / "results")
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = load(tmp_path / "benchcast.yaml", Config)
    assert not config.names_recipes
    assert [t.run for t in config.targets] == [None, "p-12b"]
    told = benchcast("forecast", "benchcast.yaml", "--json", "-", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    (held,) = [f for f in json.loads(told.stdout)["forecasts"] if f["target"] == "p-12b"]
    assert held["low"] <= held["actual"] <= held["high"]


def test_lambadas_perplexity_does_not_hide_auto(tmp_path: Path) -> None:
    for i, size in enumerate(FAMILY):
        scores = {"acc,none": ACCURACY[size], "acc_stderr,none": 0.01, "perplexity,none": 60.0 / (i + 1)}
        model(tmp_path / "results", f"org/p-{size}", "step143000", task="lambada_openai", scores=scores)
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not load(tmp_path / "benchcast.yaml", Config).names_recipes
    assert "LAMBADA's perplexity" in (tmp_path / "benchcast.yaml").read_text()


def test_a_public_familys_accuracies_are_forecast(tmp_path: Path) -> None:
    source = FIELD / "01-init-accuracy-only-results" / "results"
    if not source.is_dir():
        pytest.skip("the shared cases are not beside this checkout")
    shutil.copytree(source, tmp_path / "results")
    assert benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path).returncode == 0
    told = benchcast("forecast", "benchcast.yaml", "--json", "-", cwd=tmp_path)
    (held,) = [f for f in json.loads(told.stdout)["forecasts"] if f["target"] == "p-12b"]
    assert held["forecast"] == pytest.approx(0.786, abs=0.012)


def test_few_runs_with_accuracies_alone_are_told_what_is_lacking(tmp_path: Path) -> None:
    write_family(tmp_path / "results", 4)
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "needs 7 runs and these results have 4" in done.stdout
    assert benchcast("forecast", "benchcast.yaml", cwd=tmp_path).returncode == 0


def test_results_without_samples_get_what_needs_none(tmp_path: Path) -> None:
    write_results(tmp_path / "results", with_samples=False)
    done = benchcast("init", "results", "--token-multiplier", "20", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not load(tmp_path / "benchcast.yaml", Config).names_recipes
    assert "#   llama3 needs the samples: lm_eval --log_samples" in (tmp_path / "benchcast.yaml").read_text()
    assert benchcast("forecast", "benchcast.yaml", cwd=tmp_path).returncode == 0


def test_tasks_without_a_score_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    for size in ("1b", "3b"):
        model(tmp_path / "results", f"org/m-{size}", task="wmt16", scores={"bleu,none": 21.0, "ter,none": 60.0})
    done = benchcast("init", "results", "--token-multiplier", "20", cwd=tmp_path)
    assert done.returncode == 2
    assert len([line for line in done.stderr.splitlines() if line.startswith("error:")]) == 1, done.stderr
    assert "wmt16 has bleu, ter" in done.stderr
    assert not list(tmp_path.rglob("*.yaml"))


def test_exact_matches_alone_get_a_config(tmp_path: Path) -> None:
    scores = {"exact_match,strict-match": 0.1, "exact_match,flexible-extract": 0.2}
    for size in ("1b", "3b"):
        model(tmp_path / "results", f"org/m-{size}", task="gsm8k", scores=scores)
    done = benchcast("init", "results", "--token-multiplier", "20", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [r.name for r in load(tmp_path / "benchcast.yaml", Config).recipes] == ["auto"]


def test_a_table_gets_a_config_that_runs(tmp_path: Path) -> None:
    make_ladder(noise=0.003).to_csv(tmp_path / "my ladder #1.csv", index=False)
    done = benchcast("init", "my ladder #1.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert benchcast("forecast", "benchcast.yaml", cwd=tmp_path).returncode == 0
    config = load(tmp_path / "benchcast.yaml", Config)
    assert [r.name for r in config.recipes] == ["auto", "llama3", "overtraining", "ladder"]


def test_a_run_whose_name_is_a_pattern_is_held_out(tmp_path: Path) -> None:
    table = make_ladder(noise=0.003)
    biggest = table.loc[table["flops"].idxmax(), "run"]
    table.loc[table["run"].eq(biggest), "run"] = "big[1]*?"
    table.loc[table["run"].eq(table["run"].iloc[0]), "run"] = "planned"
    table.to_csv(tmp_path / "l.csv", index=False)
    assert benchcast("init", "l.csv", cwd=tmp_path).returncode == 0
    done = benchcast("forecast", "benchcast.yaml", "--json", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"big[1]*?", "planned-1"} == {f["target"] for f in json.loads(done.stdout)["forecasts"]}


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
