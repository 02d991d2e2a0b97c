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
from benchcast.core.config import Config, ScoreConfig, load
from worlds.commands import benchcast
from worlds.ladders import ROOT, make_ladder
from worlds.lm_eval_results import SIZES, write_results


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
    python = subprocess.run(
        [tmp_path / "bc/bin/python", "-c", "import benchcast; print(benchcast.__file__)"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
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


CASES = Path(__file__).parents[5] / "shared" / "cases" / "field"


def result(
    folder: Path,
    model: str,
    revision: str = "",
    *,
    acc: float = 0.5,
    params: int | None = None,
    task: str = "piqa",
    scores: dict[str, float] | None = None,
) -> Path:
    """A result file in the layout of lm-eval 0.4.13, without samples."""
    place = folder / model.replace("/", "__")
    place.mkdir(parents=True, exist_ok=True)
    args = {"pretrained": model} | ({"revision": revision} if revision else {})
    config: dict[str, object] = {"model": "hf", "model_args": args, "limit": None, "batch_size": "8"}
    if params is not None:
        config |= {
            "model_num_parameters": params,
            "model_dtype": "torch.bfloat16",
            "model_revision": revision or "main",
        }
    content = {
        "results": {task: {"alias": task, **(scores or {"acc,none": acc, "acc_stderr,none": 0.01})}},
        "group_subtasks": {task: []},
        "configs": {task: {"task": task, "output_type": "multiple_choice", "num_fewshot": 0, "target_delimiter": " "}},
        "versions": {task: 1.0},
        "n-shot": {task: 0},
        "n-samples": {task: {"original": 1838, "effective": 1838}},
        "config": config,
        "lm_eval_version": "0.4.13",
        "model_name": model,
        "model_source": "hf",
    }
    path = place / f"results_2026-01-01T00-00-{len(list(place.iterdir())):02d}.000000.json"
    path.write_text(json.dumps(content))
    return path


def ladder_of(folder: Path) -> dict[str, dict[str, object]]:
    """``ladder.yaml`` of a folder, numbers as floats."""
    content = yaml.safe_load((folder / "ladder.yaml").read_text())
    return {
        name: place and {k: v if k in ("run", "family") else float(v) for k, v in place.items()}
        for name, place in content.items()
    }


FAMILY = {
    "70m": 7e7,
    "160m": 1.6e8,
    "410m": 4.1e8,
    "1b": 1e9,
    "1.4b": 1.4e9,
    "2.8b": 2.8e9,
    "6.9b": 6.9e9,
    "12b": 1.2e10,
}
PIQA = dict(zip(FAMILY, (0.598, 0.622, 0.668, 0.705, 0.711, 0.738, 0.755, 0.768), strict=True))
PER_STEP = 2097152


def write_family(folder: Path, sizes: int = 8) -> None:
    """A public family's accuracies at the end of training: no samples."""
    for size in list(FAMILY)[:sizes]:
        result(folder, f"org/p-{size}", "step143000", acc=PIQA[size])


def test_four_sizes_at_four_revisions_are_sixteen_checkpoints(tmp_path: Path) -> None:
    steps = (1000, 13000, 63000, 143000)
    for size in ("70m", "160m", "410m", "1b"):
        for i, step in enumerate(steps):
            result(tmp_path / "results", f"org/p-{size}", f"step{step}", acc=PIQA[size] - 0.03 * (3 - i))
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ladder = ladder_of(tmp_path / "results")
    assert len(ladder) == 16
    for size in ("70m", "160m", "410m", "1b"):
        for step in steps:
            assert ladder[f"org/p-{size}@step{step}"] == {
                "run": f"p-{size}",
                "family": "my-mix",
                "step": step,
                "params": FAMILY[size],
                "tokens": step * PER_STEP,
            }
    done = benchcast("ingest", "lm_eval", "--from", "results", "--out", "l.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "16 rows, 4 runs" in done.stdout


def test_accuracies_alone_get_a_config_with_auto_that_forecasts(tmp_path: Path) -> None:
    write_family(tmp_path / "results")
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = load(tmp_path / "benchcast.yaml", Config)
    assert [r.name for r in config.recipes] == ["auto"]
    assert [t.run for t in config.targets] == [None, "p-12b"]
    told = benchcast("forecast", "benchcast.yaml", "--json", "-", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    (held,) = [f for f in json.loads(told.stdout)["forecasts"] if f["target"] == "p-12b"]
    assert held["low"] <= held["actual"] <= held["high"]


def test_lambadas_perplexity_does_not_hide_auto(tmp_path: Path) -> None:
    for i, size in enumerate(FAMILY):
        scores = {"acc,none": PIQA[size], "acc_stderr,none": 0.01, "perplexity,none": 60.0 / (i + 1)}
        result(tmp_path / "results", f"org/p-{size}", "step143000", task="lambada_openai", scores=scores)
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [r.name for r in load(tmp_path / "benchcast.yaml", Config).recipes] == ["auto"]


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
                        "piqa|0": {"acc": PIQA[size], "acc_stderr": 0.01},
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
    assert [r.name for r in config.recipes] == ["auto"]
    assert len(ladder_of(tmp_path / "results")) == 8
    assert benchcast("forecast", "benchcast.yaml", cwd=tmp_path).returncode == 0


def test_a_public_familys_accuracies_are_forecast(tmp_path: Path) -> None:
    source = CASES / "01-init-accuracy-only-results" / "results"
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


def test_what_the_results_state_comes_before_the_name(tmp_path: Path) -> None:
    result(tmp_path / "results", "org/p-70m", "step1000", params=70426624)
    result(tmp_path / "results", "org/p-160m", "step1000", params=262000000)
    result(tmp_path / "results", "org/p-1b", "step1000")
    done = benchcast("init", "results", "--tokens-per-step", "1e6", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {n: p["params"] for n, p in ladder_of(tmp_path / "results").items()} == {
        "org/p-70m@step1000": 70426624,
        "org/p-160m@step1000": 2.62e8,
        "org/p-1b@step1000": 1e9,
    }
    text = (tmp_path / "results" / "ladder.yaml").read_text()
    assert "2.62e8 stated by the results, but '160m' in the name" in text
    assert "org/p-160m@step1000: params: 2.62e8 stated by the results, but '160m'" in done.stderr
    assert "p-70m" not in done.stderr  # 0.6 % apart is rounding
    assert "read from '1b'" in text


def test_a_checkpoint_on_this_machine_tells_its_size_and_tokens(tmp_path: Path) -> None:
    place = tmp_path / "ckpt" / "small" / "checkpoint-500"
    place.mkdir(parents=True)
    (place / "config.json").write_text(
        json.dumps(
            {
                "model_type": "llama",
                "num_hidden_layers": 2,
                "hidden_size": 64,
                "num_attention_heads": 4,
                "intermediate_size": 128,
                "vocab_size": 1000,
                "max_position_embeddings": 128,
            }
        )
    )
    (place / "trainer_state.json").write_text(json.dumps({"global_step": 500, "num_input_tokens_seen": 12345678}))
    result(tmp_path / "results", str(place))
    done = benchcast("init", "results", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (found,) = ladder_of(tmp_path / "results").values()
    assert found["run"] == "small"
    assert found["tokens"] == 12345678
    assert found["params"] == 2 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64) + 2 * 1000 * 64 + 64


def test_a_mixture_of_experts_is_left_to_a_person(tmp_path: Path) -> None:
    result(tmp_path / "results", "org/OLMoE-1B-7B", "step1000-tokens4B", params=6919161856)
    done = benchcast("init", "results", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = [x for x in (tmp_path / "results" / "ladder.yaml").read_text().splitlines() if not x.startswith("#")]
    assert "params" not in line.partition("#")[0]
    assert "# add params (MoE: a mixture of experts" in line
    assert "6.91916e9" in line
    assert benchcast("run", "benchcast.yaml", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("words", ["10x 20x 40x", "10xC 20xC 40xC", "10tpp 20tpp 40tpp"])
def test_a_token_multiplier_that_the_names_contradict_is_a_fault(words: str, tmp_path: Path) -> None:
    for size in ("10M", "25M"):
        for word in words.split():
            result(tmp_path / "results", f"org/lm-{size}-{word}")
    done = benchcast("init", "results", "--token-multiplier", "20", cwd=tmp_path)
    assert done.returncode == 2
    assert "org/lm-10M-40x" in done.stderr or "org/lm-10M-40tpp" in done.stderr
    assert "--token-multiplier is 20" in done.stderr
    assert not list(tmp_path.rglob("*.yaml"))
    assert benchcast("init", "results", cwd=tmp_path).returncode == 0
    by = 20 if "xC" in words else 1
    word = words.split()[2]
    assert ladder_of(tmp_path / "results")[f"org/lm-10M-{word}"]["tokens"] == 40 * by * 1e7


def test_a_token_multiplier_that_all_names_agree_with_counts(tmp_path: Path) -> None:
    for size in ("10M", "25M"):
        result(tmp_path / "results", f"org/lm-{size}-10x")
    done = benchcast("init", "results", "--token-multiplier", "200", cwd=tmp_path)  # ten times Chinchilla's 20
    assert done.returncode == 0, done.stderr
    assert ladder_of(tmp_path / "results")["org/lm-10M-10x"]["tokens"] == 200 * 1e7


@pytest.mark.parametrize(
    ("models", "options", "says"),
    [
        (["org/lm-1B-300B-tokens", "org/lm-3B-300B-tokens"], ["--token-multiplier", "20"], "300B-tokens"),
        (["org/lm-1B@step1000-tokens2B"], ["--tokens-per-step", "4e6"], "tokens2B"),
        (["org/lm-160m-0.5MtokBS@step1000"], ["--tokens-per-step", "2e6"], "'0.5MtokBS' in its name is 500000"),
        (
            ["org/lm-10M@step5000"],
            ["--tokens-per-step", "2e6", "--token-multiplier", "20"],
            "2e+08 by --token-multiplier",
        ),
        (["org/lm-10M-20tpp@step5000"], ["--tokens-per-step", "2e6"], "'20tpp' in its name is at most 2e+08"),
    ],
)
def test_an_option_that_every_model_contradicts_is_a_fault(
    models: list[str], options: list[str], says: str, tmp_path: Path
) -> None:
    for model in models:
        result(tmp_path / "results", *model.split("@"))
    done = benchcast("init", "results", *options, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert says in done.stderr
    assert models[0] in done.stderr
    assert not list(tmp_path.rglob("*.yaml"))


def test_what_single_names_state_comes_before_an_option_and_is_said(tmp_path: Path) -> None:
    result(tmp_path / "results", "org/lm-160m-0.5MtokBS", "step1000")
    result(tmp_path / "results", "org/lm-160m", "step1000")
    done = benchcast("init", "results", "--tokens-per-step", "2e6", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = ladder_of(tmp_path / "results")
    assert found["org/lm-160m-0.5MtokBS@step1000"]["tokens"] == 5e8
    assert found["org/lm-160m@step1000"]["tokens"] == 2e9
    assert "does not fit 1 of the models" in done.stderr
    assert "'0.5MtokBS' in its name is 500000 tokens a step" in done.stderr


def test_earlier_steps_saw_their_share(tmp_path: Path) -> None:
    for step in (50, 100):
        result(tmp_path / "results", f"/runs/10M/step-{step}")
    done = benchcast("init", "results", "--token-multiplier", "20", cwd=tmp_path)
    assert [p["tokens"] for p in ladder_of(tmp_path / "results").values()] == [1e8, 2e8]
    assert "its last step in these results was taken for it" in done.stderr


def test_tokens_per_step_in_another_unit_is_a_fault(tmp_path: Path) -> None:
    result(tmp_path / "results", "org/p-1b", "step1000")
    done = benchcast("init", "results", "--tokens-per-step", "2", cwd=tmp_path)
    assert done.returncode == 2
    assert "are the tokens in millions? (correct --tokens-per-step)" in done.stderr
    assert not list(tmp_path.rglob("*.yaml"))


def test_the_first_steps_of_large_models_are_no_other_unit(tmp_path: Path) -> None:
    """2 million tokens for 12 billion parameters are few, but the run goes on."""
    for size in FAMILY:
        for step in (1, 2, 143000):
            result(tmp_path / "results", f"org/p-{size}", f"step{step}", acc=PIQA[size] - 0.1 * (step < 3))
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cannot be" not in done.stdout
    assert benchcast("forecast", "benchcast.yaml", cwd=tmp_path).returncode == 0


def test_tokens_that_do_not_grow_with_the_steps_are_left_to_add(tmp_path: Path) -> None:
    for revision in ("step1000-tokens4B", "step2000-tokens2B"):
        result(tmp_path / "results", "org/p-1b", revision)
    assert benchcast("init", "results", cwd=tmp_path).returncode == 0
    assert all("tokens" not in place for place in ladder_of(tmp_path / "results").values())
    assert "tokens do not grow with the run's steps" in (tmp_path / "results" / "ladder.yaml").read_text()


def test_a_checkpoint_at_step_zero_is_left_out_and_the_rest_runs(tmp_path: Path) -> None:
    write_family(tmp_path / "results")
    result(tmp_path / "results", "org/p-70m", "step0", acc=0.5)
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "left out 1: checkpoints at step 0, which have seen no tokens: org/p-70m@step0" in done.stderr
    assert ladder_of(tmp_path / "results")["org/p-70m@step0"] is None
    told = benchcast("ingest", "lm_eval", "--from", "results", "--out", "l.csv", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "8 rows, 8 runs" in told.stdout


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
    result(tmp_path / "results", "org/p-1b", "step1000")
    (tmp_path / "results" / "ladder.yaml").write_text("a: {}\na: {}\n")
    done = benchcast("init", "results", cwd=tmp_path)
    assert done.returncode == 2
    assert "ladder.yaml: cannot be read: line 2: the key 'a' is there twice" in done.stderr
    assert not (tmp_path / "benchcast.yaml").exists()


def test_a_ladder_is_compared_with_what_the_results_state(tmp_path: Path) -> None:
    result(tmp_path / "results", "org/p-1b", "step1000", params=1011781632)
    (tmp_path / "results" / "ladder.yaml").write_text("org/p-1b@step1000: {family: x, params: 1e8, tokens: 2e9}\n")
    done = benchcast("init", "results", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "org/p-1b@step1000: params 1e+08 in results/ladder.yaml, but its results state 1.01178e+09" in done.stderr


def test_runs_of_one_name_by_two_owners_stay_two(tmp_path: Path) -> None:
    for owner in ("a", "b"):
        result(tmp_path / "results", f"{owner}/lm-1B", "step1000")
    assert benchcast("init", "results", "--tokens-per-step", "1e6", cwd=tmp_path).returncode == 0
    assert {p["run"] for p in ladder_of(tmp_path / "results").values()} == {"a/lm-1B", "b/lm-1B"}


def test_an_adapter_is_no_checkpoint_of_its_base(tmp_path: Path) -> None:
    path = result(tmp_path / "results", "org/m-1b")
    content = json.loads(path.read_text())
    content["config"]["model_args"] = {"pretrained": "org/m-1b", "peft": "/x/lora/checkpoint-300"}
    content["model_name"] = "/x/lora/checkpoint-300"
    path.write_text(json.dumps(content))
    assert benchcast("init", "results", "--tokens-per-step", "1e6", cwd=tmp_path).returncode == 0
    (found,) = ladder_of(tmp_path / "results").values()
    assert not {"step", "tokens"} & set(found)


def test_a_file_of_lm_eval_03_tells_what_the_model_does_not(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    for step in (1000, 2000):
        (tmp_path / "results" / f"lm-160m_step{step}.json").write_text(
            json.dumps(
                {
                    "results": {"piqa": {"acc": 0.6 + step / 1e5, "acc_stderr": 0.01}},
                    "versions": {"piqa": 0},
                    "config": {"model": "hf-causal", "model_args": "pretrained=/ckpt/current", "num_fewshot": 0},
                }
            )
        )
    assert benchcast("init", "results", "--tokens-per-step", "1e6", cwd=tmp_path).returncode == 0
    assert ladder_of(tmp_path / "results") == {
        f"lm-160m_step{step}": {
            "run": "lm-160m",
            "family": "my-mix",
            "step": step,
            "params": 1.6e8,
            "tokens": step * 1e6,
        }
        for step in (1000, 2000)
    }


def test_public_names_are_read_or_left_to_add(tmp_path: Path) -> None:
    source = CASES / "08-names-of-public-checkpoints" / "results"
    if not source.is_dir():
        pytest.skip("the shared cases are not beside this checkout")
    shutil.copytree(source, tmp_path / "results")
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = ladder_of(tmp_path / "results")
    tiny = "TinyLlama/TinyLlama-1.1B-intermediate-step"
    assert (found[f"{tiny}-1431k-3T"]["step"], found[f"{tiny}-1431k-3T"]["tokens"]) == (1431000, 3e12)
    assert found[f"{tiny}-955k-token-2T"]["tokens"] == 2e12
    assert found["allenai/OLMo-2-0425-1B@stage1-step10000-tokens21B"]["tokens"] == 2.1e10
    assert found["EleutherAI/pythia-160m-0.5MtokBS@step1000"]["tokens"] == 5e8
    assert "params" not in found["microsoft/phi-3-mini-4k-instruct"]


def test_tasks_without_an_accuracy_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    scores = {"exact_match,strict-match": 0.1, "exact_match,flexible-extract": 0.2}
    for size in ("1b", "3b"):
        result(tmp_path / "results", f"org/m-{size}", task="gsm8k", scores=scores)
    done = benchcast("init", "results", "--token-multiplier", "20", cwd=tmp_path)
    assert done.returncode == 2
    assert len([line for line in done.stderr.splitlines() if line.startswith("error:")]) == 1, done.stderr
    assert "gsm8k" in done.stderr
    assert not list(tmp_path.rglob("*.yaml"))


def test_a_foreign_file_is_left_out_with_a_line(tmp_path: Path) -> None:
    write_family(tmp_path / "results")
    (tmp_path / "results" / "other").mkdir()
    (tmp_path / "results" / "other" / "results.json").write_text('{"score": 1}')
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "left out 1: JSON files that are no results of lm-eval: other/results.json" in done.stderr


def test_a_folder_with_odd_things_in_it_neither_hangs_nor_fails(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_family(results)
    (results / "org__p-70m").rename(results / os.fsdecode(b"org-\xff"))
    os.mkfifo(results / "results_pipe.json")
    os.mkfifo(results / "config.json")
    result(results, "org/\x1b[31mp-33m", "step1000")
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


def test_exports_and_states_name_the_command_that_reads_them(tmp_path: Path) -> None:
    (tmp_path / "wb").mkdir()
    (tmp_path / "wb" / "x.csv").write_text('"Step","run-a - eval/loss"\n10,3.5\n')
    (tmp_path / "hf" / "run" / "checkpoint-10").mkdir(parents=True)
    (tmp_path / "hf" / "run" / "checkpoint-10" / "trainer_state.json").write_text(
        '{"log_history": [], "global_step": 10}'
    )
    (tmp_path / "t").mkdir()
    make_ladder().to_csv(tmp_path / "t" / "l.csv", index=False)
    for folder, says in (
        ("wb", "benchcast ingest wandb"),
        ("wb/x.csv", "benchcast ingest wandb"),
        ("hf", "benchcast ingest trainer --from hf"),
        ("t", "benchcast init t/l.csv"),
    ):
        done = benchcast("init", folder, cwd=tmp_path)
        assert done.returncode == 2
        assert says in done.stderr, done.stderr
    assert not list(tmp_path.rglob("*.yaml"))


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


def test_checkpoints_at_step_zero_are_not_scored(tmp_path: Path) -> None:
    config = {
        "model_type": "llama",
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "vocab_size": 1000,
        "max_position_embeddings": 128,
    }
    for step in (0, 100, 200):
        place = tmp_path / "runs" / "tiny" / f"step-{step}"
        place.mkdir(parents=True)
        (place / "config.json").write_text(json.dumps(config))
        (place / "model.safetensors").write_bytes(b"")
        (place / "trainer_state.json").write_text("{}")
    done = benchcast("init", "runs", "--tokens-per-step", "1000", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "evaluation losses: benchcast ingest trainer --from runs" in done.stdout
    assert "checkpoints at step 0, which have seen no tokens: tiny/step-0" in done.stderr
    score = load(tmp_path / "benchcast.yaml", ScoreConfig).score
    (pattern,) = score.checkpoints
    assert sorted(p.name for p in tmp_path.glob(pattern)) == ["step-100", "step-200"]
    assert score.place.tokens_per_step == 1000
    assert "tiny: 2 checkpoints, 2.10" in (tmp_path / "benchcast.yaml").read_text()


def test_results_without_samples_get_what_needs_none(tmp_path: Path) -> None:
    write_results(tmp_path / "results", with_samples=False)
    done = benchcast("init", "results", "--token-multiplier", "20", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [r.name for r in load(tmp_path / "benchcast.yaml", Config).recipes] == ["auto"]
    assert "# - llama3   # needs the samples: lm_eval --log_samples" in (tmp_path / "benchcast.yaml").read_text()
    assert benchcast("forecast", "benchcast.yaml", cwd=tmp_path).returncode == 0


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
    assert "ingest trainer" not in done.stdout
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
