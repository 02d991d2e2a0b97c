"""A command in a fork is what it is in a process of its own: what it prints, returns and may be given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from worlds.commands import benchcast, host, process
from worlds.hosts import client
from worlds.ladders import ROOT


@pytest.mark.parametrize(
    "words",
    [("plan", "--published"), ("schema", "x"), ("--debug", "run", "none.yaml")],
)
def test_a_fork_prints_and_returns_what_a_process_does(words: tuple[str, ...], tmp_path: Path) -> None:
    fork, new = (start(*words, cwd=tmp_path) for start in (benchcast, process))
    assert fork.returncode == new.returncode
    if "--debug" in words:  # a traceback starts in other places and ends in the same
        assert fork.stderr.splitlines()[-1] == new.stderr.splitlines()[-1]
    else:
        assert (fork.stdout, fork.stderr) == (new.stdout, new.stderr)


def test_a_fork_has_the_callers_folder_environment_and_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "47")
    before = os.umask(0o077)
    try:
        done = benchcast("run", ROOT / "configs" / "demo.yaml", "--help")
        assert benchcast("plan", "--flops", "1e22", "--json", "p.json").returncode == 0
    finally:
        os.umask(before)
    assert max(map(len, done.stdout.splitlines())) <= 47
    assert (tmp_path / "p.json").stat().st_mode & 0o777 == 0o600


def test_a_command_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out, pytest.raises(TimeoutError):
        client.call(
            host(),
            ["forecast", str(ROOT / "configs" / "demo.yaml")],
            folder=str(tmp_path),
            environment=os.environ,
            files=(out.fileno(), out.fileno(), out.fileno()),
            timeout=0.05,
        )
    assert benchcast("--version").returncode == 0  # the host goes on
