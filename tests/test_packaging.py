"""The wheel holds one package with all folders and their data, and its core needs no torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from worlds.ladders import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing stale of the checkout gets in and nothing is left behind in it."""
    source, out = tmp_path_factory.mktemp("source") / "benchcast", tmp_path_factory.mktemp("wheel")
    skip = shutil.ignore_patterns(".*", "build", "dist", "out", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=skip)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (found,) = out.glob("benchcast-*.whl")
    return found


def test_the_wheel_is_complete(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, package in (
        ("pipeline", "benchcast"),
        ("stages", "benchcast/stages"),
        ("reports", "benchcast/reports"),
    ):
        modules = {f"{package}/{p.relative_to(ROOT / folder).as_posix()}" for p in (ROOT / folder).rglob("*.py")}
        assert modules <= names
    assert {
        "benchcast/demo_ladder/ladder.csv",
        "benchcast/demo_ladder/provenance.json",
        "benchcast/data/sources/overtraining/files.sha256",
        "benchcast/reports/documents/templates/template.typ",
        "benchcast/reports/figures/style.mplstyle",
        "benchcast/py.typed",
    } <= names
    assert {n.split("/")[0] for n in names if not n.startswith("benchcast-")} == {"benchcast"}


def test_it_runs_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    """Not from the checkout: unpacked elsewhere, ahead of the checkout on the path."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import benchcast.data.ingest, benchcast.stages, benchcast.reports\n"
        f"assert benchcast.__file__.startswith({str(tmp_path)!r})\n"
        "print(len(benchcast.data.ingest.demo().table))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1000


def test_the_core_install_does_not_ask_for_torch() -> None:
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    heavy = ("torch", "lm-eval", "lm_eval", "transformers", "accelerate", "ray")
    assert not [d for d in core if d.lower().startswith(heavy)]
