"""A small ladder with a big run that is tracked, as a table that grows; and the nightly pass on it as a process."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

BENCHCAST = [sys.executable, "-W", "ignore", "-m", "benchcast"]
N, D = 1e9, 2e10  # of the big run as it is planned
TASKS = {"easy": (0.25, 9.0), "hard": (0.25, 11.0)}  # chance, steepness
DOCUMENTS = 4000


def accuracy(task: str, params: float, tokens: float) -> tuple[float, float]:
    """Bits per byte and accuracy that a smooth law gives."""
    loss = 0.55 + 40 * params**-0.28 + 40 * tokens**-0.22
    floor, steep = TASKS[task]
    return loss, floor + (0.95 - floor) / (1 + np.exp(steep * (loss - 0.95)))


def rows(run: str, params: float, tokens: float, shift: float = 0.0, seed: int = 0, version: str = "1") -> pd.DataFrame:
    """One checkpoint, with the sampling error of its documents."""
    rng = np.random.default_rng([seed, int(params), int(tokens)])
    found = []
    for task in TASKS:
        loss, right = accuracy(task, params, tokens)
        value = rng.binomial(DOCUMENTS, np.clip(right + shift, 0, 1)) / DOCUMENTS
        for metric, measured in (("acc", value), ("bits_per_byte", loss + rng.normal(0, 0.003))):
            found.append(
                {
                    "run": run,
                    "family": "mix",
                    "step": int(tokens / 1e6),
                    "params": params,
                    "tokens": tokens,
                    "flops": 6 * params * tokens,
                    "flops_convention": "6ND",
                    "task": task,
                    "num_fewshot": 0,
                    "prompt": "",
                    "metric": metric,
                    "value": measured,
                    "stderr": np.sqrt(value * (1 - value) / DOCUMENTS),
                    "n": DOCUMENTS,
                    "chance": 0.25,
                    "source": f"{run}/{tokens:.0f}",
                    "digest": f"{run}-{tokens:.0f}",
                    "lm_eval": "0.4.13",
                    "task_version": version,
                }
            )
    return pd.DataFrame(found)


def ladder() -> pd.DataFrame:
    """Twelve runs, up to a fifteenth of the big run's parameters."""
    sizes = np.geomspace(3e6, 7e7, 4)
    runs = [rows(f"{n / 1e6:.0f}M-{m}x", n, 20 * m * n) for n in sizes for m in (1, 3, 10)]
    return pd.concat(runs, ignore_index=True)


def make(folder: Path, **reevaluate: Any) -> Path:
    """A table world; returns its config."""
    ladder().to_csv(folder / "ladder.csv", index=False)
    config = {
        "title": "a ladder and its big run",
        "data": {"source": "table", "path": "ladder.csv"},
        "targets": [{"name": "big", "params": N, "tokens": D}],
        "recipes": ["ladder"],
        "metric": "acc",
        "figures": 0,
        "reevaluate": {"track": {"big": "1B"}, "points": 8, "nice": 0, **reevaluate},
    }
    path = folder / "nightly.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def edit(config: Path, **changes: Any) -> None:
    """Change top-level keys of a config; a dict is merged into what is there."""
    content = yaml.safe_load(config.read_text())
    for key, value in changes.items():
        content[key] = content.get(key, {}) | value if isinstance(value, dict) else value
    config.write_text(yaml.safe_dump(content))


def grow(config: Path, *share: float, shift: float = 0.0, **how: Any) -> None:
    """Add checkpoints of the big run at these shares of its tokens."""
    path = config.parent / "ladder.csv"
    more = [rows("1B", N, s * D, shift, **how) for s in share]
    pd.concat([pd.read_csv(path), *more], ignore_index=True).to_csv(path, index=False)


def night(config: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """One pass, as a process of its own."""
    command = [*BENCHCAST, "reevaluate", str(config), *options]
    more = {"OMP_NUM_THREADS": "1", **env}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | more, check=False)


def spent() -> float:
    """CPU seconds of all processes that have ended: what else the machine does changes them little."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def here(config: Path, *options: str, command: str = "reevaluate") -> subprocess.CompletedProcess[str]:
    """One pass in this process, which has imported everything: the same command line, in a fraction of the time."""
    from benchcast.cli import app as cli

    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        saved, argv = (os.dup(1), os.dup(2)), sys.argv
        sys.argv = ["benchcast", command, str(config), *options]
        code: Any = 0
        try:
            for handle, file in ((1, out), (2, err)):
                os.dup2(file.fileno(), handle)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                cli.main()
        except SystemExit as left:
            code = left.code or 0
        finally:
            sys.argv = argv
            for handle, old in enumerate(saved, start=1):
                os.dup2(old, handle)
                os.close(old)
        texts = []
        for file in (out, err):
            file.flush()
            file.seek(0)
            texts.append(file.read())
    return subprocess.CompletedProcess([], int(code), *texts)


def messages(text: str) -> list[str]:
    """What a pass tells of what arose and cleared: without the verdict before it and the report's path after it."""
    return [line for line in text.splitlines() if not line.startswith(("verdict: ", "report: "))]


def history(config: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (config.parent / "nightly" / "history.jsonl").read_text().splitlines()]


def copy(config: Path, folder: Path) -> Path:
    """The same world somewhere else; the config's paths are relative."""
    shutil.copytree(config.parent, folder, symlinks=True, dirs_exist_ok=True)
    for task in folder.glob("tasks/*.yaml"):  # they name their data by absolute path
        task.write_text(task.read_text().replace(str(config.parent), str(folder)))
    return folder / config.name


def contents(config: Path) -> dict[str, bytes]:
    """What must not change without a reason: history, register and reports."""
    folder = config.parent / "nightly"
    files = [folder / "history.jsonl", folder / "forecasts.jsonl", *sorted(folder.glob("reports/[0-9]*/*"))]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.is_file()}


def imported(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Top-level names of the modules that a process under PYTHONPROFILEIMPORTTIME loaded."""
    return {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines() if "import time" in line}


def checkpoint(folder: Path, run: str, params: float, tokens: float, seed: int) -> None:
    """A tiny model that says it stands there on the ladder."""
    from worlds import tiny_models

    tiny_models.write_checkpoint(folder, run, seed=seed)
    about = {
        "run": run,
        "family": "random",
        "step": int(tokens / 1e6),
        "params": params,
        "tokens": tokens,
        "flops": 6 * params * tokens,
        "flops_convention": "6ND",
    }
    (folder / "benchcast.json").write_text(json.dumps(about))
    # All models are as tiny; that they are sizes of a ladder can be said of what cannot be counted, such as a mixture.
    shape = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(shape | {"num_local_experts": 8}))


def make_scoring(folder: Path, runs: int = 6, **reevaluate: Any) -> Path:
    """A world of real checkpoints and tasks; those of the big run go to ``big/``, still missing. Returns the config."""
    from worlds import tiny_models

    for number in range(runs):
        checkpoint(folder / "runs" / f"r{number}", f"r{number}", 1e6 * 2**number, 2e7 * 2**number, number)
    tiny_models.write_task(folder / "tasks", "plain", tiny_models.QUESTIONS)
    tiny_models.write_task(folder / "tasks", "more", tiny_models.QUESTIONS[:12])
    config = {
        "title": "a scored ladder and its big run",
        "data": {"source": "table", "path": "ladder.csv"},
        "targets": [{"name": "planned", "params": 1e9, "tokens": 2e10}],
        "recipes": [{"name": "ladder", "last": 1, "skip": 0, "smooth": 1}],
        "metric": "acc",
        "figures": 0,
        "score": {
            "checkpoints": ["runs/*", "big/*"],
            "tasks": ["plain", "more"],
            "include_path": "tasks",
            "device": "cpu",
            "quiet_seconds": 0,
            "out": "ladder.csv",
            "store": "scores",
        },
        "reevaluate": {"track": {"planned": "big"}, "points": 4, "nice": 0, **reevaluate},
    }
    path = folder / "nightly.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def big(config: Path, share: float, seed: int = 99) -> Path:
    """A checkpoint of the big run; its folder."""
    folder = config.parent / "big" / f"at-{share}"
    checkpoint(folder, "big", 1e9, share * 2e10, seed)
    return folder


def dry(config: Path) -> list[str]:
    """The lines of a dry run."""
    result = here(config, "--dry-run")
    assert (result.returncode, result.stderr) == (0, ""), result
    return result.stdout.splitlines()


def age(folder: Path) -> None:
    """As if nothing in it had changed for long."""
    for path in (*folder.iterdir(), folder):
        os.utime(path, (1e9, path.stat().st_mtime % 1e3 + 1e9))


def tokens_scored(config: Path) -> list[float]:
    """Where the big run is scored, by the table."""
    table = pd.read_csv(config.parent / "ladder.csv")
    return sorted(set(table.loc[table["run"].eq("big"), "tokens"]))


def cells(config: Path) -> dict[str, bytes]:
    """Every scored cell."""
    found = (config.parent / "scores" / "cells").rglob("*")
    return {str(p.relative_to(config.parent)): p.read_bytes() for p in found if p.is_file()}


def kept(before: dict[str, bytes], after: dict[str, bytes]) -> bool:
    """Whether nothing was lost or changed but that files were appended to."""
    return all(name in after and after[name].startswith(content) for name, content in before.items())
