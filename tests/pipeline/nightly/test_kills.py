"""Nightly passes that are killed at random moments, and what the next one makes of it: real processes, real SIGKILL."""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from worlds import nightly as world
from worlds.hosts.lines import LineHost

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from benchcast.registry import register
from worlds.scoring import QUIET

pytestmark = QUIET
KILLS = int(os.environ.get("BENCHCAST_KILLS", "3"))
DIGEST = re.compile(rb'"content_sha256": "[0-9a-f]{64}"')
SEED = int(os.environ.get("BENCHCAST_SEED", "0"))


@pytest.fixture(scope="module")
def host() -> Iterator[LineHost]:
    made = LineHost("nightly.py")
    yield made
    made.close()


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory, host: LineHost) -> Path:
    """A world after its first night, with two good checkpoints and a broken one for the second."""
    config = world.make_scoring(tmp_path_factory.mktemp("evening"))
    (config.parent / "hook.sh").write_text("#!/bin/sh\ncat >> heard\n")
    world.edit(config, reevaluate={"notify": {"command": ["/bin/sh", "hook.sh"]}})
    assert host.ask(str(config), None)[0] == 0
    for share, seed in ((0.1, 81), (0.2, 82)):
        world.big(config, share, seed)
    (world.big(config, 0.3, 83) / "model.safetensors").write_bytes(b"junk")
    return config


def outcome(config: Path) -> dict[str, Any]:
    """Everything that must come out the same, however often it was interrupted."""
    folder = config.parent / "nightly"
    history = world.history(config)
    reports = sorted(p for p in (folder / "reports").iterdir() if not p.is_symlink())
    return {
        "cells": {  # tasks name their data by absolute path, and a cell's own digest is of that too
            name: DIGEST.sub(b"", content.replace(str(config.parent).encode(), b""))
            for name, content in world.cells(config).items()
        },
        "points": [p for e in history for p in e.get("points", ())],
        "conditions": history[-1]["conditions"],
        "forecasts": [e.get("forecasts") for e in history],
        "registered": [r.forecasts for r in register.read(folder / "forecasts.jsonl")],
        "lines": len(history),
        "reports": [
            # The others say when the pass was, and how much it scored itself.
            {p.name: p.read_bytes() for p in r.iterdir() if p.suffix not in (".pdf", ".html")}
            for r in reports
            if r.name[0] != "."
        ],
        "latest": os.readlink(folder / "reports" / "latest") == history[-1]["report"] == reports[-1].name,
        "table": (config.parent / "ladder.csv").read_bytes(),
    }


def test_a_pass_that_is_killed_anywhere_is_completed_by_the_next(evening: Path, host: LineHost, tmp_path: Path) -> None:
    whole = world.copy(evening, tmp_path / "whole")
    status, seconds = host.ask(str(whole), None)
    assert os.waitstatus_to_exitcode(status) == 1  # the broken one
    expected, told = outcome(whole), world.messages((whole.parent / "heard").read_text())
    assert len(told) == 1
    assert expected["latest"]
    generator = random.Random(SEED)
    killed = Counter[bool]()
    for number in range(3 * KILLS):  # some are through before they are killed
        if killed[True] == KILLS:
            break
        config = world.copy(evening, tmp_path / f"killed-{number}")
        before = world.contents(config) | world.cells(config)
        status, _ = host.ask(str(config), seconds * generator.random())
        killed[os.WIFSIGNALED(status)] += 1
        assert world.kept(before, world.contents(config) | world.cells(config))
        assert host.ask(str(config), None)[0] == 256  # exit code 1
        assert world.kept(before, world.contents(config) | world.cells(config))
        found = outcome(config)
        assert {k for k in expected if found[k] != expected[k]} == set()
        stored = Counter((config.parent / "stored").read_text().split())
        assert set(stored.values()) == {1}
        assert len(stored) <= len(list(config.parent.glob("scores/cells/??/*")))
        # Told at least once, and twice only when it was killed between the telling and its note of that.
        assert world.messages((config.parent / "heard").read_text()) in (told, 2 * told)
        assert host.ask(str(config), None)[0] == 256
        assert outcome(config) == found
    assert killed[True] == KILLS
