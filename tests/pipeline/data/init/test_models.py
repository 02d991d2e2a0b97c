"""``benchcast init`` of a model by name: a config that scores the revisions in the hub's cache."""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from benchcast.core.config import ScoreConfig
from benchcast.core.digest import file_digest
from benchcast.scoring.checkpoints import discover
from worlds.commands import benchcast
from worlds.hub.cache import MODEL, World


def test_a_config_that_scores_revisions(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number, revision in enumerate(("step0", "step512", "step1000"), 1):
        world.put(revision, number)
    environment = {**os.environ, "HF_HUB_CACHE": str(world.cache)}
    args = ("init", f"{MODEL}@step*", "--tokens-per-step", "2097152")
    done = benchcast(*args, cwd=world.base, env=environment)
    assert done.returncode == 0, done.stderr
    assert f"checkpoints at step 0, which have seen no tokens: {MODEL}@step0" in done.stderr
    config = ScoreConfig.model_validate(yaml.safe_load((world.base / "benchcast.yaml").read_text()))
    settings = config.score.model_copy(update={"hub_cache": world.cache, "quiet_seconds": 0})
    found = discover.find(settings, world.base, file_digest)
    assert [(c.source, c.about["tokens"]) for c in found.checkpoints] == [
        (f"{MODEL}@step512", 512 * 2_097_152),
        (f"{MODEL}@step1000", 1000 * 2_097_152),
    ]
    absent = benchcast("init", f"hf://{MODEL}@step9", "--out", "other.yaml", cwd=world.base, env=environment)
    assert absent.returncode == 2
    assert f"fetch it first: hf download {MODEL} --revision step9" in absent.stderr
