"""What every path would have said at every earlier point of the ladder's life, beside what came true."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray

from ..fit.newton import Array
from .pathways import FittedPaths, ForecastPath, PathPredictions, fit_paths
from .rolling_origin import BUDGET_RTOL_FACTOR, RollingOrigin
from .task_data import TaskData

COLUMNS = ("task", "cutoff", "run", "flops", "actual", "target")
SAMPLING = "sampling"
TASKS_PER_WORKER = 4  # tasks that make a process worth starting
MAX_WORKERS = 8
Part = tuple[pd.DataFrame, PathPredictions]


@dataclass(frozen=True, kw_only=True)
class BacktestForecasts:
    """Forecasts of all paths, for the ladder's own runs and for the targets.

    Attributes
    ----------
    rows : DataFrame (n rows)
        task, cutoff (FLOPs of the largest run that was fitted), run, flops, actual (fraction; NaN where unknown) and
        whether the run is a target. A target is forecast from the whole ladder. Where the scores' sampling errors are
        known, also sampling: that of a score of the task (fraction; NaN: not known).
    paths : tuple of ForecastPath, k of them
    mean, stderr : ndarray (n, k)
        NaN where a path could not be fitted.
    at_bound : ndarray (n, k)
        1 where a law of the path ran into a bound.
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
        return np.asarray(np.log10(np.maximum(ratio, BUDGET_RTOL_FACTOR)))

    def known_at(self, cutoff: float) -> NDArray[np.int_]:
        """Rows whose truth a forecaster who had run everything up to ``cutoff`` would know: no peeking."""
        rows = self.rows
        seen = (rows["cutoff"] < cutoff / BUDGET_RTOL_FACTOR) & (rows["flops"] <= cutoff * BUDGET_RTOL_FACTOR)
        return np.flatnonzero(seen & ~rows["target"] & rows["actual"].notna())

    def joined(self, other: BacktestForecasts) -> BacktestForecasts:
        """These rows and then the other's, of the same paths."""
        if not len(self.rows) or not len(other.rows):
            return self if len(self.rows) else other
        return BacktestForecasts(
            rows=pd.concat([self.rows, other.rows], ignore_index=True),
            paths=self.paths,
            mean=np.concatenate([self.mean, other.mean]),
            stderr=np.concatenate([self.stderr, other.stderr]),
            at_bound=np.concatenate([self.at_bound, other.at_bound]),
        )


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A task as it was known at one cutoff, fitted: what later runs are forecast from.

    ``sampling`` is the sampling error of a score of the task, a fraction (NaN: not known).
    """

    task: str
    cutoff: float
    paths: FittedPaths
    sampling: float

    def forecast(self, runs: pd.DataFrame) -> Part:
        """Rows of a ``BacktestForecasts`` for some runs, with what every path predicts for them."""
        rows = runs[["run", "flops", "actual", "target"]].assign(task=self.task, cutoff=self.cutoff)
        rows[SAMPLING] = self.sampling
        return rows[[*COLUMNS, SAMPLING]], self.paths.predict(runs)


@dataclass(frozen=True, kw_only=True)
class LadderHistory:
    """A ladder fitted at every cutoff.

    Attributes
    ----------
    own : BacktestForecasts
        Of the ladder's own runs, each from cheaper ones.
    origins : task to its last cutoff and the whole ladder
        From where targets are forecast: what was said before the largest runs were there shows how much those decide.
    """

    own: BacktestForecasts
    origins: Mapping[str, tuple[Origin, ...]]

    def forecast(self, targets: Mapping[str, pd.DataFrame]) -> BacktestForecasts:
        """Forecasts of targets (run, flops, params, tokens, token_multiplier, actual), by task."""
        parts = [
            origin.forecast(rows.assign(target=True))
            for task, rows in targets.items()
            for origin in self.origins[task]
            if len(rows)
        ]
        return _assembled(parts, self.own.paths)


def backtest(
    tasks: Mapping[str, TaskData],
    targets: Mapping[str, pd.DataFrame],
    min_runs: int = 6,
    max_cutoffs: int = 8,
    workers: int = 1,
) -> BacktestForecasts:
    """Forecast from every cutoff of the ladder what lay beyond it, and from the whole ladder the targets.

    Parameters
    ----------
    tasks : name to TaskData
        All of one family, so that a cutoff means the same for every task.
    targets : task to DataFrame
        run, flops, params, tokens, token_multiplier, actual (NaN where unknown).
    min_runs, max_cutoffs : int
        Runs a fit needs, and cutoffs at most.
    workers : int
        Processes to share the tasks among; the result does not depend on it.
    """
    history = fit_history(tasks, min_runs, max_cutoffs, workers)
    return history.own.joined(history.forecast(targets))


def fit_history(
    tasks: Mapping[str, TaskData], min_runs: int = 6, max_cutoffs: int = 8, workers: int = 1
) -> LadderHistory:
    """Fit every path at every cutoff of the ladder and to the whole of it; the arguments are those of ``backtest``."""
    runs = pd.concat([task.finals[["run", "flops"]] for task in tasks.values()]).drop_duplicates("run")
    cutoffs = RollingOrigin(runs["flops"].to_numpy(), min_runs, max_cutoffs).cutoffs(runs[["flops"]])
    names = list(tasks)
    # Tasks dealt round, so that those which take long are shared; a worker fits the common laws once for its own.
    hands = [names[i::workers] for i in range(workers) if names[i::workers]]
    work = [delayed(_histories)({t: tasks[t] for t in hand}, cutoffs, min_runs) for hand in hands]
    done = Parallel(n_jobs=len(hands))(work) if len(hands) > 1 else [call(*args, **more) for call, args, more in work]
    by_task = {name: history for part in done for name, history in part.items()}
    every = [by_task[name] for name in names]
    paths = dict.fromkeys(path for history in every for origin in history.fitted for path in origin)
    own = _assembled([part for history in every for part in history.parts], tuple(paths))
    return LadderHistory(own=own, origins={name: by_task[name].origins for name in names})


def usual_workers(tasks: int) -> int:
    """One process per core, but none for a few tasks: starting them takes longer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, MAX_WORKERS, tasks // TASKS_PER_WORKER))


def sampling_error(finals: pd.DataFrame) -> float:
    """Median sampling error of a task's scores, a fraction; NaN where none is known."""
    known = finals["stderr"].dropna() if "stderr" in finals else pd.Series(dtype=float)
    return float(known.median()) if len(known) else float("nan")


@dataclass(frozen=True, kw_only=True)
class _TaskHistory:
    """Of one task: forecasts of its own runs, the paths fitted at each cutoff, and where targets are forecast from."""

    parts: list[Part]
    fitted: list[tuple[ForecastPath, ...]]
    origins: tuple[Origin, ...]


def _histories(tasks: Mapping[str, TaskData], cutoffs: Sequence[float], min_runs: int) -> dict[str, _TaskHistory]:
    """The history of some tasks, all fits made together."""
    reached = {name: list(_reached(task.finals, cutoffs, min_runs)) for name, task in tasks.items()}
    places = [(name, cutoff) for name, each in reached.items() for cutoff in each]
    known = [_known_at(tasks[name], cutoff) for name, cutoff in places]
    by_task: dict[str, list[Origin]] = {name: [] for name in tasks}
    for (name, cutoff), task, paths in zip(places, known, fit_paths(known), strict=True):
        origin = Origin(task=name, cutoff=cutoff, paths=paths, sampling=sampling_error(task.finals))
        by_task[name].append(origin)
    return {name: _task_history(tasks[name].finals, origins, cutoffs, min_runs) for name, origins in by_task.items()}


def _task_history(
    finals: pd.DataFrame, origins: Sequence[Origin], cutoffs: Sequence[float], min_runs: int
) -> _TaskHistory:
    finals = finals.dropna(subset=["accuracy"])
    parts: list[Part] = []
    for origin in origins:
        beyond = finals[finals["flops"] > origin.cutoff * BUDGET_RTOL_FACTOR]
        if len(beyond):
            parts.append(origin.forecast(beyond.assign(target=False, actual=beyond["accuracy"])))
    return _TaskHistory(
        parts=parts,
        fitted=[origin.paths.paths for origin in origins],
        origins=_last_two(origins, finals, cutoffs),
    )


def _ends(finals: pd.DataFrame, cutoffs: Sequence[float]) -> tuple[list[float], float]:
    """The task's own largest runs below the cutoffs, and its largest of all.

    A task that was measured on few of the runs has its own largest one below a cutoff.
    """
    whole = float(finals["flops"].max())
    ends = {float(finals["flops"][finals["flops"] <= c * BUDGET_RTOL_FACTOR].max()) for c in cutoffs}
    return sorted(end for end in ends if end < whole), whole


def _reached(finals: pd.DataFrame, cutoffs: Sequence[float], min_runs: int) -> Iterator[float]:
    """Where a task is fitted: its cutoffs with enough runs, and the whole ladder."""
    finals = finals.dropna(subset=["accuracy"])
    if finals.empty:
        return
    below, whole = _ends(finals, cutoffs)
    for cutoff in below:
        if (finals["flops"] <= cutoff * BUDGET_RTOL_FACTOR).sum() >= min_runs:
            yield cutoff
    if len(finals) >= 2:
        yield whole


def _last_two(origins: Sequence[Origin], finals: pd.DataFrame, cutoffs: Sequence[float]) -> tuple[Origin, ...]:
    """The whole ladder, and before it the last cutoff."""
    if finals.empty:
        return ()
    below, whole = _ends(finals, cutoffs)
    return tuple(origin for origin in origins if origin.cutoff in (*below[-1:], whole))


def _known_at(task: TaskData, cutoff: float) -> TaskData:
    finals = task.finals[task.finals["flops"] <= cutoff * BUDGET_RTOL_FACTOR]
    cloud = task.checkpoints
    return replace(task, finals=finals, checkpoints=None if cloud is None else cloud[cloud["run"].isin(finals["run"])])


def _assembled(parts: Iterable[Part], paths: tuple[ForecastPath, ...]) -> BacktestForecasts:
    """One table of all parts, with a column per path."""
    parts = list(parts)
    if not parts:
        empty = np.zeros((0, len(paths)))
        rows = pd.DataFrame(columns=list(COLUMNS))
        return BacktestForecasts(rows=rows, paths=paths, mean=empty, stderr=empty, at_bound=empty)
    blocks: tuple[list[Array], list[Array], list[Array]] = ([], [], [])
    for rows, predictions in parts:
        place = [predictions.paths.index(path) if path in predictions.paths else -1 for path in paths]
        gap = np.full(len(rows), np.nan)
        bound = predictions.at_bound.astype(float)
        values = (predictions.mean, predictions.stderr, np.repeat(bound[:, None], len(rows), axis=1))
        for block, value in zip(blocks, values, strict=True):
            block.append(np.column_stack([value[i] if i >= 0 else gap for i in place]))
    rows = pd.concat([rows for rows, _ in parts], ignore_index=True)
    mean, stderr, at_bound = (np.concatenate(block) for block in blocks)
    return BacktestForecasts(rows=rows, paths=paths, mean=mean, stderr=stderr, at_bound=at_bound)
