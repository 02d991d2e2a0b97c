"""The checkpoints of a store of scored cells, as the last run of ``benchcast score`` wanted them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account

from ..core import reading
from ..core.digest import bytes_digest
from ..core.errors import BrokenError, InputError
from ..core.metrics import ACCURACIES, is_share
from ..data.documents.stored import BROKEN, documents_of
from ..data.documents.written import NAME, SCORE, WRITTEN, written_documents
from ..scoring.store import cell as cells
from ..scoring.store.keys import cell_id
from .answers import Answers, Checkpoint, Floats, label, numbered

PLAN = "plan.json"


def checkpoints(folder: Path) -> list[Checkpoint]:
    """Every checkpoint that was to be scored into the store.

    Raises
    ------
    InputError
        When nothing was.
    """
    try:
        plan = reading.json_of(reading.data(folder / PLAN, reading.MOST_TABLE))
        return [_checkpoint(folder, plan, each) for each in plan["checkpoints"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: holds no scores that can be read ({error}); run benchcast score first") from None


def _checkpoint(folder: Path, plan: Mapping[str, Any], about: Mapping[str, Any]) -> Checkpoint:
    place, digest = about["place"], str(about["digest"])
    run = str(place["run"])
    step, tokens = reading.number(place.get("step")), reading.number(place.get("tokens"))

    def read(account: Account) -> list[Answers]:
        found: list[Answers] = []
        for task in plan["tasks"]:
            for requests in dict.fromkeys((task.get("whole", task["requests"]), task["requests"])):
                cell = cell_id(digest, requests, plan["setup"])
                path = folder / "cells" / cell[:2] / cell
                if (path / cells.RESULTS).exists():  # of all documents where all were asked, else of the chosen ones
                    found += _answers(path, str(task["name"]), account)
                    break
        return found

    source = str(about.get("source", ""))
    aliases = tuple(n for n in (source, digest) if n)
    return Checkpoint(name=label(run, step, tokens), aliases=aliases, run=run, tokens=tokens, read=read)


def _answers(path: Path, task: str, account: Account) -> list[Answers]:
    """The answers of one cell; nothing of one that is not what was written, which the account is told."""
    try:
        about = cells.read(path)["benchcast"]
        content = reading.data(path / cells.DOCUMENTS, reading.MOST_TABLE)
        if bytes_digest(content) != about["documents_sha256"]:
            raise BrokenError(f"{path / cells.DOCUMENTS}: is not the file that was written")
        frame = pd.read_parquet(io.BytesIO(content))
    except (BrokenError, *BROKEN) as error:
        account.leave("stored cells that cannot be read", f"{task}: {' '.join(str(error).split())[:200]}")
        return []
    asked = about.get("estimated", {}).get("whole", about["requests"])
    shots = {row["metric"]: reading.number(row.get("num_fewshot")) for row in about["rows"]}
    usual: dict[str, Any] = {"task": task, "version": f"{about['version']}:{asked}"}
    scores = [str(metric) for metric in shots if is_share(str(metric))]
    found = []
    for metric in scores:
        one = _written(frame, metric) if WRITTEN in frame else _chosen(frame, metric, about)
        if one is None:
            account.leave("scores whose documents do not tell what is right", f"{metric} of {task}")
        else:
            found.append(Answers(**usual, metric=metric, shots=shots[metric], **one))
    return found


def _written(frame: pd.DataFrame, metric: str) -> dict[str, Any] | None:
    if SCORE + metric not in frame:
        return None
    each = frame.drop_duplicates(NAME).sort_values(NAME, kind="stable")
    known = written_documents(frame, metric)
    nll: Floats | None = None if known is None else np.asarray(known["nll"], dtype=float)
    return {"names": numbered(each[NAME]), "score": each[SCORE + metric].to_numpy(dtype=float), "nll": nll}


def _chosen(frame: pd.DataFrame, metric: str, about: Mapping[str, Any]) -> dict[str, Any] | None:
    if metric not in ACCURACIES:
        return None
    try:
        known = documents_of(frame, about["place"], metric, by_choice=metric in about.get("derived", ACCURACIES))
    except BROKEN:
        return None
    if known.correct is None:
        return None
    score, nll = known.correct.astype(float), known.nll.astype(float)
    return {"names": numbered(known.names), "score": score, "nll": nll}
