"""The checkpoints of a ladder table whose documents are known: of a config's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account

from ..core.config import Config
from ..core.errors import InputError
from ..core.metrics import is_share
from ..data import ingest
from ..data.documents.collect import Asked, Documents
from ..data.source import Data
from .answers import Answers, Checkpoint, label, numbered

SAME = 1e-9  # relative: tokens of one checkpoint


def checkpoints(config: Config, base: Path, account: Account) -> list[Checkpoint]:
    """Every checkpoint of the config's data.

    Raises
    ------
    InputError
        When the documents behind its scores are not known.
    """
    data = ingest.read_data(config.data, base)
    account.add(data.account)
    return of_data(data)


def of_data(data: Data) -> list[Checkpoint]:
    """Every checkpoint of data that were read.

    Raises
    ------
    InputError
        When the documents behind their scores are not known.
    """
    if data.documents is None:
        raise InputError(
            f"{data.label}: has scores, and not which documents were right; "
            "name a store, or lm-eval results with samples"
        )
    shares = data.table[data.table["metric"].map(lambda m: is_share(str(m)))]
    found = []
    for (run, tokens), rows in shares.groupby(["run", "tokens"], sort=False):
        step = float(rows["step"].iloc[0]) if pd.notna(rows["step"].iloc[0]) else np.nan
        name = label(str(run), step, float(tokens))
        read = _reader(data.documents, rows, name)
        found.append(Checkpoint(name=name, run=str(run), tokens=float(tokens), read=read))
    return found


def _reader(documents: Documents, rows: pd.DataFrame, name: str) -> Any:
    run, tokens = str(rows["run"].iloc[0]), float(rows["tokens"].iloc[0])

    known: list[list[Answers]] = []  # read once: a gate asks for them rule by rule

    def read(account: Account) -> list[Answers]:
        if not known:
            known.append(of_documents(account))
        return known[0]

    def of_documents(account: Account) -> list[Answers]:
        found = []
        for row in rows.itertuples():
            task, metric, shots = str(row.task), str(row.metric), float(row.num_fewshot)
            prompt = str(row.prompt) if pd.notna(row.prompt) else ""
            asked = Asked(task=task, shots=shots, prompt=prompt, metric=metric)
            parts = [p for p in documents.read(asked, [run], account) if abs(p.tokens - tokens) <= SAME * tokens]
            if not parts or parts[0].correct is None:
                why = "whose documents are not kept" if not parts else "whose documents do not tell what is right"
                account.leave(f"scores {why}", f"{metric} of {task} ({name})")
                continue
            part = parts[0]
            found.append(
                Answers(
                    task=task,
                    metric=metric,
                    shots=shots,
                    prompt=prompt,
                    version=str(row.task_version) if pd.notna(row.task_version) else "",
                    names=numbered(part.names),
                    score=np.asarray(part.correct, dtype=float),
                    nll=np.asarray(part.nll, dtype=float),
                    unit=documents.unit,
                )
            )
        return found

    return read
