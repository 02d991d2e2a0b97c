"""Inputs that once gave a wrong number in silence, or stopped what works: each by the command a user would type.

They are shaped like public files and bug reports and lie beside the checkout; without them these tests are skipped. The
same kinds, built small, are in the tests of each reader. Cases that score checkpoints are in the tests of ``score``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml
from benchcast.cli import app as cli
from benchcast.data import schema

CASES = Path(__file__).parents[2] / "shared" / "cases"
DEMO = Path(cli.__file__).parent / "demo_ladder" / "ladder.csv"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


class Shell:
    """The command line in this process, in a scratch folder; no warning and no traceback may come out of it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)

    def __call__(self, *arguments: str) -> Done:
        self.capsys.readouterr()
        self.monkeypatch.setattr(sys, "argv", ["benchcast", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = self.capsys.readouterr()
        for sign in ("--debug to see where", "Traceback", "\x1b", "np.float64"):
            assert sign not in out + err, f"{arguments}: {out}{err}"
        assert len(err.splitlines()) <= 40
        return Done(code, out, err)

    def table(self, source: str, where: str) -> pd.DataFrame:
        done = self("ingest", source, "--from", where, "--out", "t.csv")
        assert done.code == 0, done.err
        return schema.read(self.folder / "t.csv")

    def refused(self, source: str, where: str) -> str:
        done = self("ingest", source, "--from", where, "--out", "no.csv")
        assert done.code == 2, done.said
        assert not (self.folder / "no.csv").exists()
        return done.err


@pytest.fixture
def sh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capsys)


def case(number: str, folder: Path, kind: str = "field") -> Path:
    """A copy of a case in the scratch folder."""
    found = sorted((CASES / kind).glob(f"{number}-*")) if CASES.is_dir() else []
    if not found:
        pytest.skip(f"case {number} is not beside the checkout")
    shutil.copytree(found[0], folder, dirs_exist_ok=True)
    return folder


def cells(table: pd.DataFrame, *keys: str) -> dict[object, float]:
    return dict(table.set_index(list(keys))["value"].items())


def placed(folder: Path) -> dict[str, dict[str, float]]:
    """What ``ladder.yaml`` says, numbers as numbers."""
    content = yaml.safe_load((folder / "ladder.yaml").read_text())
    return {
        model: {k: float(v) for k, v in (place or {}).items() if k in ("params", "tokens", "step")}
        for model, place in content.items()
    }


# ---- results of lm-eval ----


def test_accuracies_alone_are_enough_for_a_config(sh: Shell) -> None:
    case("01", sh.folder)
    assert sh("init", "results", "--tokens-per-step", "2097152").code == 0
    assert "auto" in yaml.safe_load((sh.folder / "benchcast.yaml").read_text())["recipes"]
    done = sh("forecast", "benchcast.yaml", "--json", "r.json")
    assert done.code == 0, done.said
    held = [f for f in json.loads((sh.folder / "r.json").read_text())["forecasts"] if f["actual"] is not None]
    assert held
    assert all(abs(f["forecast"] - f["actual"]) < 0.05 for f in held if f["forecast"] is not None)


def test_revisions_of_one_model_are_models_of_their_own(sh: Shell) -> None:
    case("02", sh.folder)
    stated = {}
    for path in sh.folder.rglob("results_*.json"):
        content = json.loads(path.read_text())
        step = int(content["config"]["model_args"].partition("revision=step")[2].partition(",")[0])
        stated[step] = content["results"]["arc_easy"]["acc,none"]
    assert sh("init", "results", "--tokens-per-step", "2097152").code == 0
    places = placed(sh.folder / "results")
    assert {p["step"] for p in places.values()} == set(stated)
    table = sh.table("lm_eval", "results")
    accuracies = table[table["metric"].eq("acc")]
    assert dict(zip(accuracies["step"], accuracies["value"], strict=True)) == stated
    plain = {"run": "p", "family": "pile", "params": 1.6e8, "tokens": 3e11}
    (sh.folder / "results" / "ladder.yaml").write_text(yaml.safe_dump({"EleutherAI/pythia-160m": plain}))
    assert "step1000" in sh.refused("lm_eval", "results")


def test_no_accuracy_at_all_is_said_in_one_message(sh: Shell) -> None:
    case("04", sh.folder)
    err = sh.refused("lm_eval", "results")
    assert "exact_match" in err
    assert "gsm8k" in err
    assert len(err.splitlines()) <= 4
    (sh.folder / "results" / "ladder.yaml").unlink()
    done = sh("init", "results", "--token-multiplier", "20")
    assert done.code == 2, done.said
    assert "exact_match" in done.err
    assert not (sh.folder / "benchcast.yaml").exists()


def test_tasks_without_an_accuracy_are_named(sh: Shell) -> None:
    case("05", sh.folder)
    done = sh("ingest", "lm_eval", "--from", "results", "--out", "l.csv")
    assert done.code == 0, done.err
    table = schema.read(sh.folder / "l.csv")
    scored = {"arc_easy", "lambada_openai", "leaderboard_bbh_snarks", "mrpc", "truthfulqa_mc2"}
    assert set(table[table["metric"].isin(["acc", "acc_norm"])]["task"]) == scored
    told = done.err
    assert "left out" in told
    for name in ("gsm8k", "wikitext", "triviaqa", "humaneval", "drop", "mmlu_pro", "mrpc"):
        assert name in told, name


def test_an_accuracy_that_is_nan_is_named(sh: Shell) -> None:
    case("06", sh.folder)
    done = sh("ingest", "lm_eval", "--from", "results", "--out", "l.csv")
    for part in ("results_2025-01-02T10-00-00.000000.json", "arc_easy", "acc_norm"):
        assert part in done.err
    assert "row 5" not in done.err


def test_groups_are_no_tasks(sh: Shell) -> None:
    case("07", sh.folder)
    table = sh.table("lm_eval", "results")
    assert cells(table[table["metric"].eq("acc")], "task") == {"mmlu_anatomy": 0.30, "mmlu_virology": 0.28}
    assert set(table["num_fewshot"]) == {5}


@pytest.mark.parametrize("option", [("--tokens-per-step", "2097152"), ("--token-multiplier", "20")])
def test_numbers_in_names_are_read_for_what_they_are(sh: Shell, option: tuple[str, str]) -> None:
    case("08", sh.folder)
    done = sh("init", "results", *option)
    assert done.code == 0, done.err
    places = placed(sh.folder / "results")

    def of(part: str) -> dict[str, float]:
        (found,) = [place for model, place in places.items() if part in model]
        return found

    assert of("1431k-3T") == {"step": 1_431_000, "params": 1.1e9, "tokens": 3e12}
    assert of("955k-token-2T") == {"step": 955_000, "params": 1.1e9, "tokens": 2e12}
    assert of("50K-105b") == {"step": 50_000, "params": 1.1e9, "tokens": 1.05e11}
    assert of("pythia-160m").get("tokens") != 5e5
    assert of("pythia-160m")["step"] == 1000
    assert of("phi-3-mini-4k").get("params") != 4000
    assert of("OLMo-2")["tokens"] == 2.1e10
    assert of("OLMoE")["tokens"] == 4.1e10
    assert of("OLMoE").get("params") != 8e9
    assert of("iter_0005000")["step"] == 5000
    assert of("Mixtral").get("params") not in (7e9, 8e9)


def test_local_paths_are_placed_and_a_foreign_file_is_left_out(sh: Shell) -> None:
    case("22", sh.folder)
    other = sh.folder / "results" / "other"
    other.mkdir()
    (other / "results.json").write_text('{"score": 1}')
    done = sh("init", "results", "--tokens-per-step", "1e6")
    assert done.code == 0, done.err
    assert len(placed(sh.folder / "results")) == 5
    assert "other/results.json" in done.said


# ---- Weights & Biases ----


def test_the_trainers_clock_comes_before_the_internal_one(sh: Shell) -> None:
    case("10", sh.folder)
    assert set(sh.table("wandb", "runs.csv")["tokens"]) == {12000 * 524288}


@pytest.mark.parametrize("where", ["runs.csv", "without-step/runs.csv"])
def test_two_runs_of_one_name(sh: Shell, where: str) -> None:
    case("11", sh.folder)
    done = sh("ingest", "wandb", "--from", where, "--out", "w.csv")
    if done.code == 0:
        table = schema.read(sh.folder / "w.csv")
        assert set(table[table["metric"].eq("val_loss")]["value"]) == {3.21, 2.95}
        assert "crashed" in done.err
    else:
        assert done.code == 2
        assert "100m" in done.err


def test_numbers_as_other_countries_write_them(sh: Shell) -> None:
    case("12", sh.folder)
    assert "percent" in sh.refused("wandb", "a-percent").lower()
    assert "31.2%" in sh.refused("wandb", "b-percent-sign")
    assert "semicolon" in sh.refused("wandb", "c-semicolon-decimal-comma").lower()
    assert len(sh.table("wandb", "d-bom-crlf")) == 4
    err = sh.refused("wandb", "e-step-thousands")
    assert "12,000" in err
    assert "tokens_per_step" not in err
    assert "0,312" in sh.refused("wandb", "f-decimal-comma-quoted")
    done = sh("ingest", "wandb", "--from", "g-nan-infinity", "--out", "w.csv")
    assert "300m" in done.err
    assert "row 6" not in done.err


def test_other_axes_and_other_losses(sh: Shell) -> None:
    case("13", sh.folder)
    done = sh("ingest", "wandb", "--from", "a-tokens-axis", "--out", "a.csv")
    if done.code == 0:
        assert 1e9 in set(schema.read(sh.folder / "a.csv")["tokens"])
    else:
        assert "train/tokens" in done.err
    assert set(sh.table("wandb", "b-lightning-axis")["step"]) >= {1000}
    assert "Group: 100m" in sh.refused("wandb", "c-grouped")  # ladder.yaml does not say where a group stands
    done = sh("ingest", "wandb", "--from", "d-duplicate-run-columns", "--out", "d.csv")
    assert done.code == 2, done.said
    done = sh("ingest", "wandb", "--from", "e-train-acc-and-perplexity", "--out", "e.csv")
    assert done.code == 0, done.err
    table = schema.read(sh.folder / "e.csv")
    losses = cells(table[table["metric"].eq("val_loss")], "task")
    assert sorted(losses.values()) == [4.1, 4.2]
    assert losses["validation"] == 4.1
    assert "train" not in set(table["task"])
    assert "train/acc" in done.err
    done = sh("ingest", "wandb", "--from", "f-lm-eval-wandb-keys", "--out", "f.csv")
    assert "gsm8k" in done.err


# ---- the trainer ----


def test_states_of_the_trainer(sh: Shell) -> None:
    case("14", sh.folder)
    err = sh("ingest", "trainer", "--from", "a-nan-eval-loss", "--out", "a.csv").err
    assert "100m" in err
    assert "1000" in err
    assert "row 3" not in err
    for folder in ("c-tokens-counted-after-resume", "g-tokens-fall-as-steps-grow"):
        assert "tokens" in sh.refused("trainer", folder)
    assert set(sh.table("trainer", "d-eval-sets-and-start")["task"]) == {"validation", "c4", "wiki"}
    done = sh("ingest", "trainer", "--from", "e-moe-config", "--out", "e.csv")
    assert done.code == 2, done.said
    assert "expert" in done.err
    assert sh("ingest", "trainer", "--from", "f-sum-loss", "--out", "f.csv").code == 2


# ---- plans ----


def plan(sh: Shell, data: str) -> tuple[Done, dict[str, float]]:
    """Outcome, and parameters and tokens of the first answer."""
    done = sh("plan", "--flops", "1e22", "--data", data, "--json", "p.json")
    if done.code:
        return done, {}
    answer = json.loads((sh.folder / "p.json").read_text())["answers"][0]
    return done, {name: answer[name]["value"] for name in ("params", "tokens")}


def test_plans_from_runs_in_billions(sh: Shell) -> None:
    case("16", sh.folder)
    _, right = plan(sh, "right.csv")
    assert right["params"] == pytest.approx(5.1e9, rel=0.1)
    assert right["tokens"] == pytest.approx(3.26e11, rel=0.1)
    for name in ("both_in_billions", "tokens_in_billions", "tokens_in_millions"):
        done, _ = plan(sh, f"{name}.csv")
        assert done.code == 2, done.said
        assert "tokens per parameter" in done.err or "illion" in done.err, done.err


def test_plans_from_dirty_tables(sh: Shell) -> None:
    case("17", sh.folder)
    done, twice = plan(sh, "duplicates.csv")
    assert "30" in done.said
    assert "repeat" in done.said
    _, clean = plan(sh, "bom_crlf.csv")
    assert twice == pytest.approx(clean, rel=1e-6)
    done, _ = plan(sh, "one_ratio.csv")
    assert "tokens per parameter" in done.said or "tokens-per-parameter" in done.said
    assert plan(sh, "one_diverged.csv")[0].code == 0
    done, _ = plan(sh, "with_nan_inf_loss.csv")
    assert done.code == 2
    assert "nan" in done.err
    assert "semicolon" in plan(sh, "semicolon_decimal_comma.csv")[0].err.lower()
    for name, cell in (("suffixes", "50M"), ("thousands", "50,000,000")):
        done, _ = plan(sh, f"{name}.csv")
        assert done.code == 2
        assert cell in done.err


# ---- ladder tables, configs ----


def test_a_ladder_table_in_billions(sh: Shell) -> None:
    case("18", sh.folder)
    done = sh("forecast", "c.yaml", "--data", "right.csv")
    assert done.code == 0
    assert "76.7" in done.out
    done = sh("forecast", "c.yaml", "--data", "tokens_in_billions_flops_given.csv")
    assert done.code == 2, done.said
    assert "tokens per parameter" in done.err or "illion" in done.err


def test_a_target_in_billions(sh: Shell) -> None:
    case("19", sh.folder)
    assert sh("forecast", "bom_crlf.yaml").code == 0
    done = sh("forecast", "billions_target.yaml")
    assert done.code == 2, done.said
    assert "illion" in done.err


def test_scores_whose_tokens_were_rounded_do_not_join(sh: Shell) -> None:
    case("23", sh.folder)
    done = sh("ingest", "table", "--from", "losses.csv", "--add", "scores_rounded_tokens.csv", "--out", "m.csv")
    assert "24 of 25 runs" in done.err
    assert "different tokens" in done.err


def test_ladder_tables_of_other_formats(sh: Shell) -> None:
    case("24", sh.folder)
    base = sh.table("table", "base.csv")
    for name in ("bom_crlf.csv", "base.csv.gz", "trailing_space.csv"):
        pd.testing.assert_frame_equal(sh.table("table", name), base)
    for name, word in (
        ("semicolon.csv", "semicolon"),
        ("tab.tsv", "tab"),
        ("utf16.csv", "UTF-16"),
        ("thousands.csv", "56,136"),
        ("metric_accuracy.csv", "accuracy"),
        ("capital_headers.csv", "Run"),
    ):
        done = sh("ingest", "table", "--from", name, "--out", "other.csv")
        assert word.lower() in done.err.lower(), f"{name}: {done.err}"
        assert len(done.err.splitlines()) <= 22
        if done.code == 0:  # read all the same, and said how: then the numbers are the same too
            found = schema.read(sh.folder / "other.csv")
            pd.testing.assert_frame_equal(found[["run", "task", "value"]], base[["run", "task", "value"]])


# ---- attacks ----

PLANNED = """\
data: {source: demo}
targets: [{name: p, params: 3e6, token_multiplier: 20}]
recipes: [ladder]
tasks: [recall]
"""


def test_a_register_without_its_last_newline_is_not_broken(sh: Shell) -> None:
    (sh.folder / "c.yaml").write_text(PLANNED)
    (sh.folder / "d.yaml").write_text(PLANNED.replace("3e6", "4e6"))
    assert sh("register", "c.yaml", "--register", "f.jsonl").code == 0
    path = sh.folder / "f.jsonl"
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    done = sh("register", "d.yaml", "--register", "f.jsonl")
    if done.code == 0:
        assert len(path.read_text().splitlines()) == 2
        assert sh("register", "c.yaml", "--register", "f.jsonl").code == 0
        assert len(path.read_text().splitlines()) == 3


def test_a_run_of_the_fitted_table_does_not_settle_a_forecast(sh: Shell) -> None:
    ladder = schema.read(DEMO)
    ladder.to_csv("ladder.csv", index=False)
    end = ladder[ladder["run"].eq("1.3M-10x")].sort_values("tokens").iloc[-1]
    target = {"name": "my-plan", "params": float(end["params"]), "tokens": float(end["tokens"])}
    config = {"data": {"source": "table", "path": "ladder.csv"}, "targets": [target], "recipes": ["ladder"]}
    (sh.folder / "peek.yaml").write_text(yaml.safe_dump(config | {"tasks": ["recall"]}))
    assert sh("register", "peek.yaml", "--register", "f.jsonl").code == 0
    done = sh("settle", "ladder.csv", "--register", "f.jsonl", "--as", "my-plan=1.3M-10x", "--json")
    if done.code == 0:
        found = json.loads(done.out)
        assert found["known"] > 0 or found["notes"], "nothing says that the run was fitted"
    else:
        assert "1.3M-10x" in done.err


@pytest.mark.parametrize("folder", ["wb_same", "wb_two", "wb_na", "wb_num"])
def test_runs_of_one_name_in_an_export(sh: Shell, folder: str) -> None:
    case("06", sh.folder, "break")
    done = sh("ingest", "wandb", "--from", folder, "--out", "w.csv")
    if folder == "wb_same":
        if done.code == 0:
            table = schema.read(sh.folder / "w.csv")
            assert cells(table[table["task"].eq("quiz")], "run") == {"llama-1M": 0.71, "llama-2M": 0.75}
            assert "crashed" in done.err
        else:
            assert "llama-1M" in done.err
    elif folder == "wb_two":
        assert done.code == 2, done.said
    elif folder == "wb_na":
        table = schema.read(sh.folder / "w.csv")
        assert cells(table, "run") == {"NA": 0.71, "null": 0.5, "007": 0.6, "7": 0.7}
    else:
        assert done.code == 0, done.err
        assert cells(schema.read(sh.folder / "w.csv"), "run") == {"007": 0.6, "7": 0.7, "7.0": 0.8}


NIGHTLY = """\
title: n
data: {source: table, path: t.csv}
targets: [{name: planned, params: 3e6, tokens: 6e7}]
recipes: [ladder]
tasks: [recall]
"""


def test_a_secret_of_the_notifier_is_not_logged(sh: Shell) -> None:
    command = '[sh, -c, "sleep 9; echo https://hooks.example/SECRETTOKEN"]'
    (sh.folder / "c.yaml").write_text(
        NIGHTLY + f"reevaluate: {{folder: n, notify: {{command: {command}, timeout: 1}}}}\n"
    )
    shutil.copy(DEMO, "t.csv")
    sh("reevaluate", "c.yaml")
    lines = [line for line in DEMO.read_text().splitlines() if not line.startswith("1.3M-6x,")]
    (sh.folder / "t.csv").write_text("\n".join(lines) + "\n")
    sh("reevaluate", "c.yaml")
    kept = {path: path.read_bytes() for path in (sh.folder / "n").rglob("*") if path.is_file()}
    assert not [path for path, content in kept.items() if b"SECRETTOKEN" in content]


def test_errors_do_not_flood_the_mail(sh: Shell) -> None:
    (sh.folder / "t.csv").write_text(DEMO.read_text().replace(",", ";"))
    done = sh("ingest", "table", "--from", "t.csv", "--out", "z.csv")
    assert len(done.err.splitlines()) <= 22
    assert "semicolon" in done.err.lower()
    (sh.folder / "t.csv").write_text(DEMO.read_text().replace(".", ",").replace(",0,", ";"))
    config = NIGHTLY + 'reevaluate: {folder: n, notify: {command: [sh, -c, "wc -c > told"]}}\n'
    (sh.folder / "c.yaml").write_text(config)
    done = sh("reevaluate", "c.yaml")
    assert len(done.said) < 20_000
    assert all(path.stat().st_size < 50_000 for path in (sh.folder / "n").rglob("*") if path.is_file())


def test_a_key_given_twice(sh: Shell) -> None:
    (sh.folder / "c.yaml").write_text(PLANNED + "level: 0.9\nlevel: 0.6\n")
    done = sh("forecast", "c.yaml")
    assert done.code == 2
    assert "'level' is there twice" in done.err


def test_what_a_path_already_is_stays(sh: Shell) -> None:
    """A link stays a link, and its target is what changes; a FIFO or a device is not replaced by a file."""
    (sh.folder / "c.yaml").write_text(PLANNED)
    sh("register", "c.yaml", "--register", "real.jsonl")
    link = sh.folder / "link.jsonl"
    link.symlink_to("real.jsonl")
    assert sh("register", "c.yaml", "--register", "link.jsonl").code == 0
    assert link.is_symlink()
    assert len((sh.folder / "real.jsonl").read_text().splitlines()) == 2
    os.mkfifo("pipe")
    child = subprocess.run(
        [sys.executable, "-m", "benchcast", "register", "c.yaml", "--register", "pipe"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert child.returncode == 2, child.stderr
    assert (sh.folder / "pipe").is_fifo()


def test_a_fifo_does_not_hang(sh: Shell) -> None:
    os.mkfifo("c.yaml")
    (sh.folder / "lm" / "a").mkdir(parents=True)
    os.mkfifo("lm/a/other.json")
    for arguments in (["run", "c.yaml"], ["ingest", "lm_eval", "--from", "lm", "--out", "z.csv"]):
        command = [sys.executable, "-m", "benchcast", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 2, done.stderr


def test_the_mode_of_a_register_is_kept(sh: Shell) -> None:
    (sh.folder / "c.yaml").write_text(PLANNED)
    before = os.umask(0o077)
    try:
        sh("register", "c.yaml", "--register", "f.jsonl")
        path = sh.folder / "f.jsonl"
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o640)
        sh("register", "c.yaml", "--register", "f.jsonl")
        assert path.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_a_constant_score_has_no_certain_forecast(sh: Shell) -> None:
    rows = []
    for i in range(10):
        params = 1e6 * 2**i
        flops = 6 * params * 20 * params
        about = {
            "run": f"r{i}",
            "family": "m",
            "step": 1,
            "params": params,
            "tokens": 20 * params,
            "flops": flops,
            "flops_convention": "6ND",
            "n": 1000,
        }
        rows += [
            about | {"task": "q", "metric": "acc", "value": 0.5, "chance": 0.25},
            about | {"task": "val", "metric": "val_loss", "value": 1.5 + (flops / 1e12) ** -0.08},
        ]
    pd.DataFrame(rows).to_csv("t.csv", index=False)
    (sh.folder / "c.yaml").write_text(
        "data: {source: table, path: t.csv}\ntargets: [{name: x, flops: 1e24, token_multiplier: 20}]\n"
        "recipes: [{name: overtraining, loss: val}, auto]\n"
    )
    assert sh("forecast", "c.yaml", "--json", "r.json").code == 0
    for found in json.loads((sh.folder / "r.json").read_text())["forecasts"]:
        if found["forecast"] is not None and found["low"] is not None:
            assert found["high"] - found["low"] > 0.01, found


def test_names_do_not_steer_the_terminal(sh: Shell) -> None:
    case("20", sh.folder, "break")
    sh("forecast", "esc.yaml")  # the shell refuses any escape


def test_small_things(sh: Shell) -> None:
    done = sh("--version")
    assert done.code == 0
    assert done.out.startswith("benchcast ")
    (sh.folder / "c.yaml").write_text(PLANNED.replace("params: 3e6", "flops: 1e300"))
    sh("forecast", "c.yaml")  # no numpy warning reaches the terminal: warnings are errors here
