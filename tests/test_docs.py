"""Every command block of README, tutorial and how-to is run, in order, in one folder per page; the site builds."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from benchcast.data.ingest import demo
from worlds import tiny_models
from worlds.architectures import LLAMA_2_7B
from worlds.commands import host
from worlds.doc_blocks import Block, blocks
from worlds.hosts import client
from worlds.ladders import ROOT, make_ladder
from worlds.results.lm_eval_results import write_results
from worlds.results.training_logs import PANEL, state

PAGES = {"README.md": ROOT / "README.md"} | {str(p.relative_to(ROOT)): p for p in sorted((ROOT / "docs").rglob("*.md"))}
RUN = ("README.md", "docs/tutorial.md", "docs/howto.md")
COMMANDS = ("sh", "python")
INSTALLS = re.compile(r"pip install")  # what a test of its own does, in an environment of its own


def environment(folder: Path) -> dict[str, str]:
    """A PATH whose ``benchcast`` and ``python`` are those under test."""
    place = folder.parent / "bin"
    place.mkdir(exist_ok=True)
    script = place / "benchcast"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{client.__file__}" "{host(scoring=True)}" "$@"\n')
    script.chmod(0o755)
    path = os.pathsep.join([str(place), str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}


def follow(page: Path, folder: Path) -> list[Block]:
    """Do what a page says, block by block; every block that was run."""
    folder.mkdir(exist_ok=True)
    env, done = environment(folder), []
    for block in blocks(page):
        if block.mark == "file":
            place = folder / block.what
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(block.body)
        elif block.kind in COMMANDS and not block.mark:
            lines = [line for line in block.body.splitlines() if not INSTALLS.match(line.strip())]
            body = "\n".join(lines)
            command = ["bash", "-euo", "pipefail", "-c", body] if block.kind == "sh" else [sys.executable, "-c", body]
            ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
            where = f"{page.name}, line {block.line}\n{block.body}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
            assert ended.returncode == 0, where
            done.append(block)
    return done


def test_every_command_block_is_run_or_says_why_not() -> None:
    for name, page in PAGES.items():
        for block in blocks(page):
            if block.kind in COMMANDS and name not in RUN:
                assert block.mark, f"{name}, line {block.line}: no test follows this page"
            if block.mark == "run by":
                test, _, function = block.what.partition("::")
                assert f"def {function}(" in (ROOT / test).read_text(), f"{name}, line {block.line}"


def test_marks_are_read(tmp_path: Path) -> None:
    text = "a\n<!-- not run: why -->\n```sh\nx\n```\n\n1. b\n\n   ```sh\n   y\n     z\n   ```\n"
    text += "<!-- file: f -->\n```yaml\nk: 1\n```\n"
    (tmp_path / "p.md").write_text(text)
    found = [(b.kind, b.body, b.mark, b.what, b.line) for b in blocks(tmp_path / "p.md")]
    assert found == [
        ("sh", "x\n", "not run", "why", 3),
        ("sh", "y\n  z\n", "", "", 9),
        ("yaml", "k: 1\n", "file", "f", 14),
    ]


def test_a_failing_block_fails(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text("```sh\nbenchcast run nowhere.yaml\ntrue\n```\n")
    with pytest.raises(AssertionError, match=r"p\.md, line 1"):
        follow(tmp_path / "p.md", tmp_path / "w")


def test_the_readme(tmp_path: Path) -> None:
    world = tmp_path / "w"
    shutil.copytree(ROOT / "configs", world / "configs")
    auto = world / "configs" / "auto.yaml"
    auto.write_text(auto.read_text() + "tasks: [recall]\n")  # one of five: the others take as long
    demo().table.to_csv(world / "scores.csv", index=False)
    _own_ladder().to_csv(world / "ladder.csv", index=False)
    _two_mixes(world / "configs")
    _checkpoints(world)
    _plans(world)
    assert len(follow(ROOT / "README.md", world)) >= 5
    assert (world / "out" / "report.html").exists()


def test_the_tutorial(tmp_path: Path) -> None:
    world = tmp_path / "w"
    _tutorial_checkpoints(world)
    assert len(follow(ROOT / "docs" / "tutorial.md", world)) >= 7
    scores = pd.read_csv(world / "scores.csv")
    assert set(scores["run"]) == {"10K-1x", "10K-2x"}
    for made in ("out/report.pdf", "out/report.html", "nightly/reports/latest/report.pdf", "settled/settlement.pdf"):
        assert (world / made).exists(), made


def test_the_how_to(tmp_path: Path) -> None:
    world = tmp_path / "w"
    write_results(world / "results")
    for size in ("10M", "25M"):
        state(world / "runs" / f"lm-{size}" / "checkpoint-200", 200)
    (world / "runs" / "ladder.yaml").write_text(
        "lm-10M: {family: my-mix, params: 1e7, tokens_per_step: 1e6}\n"
        "lm-25M: {family: my-mix, params: 2.5e7, tokens_per_step: 2.5e6}\n"
    )
    (world / "wandb").mkdir()
    (world / "wandb" / "panel.csv").write_text(
        PANEL.replace(',"7B <x> - eval/loss"', "").replace(',""', "").replace(',"3.1"', "")
    )
    _two_mixes(world, "better", "worse")
    assert len(follow(ROOT / "docs" / "howto.md", world)) >= 7
    assert json.loads((world / "benchcast.schema.json").read_text())["title"] == "Config"


def test_the_schema_says_what_a_config_may_be() -> None:
    """The exported JSON schema, with a validator of its own, agrees with the program on the example configs."""
    jsonschema = pytest.importorskip("jsonschema")
    from benchcast.core.config import Config

    schema = Config.model_json_schema()
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        content = yaml.safe_load(path.read_text())
        if {"targets", "recipes"} <= set(content):
            jsonschema.validate(json.loads(json.dumps(content)), schema)
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(content | {"recipe": []}, schema)


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    shown = (tmp_path / "site" / "reference" / "commands.html").read_text()
    config = (tmp_path / "site" / "reference" / "config.html").read_text()
    from benchcast.forecasting.recipes.auto import AutoSettings
    from benchcast.forecasting.recipes.ladder import LadderSettings

    assert all(f"benchcast {name}" in shown for name in ("run", "settle", "reevaluate", "plan", "init"))
    assert all(f"<code>{key}</code>" in config for kind in (AutoSettings, LadderSettings) for key in kind.model_fields)
    assert "Everything <code>benchcast run</code> does" in (tmp_path / "site" / "reference" / "python.html").read_text()
    assert not any(
        re.search(r'<(script|link)[^>]+(src|href)="https?://', page.read_text())
        for page in (tmp_path / "site").rglob("*.html")
    )


def _own_ladder() -> pd.DataFrame:
    """The README's config on a ladder of known laws: its largest runs are called 7B, its tasks as there."""
    table = make_ladder(noise=0.003)
    table["run"] = table["run"].str.replace("6e+08", "7B", regex=False)
    table["step"] = 1000
    table.loc[table["task"].eq("text"), "task"] = "validation"
    quiz = table[table["task"].eq("quiz")]
    names = ("arc_easy", "hellaswag", "piqa")
    return pd.concat([table[table["task"].ne("quiz")], *(quiz.assign(task=name) for name in names)])


def _two_mixes(folder: Path, first: str = "c4_original", second: str = "rpj") -> None:
    table = make_ladder(noise=0.003).assign(step=1000)
    other = table.assign(run="b-" + table["run"], family=second)
    other["value"] = np.where(other["metric"].eq("acc"), other["value"] - 0.03, other["value"])
    pd.concat([table.assign(family=first), other]).to_csv(folder / "mixes.csv", index=False)
    config: dict[str, Any] = {"data": {"source": "table", "path": "mixes.csv"}, "recipes": ["auto"]}
    config |= {"targets": [{"name": "big", "flops": 1e22, "token_multiplier": 20}]}
    (folder / "mixes.yaml").write_text(yaml.safe_dump(config))


def _checkpoints(world: Path) -> None:
    tiny_models.write_checkpoint(world / "runs" / "a", "a", seed=1)
    tiny_models.write_task(world / "tasks", "plain", tiny_models.QUESTIONS)
    settings = {"checkpoints": "runs/*", "tasks": ["plain"], "include_path": "tasks", "quiet_seconds": 0}
    (world / "score.yaml").write_text(yaml.safe_dump({"score": settings}))


def _tutorial_checkpoints(world: Path) -> None:
    for seed, run in enumerate(("10K-1x", "10K-2x")):
        for step in (100, 200):
            folder = world / "checkpoints" / run / f"step-{step}"
            tiny_models.write_checkpoint(folder, run, seed=seed, step=step)
            (folder / "benchcast.json").unlink()  # the folder's name and the config say it all
    tiny_models.write_task(world / "tasks", "quiz", tiny_models.QUESTIONS)


def _plans(world: Path) -> None:
    """Runs of a known loss law for ``plan --data``, an isoFLOP sweep of it, and a model's config.json."""
    (world / "config.json").write_text(json.dumps(LLAMA_2_7B))
    rng = np.random.default_rng(0)
    params, tokens = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 1e11, 6)))
    runs = pd.DataFrame({"params": params, "tokens": tokens, "loss": _loss(params, tokens, rng)})
    runs.to_csv(world / "runs.csv", index=False)
    flops = np.repeat([1e18, 1e19, 1e20], 9)
    sizes = np.sqrt(flops / 120) * np.tile(np.geomspace(1 / 4, 4, 9), 3)
    sweep = pd.DataFrame({"n": sizes, "tokens": flops / 6 / sizes, "flops": flops})
    sweep["loss"] = _loss(sweep["n"].to_numpy(), sweep["tokens"].to_numpy(), rng)
    where = yaml.safe_load((ROOT / "configs" / "isoflop.yaml").read_text())["data"]["where"]
    sweep.assign(**where).to_csv(world / "sweep.csv", index=False)


def _loss(params: Any, tokens: Any, rng: np.random.Generator) -> Any:
    return 1.8 + 480 / params**0.35 + 2000 / tokens**0.37 + rng.normal(0, 0.003, len(params))
