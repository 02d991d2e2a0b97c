"""Scoring by name, from the cache to the table: the cells are those of the same files by path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchcast.scoring import status
from benchcast.scoring.run import score
from benchcast.scoring.store import Store
from worlds import tiny_models
from worlds.hub import cache as hub_cache
from worlds.scoring import QUIET, settings

pytestmark = QUIET
MODEL = "my-org/tiny-60k"
STEPS = (10, 20, 30)


def put(cache: Path, revision: str, seed: int, made: Path, commit: str = "") -> Path:
    tiny_models.write_checkpoint(made, "", seed)
    (made / "benchcast.json").unlink()  # nothing but the name says where it stands
    return hub_cache.put(cache, MODEL, revision, made, commit)


def test_a_ladder_of_revisions(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    snapshots = {step: put(cache, f"step{step}", step, tmp_path / f"made{step}") for step in STEPS}
    tiny_models.write_task(tmp_path / "tasks", "plain", tiny_models.QUESTIONS)
    usual: dict[str, Any] = {"hub_cache": "cache", "place": {"family": "f", "tokens_per_step": 1000}}
    named = settings(checkpoints=(f"{MODEL}@step*",), **usual)
    first = score(named, tmp_path)
    assert (first.scored, first.failures) == (3, [])
    rows = first.table[first.table["metric"] == "acc"]
    assert list(rows["source"]) == [f"{MODEL}@step{step}" for step in STEPS]
    assert list(rows["run"].unique()) == ["tiny-60k"]
    assert list(rows["tokens"]) == [10_000, 20_000, 30_000]

    # The same folders by path, as workers see them, are the same cells.
    ladder = {str(path): {"run": "tiny-60k", "step": step} for step, path in snapshots.items()}
    (tmp_path / "ladder.yaml").write_text(json.dumps({k.removeprefix(f"{tmp_path}/"): v for k, v in ladder.items()}))
    by_path = score(settings(checkpoints=("cache/*/snapshots/*",), ladder="ladder.yaml", **usual), tmp_path)
    assert (by_path.scored, by_path.failures) == (0, [])
    assert list(by_path.table["value"]) == list(first.table["value"])

    # A branch that moved is another checkpoint, and that is told.
    again = score(named, tmp_path)
    assert (again.scored, again.account.told()) == (0, ())
    put(cache, "step30", 99, tmp_path / "moved", hub_cache.commit_of("moved"))
    moved = score(named, tmp_path)
    assert (moved.scored, moved.failures) == (1, [])
    (note,) = moved.account.told()
    then, now = hub_cache.commit_of(f"{MODEL}@step30"), hub_cache.commit_of("moved")
    assert f"{MODEL}@step30: is now commit {now[:12]}; at the last run it was {then[:12]}" in note

    store = Store(tmp_path / "scores")
    matrix = status.matrix_of(store)
    assert {source: list(row) for source, row in matrix.rows.items()} == {f"{MODEL}@step{s}": [1] for s in STEPS}
    assert [c["commit"] for c in store.plan()["checkpoints"]] == [
        *(hub_cache.commit_of(f"{MODEL}@step{s}") for s in STEPS[:2]),
        hub_cache.commit_of("moved"),
    ]
    results = [json.loads(p.read_text()) for p in sorted(tmp_path.glob("scores/cells/??/*/results.json"))]
    args = [r["config"]["model_args"] for r in results]
    assert sorted((a["pretrained"], a["revision"]) for a in args) == sorted(
        [(MODEL, f"step{s}") for s in STEPS] + [(MODEL, "step30")]
    )
