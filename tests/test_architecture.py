"""The rule of the house: data flows one way. Which folder may import which is written here, and nowhere else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from worlds import house
from worlds.ladders import ROOT

MOST_FILES = 15  # in one folder: more than a person keeps in mind
MOST_LINES = 400

GROUND = {"stages.notices"}  # plain data that every wing may speak with
RECORDS = GROUND | {"reports.records"}
TEXT = RECORDS | {"reports.text"}
SCIENCE = GROUND | {
    "stages",
    "stages.documents",
    "stages.trend",
    "stages.fit",
    "stages.laws",
    "stages.compute",
    "stages.forecast",
    "stages.planning",
}
CORE = RECORDS | {"core"}
DATA = CORE | {"data", "stages.compute", "stages.documents"}
WORK = {"forecasting", "planning", "scoring"}

ALLOWED = {
    # stages: the science
    "stages.fit": GROUND,
    "stages.compute": GROUND,
    "stages.monitor": GROUND,
    "stages.comparing": GROUND,
    "stages.laws": GROUND | {"stages.fit"},
    "stages.documents": GROUND | {"stages.fit", "stages.laws", "stages.compute"},
    "stages.trend": GROUND | {"stages.fit"},
    "stages.forecast": GROUND | {"stages.fit", "stages.laws", "stages.compute", "stages.trend", "stages.documents"},
    "stages.planning": GROUND | {"stages.fit", "stages.laws", "stages.compute"},
    "stages": SCIENCE,  # the face: names that are imported when they are first used
    # reports: results to figures and pages
    "reports.records": GROUND,
    "reports.text": RECORDS,
    "reports.figures": TEXT,
    "reports.sections": TEXT | {"reports.figures"},
    "reports.documents": TEXT | {"reports.figures", "reports.sections"},
    "reports": set(),  # the face has no names
    # pipeline: configs, files, commands
    # Of the documents: how a file is written whole; of the science: what a config can check.
    "core": TEXT | {"reports.documents", "stages.compute", "stages.fit"},
    "data": DATA,
    "forecasting": DATA | TEXT | SCIENCE,
    "planning": DATA | TEXT | SCIENCE,
    "scoring": DATA | TEXT,
    "report": CORE | TEXT | {"reports.documents", "reports.figures", "reports.sections"},
    "registry": DATA | TEXT | SCIENCE | {"reports.documents"},
    "nightly": DATA
    | TEXT
    | SCIENCE
    | {"forecasting", "scoring", "registry", "reports.documents", "reports.sections", "stages.monitor"},
    "comparing": DATA | TEXT | {"scoring", "registry", "nightly", "stages.comparing", "stages.monitor"},
    "cli": DATA
    | TEXT
    | SCIENCE
    | WORK
    | {"registry", "nightly", "comparing", "demo_ladder", "reports.documents", "reports.figures", "reports.sections"},
    "": CORE | {"forecasting", "planning", "report"},  # the face
    "__main__": {"cli"},
    "demo_ladder": DATA | {"scoring"},
}


@pytest.fixture(scope="module")
def arrows() -> house.Arrows:
    return house.imports(ROOT)


def test_no_wing_imports_what_stands_above_it(arrows: house.Arrows) -> None:
    assert house.forbidden(arrows, ALLOWED) == []


def test_no_circle(arrows: house.Arrows) -> None:
    assert house.circle(arrows) == []


def test_the_rule_itself_has_no_circle() -> None:
    """What is allowed in both directions would be no order."""
    allowed = {(wing,): {(other,) for other in others if other != wing} for wing, others in ALLOWED.items()}
    assert house.circle(allowed) == []


def test_every_wing_is_in_the_rule(arrows: house.Arrows) -> None:
    assert {house.wing(name) for name in arrows} - GROUND == set(ALLOWED)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The house as text, to plant what must not be."""
    for top in house.TOPS:
        shutil.copytree(ROOT / top, tmp_path / top, ignore=shutil.ignore_patterns("__pycache__", "examples", "*.csv"))
    return tmp_path


@pytest.mark.parametrize(
    ("file", "line", "arrow"),
    [
        ("stages/laws/base.py", "from benchcast.core import errors", "stages.laws.base -> core.errors"),
        ("stages/fit/newton.py", "from ..laws import base", "stages.fit.newton -> stages.laws.base"),
        ("pipeline/core/digest.py", "from ..data.schema import read", "core.digest -> data.schema"),
        ("reports/records/base.py", "import benchcast.core.config", "reports.records.base -> core.config"),
        (
            "reports/text/numbers.py",
            "from ..figures.panels import draw",
            "reports.text.numbers -> reports.figures.panels",
        ),
        ("pipeline/scoring/run.py", "def f() -> None:\n    from ..nightly import run", "scoring.run -> nightly.run"),
    ],
)
def test_a_planted_import_upwards_is_found(copy: Path, file: str, line: str, arrow: str) -> None:
    with (copy / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    assert house.forbidden(house.imports(copy), ALLOWED) == [arrow]


def test_a_planted_circle_is_found(copy: Path) -> None:
    with (copy / "pipeline/core/errors.py").open("a", encoding="utf-8") as source:
        source.write("\nfrom .config import load\n")
    assert "core.config" in house.circle(house.imports(copy))


def test_folders_and_files_stay_small() -> None:
    folders = [d for top in (*house.TOPS, "tests") for d in [ROOT / top, *(ROOT / top).rglob("*/")]]
    full = {d.relative_to(ROOT).as_posix(): n for d in folders if (n := len(list(d.glob("*.py")))) > MOST_FILES}
    assert full == {}
    files = [p for top in (*house.TOPS, "tests", "benchmarks", "docs") for p in (ROOT / top).rglob("*.py")]
    long = {
        p.relative_to(ROOT).as_posix(): n for p in files if (n := len(p.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


def test_formatting_is_switched_off_nowhere() -> None:
    files = [p for top in (*house.TOPS, "tests", "benchmarks", "docs") for p in (ROOT / top).rglob("*.py")]
    marks = ("# fmt" + ": ", "# yapf" + ": ")
    assert [p.name for p in files if any(mark in p.read_text("utf-8") for mark in marks)] == []


def test_the_map_is_of_this_tree() -> None:
    """``python docs/house_map.py`` writes it; then read what it says of your file."""
    done = subprocess.run([sys.executable, str(ROOT / "docs" / "house_map.py"), "--check"], check=False)
    assert done.returncode == 0
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("<!-- map")[0]
    named = re.findall(r"`((?:pipeline|stages|reports|tests|docs)/[\w./]*)`", text)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
