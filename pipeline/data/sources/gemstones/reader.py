"""A folder of accuracies and of documents: ``accuracy.csv`` and one ``<task>.npz`` per task.

``accuracy.csv`` has a row per checkpoint and task: run, step, params, tokens, task, acc, stderr, chance. A task's
``.npz`` has three arrays: ``run`` and ``step`` (one per checkpoint) and ``nll`` (checkpoints x documents, nats per
token of the gold answer). Both are of the same checkpoints; what only one of them has is left out with a line.

The losses are per token, as published (there are no answers whose bytes could be counted): ``nll_token`` is their mean,
``nll_mean_prob`` minus the log of the mean of exp(-nll), here per token. FLOPs are 6·params·tokens, computed here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account
from numpy.typing import NDArray

from ....core import reading
from ....core.digest import bytes_digest, file_digest
from ....core.errors import Fault, FaultsError, UnreadableError
from ... import array_files, csv_files, document_metrics, schema
from ...documents.collect import Asked, CheckpointDocuments, Documents

TABLE = "accuracy.csv"
TEXTS, NUMBERS = ("run", "task"), ("step", "params", "tokens", "acc", "stderr", "chance")
ARRAYS = ("run", "step", "nll")
FAMILY = "gemstones"
ABOUT = (
    "N as published (the parameters that are active); C = 6ND, computed here.",
    "Losses are per token of the gold answer: nll_token is their mean, nll_mean_prob is -log of the mean of exp(-nll).",
    "n of an accuracy follows from its standard error, where all of a task agree; losses are of all documents, often "
    "more.",
)


def read_gemstones(folder: Path, account: Account | None = None) -> tuple[pd.DataFrame, Documents]:
    """The ladder table of a folder, and its documents, which are read again when a task is asked for.

    Raises
    ------
    FaultsError
        For a table or an archive that cannot be read, cells that are no numbers, a checkpoint that appears twice, and
        losses that cannot be.
    """
    account = account or Account()
    path = folder / TABLE
    try:
        cells = csv_files.read_csv(path, account)
    except UnreadableError as error:
        fix = f"give the folder with {TABLE} and the .npz files"
        raise FaultsError([Fault(str(path), f"cannot be read: {error}", fix)]) from None
    account.read("files")
    faults: list[Fault] = []
    scores = _scores(path, cells, faults)
    archives = {p.stem: p for p in sorted(folder.glob("*.npz"))}
    others = {p.name for p in folder.iterdir() if p.is_file() and p.suffix != ".npz" and p.name != TABLE}
    if others:
        account.leave(f"files that are neither {TABLE} nor .npz", *sorted(others))
    if faults:
        raise FaultsError(faults)
    tasks = dict.fromkeys(scores["task"])
    if unknown := [p.name for task, p in archives.items() if task not in tasks]:
        account.leave(f"documents of tasks that {TABLE} lacks", *unknown)
    if lacking := [task for task in tasks if task not in archives]:
        account.leave("tasks whose documents are not there: they have an accuracy and no loss", *lacking)
    digest = bytes_digest(reading.data(path, reading.MOST_TABLE))
    parts = [_accuracies(scores, digest)]
    for task in (task for task in tasks if task in archives):
        account.read("files")
        parts.append(_losses(archives[task], scores[scores["task"].eq(task)], account, faults))
    if faults:
        raise FaultsError(faults)
    table = schema.validate(pd.concat(parts, ignore_index=True), str(folder), account)
    return table, Documents(read=_reader(archives, scores), unit="nats/token")


def _scores(path: Path, cells: pd.DataFrame, faults: list[Fault]) -> pd.DataFrame:
    """The rows of ``accuracy.csv`` with numbers; what is wrong is added to ``faults``."""
    if missing := [name for name in (*TEXTS, *NUMBERS) if name not in cells]:
        faults.append(Fault(str(path), f"has no column {', '.join(missing)}", f"it needs {', '.join(TEXTS + NUMBERS)}"))
        return pd.DataFrame()
    table = cells[list(TEXTS)].copy()
    for name in NUMBERS:
        values, wrong = csv_files.numbers(cells[name])
        wrong |= ~np.isfinite(values) & (name in ("step", "params", "tokens", "acc"))
        for at in np.flatnonzero(wrong)[:5]:
            cell = cells[name].iloc[at]
            what = f"column {name!r}: {cell!r:.60} is not a number"
            faults.append(Fault(f"{path}: line {cells.index[at]}", what, csv_files.unlike(str(cell))))
        table[name] = values
    for name in TEXTS:
        for line in table.index[table[name].isna()][:5]:
            faults.append(Fault(f"{path}: line {line}", f"column {name!r} is empty", "every row needs it"))
    for line in table.index[table.duplicated(["run", "step", "task"])][:5]:
        faults.append(Fault(f"{path}: line {line}", "has the run, step and task of a line above", "keep one of them"))
    return table


def _accuracies(scores: pd.DataFrame, digest: str) -> pd.DataFrame:
    """The accuracies as rows of the ladder table."""
    spread = scores["acc"] * (1 - scores["acc"])
    each = (spread / scores["stderr"] ** 2 + 1).where((spread > 0) & (scores["stderr"] > 0))
    # Of a group of tasks the standard error is another: only where all rows of a task agree is it the documents'.
    least, most = (each.groupby(scores["task"]).transform(how) for how in ("min", "max"))
    n = least.round().where((most - least).abs() < 0.1)
    return _rows(scores, TABLE, digest).assign(metric="acc", value=scores["acc"], n=n)


def _rows(scores: pd.DataFrame, file: str, digest: str) -> pd.DataFrame:
    about = scores.assign(family=FAMILY, flops=6 * scores["params"] * scores["tokens"], flops_convention="6ND")
    return about.drop(columns="acc").assign(source=file, digest=digest)


def _losses(path: Path, scores: pd.DataFrame, account: Account, faults: list[Fault]) -> pd.DataFrame:
    """The losses of one task's documents, as rows of the ladder table."""
    try:
        arrays = _arrays(path)
    except UnreadableError as error:
        faults.append(Fault(str(path), str(error), "copy it again, or take it out: its task then has no loss"))
        return pd.DataFrame()
    at = _positions(arrays)
    known = [key in at for key in zip(scores["run"], scores["step"], strict=True)]
    if not all(known):
        lacking = scores[~np.array(known)]
        names = (f"{r.task}, {r.run} at step {r.step:g}" for r in lacking.itertuples())
        account.leave("checkpoints without documents: they have an accuracy and no loss", *names)
    scores = scores[known]
    extra = at.keys() - set(zip(scores["run"], scores["step"], strict=True))
    if extra:
        account.leave(f"documents of checkpoints that {TABLE} lacks", *sorted(f"{r}, step {s:g}" for r, s in extra))
    rows = np.array([at[key] for key in zip(scores["run"], scores["step"], strict=True)], dtype=np.intp)
    found = [_means(arrays["nll"][row]) for row in rows]
    shared = _rows(scores, path.name, file_digest(path))
    parts = []
    for metric in ("nll_token", "nll_mean_prob"):
        means = [each[metric] for each in found]
        values = {"value": [m.value for m in means], "stderr": [m.stderr for m in means]}
        parts.append(shared.assign(metric=metric, n=float(arrays["nll"].shape[1]), **values))
    return pd.concat(parts)


def _means(nll: NDArray[np.floating]) -> dict[str, document_metrics.Mean]:
    values = nll.astype(float)
    known = values[np.isfinite(values)]
    if not len(known):
        return dict.fromkeys(("nll_token", "nll_mean_prob"), document_metrics.Mean(np.nan, np.nan))
    return {"nll_token": document_metrics.mean(known), "nll_mean_prob": document_metrics.of_mean_probability(known)}


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of one task, which belong together.

    Raises
    ------
    UnreadableError
        In one line.
    """
    arrays = array_files.read_arrays(path, ARRAYS)
    run, step, nll = (arrays[name] for name in ARRAYS)
    if nll.ndim != 2 or not nll.size or not np.issubdtype(nll.dtype, np.floating):
        raise UnreadableError(f"nll is not a table of numbers, checkpoint by document (shape {nll.shape}, {nll.dtype})")
    if run.dtype.kind != "U" or step.dtype.kind not in "iuf" or not run.shape == step.shape == nll.shape[:1]:
        raise UnreadableError(f"run and step are not a name and a number for each of the {nll.shape[0]} rows of nll")
    with np.errstate(invalid="ignore"):
        wrong = np.isinf(nll) | (nll < 0)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        what = f"nll of {run[row]} at step {step[row]:g}, document {column}, is {nll[row, column]:g}"
        raise UnreadableError(f"{what}: a negative log-likelihood is finite and not below 0")
    if len(_positions(arrays)) < len(run):
        raise UnreadableError("has a run and step twice")
    return arrays


def _positions(arrays: dict[str, NDArray[Any]]) -> dict[tuple[str, float], int]:
    """Row of every (run, step)."""
    pairs = zip(arrays["run"].tolist(), arrays["step"].astype(float).tolist(), strict=True)
    return {pair: i for i, pair in enumerate(pairs)}


def _reader(archives: dict[str, Path], scores: pd.DataFrame) -> Any:
    """Reads one task's documents of some runs."""

    def read(asked: Asked, runs: Collection[str], account: Account) -> Iterator[CheckpointDocuments]:
        if asked.task not in archives:
            return
        try:
            arrays = _arrays(archives[asked.task])
        except UnreadableError as error:  # it was read before: somebody changes it
            account.leave(f"documents that cannot be read any more: {error}", archives[asked.task].name)
            return
        at, names = _positions(arrays), np.arange(arrays["nll"].shape[1])
        for row in scores[scores["task"].eq(asked.task) & scores["run"].isin(list(runs))].itertuples():
            if (row.run, row.step) in at:
                yield CheckpointDocuments(
                    run=row.run,
                    step=row.step,
                    params=row.params,
                    tokens=row.tokens,
                    flops=6 * row.params * row.tokens,
                    names=names,
                    nll=arrays["nll"][at[row.run, row.step]],
                )

    return read
