"""What every form would have said at every earlier point of the ladder's life, beside what came true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray

from ..fit.newton import Array
from .pathways import ForecastPath, Question, TaskData, predict_all
from .rolling_origin import SAME, RollingOrigin

Trial = tuple[pd.DataFrame, dict[ForecastPath, tuple[Array, Array, Array]]]
COLUMNS = ("task", "cutoff", "run", "flops", "actual", "target")
SAMPLING = "sampling"


@dataclass(frozen=True)
class BacktestForecasts:
    """Forecasts of all forms, for the ladder's own runs and for the targets.

    Attributes
    ----------
    rows : DataFrame (n rows)
        task, cutoff (FLOPs of the largest run that was fitted), run, flops, actual (fraction; NaN where unknown) and
        whether the run is a target. A target is forecast from the whole ladder. Where the scores' sampling errors are
        known, also sampling: that of a score of the task (fraction; NaN: not known).
    paths : tuple of ForecastPath, k of them
    mean, stderr : ndarray (n, k)
        NaN where a form could not be fitted.
    at_bound : ndarray (n, k)
        1 where a law of the form ran into a bound.
    """

    rows: pd.DataFrame
    paths: tuple[ForecastPath, ...]
    mean: Array
    stderr: Array
    at_bound: Array

    @property
    def decades(self) -> Array:
        """log10 of the extrapolation ratio: FLOPs of the run over the largest FLOPs fitted, (n,)."""
        ratio = self.rows["flops"].to_numpy(dtype=float) / self.rows["cutoff"].to_numpy(dtype=float)
        return np.asarray(np.log10(np.maximum(ratio, SAME)))

    def known_at(self, cutoff: float) -> NDArray[np.int_]:
        """Rows whose truth a forecaster who had run everything up to ``cutoff`` would know: no peeking."""
        rows = self.rows
        seen = (rows["cutoff"] < cutoff / SAME) & (rows["flops"] <= cutoff * SAME)
        return np.flatnonzero(seen & ~rows["target"] & rows["actual"].notna())


def backtest(
    ladders: Mapping[str, TaskData],
    middles: Mapping[str, Sequence[str]],
    targets: Mapping[str, pd.DataFrame],
    fewest: int = 6,
    most: int = 8,
    workers: int = 1,
) -> BacktestForecasts:
    """Forecast from every cutoff of the ladder what lay beyond it, and from the whole ladder the targets.

    Parameters
    ----------
    ladders : task to TaskData
        All of one family, so that a cutoff means the same for every task.
    middles : task to names of middle quantities
    targets : task to DataFrame
        run, flops, params, tokens, token_multiplier, actual (NaN where unknown).
    fewest, most : int
        Runs a fit needs, and cutoffs at most.
    workers : int
        Processes to share the tasks among; the result does not depend on it.
    """
    runs = pd.concat([ladder.finals[["run", "flops"]] for ladder in ladders.values()]).drop_duplicates("run")
    cutoffs = RollingOrigin(runs["flops"].to_numpy(), fewest, most).cutoffs(runs[["flops"]])
    tasks = list(ladders)
    # Tasks dealt round, so that those which take long are shared; a worker fits the common laws once for its own.
    hands = [tasks[i::workers] for i in range(workers) if tasks[i::workers]]
    work = [
        delayed(_trials)({t: ladders[t] for t in hand}, middles, {t: targets[t] for t in hand}, cutoffs, fewest)
        for hand in hands
    ]
    done = Parallel(n_jobs=len(hands))(work) if len(hands) > 1 else [call(*args, **more) for call, args, more in work]
    by_task = {task: trials for part in done for task, trials in part.items()}
    return _assembled([trial for task in tasks for trial in by_task[task]])


def _trials(
    ladders: Mapping[str, TaskData],
    middles: Mapping[str, Sequence[str]],
    targets: Mapping[str, pd.DataFrame],
    cutoffs: Sequence[float],
    fewest: int,
) -> dict[str, list[Trial]]:
    """Every trial of some tasks, by task."""
    questions = [
        (task, cutoff, beyond)
        for task, ladder in ladders.items()
        for cutoff, beyond in _questions(ladder.finals, targets[task], cutoffs, fewest)
    ]
    cases = [Question(_known_at(ladders[task], cutoff), middles[task], beyond) for task, cutoff, beyond in questions]
    found: dict[str, list[Trial]] = {task: [] for task in ladders}
    for (task, cutoff, beyond), case, said in zip(questions, cases, predict_all(cases), strict=True):
        rows = beyond[["run", "flops", "actual", "target"]].assign(task=task, cutoff=cutoff)
        rows[SAMPLING] = sampling_error(case.ladder.finals)
        each = {
            f: (said.mean[i], said.stderr[i], np.full(len(beyond), float(said.at_bound[i])))
            for i, f in enumerate(said.paths)
        }
        found[task].append((rows[[*COLUMNS, SAMPLING]], each))
    return found


def _questions(
    finals: pd.DataFrame, targets: pd.DataFrame, cutoffs: Sequence[float], fewest: int
) -> Iterator[tuple[float, pd.DataFrame]]:
    """Cutoffs of a task, and the runs to be forecast from there."""
    finals = finals.dropna(subset=["accuracy"])
    if finals.empty:
        return
    whole = float(finals["flops"].max())
    targets = targets.assign(target=True)
    # A task that was measured on few of the runs has its own largest one below a cutoff.
    ends = {float(finals["flops"][finals["flops"] <= c * SAME].max()) for c in cutoffs}
    reached = sorted(end for end in ends if end < whole)
    for cutoff in reached:
        beyond = finals[finals["flops"] > cutoff * SAME].assign(target=False)
        if (finals["flops"] <= cutoff * SAME).sum() >= fewest:
            yield cutoff, beyond.assign(actual=beyond["accuracy"])
            if cutoff == reached[-1] and len(targets):
                # What was said of the targets before the largest runs were there: shows how much those decide.
                yield cutoff, targets
    if len(finals) >= 2 and len(targets):
        yield whole, targets


def sampling_error(finals: pd.DataFrame) -> float:
    """Median sampling error of a task's scores, a fraction; NaN where none is known."""
    known = finals["stderr"].dropna() if "stderr" in finals else pd.Series(dtype=float)
    return float(known.median()) if len(known) else float("nan")


def _known_at(ladder: TaskData, cutoff: float) -> TaskData:
    finals = ladder.finals[ladder.finals["flops"] <= cutoff * SAME]
    cloud = ladder.checkpoints
    return replace(
        ladder, finals=finals, checkpoints=None if cloud is None else cloud[cloud["run"].isin(finals["run"])]
    )


def _assembled(parts: list[Trial]) -> BacktestForecasts:
    forms = tuple(dict.fromkeys(form for _, said in parts for form in said))
    if not parts:
        return BacktestForecasts(pd.DataFrame(columns=list(COLUMNS)), (), *(np.zeros((0, 0)) for _ in range(3)))
    blocks: list[list[Any]] = [[], [], []]
    for rows, said in parts:
        gap = np.full(len(rows), np.nan)
        for i in range(3):
            blocks[i].append(np.column_stack([said[f][i] if f in said else gap for f in forms]))
    rows = pd.concat([rows for rows, _ in parts], ignore_index=True)
    return BacktestForecasts(rows, forms, *(np.concatenate(block) for block in blocks))
