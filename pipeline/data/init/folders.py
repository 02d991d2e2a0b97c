"""What else than results of lm-eval a folder holds: checkpoints, or files that another command reads."""

from __future__ import annotations

import csv
import glob
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchcast.reports.records.account import Account
from benchcast.stages.compute.architecture import Architecture

from ...core import reading
from ...core.errors import UnreadableError
from .. import model_names
from ..schema import COLUMNS, REQUIRED
from ..sources.lm_eval.files import shown
from . import config as init_config
from .text import number, relative

MOST_SIZES = 20  # runs whose sizes are listed in a comment
STEP = re.compile(r"(?P<word>(?:global[-_]?step|step|checkpoint|iter)[-_]?)(?P<step>\d+)", re.IGNORECASE)
HEADER = 1 << 16  # bytes of a CSV that are read to see what it is


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """Folders with an architecture and safetensors weights, by name; those at step 0 apart."""

    folder: Path
    trained: tuple[Path, ...]
    untrained: tuple[Path, ...]

    def config(self, out: Path, tokens_per_step: float | None = None) -> str:
        """A config that scores them; ``tokens_per_step`` where the person says it."""
        base = relative(self.folder, out.parent)
        patterns = self._patterns(glob.escape(base))
        found = f"the checkpoints under {base}"
        return init_config.scoring(found, out, patterns, self._pattern(), self._sizes(), tokens_per_step)

    def _patterns(self, base: str) -> list[str]:
        depths = sorted({len(path.relative_to(self.folder).parts) for path in self.trained})
        last = "*"
        if self.untrained and (word := self._word()) is not None:
            last = f"{word}*[1-9]*"  # not those at step 0
        return ["/".join([base, *["*"] * (depth - 1), *([last] if depth else [])]) for depth in depths]

    def _word(self) -> str | None:
        """What every folder's name has before its step; None where they differ, or tell none."""
        words = {match["word"] if (match := STEP.fullmatch(path.name)) else None for path in self.trained}
        return next(iter(words)) if len(words) == 1 else None

    def _pattern(self) -> str | None:
        word = self._word()
        nested = all(len(path.relative_to(self.folder).parts) > 1 for path in self.trained)
        return f"{{run}}/{word}{{step}}" if word is not None and nested else None

    def _sizes(self) -> dict[str, str]:
        runs: dict[str, list[Path]] = {}
        for path in self.trained:
            nested = len(path.relative_to(self.folder).parts) > 1
            runs.setdefault(shown(path.parent if nested else path, self.folder), []).append(path)
        sizes = {run: f"{len(paths)} checkpoints, {size(paths[0])}" for run, paths in list(runs.items())[:MOST_SIZES]}
        more = {"and more": f"{len(runs) - MOST_SIZES} runs"} if len(runs) > MOST_SIZES else {}
        return sizes | more


def checkpoints(folder: Path, account: Account) -> Checkpoints | None:
    """The checkpoints below a folder; None where there are none."""
    places, other = [], []
    for place, names in _folders(folder):
        if "config.json" not in names:
            continue
        if any(name.endswith(".safetensors") for name in names):
            places.append(place)
        elif any(name.endswith((".bin", ".pt", ".pth", ".ckpt")) for name in names):
            other.append(shown(place, folder))
    if other:
        account.leave("checkpoints without safetensors weights (save them as safetensors)", *other)
    if not places:
        return None
    untrained = [place for place in places if _step(place) == 0]
    if untrained:
        spelled = (shown(place, folder) for place in untrained)
        account.leave("checkpoints at step 0, which have seen no tokens", *spelled)
    trained = tuple(place for place in places if place not in set(untrained))
    return Checkpoints(folder=folder, trained=trained, untrained=tuple(untrained)) if trained else None


def trainer_losses(folder: Path) -> tuple[str, ...]:
    """The command that reads the trainer's own evaluation losses, where its states lie in a folder."""
    if not any("trainer_state.json" in names for _, names in _folders(folder)):
        return ()
    return (f"for the trainer's own evaluation losses: benchcast ingest trainer --from {_quoted(folder)}",)


def elsewhere(folder: Path) -> list[str]:
    """What a folder holds that another command reads, with that command; empty when nothing is known."""
    hints: dict[str, str] = {}
    for place, names in _folders(folder):
        if "trainer_state.json" in names:
            hints.setdefault("trainer", f"trainer_state.json files: benchcast ingest trainer --from {_quoted(folder)}")
        for name in names:
            if name.endswith(".csv") and (export := _table(place / name)):
                hints.setdefault(export.partition(":")[0], export)
            elif name.endswith(".parquet"):
                hints.setdefault(
                    "parquet", f"Parquet files: for a ladder table give the file itself, {_quoted(place / name)}"
                )
    return list(hints.values())


def is_export(path: Path) -> bool:
    """Whether a file looks like a CSV export of Weights & Biases, not like a ladder table."""
    return path.suffix == ".csv" and "wandb" in _table(path)


def _table(path: Path) -> str:
    """What a CSV file is, with the command that reads it; empty when it is neither of the two known kinds."""
    columns = _columns(path)
    if set(REQUIRED) <= set(columns):
        return f"a ladder table: give the file itself, benchcast init {_quoted(path)}"
    marks = ("Step", "_step", "trainer/global_step", "global_step", "Name", "State", "Runtime", "Created")
    if (
        columns
        and (set(marks) & set(columns) or any(" - " in column for column in columns))
        and not (len(set(COLUMNS) & set(columns)) > 3)
    ):
        return f"CSV exports of Weights & Biases: benchcast ingest wandb --from {_quoted(path.parent)}"
    return ""


def _columns(path: Path) -> list[str]:
    try:
        reading.check(path)
        with path.open("rb") as file:
            text = file.read(HEADER).decode("utf-8-sig", "replace")
        return next(csv.reader(io.StringIO(text)), [])
    except (UnreadableError, OSError, csv.Error):
        return []


def _folders(folder: Path) -> Iterator[tuple[Path, Sequence[str]]]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield Path(place), sorted(names)


def _step(place: Path) -> float | None:
    step = model_names.numbers(place.name).step
    return None if step is None else step.value


def size(place: Path) -> str:
    """N of a checkpoint, from its config.json."""
    try:
        content = reading.json_of(reading.data(place / "config.json", reading.MOST_CONFIG))
        params = Architecture.from_config(content).params()
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        return f"parameters not told ({' '.join(str(error).split())[:200]})"
    return f"{number(float(params))} parameters with embeddings (config.json)"


def _quoted(path: Path) -> str:
    text = shown(path)
    return text if re.fullmatch(r"[\w./-]+", text) else f"'{text}'"
