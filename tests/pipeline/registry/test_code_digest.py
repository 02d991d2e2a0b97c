"""The code's hash: any file of any wing changes it, and where the wings lie does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from benchcast.registry.code_digest import GROUND, code_digest, digest_of

ROOT = Path(__file__).parents[3]
WINGS = sorted(path.name for path in (ROOT / "pipeline").iterdir() if (path / "__init__.py").exists())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("pipeline", *GROUND):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _digest(root: Path, package: str = "pipeline", ground: str = "") -> str:
    return digest_of({"": root / package, **{f"{wing}/": root / ground / wing for wing in GROUND}})


def test_it_is_of_the_code_that_runs() -> None:
    assert code_digest() == _digest(ROOT)
    assert len(code_digest()) == 64


def test_a_checkout_and_a_wheel_have_one_hash(checkout: Path, tmp_path: Path) -> None:
    installed = tmp_path / "site-packages" / "benchcast"
    shutil.copytree(checkout / "pipeline", installed)
    for wing in GROUND:
        shutil.copytree(checkout / wing, installed / wing)
    assert _digest(tmp_path / "site-packages", "benchcast", "benchcast") == _digest(checkout)


@pytest.mark.parametrize("wing", [*(f"pipeline/{wing}" for wing in WINGS), *GROUND])
def test_an_edit_anywhere_changes_it(checkout: Path, wing: str) -> None:
    before = _digest(checkout)
    deepest = max((checkout / wing).rglob("*.py"), key=lambda path: (len(path.parts), path.stat().st_size))
    content = deepest.read_bytes()
    deepest.write_bytes(content + b"\n")
    try:
        assert _digest(checkout) != before
    finally:
        deepest.write_bytes(content)
    assert _digest(checkout) == before
