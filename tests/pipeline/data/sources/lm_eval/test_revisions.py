"""Four models at three revisions each, evaluated by ``lm_eval`` itself: each gets its place and its own score."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from benchcast.data import schema
from worlds.commands import benchcast
from worlds.hosts.lines import environment
from worlds.results import revisions as world

MAKER = Path(world.__file__)
TOKENS_PER_STEP = world.BATCH * world.LENGTH
LACKING = [name for name in ("torch", "transformers", "lm_eval") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"needs {', '.join(LACKING)}: the extra called score")


def command(*words: str, folder: Path) -> str:
    done = benchcast(*words, cwd=folder)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results, then ``init`` and ``ingest`` on them."""
    where = tmp_path_factory.mktemp("revisions")
    quiet = {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false"}
    made = subprocess.run(
        [sys.executable, str(MAKER), str(where)],
        cwd=where,
        env=environment() | quiet,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert made.returncode == 0, (made.stdout + made.stderr)[-3000:]
    command("init", "results", "--tokens-per-step", str(TOKENS_PER_STEP), folder=where)
    return where


def test_every_revision_is_placed_with_what_its_own_result_states(folder: Path) -> None:
    stated = world.values(folder)
    assert len(stated) == 12
    assert len({scores["acc,none"] for scores in stated.values()}) > 3  # they do differ
    places = yaml.safe_load((folder / "results" / "ladder.yaml").read_text())
    found = {(p["run"], p["step"]): (float(p["params"]), float(p["tokens"])) for p in places.values()}
    assert found == {
        (name, step): (pytest.approx(scores["params"], rel=1e-5), step * TOKENS_PER_STEP)
        for (name, step), scores in stated.items()
    }


def test_every_score_is_the_one_of_its_revision(folder: Path) -> None:
    told = command("ingest", "lm_eval", "--from", "results", "--out", "l.csv", folder=folder)
    assert "left out" not in told
    table = schema.read_table(folder / "l.csv")
    assert len(table[["run", "step", "tokens"]].drop_duplicates()) == 12
    by_cell = table.set_index(["run", "step", "metric"])["value"]
    for (name, step), scores in world.values(folder).items():
        for metric in ("acc", "acc_norm"):
            assert by_cell[name, step, metric] == pytest.approx(scores[f"{metric},none"])
    losses = pd.DataFrame(by_cell[:, :, "nll"].unstack())
    assert losses.notna().all(axis=None)
    assert (losses[world.STEPS[-1]] < losses[world.STEPS[0]]).all()  # training helps: no two weights were mixed up


def test_the_config_that_init_wrote_runs(folder: Path) -> None:
    command("run", "benchcast.yaml", folder=folder)
    assert (folder / "out" / "report.pdf").is_file()
    result = json.loads((folder / "out" / "result.json").read_text())
    assert {(row["run"], row["checkpoints"]) for row in result["ladder"]} == {(name, 3) for name in world.WIDTHS}
