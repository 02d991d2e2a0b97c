"""What every path would have said at every earlier point of the ladder's life, beside what came true."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray

from ..fit.newton import Array
from .forms.registry import FittedForms, fit_shared
from .pathways import FittedPaths, ForecastPath, PathPredictions, fit_paths
from .rolling_origin import AXES as BUDGETS
from .rolling_origin import BUDGET_RTOL_FACTOR, Horizon, horizons
from .task_data import TaskData, TaskDocuments

FITTED = tuple(f"fitted_{axis}" for axis in BUDGETS)  # the largest of the runs that were fitted
LIMITS = tuple(f"limit_{axis}" for axis in BUDGETS)  # the horizon
COLUMNS = ("task", "origin", "axis", "cutoff", "run", "model", *BUDGETS, "actual", "target", *FITTED, *LIMITS)
SAMPLING = "sampling"
LEAST_REACH = np.log10(BUDGET_RTOL_FACTOR)  # decades
FEWEST = 2  # runs of a task, below which there is nothing to continue
FEWEST_TO_FIT = 3  # runs that a thin ladder is first cut at
LEFT_TO_TEST = 3  # runs, the largest ones of a thin ladder, that its backtest forecasts at most
TASKS_PER_WORKER = 4  # tasks that make a process worth starting
MAX_WORKERS = 8
Part = tuple[pd.DataFrame, PathPredictions]


@dataclass(frozen=True, kw_only=True)
class BacktestForecasts:
    """Forecasts of all paths, for the ladder's own runs and for the targets.

    Attributes
    ----------
    rows : DataFrame (n rows)
        task, run and its model (checkpoints of one run share it), its flops, params and tokens, actual (fraction; NaN
        where unknown) and whether the run is a target. Of the fit: origin (name of the horizon), axis (what the
        ladder was cut at; empty for the whole of it), cutoff and fitted_* (the largest run fitted), limit_* (the
        horizon). A target is forecast from the whole ladder. Where the scores' sampling errors are known, also
        sampling: that of a score of the task (fraction; NaN: not known).
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
        return np.asarray(np.maximum(self._beyond("flops"), LEAST_REACH))

    @property
    def reach(self) -> Array:
        """Decades beyond the fitted runs in parameters and in tokens, (n, 2); NaN where a run's are not known."""
        return np.stack([np.maximum(self._beyond(axis), 0.0) for axis in ("params", "tokens")], axis=1)

    @property
    def distance(self) -> Array:
        """Decades of compute beyond the fitted runs, (n,): along size and length where both are known."""
        along = np.nan_to_num(self.reach.sum(axis=1), nan=0.0)
        return np.asarray(np.maximum(self.decades, along))

    def _beyond(self, axis: str) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = self.rows[axis].to_numpy(dtype=float) / self.rows[f"fitted_{axis}"].to_numpy(dtype=float)
            return np.asarray(np.log10(ratio))

    @property
    def is_target(self) -> NDArray[np.bool_]:
        """Which rows are targets, (n,)."""
        return np.asarray(self.rows["target"].to_numpy(dtype=bool))

    def origins(self) -> Iterator[tuple[Horizon, NDArray[np.int_]]]:
        """Every horizon that a forecast was made from, and its rows."""
        for limits, places in self.rows.groupby(list(LIMITS), sort=True).indices.items():
            flops, params, tokens = map(float, limits)
            yield Horizon(flops=flops, params=params, tokens=tokens), places

    def known_at(self, horizon: Horizon) -> NDArray[np.int_]:
        """Rows whose truth a forecaster who had run everything within a horizon would know: no peeking.

        Both the runs that were fitted and the one that was forecast lie within it.
        """
        fitted = self.rows[list(FITTED)].set_axis(BUDGETS, axis="columns")
        seen = horizon.sees(fitted) & horizon.sees(self.rows)
        return np.flatnonzero(seen & ~self.is_target & self.rows["actual"].notna().to_numpy())

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
    """A task as it was known at one horizon, fitted: what later runs are forecast from.

    ``fitted`` are the largest flops, params and tokens of the runs; ``sampling`` is the sampling error of a score of
    the task, a fraction (NaN: not known).
    """

    task: str
    horizon: Horizon
    fitted: tuple[float, float, float]
    paths: FittedPaths
    sampling: float

    @property
    def cutoff(self) -> float:
        """FLOPs of the largest run."""
        return self.fitted[0]

    def forecast(self, runs: pd.DataFrame) -> Part:
        """Rows of a ``BacktestForecasts`` for some runs, with what every path predicts for them."""
        given = {name: runs[name] for name in ("run", *BUDGETS, "actual", "target")}
        of_fit = {
            "task": self.task,
            "origin": self.horizon.name,
            "axis": self.horizon.axis or "",
            "cutoff": self.cutoff,
            SAMPLING: self.sampling,
            **dict(zip(FITTED, self.fitted, strict=True)),
            **{limit: getattr(self.horizon, axis) for limit, axis in zip(LIMITS, BUDGETS, strict=True)},
        }
        model = runs["model"] if "model" in runs else runs["run"]
        rows = pd.DataFrame({**given, "model": model, **of_fit}, columns=[*COLUMNS, SAMPLING])
        return rows, self.paths.predict(runs)


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
    runs = pd.concat([task.finals[["run", *BUDGETS]] for task in tasks.values()]).drop_duplicates("run")
    cutoffs = horizons(runs, min_runs, max_cutoffs)
    names = list(tasks)
    places = {name: list(_reached(task.finals, cutoffs, min_runs)) for name, task in tasks.items()}
    shared = _shared_forms(tasks, places)
    # Tasks dealt round, so that those which take long are shared; a worker fits the common laws once for its own.
    hands = [names[i::workers] for i in range(workers) if names[i::workers]]
    work = [
        delayed(_histories)({t: tasks[t] for t in hand}, {t: places[t] for t in hand}, {t: shared[t] for t in hand})
        for hand in hands
    ]
    done = Parallel(n_jobs=len(hands))(work) if len(hands) > 1 else [call(*args, **more) for call, args, more in work]
    by_task = {name: history for part in done for name, history in part.items()}
    every = [by_task[name] for name in names]
    paths = dict.fromkeys(path for history in every for origin in history.fitted for path in origin)
    own = _assembled([part for history in every for part in history.parts], tuple(paths))
    return LadderHistory(own=own, origins={name: by_task[name].origins for name in names})


def min_runs_of(runs: int, wanted: int) -> int:
    """Runs of the first cutoff: as many as wanted, but on a ladder of few so that some are left to be forecast."""
    return max(min(wanted, runs - LEFT_TO_TEST), min(FEWEST_TO_FIT, wanted))


def usual_workers(tasks: int) -> int:
    """One process per core, but none for a few tasks: starting them takes longer.

    joblib knows what affinity, a container's limit and ``LOKY_MAX_CPU_COUNT`` leave of the machine's cores.
    """
    cores: int = cpu_count()
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


def _shared_forms(
    tasks: Mapping[str, TaskData], places: Mapping[str, Sequence[Horizon]]
) -> dict[str, list[FittedForms]]:
    """Of every task at its horizons, the forms that all tasks of a horizon share something for."""
    every = [(name, place) for name in tasks for place in places[name]]
    known = [_known_at(replace(tasks[name], documents=None), place) for name, place in every]
    by_task: dict[str, list[FittedForms]] = {name: [] for name in tasks}
    for (name, _), forms in zip(every, fit_shared(known, [place.name for _, place in every]), strict=True):
        by_task[name].append(forms)
    return by_task


def _histories(
    tasks: Mapping[str, TaskData],
    reached: Mapping[str, Sequence[Horizon]],
    shared: Mapping[str, Sequence[FittedForms]],
) -> dict[str, _TaskHistory]:
    """The history of some tasks, all fits made together."""
    places = [(name, place) for name in tasks for place in reached[name]]
    known = [_known_at(tasks[name], place) for name, place in places]
    forms = [each for name in tasks for each in shared[name]]
    by_task: dict[str, list[Origin]] = {name: [] for name in tasks}
    for (name, place), task, paths in zip(places, known, fit_paths(known, forms), strict=True):
        largest = [float(task.finals[axis].max()) for axis in BUDGETS]
        by_task[name].append(
            Origin(
                task=name,
                horizon=place,
                fitted=(largest[0], largest[1], largest[2]),
                paths=paths,
                sampling=sampling_error(task.finals),
            )
        )
    return {name: _task_history(tasks[name].finals, origins) for name, origins in by_task.items()}


def _task_history(finals: pd.DataFrame, origins: Sequence[Origin]) -> _TaskHistory:
    finals = finals.dropna(subset=["accuracy"])
    parts: list[Part] = []
    for origin in origins:
        beyond = finals[~origin.horizon.sees(finals)]
        if len(beyond):
            parts.append(origin.forecast(beyond.assign(target=False, actual=beyond["accuracy"])))
    return _TaskHistory(
        parts=parts,
        fitted=[origin.paths.paths for origin in origins],
        origins=_last_two(origins),
    )


def _reached(finals: pd.DataFrame, cutoffs: Sequence[Horizon], min_runs: int) -> Iterator[Horizon]:
    """Where a task is fitted: at the horizons that hold enough of its runs and leave some, and to the whole ladder.

    A task that was measured on few of the runs is cut at its own largest one within a horizon.
    """
    finals = finals.dropna(subset=["accuracy"])
    if finals.empty:
        return
    done: list[frozenset[str]] = []
    for place in cutoffs:
        inside = finals[place.sees(finals)]
        runs = frozenset(inside["run"])
        if min_runs <= len(inside) < len(finals) and runs not in done:
            done.append(runs)
            yield place
    if len(finals) >= FEWEST:
        yield Horizon()


def _last_two(origins: Sequence[Origin]) -> tuple[Origin, ...]:
    """The whole ladder, and before it the last cutoff along compute."""
    along = [origin for origin in origins if origin.horizon.axis == "flops"]
    return (*along[-1:], *(origin for origin in origins if origin.horizon.axis is None))


def _known_at(task: TaskData, place: Horizon) -> TaskData:
    finals = task.finals[place.sees(task.finals)]
    cloud = task.checkpoints
    return replace(
        task,
        finals=finals,
        checkpoints=None if cloud is None else cloud[cloud["run"].isin(finals["run"])],
        documents=_documents_at(task, finals),
    )


def _documents_at(task: TaskData, finals: pd.DataFrame) -> TaskDocuments | None:
    """Documents of the checkpoints of known runs; where checkpoints stand in for runs, up to the last one known."""
    if task.documents is None:
        return None
    places = task.documents.matrix.places
    if not task.checkpoints_stand_in:
        return task.documents.where(places["run"].isin(finals["run"]).to_numpy())
    last = places["run"].map(finals.groupby("model")["tokens"].max())
    return task.documents.where((places["tokens"] <= last).to_numpy())


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
