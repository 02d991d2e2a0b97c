"""Revisions that are not in the cache are fetched from a mirror, when the config asks for it and only then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from worlds.hub import mirror as mirrors
from worlds.hub.cache import MODEL, files

# What a user's process does: the library reads the environment when it is imported.
FIND = """
import json, sys
from pathlib import Path
from benchcast.core.config import ScoreSettings
from benchcast.core.digest import file_digest
from benchcast.core.errors import FaultsError
from benchcast.scoring.checkpoints import discover
said = []
answers = []
for settings in json.loads(sys.argv[2]):
    try:
        found = discover.find(ScoreSettings.model_validate(settings), Path(sys.argv[1]), file_digest, said.append)
    except FaultsError as error:
        answers.append(str(error))
        continue
    folders = {c.source: str(c.files.folder) for c in found.checkpoints}
    answers.append([folders, {source: why for (source, _), why in found.broken.items()}])
print(json.dumps([answers, said]))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[mirrors.Mirror]:
    for number, revision in enumerate(("main", "step512", "step1000", "step2000")):
        folder = files(tmp_path / "mirror" / MODEL / revision, number)
        (folder / "pytorch_model.bin").write_bytes(b"a pickle")
        (folder / "README.md").write_text("words")
    with mirrors.mirror(tmp_path / "mirror") as running:
        yield running


def find(url: str, base: Path, *settings: dict[str, Any], **environment: str) -> tuple[list[Any], list[str]]:
    usual = {"tasks": ["t"], "quiet_seconds": 0, "place": {"family": "f", "tokens_per_step": 2_097_152}}
    kept = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and not k.startswith("HF_")}
    # The library keeps what an endpoint says of itself in HF_HOME: neither read from, nor written to, the person's own.
    own = {"HF_ENDPOINT": url, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HOME": str(base / "home")}
    answered = subprocess.run(
        [sys.executable, "-c", FIND, str(base), json.dumps([usual | s for s in settings])],
        env=kept | own | environment,
        capture_output=True,
        text=True,
    )
    assert answered.returncode == 0, answered.stderr
    answers, said = json.loads(answered.stdout)
    return answers, said


def test_nothing_is_fetched_unasked(server: mirrors.Mirror, tmp_path: Path) -> None:
    wanted = {"checkpoints": [f"{MODEL}@step512", f"{MODEL}@step1000"]}
    answers, said = find(
        server.url, tmp_path, wanted, wanted | {"download": True}, HF_HOME=str(tmp_path / "home"), HF_HUB_OFFLINE="1"
    )
    assert (server.asked, said) == ([], [f"fetching {MODEL}@step512", f"fetching {MODEL}@step1000"])
    assert f"step512, step1000 are not in the hub's cache at {tmp_path}/home/hub; fetch: for r in " in answers[0]
    assert f'hf download {MODEL} --revision "$r"; done' in answers[0]
    assert answers[1].count("cannot be fetched") == 2
    assert "HF_HUB_OFFLINE" in answers[1]


def test_missing_revisions_are_fetched_where_that_is_asked_for(server: mirrors.Mirror, tmp_path: Path) -> None:
    server.refused = {"step2000/model.safetensors"}
    one = {"checkpoints": [f"{MODEL}@step512"], "download": True, "quiet_seconds": 60}
    more = {"checkpoints": [f"{MODEL}@step*", f"{MODEL}@step9"]}
    answers, said = find(
        server.url, tmp_path, one, more | {"download": True}, more, HF_HUB_CACHE=str(tmp_path / "cache")
    )
    assert said == [f"fetching {MODEL}@{r}" for r in ("step512", "step1000", "step2000", "step9")]
    fetched, broken = answers[0]
    assert broken == {}
    (folder,) = map(Path, fetched.values())
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (folder / "model.safetensors").read_bytes() == files(tmp_path / "same", 1).joinpath(
        "model.safetensors"
    ).read_bytes()
    assert server.asked.count(f"GET {MODEL}/resolve/{folder.name}/model.safetensors") == 1
    fetched, broken = answers[1]
    assert list(fetched) == [f"{MODEL}@step512", f"{MODEL}@step1000"]
    assert set(broken) == {f"{MODEL}@step2000", f"{MODEL}@step9"}
    assert all(why.startswith("cannot be fetched: ") for why in broken.values())
    fetched, broken = answers[2]
    assert list(fetched) == [f"{MODEL}@step512", f"{MODEL}@step1000"]
    assert f"hf download {MODEL} --revision step2000" in broken[f"{MODEL}@step2000"]  # it is here in part
    assert broken[MODEL].startswith("step9 is not in the hub's cache")
