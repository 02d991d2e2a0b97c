"""The command line in this process, in a scratch folder, for tests of whole inputs; and where those inputs lie."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from benchcast.cli import app
from benchcast.data import schema
from worlds.ladders import CASES, ROOT

DEMO = ROOT / "pipeline" / "demo_ladder" / "ladder.csv"
MOST_LINES = 40  # of errors and warnings: more is a flood
NEVER = ("--debug to see where", "Traceback", "\x1b", "np.float64")  # in what people read


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it printed."""
        return self.out + self.err


class Shell:
    """Runs commands in a folder; no warning and no traceback may come out of them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)

    def __call__(self, *arguments: str) -> Done:
        self.capsys.readouterr()
        self.monkeypatch.setattr(sys, "argv", ["benchcast", *arguments])
        code = 0
        try:
            app.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = self.capsys.readouterr()
        for sign in NEVER:
            assert sign not in out + err, f"{arguments}: {out}{err}"
        assert len(err.splitlines()) <= MOST_LINES
        return Done(code=code, out=out, err=err)

    def ingest(self, source: str, where: str) -> tuple[pd.DataFrame, str]:
        """A table that is read without an error, and what is said about it."""
        done = self("ingest", source, "--from", where, "--out", "t.csv")
        assert done.code == 0, done.err
        return schema.read_table(self.folder / "t.csv"), done.err

    def refused(self, source: str, where: str) -> str:
        """What is said of a table that is refused, and of which nothing is written."""
        done = self("ingest", source, "--from", where, "--out", "no.csv")
        assert done.code == 2, done.text
        assert not (self.folder / "no.csv").exists()
        return done.err

    def either(self, source: str, where: str) -> tuple[pd.DataFrame | None, str]:
        """A table and what is said about it, or no table and why."""
        done = self("ingest", source, "--from", where, "--out", "t.csv")
        assert done.code in (0, 2), done.text
        return (schema.read_table(self.folder / "t.csv") if done.code == 0 else None), done.err

    def write(self, **texts: str) -> None:
        """Files of the folder, by their names without the ending ``.yaml``."""
        for name, text in texts.items():
            (self.folder / f"{name}.yaml").write_text(text)


def case(number: str, folder: Path, kind: str = "field") -> None:
    """Copy a case into the scratch folder; skips where the cases are not there."""
    matches = sorted((CASES / kind).glob(f"{number}-*"))
    if not matches:
        pytest.skip(f"case {number} is not beside the checkout")
    shutil.copytree(matches[0], folder, dirs_exist_ok=True)
