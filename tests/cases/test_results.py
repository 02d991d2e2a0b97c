"""Results of lm-eval, exports of Weights & Biases and logs of the trainer, shaped like public ones."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import yaml
from worlds.results.families import PER_STEP, places
from worlds.shell import Shell, case


def values(table: pd.DataFrame, *keys: str) -> dict[object, float]:
    return dict(table.set_index(list(keys))["value"].items())


# ---- results of lm-eval ----


def test_accuracies_alone_are_enough_for_a_config(sh: Shell) -> None:
    case("01", sh.folder)
    assert sh("init", "results", "--tokens-per-step", str(PER_STEP)).code == 0
    assert "recipes" not in yaml.safe_load((sh.folder / "benchcast.yaml").read_text())  # so that auto answers
    done = sh("forecast", "benchcast.yaml", "--json", "r.json")
    assert done.code == 0, done.text
    forecasts = json.loads((sh.folder / "r.json").read_text())["forecasts"]
    held = [f for f in forecasts if f["actual"] is not None and f["recipe"] == "auto"]
    assert held
    assert all(abs(f["forecast"] - f["actual"]) < 0.05 for f in held if f["forecast"] is not None)


def test_revisions_of_one_model_are_models_of_their_own(sh: Shell) -> None:
    case("02", sh.folder)
    stated = {}
    for path in sh.folder.rglob("results_*.json"):
        content = json.loads(path.read_text())
        step = int(content["config"]["model_args"].partition("revision=step")[2].partition(",")[0])
        stated[step] = content["results"]["arc_easy"]["acc,none"]
    assert sh("init", "results", "--tokens-per-step", str(PER_STEP)).code == 0
    assert {place["step"] for place in places(sh.folder / "results").values()} == set(stated)
    table, _ = sh.ingest("lm_eval", "results")
    accuracies = table[table["metric"].eq("acc")]
    assert dict(zip(accuracies["step"], accuracies["value"], strict=True)) == stated
    plain = {"run": "p", "family": "pile", "params": 1.6e8, "tokens": 3e11}
    (sh.folder / "results" / "ladder.yaml").write_text(yaml.safe_dump({"EleutherAI/pythia-160m": plain}))
    assert "step1000" in sh.refused("lm_eval", "results")


def test_exact_matches_alone_are_scores(sh: Shell) -> None:
    case("04", sh.folder)
    table, said = sh.ingest("lm_eval", "results")
    assert set(table["metric"]) == {"exact_match,strict-match", "exact_match,flexible-extract"}
    assert set(table["chance"]) == {0.0}
    assert "gsm8k" in said  # whose reference answers have no loss
    (sh.folder / "results" / "ladder.yaml").unlink()
    assert sh("init", "results", "--token-multiplier", "20").code == 0


def test_scores_of_every_kind_are_read(sh: Shell) -> None:
    case("05", sh.folder)
    table, said = sh.ingest("lm_eval", "results")
    scored = {"arc_easy", "lambada_openai", "leaderboard_bbh_snarks", "mrpc", "truthfulqa_mc2"}
    assert set(table[table["metric"].isin(["acc", "acc_norm"])]["task"]) == scored
    generated = {"gsm8k": 2, "triviaqa": 1, "humaneval": 1, "drop": 2, "mmlu_pro": 1}
    assert {task: table[table["task"].eq(task)]["metric"].nunique() for task in generated} == generated
    assert set(table[table["task"].eq("wikitext")]["metric"]) == {"val_bpb"}
    assert "mrpc (f1)" in said  # whose score of guessing is not known


def test_groups_are_no_tasks(sh: Shell) -> None:
    case("07", sh.folder)
    table, _ = sh.ingest("lm_eval", "results")
    assert values(table[table["metric"].eq("acc")], "task") == {"mmlu_anatomy": 0.30, "mmlu_virology": 0.28}
    assert set(table["num_fewshot"]) == {5}


@pytest.mark.parametrize("option", [("--tokens-per-step", "2097152"), ("--token-multiplier", "20")])
@pytest.mark.parametrize(
    ("part", "numbers"),
    [
        ("1431k-3T", {"step": 1_431_000, "params": 1.1e9, "tokens": 3e12}),
        ("955k-token-2T", {"step": 955_000, "params": 1.1e9, "tokens": 2e12}),
        ("50K-105b", {"step": 50_000, "params": 1.1e9, "tokens": 1.05e11}),
        ("pythia-160m", {"step": 1000}),
        ("OLMo-2", {"tokens": 2.1e10}),
        ("OLMoE", {"tokens": 4.1e10}),
        ("iter_0005000", {"step": 5000}),
    ],
)
def test_numbers_in_names_are_read_for_what_they_are(
    sh: Shell, option: tuple[str, str], part: str, numbers: dict[str, float]
) -> None:
    case("08", sh.folder)
    assert sh("init", "results", *option).code == 0
    (place,) = [place for name, place in places(sh.folder / "results").items() if part in name]
    assert {key: place[key] for key in numbers} == numbers
    if len(numbers) == 3:  # and nothing else but who it is
        assert set(place) == {*numbers, "run", "family"}


@pytest.mark.parametrize("option", [("--tokens-per-step", "2097152"), ("--token-multiplier", "20")])
@pytest.mark.parametrize(
    ("part", "key", "wrong"),
    [
        ("pythia-160m", "tokens", (5e5,)),
        ("phi-3-mini-4k", "params", (4000,)),
        ("OLMoE", "params", (8e9,)),
        ("Mixtral", "params", (7e9, 8e9)),
    ],
)
def test_numbers_in_names_are_not_read_for_what_they_are_not(
    sh: Shell, option: tuple[str, str], part: str, key: str, wrong: tuple[float, ...]
) -> None:
    case("08", sh.folder)
    assert sh("init", "results", *option).code == 0
    (place,) = [place for name, place in places(sh.folder / "results").items() if part in name]
    assert place.get(key) not in wrong


def test_local_paths_are_placed_and_a_foreign_file_is_left_out(sh: Shell) -> None:
    case("22", sh.folder)
    other = sh.folder / "results" / "other"
    other.mkdir()
    (other / "results.json").write_text('{"score": 1}')
    done = sh("init", "results", "--tokens-per-step", "1e6")
    assert done.code == 0, done.err
    assert len(places(sh.folder / "results")) == 5
    assert "other/results.json" in done.text


# ---- numbers that are none ----


@pytest.mark.parametrize(
    ("number", "source", "where", "words", "row"),
    [
        ("06", "lm_eval", "results", ("results_2025-01-02T10-00-00.000000.json", "arc_easy", "acc_norm"), "row 5"),
        ("12", "wandb", "g-nan-infinity", ("300m",), "row 6"),
        ("14", "trainer", "a-nan-eval-loss", ("100m", "1000"), "row 3"),
    ],
)
def test_a_nan_is_named_by_where_it_stands_and_not_by_a_row_of_our_own_table(
    sh: Shell, number: str, source: str, where: str, words: tuple[str, ...], row: str
) -> None:
    case(number, sh.folder)
    _, said = sh.either(source, where)
    for word in words:
        assert word in said
    assert row not in said


# ---- Weights & Biases ----


def test_the_trainers_clock_comes_before_the_internal_one(sh: Shell) -> None:
    case("10", sh.folder)
    assert set(sh.ingest("wandb", "runs.csv")[0]["tokens"]) == {12000 * 524288}


@pytest.mark.parametrize("where", ["runs.csv", "without-step/runs.csv"])
def test_two_runs_of_one_name(sh: Shell, where: str) -> None:
    case("11", sh.folder)
    table, said = sh.either("wandb", where)
    if table is None:
        assert "100m" in said
    else:
        assert set(table[table["metric"].eq("val_loss")]["value"]) == {3.21, 2.95}
        assert "crashed" in said


def test_a_byte_order_mark_and_windows_lines_are_no_matter(sh: Shell) -> None:
    case("12", sh.folder)
    assert len(sh.ingest("wandb", "d-bom-crlf")[0]) == 4


def test_an_axis_of_tokens(sh: Shell) -> None:
    case("13", sh.folder)
    table, said = sh.either("wandb", "a-tokens-axis")
    if table is None:
        assert "train/tokens" in said
    else:
        assert 1e9 in set(table["tokens"])


def test_an_axis_of_lightning(sh: Shell) -> None:
    case("13", sh.folder)
    assert set(sh.ingest("wandb", "b-lightning-axis")[0]["step"]) >= {1000}


def test_training_scores_and_perplexities_are_no_validation_loss(sh: Shell) -> None:
    case("13", sh.folder)
    table, said = sh.ingest("wandb", "e-train-acc-and-perplexity")
    losses = values(table[table["metric"].eq("val_loss")], "task")
    assert sorted(losses.values()) == [4.1, 4.2]
    assert losses["validation"] == 4.1
    assert "train" not in set(table["task"])
    assert "train/acc" in said


def test_keys_of_lm_eval_without_an_accuracy_are_named(sh: Shell) -> None:
    case("13", sh.folder)
    assert "gsm8k" in sh.either("wandb", "f-lm-eval-wandb-keys")[1]


@pytest.mark.parametrize(
    ("folder", "runs"),
    [
        ("wb_na", {"NA": 0.71, "null": 0.5, "007": 0.6, "7": 0.7}),
        ("wb_num", {"007": 0.6, "7": 0.7, "7.0": 0.8}),
    ],
)
def test_runs_whose_names_look_like_numbers_stay_apart(sh: Shell, folder: str, runs: dict[str, float]) -> None:
    case("06", sh.folder, "break")
    assert values(sh.ingest("wandb", folder)[0], "run") == runs


def test_a_crashed_run_of_the_same_name_is_left_out(sh: Shell) -> None:
    case("06", sh.folder, "break")
    table, said = sh.either("wandb", "wb_same")
    if table is None:
        assert "llama-1M" in said
    else:
        assert values(table[table["task"].eq("quiz")], "run") == {"llama-1M": 0.71, "llama-2M": 0.75}
        assert "crashed" in said


def test_two_whole_runs_of_one_name_are_refused(sh: Shell) -> None:
    case("06", sh.folder, "break")
    sh.refused("wandb", "wb_two")


# ---- the trainer ----


def test_evaluation_sets_of_the_trainer_are_tasks(sh: Shell) -> None:
    case("14", sh.folder)
    assert set(sh.ingest("trainer", "d-eval-sets-and-start")[0]["task"]) == {"validation", "c4", "wiki"}
