"""Every command block of README, tutorial and how-to pages is run, in order; notebooks are; the site builds.

The tutorial has a folder of its own, in which some how-to pages go on. The others share one, in the order of the site,
and find there what their readers have: results, logs and tables.
"""

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
from worlds.architectures import LLAMA_2_7B
from worlds.commands import host
from worlds.doc_blocks import Block, blocks
from worlds.hosts import client
from worlds.ladders import ROOT, make_ladder
from worlds.results import lighteval, olmes
from worlds.results.lighteval import put as put_lighteval
from worlds.results.lm_eval_results import write_results
from worlds.results.training_logs import PANEL, state

PAGES = {"README.md": ROOT / "README.md"} | {str(p.relative_to(ROOT)): p for p in sorted((ROOT / "docs").rglob("*.md"))}
HOW_TO = ROOT / "docs" / "howto"
RUN = ("README.md", "docs/tutorial.md", *(str(p.relative_to(ROOT)) for p in HOW_TO.glob("*.md")))
GO_ON = ("versus.md", "gate.md")  # in the folder of the tutorial, whose checkpoints they are about
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
    world.mkdir()
    _own_ladder().to_csv(world / "ladder.csv", index=False)
    assert len(follow(ROOT / "README.md", world)) >= 1
    assert (world / "out" / "report.pdf").read_bytes().startswith(b"%PDF")


def test_the_readme_is_short() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 900
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_tutorial_and_the_pages_that_go_on_from_it(tmp_path: Path) -> None:
    world = tmp_path / "w"
    assert len(follow(ROOT / "docs" / "tutorial.md", world)) >= 7
    scores = pd.read_csv(world / "scores.csv")
    assert len(set(scores["run"])) == 7
    for made in ("out/report.pdf", "out/report.html", "nightly/reports/latest/report.pdf", "settled/settlement.pdf"):
        assert (world / made).exists(), made
    _configs(world)
    for page in GO_ON:
        assert follow(HOW_TO / page, world)


def test_the_how_to_pages(tmp_path: Path) -> None:
    world = tmp_path / "w"
    world.mkdir()
    _reader_has(world)
    done = [block for page in _in_order() if page.name not in GO_ON for block in follow(page, world)]
    assert len(done) >= 14
    assert json.loads((world / "benchcast.schema.json").read_text())["title"] == "Config"


def _in_order() -> list[Path]:
    """The how-to pages as the site lists them; every one is listed."""
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text().partition("plugins:")[0])
    (pages,) = [part["How to"] for part in site["nav"] if "How to" in part]
    listed = [ROOT / "docs" / path for page in pages for path in page.values()]
    assert set(listed) == set(HOW_TO.glob("*.md"))
    return listed


def _reader_has(folder: Path) -> None:
    """What the readers of the how-to pages have at hand."""
    write_results(folder / "results")
    for day, size in enumerate(("10M", "20M", "40M", "80M"), 1):
        put_lighteval(folder / "lighteval", lighteval.newest(f"org/lm-{size}", 0.3 + 0.03 * day), day)
        olmes.put(folder / "olmes" / size, olmes.metrics(f"org/lm-{size}"), olmes.predictions())
    for size in ("10M", "25M"):
        state(folder / "runs" / f"lm-{size}" / "checkpoint-200", 200)
    (folder / "runs" / "ladder.yaml").write_text(
        "lm-10M: {family: my-mix, params: 1e7, tokens_per_step: 1e6}\n"
        "lm-25M: {family: my-mix, params: 2.5e7, tokens_per_step: 2.5e6}\n"
    )
    (folder / "wandb").mkdir()
    (folder / "wandb" / "panel.csv").write_text(
        PANEL.replace(',"7B <x> - eval/loss"', "").replace(',""', "").replace(',"3.1"', "")
    )
    _configs(folder)
    _two_mixes(folder, "better", "worse")
    _plans(folder)


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


def test_the_notebooks_give_what_they_show() -> None:
    pytest.importorskip("nbclient")
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    command = [sys.executable, str(ROOT / "docs" / "run_notebooks.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


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


def _configs(folder: Path) -> None:
    shutil.copytree(ROOT / "configs", folder / "configs")
    demo = folder / "configs" / "demo.yaml"
    demo.write_text(demo.read_text() + "tasks: [recall]\n")  # one of six: the others take as long


def _own_ladder() -> pd.DataFrame:
    """The README's config on a ladder of known laws: its largest runs are called 7B, its tasks as there."""
    table = make_ladder(noise=0.003)
    table["run"] = table["run"].str.replace("6e+08", "7B", regex=False)
    table["step"] = 1000
    table.loc[table["task"].eq("text"), "task"] = "validation"
    quiz = table[table["task"].eq("quiz")]
    names = ("arc_easy", "hellaswag", "piqa")
    return pd.concat([table[table["task"].ne("quiz")], *(quiz.assign(task=name) for name in names)])


def _two_mixes(folder: Path, first: str, second: str) -> None:
    table = make_ladder(noise=0.003).assign(step=1000)
    other = table.assign(run="b-" + table["run"], family=second)
    other["value"] = np.where(other["metric"].eq("acc"), other["value"] - 0.03, other["value"])
    pd.concat([table.assign(family=first), other]).to_csv(folder / "mixes.csv", index=False)
    config: dict[str, Any] = {"data": {"source": "table", "path": "mixes.csv"}, "recipes": ["auto"]}
    config |= {"targets": [{"name": "big", "flops": 1e22, "token_multiplier": 20}]}
    (folder / "mixes.yaml").write_text(yaml.safe_dump(config))


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
