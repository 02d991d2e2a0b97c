"""Sources are what lies in their folder: a new one is a file there, and the documentation's table lists them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchcast.core import plugins
from benchcast.core.config import DataSettings
from benchcast.core.errors import InputError
from benchcast.data import ingest, sources

NAMES = ("demo", "table", "lm_eval", "lighteval", "every_eval_ever", "trainer", "wandb", "overtraining", "model_ladder")
DOCS = Path(__file__).parents[4] / "docs" / "inputs.md"
TOY = '''
"""Scores as ``run params tokens score`` lines."""

from benchcast.data.source import FileSource


def _read(path, account):
    import pandas as pd
    from benchcast.data import schema

    names = ["run", "params", "tokens", "value"]
    table = pd.read_csv(path, sep=" ", names=names)
    account.read("lines", len(table))
    known = {"family": "toy", "task": "arc", "metric": "acc", "flops_convention": "6ND"}
    return schema.validate(table.assign(flops=6 * table["params"] * table["tokens"], **known), str(path), account)


SOURCE = FileSource(name="toy", about="lines of a toy", read_table=_read)
'''


def test_the_names_are_those_of_the_files_in_their_order() -> None:
    """Those of this list keep their order; whatever else is there is a file in the folder."""
    folder = Path(str(sources.__file__)).parent
    there = {p.parent.name for p in folder.glob("*/__init__.py")}
    there |= {p.stem for p in folder.glob("*.py") if p.name != "__init__.py"}
    assert set(sources.names()) == there
    assert tuple(name for name in sources.names() if name in NAMES) == NAMES
    assert {source.name for source in sources.result_sources().values()} == {"lm_eval", "lighteval", "olmes"}
    assert DataSettings.model_json_schema()["properties"]["source"]["enum"] == list(sources.names())


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A new source: one file in a folder of sources."""
    assert "toy" not in sources.names()
    (tmp_path / "plugin").mkdir()
    (tmp_path / "plugin" / "toy.py").write_text(TOY)
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path / "plugin")])
    sources.all_sources.cache_clear()
    yield tmp_path
    sources.all_sources.cache_clear()
    sys.modules.pop("benchcast.data.sources.toy", None)


def test_a_new_source_is_one_file(toy: Path) -> None:
    assert set(sources.names()) >= {*NAMES, "toy"}
    (toy / "scores.txt").write_text("small 1e8 2e9 0.3\nlarge 1e9 2e10 0.5\n")
    data = ingest.read_data(DataSettings.model_construct(source="toy", path=Path("scores.txt")), toy)
    assert data.table[["run", "value"]].to_numpy().tolist() == [["small", 0.3], ["large", 0.5]]
    assert data.label == "toy: scores.txt"
    assert data.account.read == {"lines": 2}
    with pytest.raises(InputError, match="source 'toy' needs a file or folder"):
        ingest.read_data(DataSettings.model_construct(source="toy", path=None), toy)


def test_a_config_may_name_a_new_source(tmp_path: Path) -> None:
    """The names are read when the config's model is made: in a new process, as a new file would be."""
    (tmp_path / "toy.py").write_text(TOY)
    code = (
        "import sys, benchcast.data.sources as s; s.__path__.append(sys.argv[1]);"
        "from benchcast.core.config import DataSettings; print(DataSettings(source='toy').source)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.stdout == "toy\n", done.stderr


def test_two_sources_of_one_name_are_refused(toy: Path) -> None:
    (toy / "plugin" / "again.py").write_text(TOY)
    with pytest.raises(ValueError, match=r"two modules of data\.sources have one name"):
        plugins.plugins("data.sources", "SOURCE")
    sys.modules.pop("benchcast.data.sources.again", None)


def test_names_are_known_without_heavy_imports() -> None:
    """Every command checks them, so that no source may load pandas before it reads."""
    code = (
        "import sys; from benchcast.data import sources; sources.names();"
        "print(sorted({'pandas', 'numpy', 'torch', 'pooch', 'pydantic'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_the_documentation_lists_every_source() -> None:
    rows = "\n".join(f"| `{source.name}` | {source.about} |" for source in sources.all_sources().values())
    assert rows in DOCS.read_text(encoding="utf-8")
