"""The model-ladder testbed as published: ``ladder-runs/*.csv`` of allenai/OLMo-ladder (arXiv 2412.04403).

One CSV per run with every checkpoint in a row: bits per byte of the gold answer, accuracy and the score normalised
over the choices for each task (5-shot, ranked choices), and validation losses.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.digest import bytes_digest
from pipeline.errors import Fault, FaultsError

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
KINDS = (
    ("downstream_bpb", "bpb", "bits_per_byte", 1.0),
    ("downstream", "len_norm", "acc_norm", 1.0),
    ("downstream", "acc", "acc", 1.0),
    ("downstream_soft_log", "soft_log", "nll_choice", -1.0),
)
LADDER = re.compile(r"(?P<size>\d+[MB])-(?P<multiplier>[\d.]+)xC(?P<rerun>-rerun)?")
TARGET = re.compile(r"peteish(?P<size>\d+)_eval_\w+")

ABOUT = (
    "N leaves out the input embedding; C is the published training FLOPs per token times tokens.",
    "mmlu_val and mmlu_test are the weighted means of MMLU's four groups (.215, .335, .219, .231).",
    "Runs named peteish* ended with an annealing phase on better data, which no ladder run had: they are of another "
    "family, and no fit on the ladder covers that change.",
)


def read(folder: Path) -> pd.DataFrame:
    """Read every run under ``folder`` (or ``folder/ladder-runs``) into the ladder table.

    Raises
    ------
    FaultsError
        For unknown sizes and unreadable files; all of them are named.
    """
    root = folder / "ladder-runs" if (folder / "ladder-runs").is_dir() else folder
    paths = sorted(root.glob("*.csv"))
    if not paths:
        fix = "give the ladder-runs folder of allenai/OLMo-ladder, or leave the path out to download it"
        raise FaultsError([Fault(str(root), "has no *.csv", fix)])
    faults: list[Fault] = []
    parts = []
    for path in paths:
        match = LADDER.fullmatch(path.stem) or TARGET.fullmatch(path.stem)
        size = match and (match["size"] if match["size"] in SIZES else match["size"] + "B")
        if size not in SIZES:
            fix = "name it SIZE-MULTIPLIERxC.csv or peteishSIZE_eval_NAME.csv with one of " + ", ".join(SIZES)
            faults.append(Fault(str(path), "is of no known model size", fix))
            continue
        try:
            parts.append(_run(path, size, "olmo2-ladder" if LADDER.fullmatch(path.stem) else "olmo2-annealed"))
        except (OSError, KeyError, ValueError) as error:
            faults.append(Fault(str(path), f"cannot be read ({type(error).__name__}: {error})", "download it again"))
    if faults:
        raise FaultsError(faults)
    return pd.concat(parts, ignore_index=True)


def _run(path: Path, size: str, family: str) -> pd.DataFrame:
    content = path.read_bytes()
    data = pd.read_csv(io.BytesIO(content))
    if "throughput/total_tokens" in data:
        tokens = data["throughput/total_tokens"].astype(float)
    else:
        tokens = (data["_step"] * data["batch_size_in_tokens"]).astype(float)
    params, flops_per_token = SIZES[size]
    scores = _scores(data)
    n = len(data)
    step = data["_step"].to_numpy(dtype=float) if "_step" in data else np.full(n, np.nan)
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
        digest=bytes_digest(content),
    )
    tall = columns.loc[columns.index.repeat(n)].reset_index(drop=True)
    tall["step"] = np.tile(step, len(columns))
    tall["tokens"] = np.tile(tokens.to_numpy(), len(columns))
    tall["flops"] = tall["tokens"] * flops_per_token
    tall["value"] = np.concatenate(list(scores.values()))
    return tall.dropna(subset="value")


def _scores(data: pd.DataFrame) -> dict[tuple[str, str], Array]:
    """Values by (task, metric), one per checkpoint."""
    found: dict[tuple[str, str], Array] = {}
    for prefix, suffix, metric, factor in KINDS:
        pattern = re.compile(rf"eval/{prefix}/(\w+?)_rc_5shot_{suffix}")
        for column in data.columns:
            if match := pattern.fullmatch(column):
                found[match[1], metric] = factor * data[column].to_numpy(dtype=float)
        for split in ("val", "test"):
            groups = [(f"{group}_{split}", metric) for group in MMLU]
            if all(group in found for group in groups):
                weighted = [w * found[g] for g, w in zip(groups, MMLU.values(), strict=True)]
                found[f"mmlu_{split}", metric] = sum(weighted[1:], weighted[0])
    for column in data.columns:
        if match := re.fullmatch(r"eval/(.+)/CrossEntropyLoss", column):
            found[match[1], "val_loss"] = data[column].to_numpy(dtype=float)
    return found
