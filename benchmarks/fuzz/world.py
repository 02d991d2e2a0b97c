"""What a world of files is, how it is written and read, and what the others share."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from benchcast.core.config import DataSettings
from benchcast.data import ingest

Files = dict[str, bytes]
SIZES = {"30M": 3e7, "100M": 1e8, "300M": 3e8, "1B": 1e9}
PER_PARAMETER = 20  # tokens


@dataclass(frozen=True)
class Read:
    """What reading gave: rows by what they are about, and what the account told."""

    rows: dict[tuple[Any, ...], tuple[Any, ...]]
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class World:
    """Valid files, how they are read in this process, and how by the command line (``{in}`` is the folder)."""

    files: Files
    read: Callable[[Path], Read]
    command: tuple[str, ...]


def as_json(content: Any) -> bytes:
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def as_yaml(content: Any) -> bytes:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def cell(value: Any) -> Any:
    """A number to nine digits, so that the same number written in two ways is the same."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else float(f"{value:.9g}")
    return value


KEY = ["run", "task", "num_fewshot", "prompt", "metric", "step", "tokens"]
ABOUT = ["value", "stderr", "n", "chance", "params", "flops", "family"]


def of_table(table: pd.DataFrame, told: tuple[str, ...]) -> Read:
    keys = table[KEY].to_numpy(dtype=object)
    values = table[ABOUT].to_numpy(dtype=object)
    rows = {tuple(map(cell, k)): tuple(map(cell, v)) for k, v in zip(keys, values, strict=True)}
    return Read(rows, told)


def ingested(source: str, file: str = "") -> Callable[[Path], Read]:
    def read(folder: Path) -> Read:
        data = ingest.read_data(DataSettings.model_validate({"source": source}), Path(), folder / file)
        return of_table(data.table, data.account.told())

    return read


def command(source: str, file: str = "") -> tuple[str, ...]:
    return ("ingest", source, "--from", "{in}/" + file, "--out", "{in}/out/t.csv")


def binomial_error(value: float, n: int) -> float:
    return math.sqrt(value * (1 - value) / (n - 1))


def loss_of(params: float, tokens: float) -> float:
    return round(1.7 + 400 / params**0.34 + 410 / tokens**0.28, 6)
