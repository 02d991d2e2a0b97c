"""The command line as a whole: commands are found by their files, empty words are refused, output may be gone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from benchcast import cli
from benchcast.cli import app as whole
from benchcast.cli.panels import Panel
from typer.testing import CliRunner
from worlds.commands import benchcast
from worlds.ladders import ROOT

CONFIG = ROOT / "configs" / "demo.yaml"
HEAVY = {"torch", "lm_eval", "transformers", "scipy", "pandas", "numpy", "sklearn", "matplotlib", "typst", "ray"}


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line of a shell, with ``benchcast`` in it."""
    line = command.replace("benchcast", f'"{sys.executable}" -W ignore -m benchcast')
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=folder, timeout=120, check=False)


def test_a_command_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "greet.py").write_text(
        "from benchcast.cli.panels import Panel\n\nPANEL, HELP_ORDER = Panel.BEGIN, 15\n\n\n"
        "def add_to(app):\n    app.command()(greet)\n\n\n"
        "def greet(name: str) -> None:\n    print(f'hello {name}')\n"
    )
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "benchcast.cli.greet", raising=False)
    files = whole.command_files(cli.__path__)
    names = [file.__name__.rsplit(".", 1)[-1] for file in files]  # type: ignore[attr-defined]
    assert names.index("init") < names.index("greet") < names.index("ingest") < names.index("plan")
    app = typer.Typer()
    for file in files:
        whole.enter(file, app)
    assert CliRunner().invoke(app, ["greet", "world"]).output == "hello world\n"
    monkeypatch.delitem(sys.modules, "benchcast.cli.greet")
    monkeypatch.delattr(cli, "greet")


def test_every_file_of_the_folder_is_on_the_command_line() -> None:
    files = {p.stem for p in Path(whole.__file__).parent.glob("*.py")} - {"__init__", *whole.NOT_COMMANDS}
    assert {m.__name__.rsplit(".", 1)[-1] for m in whole.command_files()} == files  # type: ignore[attr-defined]
    orders = [(m.PANEL, m.HELP_ORDER) for m in whole.command_files()]
    assert len(set(orders)) == len(orders)


def test_every_command_has_an_example_and_stands_in_a_panel_in_the_order_of_use() -> None:
    infos = [*whole.app.registered_commands, *whole.app.registered_groups]
    assert all(info.rich_help_panel in list(Panel) for info in infos)
    below = [c for group in whole.app.registered_groups for c in group.typer_instance.registered_commands]
    for command in (*whole.app.registered_commands, *below):
        assert (command.epilog or "").startswith("Example: benchcast "), command.callback
    panels = [panel for panel in Panel if f"─ {panel[:20]}" in benchcast("--help").stdout]
    assert panels == list(Panel)
    shown = benchcast("--help").stdout
    assert [shown.index(f"─ {panel[:20]}") for panel in Panel] == sorted(shown.index(f"─ {p[:20]}") for p in Panel)


def test_json_without_a_file_is_standard_output(tmp_path: Path) -> None:
    shown = benchcast("plan", "--flops", "1e22", "--json", cwd=tmp_path)
    assert json.loads(shown.stdout)["schema"] == "benchcast.plan/1"
    assert benchcast("plan", "--json", "p.json", "--flops", "1e22", cwd=tmp_path).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["p.json"]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['benchcast', '--help']\n"
        "from benchcast.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "demo.yaml", "--out", ""], "--out: its value is empty"),
        (["run", "demo.yaml", "--out="], "--out: its value is empty"),
        (["report", "result.json", "--out", ""], "--out: its value is empty"),
        (["forecast", "demo.yaml", "--json", ""], "--json: its value is empty"),
        (["store", "check", ""], "an argument is empty"),
    ],
)
def test_an_empty_word_is_refused_in_one_line(words: list[str], says: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchcast", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {says}\n")
    assert list(tmp_path.iterdir()) == []


def test_json_to_a_closed_standard_output_is_an_error_in_one_line(tmp_path: Path) -> None:
    for command in (f"forecast '{CONFIG}' --json -", "plan --flops 1e22 --json -"):
        done = run(f"benchcast {command} >&-", tmp_path)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert done.stderr.splitlines()[-1] == (
            "error: --json: standard output is closed, so nothing can be written to it"
        )


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    done = run("benchcast schema config --help | true; benchcast plan --flops 1e22 --json - | true", tmp_path)
    assert done.stderr == ""
