"""``benchcast init`` on folders that hold no results: checkpoints to score, exports and logs of trainers."""

from __future__ import annotations

import json
from pathlib import Path

from benchcast.core.config import Config, ScoreConfig, load
from worlds.architectures import SMALL
from worlds.commands import benchcast
from worlds.ladders import make_ladder


def test_exports_and_states_name_the_command_that_reads_them(tmp_path: Path) -> None:
    (tmp_path / "wb").mkdir()
    (tmp_path / "wb" / "x.csv").write_text('"Step","run-a - eval/loss"\n10,3.5\n')
    (tmp_path / "hf" / "run" / "checkpoint-10").mkdir(parents=True)
    (tmp_path / "hf" / "run" / "checkpoint-10" / "trainer_state.json").write_text(
        '{"log_history": [], "global_step": 10}'
    )
    (tmp_path / "t").mkdir()
    make_ladder().to_csv(tmp_path / "t" / "l.csv", index=False)
    for folder, says in (
        ("wb", "benchcast ingest wandb"),
        ("wb/x.csv", "benchcast ingest wandb"),
        ("hf", "benchcast ingest trainer --from hf"),
        ("t", "benchcast init t/l.csv"),
    ):
        done = benchcast("init", folder, cwd=tmp_path)
        assert done.returncode == 2
        assert says in done.stderr, done.stderr
    assert not list(tmp_path.rglob("*.yaml"))


def test_checkpoints_at_step_zero_are_not_scored(tmp_path: Path) -> None:
    for step in (0, 100, 200):
        place = tmp_path / "runs" / "tiny" / f"step-{step}"
        place.mkdir(parents=True)
        (place / "config.json").write_text(json.dumps(SMALL))
        (place / "model.safetensors").write_bytes(b"")
        (place / "trainer_state.json").write_text("{}")
    done = benchcast("init", "runs", "--tokens-per-step", "1000", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "evaluation losses: benchcast ingest trainer --from runs" in done.stdout
    assert "checkpoints at step 0, which have seen no tokens: tiny/step-0" in done.stderr
    score = load(tmp_path / "benchcast.yaml", ScoreConfig).score
    (pattern,) = score.checkpoints
    assert sorted(p.name for p in tmp_path.glob(pattern)) == ["step-100", "step-200"]
    assert score.place.tokens_per_step == 1000
    assert "tiny: 2 checkpoints, 2.10" in (tmp_path / "benchcast.yaml").read_text()


def test_checkpoints_get_a_config_to_score(tmp_path: Path) -> None:
    for run in ("10M", "25M"):
        for step in (100, 200):
            place = tmp_path / "runs" / run / f"step-{step}"
            place.mkdir(parents=True)
            (place / "config.json").write_text("{}")
            (place / "model.safetensors").write_bytes(b"")
    done = benchcast("init", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "then: benchcast score benchcast.yaml" in done.stdout
    assert "ingest trainer" not in done.stdout
    score = load(tmp_path / "benchcast.yaml", ScoreConfig).score
    assert score.checkpoints == ("runs/*/*",)
    assert score.pattern == "{run}/step-{step}"
    assert len(list(tmp_path.glob(score.checkpoints[0]))) == 4
    load(tmp_path / "benchcast.yaml", Config)
