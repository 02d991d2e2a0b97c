"""What the scoring tests share: a small world of checkpoints and tasks, and a run of the scorer on it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from benchcast.core.config import ScoreSettings
from benchcast.scoring.progress import Progress
from worlds import tiny_models

# Other people's warnings: lm-eval, datasets and transformers on import and on use.
QUIET = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Heard(Progress):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def settings(**changes: Any) -> ScoreSettings:
    usual = {
        "checkpoints": ("runs/*",),
        "tasks": ("plain",),
        "include_path": "tasks",
        "batch_size": 7,
        "device": "cpu",
        "quiet_seconds": 0,
    }
    return ScoreSettings.model_validate(usual | changes)


def run(folder: Path, heard: Progress | None = None, **changes: Any) -> tuple[pd.DataFrame, dict[tuple[str, str], str]]:
    """The table, and (checkpoint, task) to reason for whatever could not be scored."""
    from benchcast.scoring.run import score

    how = {name: changes.pop(name) for name in ("retry_failed", "choose_documents") if name in changes}
    summary = score(settings(**changes), folder, heard, **how)
    assert all("\n" not in reason for *_, reason in summary.failures)
    failures = {(source, task): reason for source, task, reason in summary.failures}
    assert len(failures) == len(summary.failures)
    return summary.table, failures


def value(table: pd.DataFrame, run: str, task: str, metric: str, column: str = "value") -> float:
    rows = table[(table["run"] == run) & (table["task"] == task) & (table["metric"] == metric)]
    assert len(rows) == 1
    return float(rows[column].iloc[0])


def make(folder: Path) -> Path:
    """Two good checkpoints, the second with tied embeddings, and a task."""
    tiny_models.write_checkpoint(folder / "runs" / "a", "a", seed=1)
    tiny_models.write_checkpoint(folder / "runs" / "b", "b", seed=2, tied=True)
    tiny_models.write_task(folder / "tasks", "plain", tiny_models.QUESTIONS)
    return folder


def copy_of(whole: Path, folder: Path) -> Path:
    """A copy of such a world that a test may break (task files name their data by absolute path: rewritten)."""
    shutil.copytree(whole / "runs", folder / "runs")
    tiny_models.write_task(folder / "tasks", "plain", tiny_models.QUESTIONS)
    return folder
