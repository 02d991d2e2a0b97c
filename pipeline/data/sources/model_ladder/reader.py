"""The model-ladder testbed as published: ``ladder-runs/*.csv`` of allenai/OLMo-ladder (arXiv 2412.04403).

One CSV per run with every checkpoint in a row: bits per byte of the gold answer, accuracy and the score normalised
over the choices for each task (5-shot, ranked choices), and validation losses.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.stages.notices import readers
from numpy.typing import NDArray

from ....core import reading, units
from ....core.digest import bytes_digest
from ....core.errors import Fault, FaultsError, UnreadableError
from ....core.metrics import METRICS
from ... import csv_files

Array = NDArray[np.float64]

# size: (parameters without the input embedding, training FLOPs per token), as published with the runs.
SIZES = {
    "190M": (190_354_176, 1_903_391_232),
    "370M": (371_262_464, 3_443_922_944),
    "600M": (597_382_464, 5_180_751_744),
    "760M": (758_220_288, 6_373_843_968),
    "1B": (1_279_395_840, 10_109_071_360),
    "3B": (3_169_537_280, 22_970_355_200),
    "7B": (6_887_575_552, 49_412_071_424),
    "13B": (13_202_396_160, 91_335_915_520),
}
# MMLU's four groups and their shares of its questions, as the published code weighs them.
MMLU = {"mmlu_stem": 0.215, "mmlu_humanities": 0.335, "mmlu_social_sciences": 0.219, "mmlu_other": 0.231}
CHANCE = {"piqa": 0.5, "boolq": 0.5, "winogrande": 0.5, "socialiqa": 1 / 3, "csqa": 0.2}
# column prefix, suffix, our metric, factor
KINDS: tuple[tuple[str, str, str, float], ...] = (
    ("downstream_bpb", "bpb", "bits_per_byte", 1.0),
    ("downstream", "len_norm", "acc_norm", 1.0),
    ("downstream", "acc", "acc", 1.0),
    ("downstream_soft_log", "soft_log", "nll_choice", -1.0),
)
PATTERNS = [
    (re.compile(rf"eval/{prefix}/(\w+?)_rc_5shot_{suffix}"), metric, factor) for prefix, suffix, metric, factor in KINDS
]
LOSS = re.compile(r"eval/(.+)/CrossEntropyLoss")
STEP, TOKENS, BATCH = "_step", "throughput/total_tokens", "batch_size_in_tokens"
TOLERANCE = 0.02  # between a count of tokens and steps times the batch size
LADDER = re.compile(r"(?P<size>\d+[MB])-(?P<multiplier>[\d.]+)xC(?P<rerun>-rerun)?")
TARGET = re.compile(r"peteish(?P<size>\d+)_eval_\w+")

ABOUT = (
    "N leaves out the input embedding; C is the published training FLOPs per token times tokens.",
    "mmlu_val and mmlu_test are the weighted means of MMLU's four groups (.215, .335, .219, .231).",
    "Runs named peteish* ended with an annealing phase on better data, which no ladder run had: they are of another "
    "family, and no fit on the ladder covers that change.",
)


def read_model_ladder(folder: Path, account: Account | None = None) -> pd.DataFrame:
    """Read every run under ``folder`` (or ``folder/ladder-runs``) into the ladder table.

    Raises
    ------
    FaultsError
        For unknown sizes, unreadable files, cells that are not numbers, and steps or tokens that cannot be.
    """
    account = account or Account()
    root = folder / "ladder-runs" if (folder / "ladder-runs").is_dir() else folder
    paths = sorted(root.glob("*.csv"))
    if not paths:
        fix = "give the ladder-runs folder of allenai/OLMo-ladder, or leave the path out to download it"
        raise FaultsError([Fault(str(root), "has no *.csv", fix)])
    if others := sorted(path.name for path in root.iterdir() if path.suffix != ".csv" and path.is_file()):
        account.leave("files that are not CSV files", *others)
    faults: list[Fault] = []
    parts = []
    for path in paths:
        match = LADDER.fullmatch(path.stem) or TARGET.fullmatch(path.stem)
        size = match and (match["size"] if match["size"] in SIZES else match["size"] + "B")
        if size not in SIZES:
            fix = "name it SIZE-MULTIPLIERxC.csv or peteishSIZE_eval_NAME.csv with one of " + ", ".join(SIZES)
            faults.append(Fault(str(path), "is of no known model size", fix))
            continue
        account.read("files")
        family = "olmo2-ladder" if LADDER.fullmatch(path.stem) else "olmo2-annealed"
        try:
            parts.append(_run(path, size, family, account, faults))
        except UnreadableError as error:
            faults.append(Fault(str(path), f"cannot be read: {error}", "download it again"))
    if faults:
        raise FaultsError(faults)
    return pd.concat(parts, ignore_index=True)


def _run(path: Path, size: str, family: str, account: Account, faults: list[Fault]) -> pd.DataFrame:
    digest = bytes_digest(reading.data(path))
    data = _numbers(path, account, faults)
    params, flops_per_token = SIZES[size]
    tokens = _tokens(path, data, params, account, faults)
    scores = _scores(data)
    n = len(data)
    step = data[STEP].to_numpy(dtype=float) if STEP in data else np.full(n, np.nan)
    # One row per column of the source, then repeated for every checkpoint.
    columns = pd.DataFrame(list(scores), columns=["task", "metric"])
    base = columns["task"].str.removesuffix("_val").str.removesuffix("_test")
    is_task = columns["metric"].ne("val_loss")
    is_accuracy = columns["metric"].isin(["acc", "acc_norm"])
    columns = columns.assign(
        run=path.stem,
        family=family,
        params=float(params),
        flops_convention="given",
        num_fewshot=np.where(is_task, 5.0, np.nan),
        prompt=np.where(is_task, "rc", ""),
        chance=np.where(is_accuracy, base.map(CHANCE).fillna(0.25), np.nan),
        source=path.name,
        digest=digest,
    )
    tall = columns.loc[columns.index.repeat(n)].reset_index(drop=True)
    tall["step"] = np.tile(step, len(columns))
    tall["tokens"] = np.tile(tokens, len(columns))
    tall["flops"] = tall["tokens"] * flops_per_token
    tall["value"] = np.concatenate(list(scores.values())) if scores else np.empty(0)
    return tall.dropna(subset="value")


def _column(name: str) -> tuple[str, str, float] | None:
    """Task, metric and factor of a column; None for one that is not taken."""
    for pattern, metric, factor in PATTERNS:
        if match := pattern.fullmatch(name):
            return match[1], metric, factor
    return (match[1], "val_loss", 1.0) if (match := LOSS.fullmatch(name)) else None


def _numbers(path: Path, account: Account, faults: list[Fault]) -> pd.DataFrame:
    """The columns that are taken, as floats; a cell that is not a number in its metric's range is a fault."""
    cells = csv_files.read_csv(path, account)
    taken = {}
    for name in cells:
        kind = _column(name)
        if kind is None and name not in (STEP, TOKENS, BATCH):
            account.leave("columns that are no score by ranked choices and no loss", name)
            continue
        # Python's own conversion: exactly what the text says.
        values = np.array([_number(cell) for cell in cells[name]], dtype=float)
        low, high = (0.0, math.inf) if kind is None else _range(kind[1], kind[2])
        wrong = cells[name].notna().to_numpy() & ~((values >= low) & (values <= high) & np.isfinite(values))
        for at in np.flatnonzero(wrong)[:5]:
            cell = cells[name].iloc[at]
            fix = csv_files.unlike(cell) or ("is it a percentage or a sum?" if kind else "")
            what = f"column {name!r}: {cell!r:.60} is not a number in [{low:g}, {high:g}]"
            faults.append(Fault(f"{path}: line {cells.index[at]}", what, fix))
        taken[name] = values
    if cells.empty:
        raise UnreadableError("has no row")
    if not any(_column(name) for name in taken):
        raise UnreadableError("has no column eval/…/…_rc_5shot_… and no eval/…/CrossEntropyLoss")
    return pd.DataFrame(taken, index=cells.index)


def _number(cell: object) -> float:
    return float(cell) if isinstance(cell, str) and csv_files.NUMBER.fullmatch(cell.strip()) else math.nan


def _range(metric: str, factor: float) -> tuple[float, float]:
    known = METRICS[metric]
    low, high = sorted((factor * known.low, factor * known.high))
    return low, high


def _tokens(path: Path, data: pd.DataFrame, params: int, account: Account, faults: list[Fault]) -> Array:
    """Tokens seen by every checkpoint, after they were compared with the steps."""
    by_steps = (data[STEP] * data[BATCH]).to_numpy() if {STEP, BATCH} <= {*data} else None
    if TOKENS not in data and by_steps is None:
        raise UnreadableError(f"has no column {TOKENS!r}, and not both {STEP!r} and {BATCH!r}")
    tokens = data[TOKENS].to_numpy() if TOKENS in data else by_steps
    assert tokens is not None
    lines = data.index.to_numpy()
    steps = data[STEP].to_numpy() if STEP in data else np.full(len(data), np.nan)
    order = np.lexsort((lines, np.where(np.isnan(steps), tokens, steps)))
    for one, two in pairwise(order):
        where = f"{path}: line {lines[two]}"
        if steps[one] == steps[two]:
            faults.append(Fault(where, f"has step {steps[two]:g}, as line {lines[one]} has", "keep one of them"))
        elif steps[two] > steps[one] and not tokens[two] > tokens[one]:
            what = (
                f"has {tokens[two]:.9g} tokens at step {steps[two]:g}, and line {lines[one]} has "
                f"{tokens[one]:.9g} at step {steps[one]:g}"
            )
            faults.append(Fault(where, what, "tokens grow with the steps"))
    if TOKENS in data and by_steps is not None:
        off = np.abs(tokens / np.where(by_steps > 0, by_steps, np.nan) - 1)
        if np.nanmax(off, initial=0.0) > TOLERANCE:
            at = int(np.nanargmax(off))
            account.note(
                readers.TOKENS_DIFFER(
                    path.name,
                    column=TOKENS,
                    tokens=float(tokens[at]),
                    line=str(lines[at]),
                    step=STEP,
                    batch=BATCH,
                    product=float(by_steps[at]),
                )
            )
    missing = np.flatnonzero(~(tokens > 0))
    if len(missing):
        faults.append(Fault(f"{path}: line {lines[missing[0]]}", "tells no tokens above 0", "take the line out"))
    elif odd := units.impossible(float(params), float(tokens.max())):
        faults.append(Fault(str(path), odd))
    return np.asarray(tokens, dtype=float)


def _scores(data: pd.DataFrame) -> dict[tuple[str, str], Array]:
    """Values by (task, metric), one per checkpoint."""
    scores: dict[tuple[str, str], Array] = {}
    for pattern, metric, factor in PATTERNS:
        for column in data.columns:
            if match := pattern.fullmatch(column):
                scores[match[1], metric] = factor * data[column].to_numpy(dtype=float)
        for split in ("val", "test"):
            groups = [(f"{group}_{split}", metric) for group in MMLU]
            if all(group in scores for group in groups):
                weighted = [w * scores[g] for g, w in zip(groups, MMLU.values(), strict=True)]
                scores[f"mmlu_{split}", metric] = sum(weighted[1:], weighted[0])
    for column in data.columns:
        if match := LOSS.fullmatch(column):
            scores[match[1], "val_loss"] = data[column].to_numpy(dtype=float)
    return scores
