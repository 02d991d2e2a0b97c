"""How ``benchcast init`` counts tokens: by an option, by the names, and where the two contradict each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds.commands import benchcast
from worlds.results.families import ACCURACY, FAMILY, PER_STEP, model, places, write_family


@pytest.mark.parametrize("words", ["10x 20x 40x", "10xC 20xC 40xC", "10tpp 20tpp 40tpp"])
def test_a_token_multiplier_that_the_names_contradict_is_a_fault(words: str, tmp_path: Path) -> None:
    for size in ("10M", "25M"):
        for word in words.split():
            model(tmp_path / "results", f"org/lm-{size}-{word}")
    done = benchcast("init", "results", "--token-multiplier", "20", cwd=tmp_path)
    assert done.returncode == 2
    assert "org/lm-10M-40x" in done.stderr or "org/lm-10M-40tpp" in done.stderr
    assert "--token-multiplier is 20" in done.stderr
    assert not list(tmp_path.rglob("*.yaml"))
    assert benchcast("init", "results", cwd=tmp_path).returncode == 0
    by = 20 if "xC" in words else 1
    word = words.split()[2]
    assert places(tmp_path / "results")[f"org/lm-10M-{word}"]["tokens"] == 40 * by * 1e7


def test_a_token_multiplier_that_all_names_agree_with_counts(tmp_path: Path) -> None:
    for size in ("10M", "25M"):
        model(tmp_path / "results", f"org/lm-{size}-10x")
    done = benchcast("init", "results", "--token-multiplier", "200", cwd=tmp_path)  # ten times Chinchilla's 20
    assert done.returncode == 0, done.stderr
    assert places(tmp_path / "results")["org/lm-10M-10x"]["tokens"] == 200 * 1e7


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
    for name in models:
        model(tmp_path / "results", *name.split("@"))
    done = benchcast("init", "results", *options, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert says in done.stderr
    assert models[0] in done.stderr
    assert not list(tmp_path.rglob("*.yaml"))


def test_what_single_names_state_comes_before_an_option_and_is_said(tmp_path: Path) -> None:
    model(tmp_path / "results", "org/lm-160m-0.5MtokBS", "step1000")
    model(tmp_path / "results", "org/lm-160m", "step1000")
    done = benchcast("init", "results", "--tokens-per-step", "2e6", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = places(tmp_path / "results")
    assert found["org/lm-160m-0.5MtokBS@step1000"]["tokens"] == 5e8
    assert found["org/lm-160m@step1000"]["tokens"] == 2e9
    assert "contradicts 1 of the models" in done.stderr
    assert "'0.5MtokBS' in its name is 500000 tokens a step" in done.stderr


def test_earlier_steps_saw_their_share(tmp_path: Path) -> None:
    for step in (50, 100):
        model(tmp_path / "results", f"/runs/10M/step-{step}")
    done = benchcast("init", "results", "--token-multiplier", "20", cwd=tmp_path)
    assert [p["tokens"] for p in places(tmp_path / "results").values()] == [1e8, 2e8]
    assert "its last step in these results counts as the end" in done.stderr


def test_tokens_per_step_in_another_unit_is_a_fault(tmp_path: Path) -> None:
    model(tmp_path / "results", "org/p-1b", "step1000")
    done = benchcast("init", "results", "--tokens-per-step", "2", cwd=tmp_path)
    assert done.returncode == 2
    assert "are the tokens in millions? (correct --tokens-per-step)" in done.stderr
    assert not list(tmp_path.rglob("*.yaml"))


def test_the_first_steps_of_large_models_are_no_other_unit(tmp_path: Path) -> None:
    """2 million tokens for 12 billion parameters are few, but the run goes on."""
    for size in FAMILY:
        for step in (1, 2, 143000):
            model(tmp_path / "results", f"org/p-{size}", f"step{step}", acc=ACCURACY[size] - 0.1 * (step < 3))
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cannot be" not in done.stdout
    assert benchcast("forecast", "benchcast.yaml", cwd=tmp_path).returncode == 0


def test_tokens_that_do_not_grow_with_the_steps_are_left_to_add(tmp_path: Path) -> None:
    for revision in ("step1000-tokens4B", "step2000-tokens2B"):
        model(tmp_path / "results", "org/p-1b", revision)
    assert benchcast("init", "results", cwd=tmp_path).returncode == 0
    assert all("tokens" not in place for place in places(tmp_path / "results").values())
    assert "tokens do not grow with the run's steps" in (tmp_path / "results" / "ladder.yaml").read_text()


def test_a_checkpoint_at_step_zero_is_left_out_and_the_rest_runs(tmp_path: Path) -> None:
    write_family(tmp_path / "results")
    model(tmp_path / "results", "org/p-70m", "step0", acc=0.5)
    done = benchcast("init", "results", "--tokens-per-step", str(PER_STEP), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "left out 1: checkpoints at step 0, which have seen no tokens: org/p-70m@step0" in done.stderr
    assert places(tmp_path / "results")["org/p-70m@step0"] is None
    told = benchcast("ingest", "lm_eval", "--from", "results", "--out", "l.csv", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "8 rows, 8 runs" in told.stdout
