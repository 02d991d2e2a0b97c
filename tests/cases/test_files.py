"""Attacks on what lies on disk: registers, links, pipes, modes, secrets and floods."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import yaml
from benchcast.data import schema
from worlds.commands import benchcast
from worlds.shell import DEMO, Shell, case

PLANNED = """\
data: {source: demo}
targets: [{name: p, params: 3e6, token_multiplier: 20}]
recipes: [ladder]
tasks: [recall]
"""
NIGHTLY = """\
title: n
data: {source: table, path: t.csv}
targets: [{name: planned, params: 3e6, tokens: 6e7}]
recipes: [ladder]
tasks: [recall]
"""


def test_a_register_without_its_last_newline_is_not_broken(sh: Shell) -> None:
    sh.write(c=PLANNED, d=PLANNED.replace("3e6", "4e6"))
    assert sh("register", "c.yaml", "--register", "f.jsonl").code == 0
    path = sh.folder / "f.jsonl"
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    if sh("register", "d.yaml", "--register", "f.jsonl").code == 0:
        assert len(path.read_text().splitlines()) == 2
        assert sh("register", "c.yaml", "--register", "f.jsonl").code == 0
        assert len(path.read_text().splitlines()) == 3


def test_a_run_of_the_fitted_table_does_not_settle_a_forecast(sh: Shell) -> None:
    ladder = schema.read_table(DEMO)
    ladder.to_csv("ladder.csv", index=False)
    end = ladder[ladder["run"].eq("1.3M-10x")].sort_values("tokens").iloc[-1]
    target = {"name": "my-plan", "params": float(end["params"]), "tokens": float(end["tokens"])}
    config = {"data": {"source": "table", "path": "ladder.csv"}, "targets": [target], "recipes": ["ladder"]}
    sh.write(peek=yaml.safe_dump(config | {"tasks": ["recall"]}))
    assert sh("register", "peek.yaml", "--register", "f.jsonl").code == 0
    done = sh("settle", "ladder.csv", "--register", "f.jsonl", "--as", "my-plan=1.3M-10x", "--json")
    if done.code == 0:
        settlement = json.loads(done.out)
        assert settlement["known"] > 0 or settlement["notes"], "nothing says that the run was fitted"
    else:
        assert "1.3M-10x" in done.err


def test_a_secret_of_the_notifier_is_not_logged(sh: Shell) -> None:
    command = '[sh, -c, "sleep 9; echo https://hooks.example/SECRETTOKEN"]'
    sh.write(c=NIGHTLY + f"reevaluate: {{folder: n, notify: {{command: {command}, timeout: 1}}}}\n")
    shutil.copy(DEMO, "t.csv")
    sh("reevaluate", "c.yaml")
    lines = [line for line in DEMO.read_text().splitlines() if not line.startswith("1.3M-6x,")]
    (sh.folder / "t.csv").write_text("\n".join(lines) + "\n")
    sh("reevaluate", "c.yaml")
    kept = {path: path.read_bytes() for path in (sh.folder / "n").rglob("*") if path.is_file()}
    assert not [path for path, content in kept.items() if b"SECRETTOKEN" in content]


def test_a_fault_in_every_row_is_said_in_few_lines(sh: Shell) -> None:
    (sh.folder / "t.csv").write_text(DEMO.read_text().replace(",", ";"))
    done = sh("ingest", "table", "--from", "t.csv", "--out", "z.csv")
    assert len(done.err.splitlines()) <= 22
    assert "semicolon" in done.err.lower()


def test_errors_do_not_flood_the_mail(sh: Shell) -> None:
    (sh.folder / "t.csv").write_text(DEMO.read_text().replace(".", ",").replace(",0,", ";"))
    sh.write(c=NIGHTLY + 'reevaluate: {folder: n, notify: {command: [sh, -c, "wc -c > told"]}}\n')
    done = sh("reevaluate", "c.yaml")
    assert len(done.text) < 20_000
    assert all(path.stat().st_size < 50_000 for path in (sh.folder / "n").rglob("*") if path.is_file())


def test_a_key_given_twice(sh: Shell) -> None:
    sh.write(c=PLANNED + "level: 0.9\nlevel: 0.6\n")
    done = sh("forecast", "c.yaml")
    assert done.code == 2
    assert "'level' appears twice" in done.err


def test_a_link_stays_a_link_and_its_target_is_what_changes(sh: Shell) -> None:
    sh.write(c=PLANNED)
    sh("register", "c.yaml", "--register", "real.jsonl")
    link = sh.folder / "link.jsonl"
    link.symlink_to("real.jsonl")
    assert sh("register", "c.yaml", "--register", "link.jsonl").code == 0
    assert link.is_symlink()
    assert len((sh.folder / "real.jsonl").read_text().splitlines()) == 2


def test_a_fifo_is_not_replaced_by_a_file(sh: Shell) -> None:
    sh.write(c=PLANNED)
    os.mkfifo("pipe")
    done = benchcast("register", "c.yaml", "--register", "pipe")
    assert done.returncode == 2, done.stderr
    assert (sh.folder / "pipe").is_fifo()


@pytest.mark.parametrize(
    "arguments", [("run", "c.yaml"), ("ingest", "lm_eval", "--from", "lm", "--out", "z.csv")], ids=["config", "results"]
)
def test_a_fifo_does_not_hang(sh: Shell, arguments: tuple[str, ...]) -> None:
    os.mkfifo("c.yaml")
    (sh.folder / "lm" / "a").mkdir(parents=True)
    os.mkfifo("lm/a/other.json")
    done = benchcast(*arguments)
    assert done.returncode == 2, done.stderr


def test_the_mode_of_a_register_is_kept(sh: Shell) -> None:
    sh.write(c=PLANNED)
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


def test_names_do_not_steer_the_terminal(sh: Shell) -> None:
    case("20", sh.folder, "break")
    sh("forecast", "esc.yaml")  # the shell refuses any escape


def test_the_version_is_printed(sh: Shell) -> None:
    done = sh("--version")
    assert done.code == 0
    assert done.out.startswith("benchcast ")


def test_a_target_without_end_gives_no_warning_of_numpy(sh: Shell) -> None:
    sh.write(c=PLANNED.replace("params: 3e6", "flops: 1e300"))
    sh("forecast", "c.yaml")  # warnings are errors here
