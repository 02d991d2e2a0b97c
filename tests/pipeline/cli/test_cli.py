"""The command line as people and cron meet it: exit codes, one line per fault, nothing half-written."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from pypdf import PdfReader
from worlds.commands import CONFIG, benchcast, process
from worlds.ladders import ROOT, make_ladder, published


@pytest.fixture
def config(tmp_path: Path, ladder_csv: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    return path


def test_run_writes_pdf_json_and_csv_and_prints_the_headline(config: Path, tmp_path: Path) -> None:
    done = process("run", config, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "planned" in done.stdout
    assert done.stdout.strip().endswith(str(tmp_path / "out" / "report.pdf"))
    text = "".join(page.extract_text() for page in PdfReader(tmp_path / "out" / "report.pdf").pages)
    assert "A small test" in text
    stored = json.loads((tmp_path / "out" / "result.json").read_text())
    with (tmp_path / "out" / "forecasts.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(stored["forecasts"])


def test_two_runs_in_two_folders_give_the_same_bytes(config: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):  # of two processes: each has its own seed of hashes
        assert process("run", config, "--out", tmp_path / name).returncode == 0
    for name in ("report.pdf", "result.json", "forecasts.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_json_on_stdout_is_one_object_of_the_exported_schema(config: Path) -> None:
    done = benchcast("run", config, "--json", "-")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    jsonschema.validate(result, json.loads(benchcast("schema", "result").stdout))
    wanted = {
        "recipe",
        "family",
        "task",
        "target",
        "params",
        "tokens",
        "flops",
        "forecast",
        "low",
        "high",
        "level",
        "stderr",
        "status",
        "notes",
        "baselines",
        "actual",
    }
    for forecast in result["forecasts"]:
        assert wanted <= set(forecast)
        assert set(forecast["baselines"]) == {"direct", "carry_forward"}
        assert (forecast["actual"] is None) == (forecast["target"] == "planned")
    assert {f["recipe"] for f in result["forecasts"]} == {"llama3", "overtraining", "ladder"}
    assert not (config.parent / "out").exists()


def test_forecasts_recover_the_known_laws(config: Path) -> None:
    """The ladder recipe's form is the truth that drew the table: its forecast must be close."""
    result = json.loads(benchcast("forecast", config, "--json", "-").stdout)
    held = [f for f in result["forecasts"] if f["recipe"] == "ladder" and f["actual"] is not None]
    assert len(held) == 3
    for f in held:
        assert abs(f["forecast"] - f["actual"]) < 0.05
        assert f["low"] <= f["actual"] <= f["high"]


def test_fit_prints_laws_and_report_typesets_again(config: Path, tmp_path: Path) -> None:
    assert "TaskLoss" in benchcast("fit", config).stdout
    assert benchcast("run", config, "--out", tmp_path / "a").returncode == 0
    again = benchcast("report", tmp_path / "a" / "result.json", "--out", tmp_path / "b")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "a" / "report.pdf").read_bytes() == (tmp_path / "b" / "report.pdf").read_bytes()


def test_ingest_writes_a_table_that_run_reads(tmp_path: Path) -> None:
    out = tmp_path / "l.parquet"
    done = benchcast("ingest", "overtraining", "--from", published("gadre2024"), "--out", out)
    assert done.returncode == 0, done.stderr
    assert "69 runs" in done.stdout
    (tmp_path / "c.yaml").write_text(
        "data: {source: table, path: l.parquet}\ntargets: [{run: 'rpj-open_lm_7b*'}]\ntasks: [average_17]\n"
        "recipes: [{name: overtraining, loss: c4_val}]\n"
    )
    assert benchcast("forecast", tmp_path / "c.yaml").returncode == 0


def test_a_bad_table_reports_all_faults_exits_2_and_writes_nothing(config: Path, tmp_path: Path) -> None:
    table = make_ladder()
    table.loc[3, "flops"] *= -1
    table.loc[6, "value"] = 61.2
    table.loc[len(table)] = table.loc[9]
    table.loc[len(table) - 1, "value"] *= 0.9  # the same cell with another value; an equal row would count once
    table.to_csv(tmp_path / "ladder.csv", index=False)
    before = sorted(tmp_path.iterdir())
    done = benchcast("run", config, "--out", tmp_path / "out")
    assert done.returncode == 2
    for row in ("row 5", "row 8", "row 38"):
        assert row in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_a_config_with_five_mistakes_reports_all_five(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("titel: x\ndata: {source: dmo}\ntargets: [{flops: -1}]\nrecipes: [foo]\nlevel: 90\n")
    done = benchcast("run", path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 5
    assert [p.name for p in tmp_path.iterdir()] == ["bad.yaml"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "none.yaml"], 2, "none.yaml: cannot be read"),
        (["frobnicate"], 2, "error: No such command 'frobnicate' (benchcast --help; for example: benchcast run"),
        (["none.yaml", "run"], 2, "No such command"),
        (
            ["forecast"],
            2,
            "error: Missing argument 'CONFIG' (benchcast forecast --help; for example: benchcast forecast",
        ),
        (["solve", "c.yaml", "--task", "a", "--accuracy", "70"], 2, "--accuracy: 70: give the score as a fraction"),
        (
            ["flops", "none.json", "--seq-len", "4k"],
            2,
            "--seq-len: '4k': may mean 4000 or 4096; write the number, or 4Ki",
        ),
        (
            ["flops", "none.json", "--tokens", "1.4 TB"],
            2,
            "--tokens: '1.4 TB': TB counts bytes; write 1.4T for 1.4 trill",
        ),
        (["suggest", "none.yaml", "--json", "c.yaml"], 2, "--json c.yaml: is not a name for JSON"),
        (["ingest", "dmo"], 2, "did you mean demo?"),
        (["ingest", "table"], 2, "needs a file or folder"),
        (["ingest", "overtraining", "--from", "."], 2, "has no models/*.json"),
        (["report", "none.json"], 2, "cannot be read"),
        (["report", "/dev/zero"], 2, "is a device, no file"),
        (["flops", "/dev/zero"], 2, "is a device, no file"),
        (["flops", "none.json", "--tokens", "-1"], 2, "--tokens: -1 must be positive"),
        (["compare", "none.yaml", "a", "b", "--flops", "inf"], 2, "--flops: inf must be positive and finite"),
        (["suggest", "none.yaml", "--budget", "inf"], 2, "--budget: inf must be positive and finite"),
        (["settle", "none.csv", "--as", "a=b", "--as", "a=c"], 2, "--as a: names two runs"),
        (["init", "no\033[2Jfolder"], 2, "no\\x1b[2Jfolder"),
        (["schema", "x"], 2, "not a schema"),
    ],
)
def test_usage_errors_are_one_clear_line(arguments: list[str], code: int, says: str, tmp_path: Path) -> None:
    done = benchcast(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["report", "flops"])
def test_a_fifo_is_refused_before_it_is_opened_and_a_key_given_twice_is_named(command: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f.json")
    (tmp_path / "twice.json").write_text('{"title": "a", "title": "b"}')
    assert "is a FIFO, no file" in benchcast(command, "f.json", cwd=tmp_path).stderr
    assert "has the key 'title' twice" in benchcast(command, "twice.json", cwd=tmp_path).stderr


def test_patterns_that_match_nothing_are_errors(config: Path) -> None:
    config.write_text(CONFIG.replace("6e+08-*", "9e+99-*"))
    done = benchcast("forecast", config)
    assert done.returncode == 2
    assert "'9e+99-*' matches no run" in done.stderr


def test_an_output_that_cannot_be_is_refused_before_the_work_and_an_unwritable_one_fails(
    config: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = benchcast("run", config, "--out", tmp_path / "file")
    assert (done.returncode, done.stderr) == (2, f"error: --out {tmp_path / 'file'}: is a file; name a folder\n")
    done = benchcast("run", config, "--out", tmp_path / "file" / "out")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    assert "Traceback" in process("--debug", "run", tmp_path / "none.yaml").stderr


@pytest.mark.parametrize(
    "command", ["--help", "run --help", "ingest --help", "score --help", "report --help", "plan --help", "flops --help"]
)
def test_help_has_an_example(command: str) -> None:
    done = benchcast(*command.split())
    assert done.returncode == 0
    assert "Example: benchcast" in done.stdout


@pytest.mark.parametrize("words", [["--help"], ["forecast", "c.yaml"]])
def test_help_and_forecast_load_nothing_heavy(words: list[str], config: Path) -> None:
    code = (
        f"import sys; sys.argv = ['benchcast', *{words!r}]\n"
        "from benchcast.cli.app import app\n"
        "try: app()\nexcept SystemExit: pass\n"
        "assert not {'torch', 'lm_eval', 'transformers'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=config.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_demo_config_forecasts_every_task_from_package_data() -> None:
    done = benchcast("forecast", ROOT / "configs" / "demo.yaml", "--json", "-")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    fitted = [r for r in result["ladder"] if r["role"] == "fit"]
    held = [r for r in result["ladder"] if r["role"] == "held out"]
    assert len(fitted) + len(held) >= 24
    assert min(r["flops"] for r in held) > max(r["flops"] for r in fitted)
    assert max(r["flops"] for r in held) / min(r["flops"] for r in fitted) >= 1e3
    for task in {f["task"] for f in result["forecasts"]}:
        known = [f for f in result["forecasts"] if f["task"] == task and f["actual"] is not None]
        assert {f["recipe"] for f in known} == {"auto", "llama3", "overtraining", "ladder"}
        assert all(f["low"] <= f["forecast"] <= f["high"] for f in known)


def test_the_shell_completes_commands() -> None:
    script = Path(sys.executable).with_name("benchcast")
    env = os.environ | {"_BENCHCAST_COMPLETE": "complete_bash", "COMP_WORDS": "benchcast in", "COMP_CWORD": "1"}
    done = subprocess.run([script], env=env, capture_output=True, text=True, timeout=60)
    assert set(done.stdout.split()) == {"ingest", "init"}
