"""What a new user gets wrong, and that the page about it says what the commands say today."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from worlds.commands import benchcast
from worlds.ladders import ROOT, make_ladder

PAGE = ROOT / "docs" / "dev" / "mistakes.md"
ROW = re.compile(r"^\| \d+ \| .+ \| `(?P<command>.+?)` \| (?P<before>.+) \| (?P<after>.+) \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE.read_text()) if PAGE.is_file() else []
DATA = "data: {source: table, path: ladder.csv}\n"
TARGETS = "targets: [{name: big, params: 7e9, tokens: 1.4e11}]\n"
AUTO = "recipes: [auto]\n"
CONFIGS = {
    "plan_7b.yaml": DATA + TARGETS + AUTO,
    "units.yaml": DATA + "targets: [{name: big, params: 7B, tokens: 1.4 TB}]\n" + AUTO,
    "tab.yaml": "data:\n\tsource: table\n\tpath: ladder.csv\n" + TARGETS + AUTO,
    "typo.yaml": DATA + TARGETS + "recipes: [lama3]\n",
    "short.yaml": "data: ladder.csv\n" + TARGETS + AUTO,
    "task.yaml": DATA + TARGETS + AUTO + "tasks: [quizz]\n",
    "columns.yaml": "data: {source: table, path: columns.csv}\n" + TARGETS + AUTO,
}


def world(folder: Path) -> Path:
    """A folder of results, a ladder table, and configs with a mistake each."""
    table = make_ladder()
    table.to_csv(folder / "ladder.csv", index=False)
    table.rename(columns={"params": "N", "value": "accuracy"}).to_csv(folder / "columns.csv", index=False)
    (folder / "results").mkdir()
    (folder / "results" / "results.json").write_text('{"results": {}, "config": {}}')
    for name, text in CONFIGS.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world(tmp_path_factory.mktemp("mistakes"))


def shown(text: str, folder: Path) -> str:
    """What a command says, as the page shows it: files by name, lines apart by a break."""
    return "<br>".join(f"`{line}`" for line in text.replace(f"{folder}/", "").strip().splitlines())


def test_there_are_twelve() -> None:
    assert len(ROWS) == 12


@pytest.mark.parametrize(("command", "before", "after"), ROWS)
def test_a_mistake_is_answered_as_the_page_says(command: str, before: str, after: str, folder: Path) -> None:
    there = sorted(folder.rglob("*"))
    done = benchcast(*shlex.split(command)[1:], cwd=folder)
    assert done.returncode == 2
    assert shown(done.stderr, folder) == after != before
    assert done.stdout == ""
    assert sorted(folder.rglob("*")) == there
