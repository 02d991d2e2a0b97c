"""A model's parameters, run and step as ``benchcast init`` has them: stated, read from a file, or from the name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from worlds.architectures import SMALL
from worlds.commands import benchcast
from worlds.ladders import FIELD
from worlds.results.families import ACCURACY, FAMILY, PER_STEP, model, places


def test_four_sizes_at_four_revisions_are_sixteen_checkpoints(tmp_path: Path) -> None:
    steps = (1000, 13000, 63000, 143000)
    for size in ("70m", "160m", "410m", "1b"):
        for i, step in enumerate(steps):
            model(tmp_path / "results", f"org/p-{size}", f"step{step}", acc=ACCURACY[size] - 0.03 * (3 - i))
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ladder = places(tmp_path / "results")
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


def test_what_the_results_state_comes_before_the_name(tmp_path: Path) -> None:
    model(tmp_path / "results", "org/p-70m", "step1000", params=70426624)
    model(tmp_path / "results", "org/p-160m", "step1000", params=262000000)
    model(tmp_path / "results", "org/p-1b", "step1000")
    done = benchcast("init", "results", "--tokens-per-step", "1e6", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {n: p["params"] for n, p in places(tmp_path / "results").items()} == {
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
    (place / "config.json").write_text(json.dumps(SMALL))
    (place / "trainer_state.json").write_text(json.dumps({"global_step": 500, "num_input_tokens_seen": 12345678}))
    model(tmp_path / "results", str(place))
    done = benchcast("init", "results", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (found,) = places(tmp_path / "results").values()
    assert found["run"] == "small"
    assert found["tokens"] == 12345678
    assert found["params"] == 2 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64) + 2 * 1000 * 64 + 64


def test_a_mixture_of_experts_is_left_to_a_person(tmp_path: Path) -> None:
    model(tmp_path / "results", "org/OLMoE-1B-7B", "step1000-tokens4B", params=6919161856)
    done = benchcast("init", "results", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = [x for x in (tmp_path / "results" / "ladder.yaml").read_text().splitlines() if not x.startswith("#")]
    assert "params" not in line.partition("#")[0]
    assert "# add params (MoE: a mixture of experts" in line
    assert "6.91916e9" in line
    assert benchcast("run", "benchcast.yaml", cwd=tmp_path).returncode == 2


def test_an_adapter_is_no_checkpoint_of_its_base(tmp_path: Path) -> None:
    path = model(tmp_path / "results", "org/m-1b")
    content = json.loads(path.read_text())
    content["config"]["model_args"] = {"pretrained": "org/m-1b", "peft": "/x/lora/checkpoint-300"}
    content["model_name"] = "/x/lora/checkpoint-300"
    path.write_text(json.dumps(content))
    assert benchcast("init", "results", "--tokens-per-step", "1e6", cwd=tmp_path).returncode == 0
    (found,) = places(tmp_path / "results").values()
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
    assert places(tmp_path / "results") == {
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
    source = FIELD / "08-names-of-public-checkpoints" / "results"
    if not source.is_dir():
        pytest.skip("the shared cases are not beside this checkout")
    shutil.copytree(source, tmp_path / "results")
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = places(tmp_path / "results")
    tiny = "TinyLlama/TinyLlama-1.1B-intermediate-step"
    assert (found[f"{tiny}-1431k-3T"]["step"], found[f"{tiny}-1431k-3T"]["tokens"]) == (1431000, 3e12)
    assert found[f"{tiny}-955k-token-2T"]["tokens"] == 2e12
    assert found["allenai/OLMo-2-0425-1B@stage1-step10000-tokens21B"]["tokens"] == 2.1e10
    assert found["EleutherAI/pythia-160m-0.5MtokBS@step1000"]["tokens"] == 5e8
    assert "params" not in found["microsoft/phi-3-mini-4k-instruct"]


def test_runs_of_one_name_by_two_owners_stay_two(tmp_path: Path) -> None:
    for owner in ("a", "b"):
        model(tmp_path / "results", f"{owner}/lm-1B", "step1000")
    assert benchcast("init", "results", "--tokens-per-step", "1e6", cwd=tmp_path).returncode == 0
    assert {p["run"] for p in places(tmp_path / "results").values()} == {"a/lm-1B", "b/lm-1B"}
