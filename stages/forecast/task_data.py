"""One task of a ladder, as ``auto``'s paths are fitted to it: a row per run, and smoothed checkpoints of the runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..documents.matrix import DocumentMatrix
from ..fit.newton import Array
from .rolling_origin import BUDGET_RTOL_FACTOR

TASK_LOSSES = ("nll_choice", "bits_per_byte", "nll_mean_prob")  # nll is bits_per_byte in another unit
OWN_LOSS = ("bits_per_byte",)  # those that a law of N and D is fitted to where there is no validation loss
FEWEST_ENDS = 3  # runs, below which their checkpoints are needed
NOT_VALIDATION_LOSSES = frozenset(
    {
        "run",
        "step",
        "params",
        "tokens",
        "flops",
        "token_multiplier",
        "accuracy",
        "acc",
        "acc_norm",
        "stderr",
        "chance",
        "nll",
        "nll_token",
        *TASK_LOSSES,
    }
)


@dataclass(frozen=True, kw_only=True)
class CheckpointConstants:
    """How a run's checkpoints are averaged and thinned; set on the backtests of three ladders, never on a target."""

    long_record: int = 20
    """Checkpoints: runs with (in the median) at least so many have a long record, and are smoothed."""

    averaged: int = 5
    """Checkpoints: the score of a run with a long record is the mean of its last so many."""

    fewest: int = 3
    """Checkpoints: where no run has so many, only the ends of the runs are used."""

    skipped_share: float = 0.1
    """Share of a run's checkpoints: its first ones, which are left out."""

    window: int = 5
    """Checkpoints: length of the moving average over a long record."""

    kept: int = 12
    """Checkpoints of a run that are kept, evenly spaced: more tell no more, neighbours being alike."""

    same_length: float = 1.5
    """Ratio of tokens: runs that all end within it do not tell what tokens do, and their checkpoints must."""

    stand_in: int = 5
    """Checkpoints of a run, evenly spaced in log D, that then stand for shorter runs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskDocuments:
    """A task's documents at m checkpoints, and the accuracy (m,) that each had (NaN: not known)."""

    matrix: DocumentMatrix
    accuracy: Array

    @classmethod
    def of(cls, matrix: DocumentMatrix, rows: pd.DataFrame) -> TaskDocuments:
        """With the accuracies of a ladder's checkpoints ``rows``, found by run and tokens."""
        places = matrix.places[["run", "tokens"]]
        known = rows[["run", "tokens", "accuracy"]].drop_duplicates(["run", "tokens"], keep="last")
        joined = places.merge(known, on=["run", "tokens"], how="left")
        return cls(matrix=matrix, accuracy=joined["accuracy"].to_numpy(dtype=float))

    def of_ends(self, finals: pd.DataFrame) -> TaskDocuments | None:
        """Of the ends of runs only: an earlier checkpoint, whose learning rate is still high, is no shorter run."""
        ends = pd.MultiIndex.from_frame(finals[["run", "tokens"]])
        return self.where(pd.MultiIndex.from_frame(self.matrix.places[["run", "tokens"]]).isin(ends))

    def where(self, rows: NDArray[np.bool_]) -> TaskDocuments | None:
        """Of some checkpoints (m,) only; None where there is none."""
        if not rows.any():
            return None
        return TaskDocuments(matrix=self.matrix.of_rows(rows), accuracy=self.accuracy[rows])


@dataclass(frozen=True, kw_only=True)
class TaskData:
    """What the paths of one task are fitted on.

    Attributes
    ----------
    finals : DataFrame
        A row per run: run, params, tokens, flops, token_multiplier, accuracy, and the intermediate losses; where it is
        known also stderr, the sampling error of the accuracy. Where checkpoints stand for shorter runs they are rows
        too, and model names the run that each belongs to.
    loss_names : tuple of str
        Columns of ``finals`` that a path may go through.
    chance : float
        Score of guessing; 0 where it is not known.
    zero_chance : bool
        Whether guessing is known to score nothing.
    checkpoints : DataFrame, optional
        More points (run, accuracy, intermediate losses) of the same runs, for the second law.
    extended : bool
        Whether the ``extended`` candidates are tried too.
    references : DataFrame, optional
        Models of other families, known from the start: run, family, accuracy, and those of the intermediate losses
        that can be compared with the ladder's. They enter second laws only, as further candidates.
    documents : TaskDocuments, optional
        What the runs' checkpoints said of every document.
    """

    finals: pd.DataFrame
    loss_names: tuple[str, ...] = ()
    chance: float = 0.0
    checkpoints: pd.DataFrame | None = None
    extended: bool = False
    references: pd.DataFrame | None = None
    documents: TaskDocuments | None = None
    zero_chance: bool = False

    @property
    def checkpoints_stand_in(self) -> bool:
        """Whether checkpoints stand for shorter runs."""
        return "model" in self.finals


def final_checkpoints(rows: pd.DataFrame, average_last: int, columns: Sequence[str]) -> pd.DataFrame:
    """One row per run: its last complete checkpoint, with the mean of its last ``average_last`` ones in ``columns``.

    ``rows`` has a run's checkpoints together, in order; a checkpoint is complete that has all of ``columns``.
    """
    values = rows[list(columns)].to_numpy(dtype=float)
    complete = np.flatnonzero(np.isfinite(values).all(axis=1))
    runs = rows["run"].to_numpy()[complete]
    ends = np.flatnonzero(np.append(runs[1:] != runs[:-1], True)) if len(runs) else np.array([], dtype=int)
    starts = np.append(0, ends[:-1] + 1)
    finals = rows.iloc[complete[ends]].reset_index(drop=True)
    for j, column in enumerate(columns):
        finals[column] = [
            values[complete[max(start, end + 1 - average_last) : end + 1], j].mean()
            for start, end in zip(starts, ends, strict=False)
        ]
    return finals


def usual_average(rows: pd.DataFrame, constants: CheckpointConstants) -> int:
    """How many last checkpoints to average where nobody says so."""
    return constants.averaged if rows.groupby("run").size().median() >= constants.long_record else 1


def choose_losses(
    tables: Mapping[str, pd.DataFrame], average_last: int, n_losses: int, min_runs: int
) -> tuple[str, ...]:
    """The validation losses whose order of the runs is most like that of the mean accuracy.

    Of the cheapest runs only, which every cutoff of the backtest has seen: later ones must not choose for it.

    Parameters
    ----------
    tables : task to DataFrame
        The checkpoints of the fitted runs; what is no known column is taken for a validation loss.
    n_losses, min_runs : int
        Losses at most, and the runs that the first cutoff has seen.
    """
    ends = pd.concat([final_checkpoints(rows, average_last, ["accuracy"]) for rows in tables.values()])
    budgets = ends.drop_duplicates("run")["flops"].sort_values()
    first = budgets.iloc[min(min_runs, len(budgets)) - 1]
    seen = ends[ends["flops"] <= first * BUDGET_RTOL_FACTOR]
    mean = seen.groupby("run", sort=False)["accuracy"].mean()
    columns = (rows[c] for rows in tables.values() for c in rows.columns if c not in NOT_VALIDATION_LOSSES)
    names = dict.fromkeys(str(column.name) for column in columns if pd.api.types.is_numeric_dtype(column))
    ranked = []
    for name in names:
        rows = next(rows for rows in tables.values() if name in rows)
        loss = final_checkpoints(rows, average_last, [name]).set_index("run")[name]
        both = pd.concat([loss, mean], axis=1, join="inner").dropna()
        if len(both) >= max(3, len(mean) // 2) and both.nunique().min() > 1:
            ranked.append((float(both.corr(method="spearman").iloc[0, 1]), name))
    return tuple(name for _, name in sorted(ranked)[:n_losses])


def task_data(
    rows: pd.DataFrame,
    loss_names: Sequence[str],
    *,
    chance: float | None,
    average_last: int,
    extended: bool,
    constants: CheckpointConstants,
) -> TaskData:
    """A row per run of the checkpoints ``rows``: the accuracy, and each intermediate loss where it is known."""
    names = tuple(name for name in loss_names if name in rows)
    ends = final_checkpoints(rows, average_last, ["accuracy"])
    for name in names:
        known = final_checkpoints(rows, average_last, [name, "accuracy"]).set_index("run")[name]
        ends[name] = ends["run"].map(known)
    ends["run"] = ends["run"].astype(object)  # compared often: strings of Python are the quickest
    needed = _checkpoints_needed(rows, ends, constants)
    return TaskData(
        finals=_stand_ins(rows, names, average_last, constants) if needed else ends,
        loss_names=names,
        chance=chance or 0.0,
        zero_chance=chance == 0.0,
        checkpoints=None if needed else _smoothed(rows, names, constants),
        extended=extended,
    )


def with_documents(task: TaskData, matrix: DocumentMatrix, rows: pd.DataFrame) -> TaskData:
    """The task with what checkpoints ``rows`` said of its documents: at the ends of runs, or where they stand in."""
    documents = TaskDocuments.of(matrix, rows)
    return replace(task, documents=documents if task.checkpoints_stand_in else documents.of_ends(task.finals))


def _checkpoints_needed(rows: pd.DataFrame, ends: pd.DataFrame, constants: CheckpointConstants) -> bool:
    """Whether the ends of the runs leave the effect of tokens open, or are too few, and checkpoints can tell it."""
    if not len(ends) or rows.groupby("run").size().median() < constants.fewest:
        return False
    alike = ends["tokens"].max() < constants.same_length * ends["tokens"].min()
    return bool(alike or len(ends) < FEWEST_ENDS)


def _stand_ins(
    rows: pd.DataFrame, loss_names: Sequence[str], average_last: int, constants: CheckpointConstants
) -> pd.DataFrame:
    """Checkpoints of every run, evenly spaced in log D, as runs of their own; values are means of the last ones."""
    columns = ["accuracy", *loss_names]
    parts = []
    for run, part in rows[rows["accuracy"].notna()].groupby("run", sort=False):
        first = min(math.ceil(constants.skipped_share * len(part)), len(part) - 1)
        smooth = part.assign(**part[columns].rolling(average_last, min_periods=1).mean()).iloc[first:]
        wanted = np.geomspace(smooth["tokens"].iloc[0], smooth["tokens"].iloc[-1], constants.stand_in)
        nearest = np.abs(np.log(smooth["tokens"].to_numpy(dtype=float)[:, None] / wanted)).argmin(axis=0)
        chosen = smooth.iloc[np.unique(nearest)]
        labels = [f"{run} at {tokens:.4g} tokens" for tokens in chosen["tokens"]]
        parts.append(chosen.assign(model=run, run=labels))
    return pd.concat(parts, ignore_index=True)


def _smoothed(rows: pd.DataFrame, loss_names: Sequence[str], constants: CheckpointConstants) -> pd.DataFrame | None:
    """Smoothed checkpoints of every run, evenly thinned; nothing where runs have only one or two."""
    lengths = rows.groupby("run").size()
    if lengths.max() < constants.fewest:
        return None
    window = constants.window if lengths.median() >= constants.long_record else 1
    columns = [*loss_names, "accuracy"]
    parts = []
    for run, part in rows.groupby("run", sort=False):
        first = min(math.ceil(constants.skipped_share * len(part)), len(part) - 1)
        smooth = part[columns].iloc[first:].rolling(window, min_periods=1).mean()
        chosen = np.unique(np.linspace(0, len(smooth) - 1, min(constants.kept, len(smooth))).round().astype(int))
        parts.append(smooth.iloc[chosen].assign(run=run))
    return pd.concat(parts, ignore_index=True)
