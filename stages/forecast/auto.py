"""``AutoForecaster``: every admissible path, weighed and calibrated by the ladder's own backtest, graded.

What it does at a target it did at every earlier point of the ladder, with what was known there; that record is its
weights, its interval and its grade. docs/methods/auto.md has the mathematics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..compute.budget import complete_budget
from ..documents.matrix import DocumentMatrix
from ..fit import checks
from ..notices import Notice, grading
from .aggregate import AverageConstants
from .backtest import LadderHistory, fit_history, min_runs_of, sampling_error, usual_workers
from .conformal import CalibrationConstants
from .grading import GRADING, Signal, signal
from .pathways import first_laws
from .pooled import PooledBacktest, TargetForecast, TaskFacts
from .pooling import PoolingConstants, pool, prior_weights, squared_errors
from .task_data import (
    OWN_LOSS,
    TASK_LOSSES,
    CheckpointConstants,
    TaskData,
    choose_losses,
    task_data,
    usual_average,
    with_documents,
)

INPUTS = ("flops", "params", "tokens", "token_multiplier")


@dataclass(frozen=True, kw_only=True)
class AutoConstants:
    """The constants of the procedure, by what they govern; each says its unit and where it was chosen.

    Grades have none here: they are one scale for everybody (``grading.GRADING``).
    """

    checkpoints: CheckpointConstants = field(default_factory=CheckpointConstants)
    pooling: PoolingConstants = field(default_factory=PoolingConstants)
    calibration: CalibrationConstants = field(default_factory=CalibrationConstants)
    averages: AverageConstants = field(default_factory=AverageConstants)


class AutoForecaster(BaseEstimator):
    """Forecast the scores of larger runs from a ladder of smaller ones.

    Parameters
    ----------
    average_last : int, optional
        A run's value is the mean of its last checkpoints, so many; by default 5 of long records, else 1.
    n_validation_losses : int
        Validation losses tried, those that rank the runs as accuracy does.
    min_runs, max_cutoffs : int
        Runs that the first cutoff of the backtest sees, fewer on a ladder of few, and cutoffs along compute at most.
    extended : bool
        Try more candidates (robust, weighed, windows, a break): a wider fan, several times slower.
    workers : int, optional
        Processes for the fits; by default one per core, none for few tasks. The result does not depend on it.
    constants : AutoConstants, optional
        Of the procedure; by default those of the documentation.

    Attributes
    ----------
    average_last_ : int
    tasks_ : dict of TaskData
        What the paths of every task were fitted on.
    signals_ : dict of Signal
        What the scores of every task tell.
    history_ : LadderHistory
    weights_ : DataFrame
        Weight of every path (columns) in every task (rows) at the whole ladder, before a target is named: a path that
        calls itself unsure there loses some.
    dropped_ : DataFrame
        task, cutoff, fit, reason: the fits that are not used.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rows = pd.DataFrame([(n, 20 * n * k) for n in (1e7, 3e7, 1e8, 3e8) for k in (1, 4)],
    ...                     columns=["params", "tokens"])
    >>> rows["run"] = [f"run {i}" for i in range(8)]
    >>> rows["flops"] = 6 * rows["params"] * rows["tokens"]
    >>> rows["bits_per_byte"] = 0.4 + 40 / rows["params"] ** 0.25 + 60 / rows["tokens"] ** 0.25
    >>> rows["accuracy"] = 0.25 + 0.65 / (1 + np.exp(5 * (rows["bits_per_byte"] - 1)))
    >>> forecaster = AutoForecaster(min_runs=5).fit({"quiz": rows}, chance={"quiz": 0.25})
    >>> target = pd.DataFrame({"run": ["big"], "params": [1e9], "tokens": [2e10]})
    >>> forecaster.predict(target, level=0.8)[["task", "run", "grade"]].to_numpy().tolist()
    [['quiz', 'big', 'B']]
    >>> list(forecaster.cross_validation().columns)
    ['task', 'origin', 'cutoff', 'run', 'actual', 'forecast', 'low', 'high', 'form']
    """

    def __init__(
        self,
        *,
        average_last: int | None = None,
        n_validation_losses: int = 1,
        min_runs: int = 6,
        max_cutoffs: int = 6,
        extended: bool = False,
        workers: int | None = None,
        constants: AutoConstants | None = None,
    ) -> None:
        self.average_last = average_last
        self.n_validation_losses = n_validation_losses
        self.min_runs = min_runs
        self.max_cutoffs = max_cutoffs
        self.extended = extended
        self.workers = workers
        self.constants = constants

    # ---- fit ----

    def fit(
        self,
        tables: Mapping[str, pd.DataFrame] | pd.DataFrame,
        y: None = None,
        *,
        chance: Mapping[str, float | None] | None = None,
        references: Mapping[str, pd.DataFrame | None] | None = None,
        documents: Mapping[str, DocumentMatrix | None] | None = None,
    ) -> Self:
        """Fit every path at every cutoff.

        Parameters
        ----------
        tables : task to DataFrame, or one DataFrame, of several tasks with a column task
            A row per checkpoint of the runs that may be seen, a run's checkpoints together and in order: run, params,
            tokens, accuracy (a fraction), and where known flops (else 6·N·D), stderr and losses (nll_choice,
            bits_per_byte, or a validation loss of any other name). All of one family.
        chance : task to float, optional
            Score of guessing, where it is known.
        references : task to DataFrame, optional
            A row per model of another family, for laws from a loss to the accuracy: run, family, accuracy and those of
            the losses that are comparable. Paths through them are added; the backtest weighs them like the others.
        documents : task to DocumentMatrix, optional
            What the checkpoints said of every document, where it is known: forms that forecast documents join the pool.

        Raises
        ------
        ValueError
            For wrong settings, a missing column, or no task.
        """
        self._check_parameters()
        rows = _tables(tables)
        known = {task: share for task, share in (chance or {}).items() if pd.notna(share)}
        constants = self._constants
        self.average_last_ = self.average_last or usual_average(next(iter(rows.values())), constants.checkpoints)
        runs = len({run for table in rows.values() for run in table["run"]})
        seen = min_runs_of(runs, self.min_runs)
        losses = choose_losses(rows, self.average_last_, self.n_validation_losses, seen)
        self.tasks_ = {
            task: replace(
                task_data(
                    table,
                    (*TASK_LOSSES, *losses),
                    chance=known.get(task),
                    average_last=self.average_last_,
                    extended=self.extended,
                    constants=constants.checkpoints,
                ),
                references=(references or {}).get(task),
            )
            for task, table in rows.items()
        }
        matrices = {task: matrix for task, matrix in (documents or {}).items() if matrix is not None and task in rows}
        self.signals_ = {task: self._signal(task, table, known.get(task)) for task, table in rows.items()}
        fitted = {
            task: with_documents(data, matrices[task], rows[task]) if task in matrices else data
            for task, data in self._telling().items()
        }
        workers = usual_workers(len(rows)) if self.workers is None else self.workers
        points = len({run for task in self.tasks_.values() for run in task.finals["run"]})
        first = min_runs_of(points, self.min_runs)
        self.history_: LadderHistory = fit_history(fitted, first, self.max_cutoffs, workers)
        self.__dict__.pop("backtest_", None)
        return self

    def _telling(self) -> dict[str, TaskData]:
        """The tasks that are fitted: not those that no run ever scored on, of which every forecast came true.

        Their record would make the intervals of the other tasks narrow. Where there is nothing else they are fitted.
        """
        return {t: data for t, data in self.tasks_.items() if not self.signals_[t].never_right} or dict(self.tasks_)

    def _signal(self, task: str, table: pd.DataFrame, chance: float | None) -> Signal:
        late = table.groupby("run", sort=False).tail(GRADING.late_checkpoints)
        return signal(self.tasks_[task].finals, chance, late)

    def _check_parameters(self) -> None:
        for name, least in (("min_runs", 3), ("max_cutoffs", 1), ("n_validation_losses", 0)):
            checks.count(name, getattr(self, name), least)
        for name in ("average_last", "workers"):
            if getattr(self, name) is not None:
                checks.count(name, getattr(self, name))

    @property
    def _constants(self) -> AutoConstants:
        return self.constants or AutoConstants()

    # ---- forecasts ----

    def predict(self, targets: pd.DataFrame, level: float = 0.9, tasks: Iterable[str] | None = None) -> pd.DataFrame:
        """Forecasts of every task at every target, a row each.

        Parameters
        ----------
        targets : DataFrame
            A row per target: flops, or params and tokens; run names it. A law whose inputs a target does not tell is
            left out for it.
        level : float
            Nominal coverage of [low, high], between 0 and 1.
        tasks : names of tasks, optional

        Returns
        -------
        DataFrame
            task, run, flops, mean, low, high, stderr (fractions), level, grade, reasons, warnings; NaN where nothing
            could be fitted, or no run ever scored.
        """
        rows = _targets(targets)
        pooled = self.pool(rows)
        wanted = list(self.tasks_) if tasks is None else list(tasks)
        made = [(task, run, pooled.forecast(task, run, level)) for task in wanted for run in rows["run"]]
        flops = dict(zip(rows["run"], rows["flops"], strict=True))
        silent = {task: (grading.NEVER_RIGHT(),) for task, seen in self.signals_.items() if seen.never_right}
        return pd.DataFrame([_row(t, run, flops[run], level, each, silent.get(t, ())) for t, run, each in made])

    def grade(self, targets: pd.DataFrame, tasks: Iterable[str] | None = None) -> pd.DataFrame:
        """What the forecasts of some targets may be trusted for, and why: task, run, grade, reasons.

        A grade does not depend on the level of the interval that is asked for.
        """
        return self.predict(targets, GRADING.interval_level, tasks)[["task", "run", "grade", "reasons"]]

    def pool(self, targets: pd.DataFrame) -> PooledBacktest:
        """The ladder's own runs, and targets (run, flops, params, tokens, token_multiplier), pooled: all that is known.

        ``predict`` is a table of it.
        """
        check_is_fitted(self)
        unknown = targets.assign(actual=np.nan)
        unknown["model"] = unknown["run"]
        forecasts = self.history_.own.joined(self.history_.forecast(dict.fromkeys(self.history_.origins, unknown)))
        constants = self._constants
        return PooledBacktest(
            forecasts=forecasts,
            pooled=pool(forecasts, constants.pooling),
            facts={task: self._facts(task) for task in self.tasks_},
            pooling=constants.pooling,
            calibration=constants.calibration,
            averages=constants.averages,
        )

    def _facts(self, task: str) -> TaskFacts:
        finals = self.tasks_[task].finals
        return TaskFacts(
            signal=self.signals_[task],
            sampling=sampling_error(finals),
            all_alike=finals["accuracy"].nunique() <= 1,
            checkpoints_stand_in=self.tasks_[task].checkpoints_stand_in,
            failures=self._failures(task),
        )

    def _failures(self, task: str) -> dict[str, str]:
        """The laws that refused the data of the whole ladder, and why."""
        origins = self.history_.origins.get(task)
        dropped = origins[-1].paths.dropped if origins else {}
        return {str(name): each.reason for name, each in dropped.items() if each.refused}

    def gold_loss(self, task: str, targets: pd.DataFrame, level: float = 0.9) -> pd.DataFrame:
        """The loss of a task's reference answers at some targets, which falls long before a score rises.

        Parameters
        ----------
        targets : DataFrame
            As of ``predict``.

        Returns
        -------
        DataFrame
            run, mean, low, high (of a new run; bits per byte) and law; no rows where no law could be fitted.
        """
        check_is_fitted(self)
        rows = _targets(targets)
        for name, law in first_laws(self.tasks_[task].finals, OWN_LOSS[0]).items():
            X = rows[list(law.columns)].to_numpy(dtype=float)
            known = np.isfinite(X).all(axis=1)
            if known.any():
                low, high = law.interval(X[known], level)
                about = {"run": rows["run"].to_numpy()[known], "mean": law.predict(X[known])}
                return pd.DataFrame({**about, "low": low, "high": high, "law": name})
        return pd.DataFrame(columns=["run", "mean", "low", "high", "law"])

    @cached_property
    def backtest_(self) -> PooledBacktest:
        """The forecasts of the ladder's own runs, pooled."""
        return self.pool(pd.DataFrame(columns=["run", *INPUTS], dtype=float))

    def cross_validation(self, level: float = 0.9) -> pd.DataFrame:
        """The backtest as a table: every run of the ladder, forecast from cheaper, smaller or shorter ones.

        Returns
        -------
        DataFrame
            task, origin (where the ladder was cut: "flops", "params" or "tokens", and the largest that was seen),
            cutoff (FLOPs of the largest run that was fitted), run, actual, forecast, low, high (fractions), form.
            The form "pool" is the forecaster itself, with its calibrated interval; the others are the paths by name,
            each with the interval that it states itself.
        """
        check_is_fitted(self)
        return self.backtest_.cross_validation(level)

    @property
    def weights_(self) -> pd.DataFrame:
        """Weight of every path in every task at the whole ladder."""
        check_is_fitted(self)
        own, names = self.history_.own, [path.name for path in self.history_.own.paths]
        shares = {}
        for task, origins in self.history_.origins.items():
            if origins:
                end = origins[-1]
                mine = np.flatnonzero(own.rows["task"].eq(task).to_numpy())
                here = mine if len(mine) else np.arange(len(own.rows))  # a task of few runs has no forecasts of its own
                record = squared_errors(own, end.horizon, here, np.array([task]), self._constants.pooling)[0]
                fitted = np.isin(names, [path.name for path in end.paths.paths])
                weight = prior_weights(own.paths, fitted[None], self._constants.pooling)[0] / record
                shares[task] = weight / weight.sum()
        return pd.DataFrame.from_dict(shares, orient="index", columns=names)

    @property
    def dropped_(self) -> pd.DataFrame:
        """The fits that are not used: task, cutoff, fit, reason."""
        check_is_fitted(self)
        rows = [
            (task, origin.cutoff, str(name), each.reason)
            for task, origins in self.history_.origins.items()
            for origin in origins
            for name, each in origin.paths.dropped.items()
        ]
        return pd.DataFrame(rows, columns=["task", "cutoff", "fit", "reason"])


def _tables(tables: Mapping[str, pd.DataFrame] | pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Checkpoints by task, checked and with tokens per parameter; of one table without columns that a task lacks."""
    if isinstance(tables, pd.DataFrame):
        named = tables if "task" in tables else tables.assign(task="task")
        parts = named.groupby("task", sort=False)
        tables = {str(task): part.drop(columns="task").dropna(axis="columns", how="all") for task, part in parts}
    if not tables:
        raise ValueError("there is no task to fit")
    checked = {}
    for task, rows in tables.items():
        if missing := [c for c in ("run", "params", "tokens", "accuracy") if c not in rows]:
            raise ValueError(f"task {task!r}: the table has no column {', '.join(missing)}")
        if not rows["accuracy"].notna().any():
            raise ValueError(f"task {task!r}: no run has an accuracy")
        counts = {"flops": 6 * rows["params"] * rows["tokens"], "token_multiplier": rows["tokens"] / rows["params"]}
        checked[str(task)] = rows.assign(**{name: value for name, value in counts.items() if name not in rows})
    return checked


def _targets(targets: pd.DataFrame) -> pd.DataFrame:
    """Targets with all that first laws need: C, N, D and D/N as far as two of them tell the others."""
    if "run" in targets and targets["run"].duplicated().any():
        raise ValueError(f"targets: two are named {targets.loc[targets['run'].duplicated(), 'run'].iloc[0]!r}")
    rows = []
    for i, row in enumerate(targets.to_dict("records")):
        given = [row.get(name) for name in INPUTS]
        budget = complete_budget(*(None if value is None or pd.isna(value) else float(value) for value in given))
        known = {name: np.nan if (v := getattr(budget, name)) is None else float(v) for name in INPUTS}
        rows.append({"run": str(row.get("run", f"target {i + 1}")), **known})
    return pd.DataFrame(rows, columns=["run", *INPUTS])


def _row(
    task: str, run: str, flops: float, level: float, forecast: TargetForecast | None, why_none: tuple[Notice, ...]
) -> dict[str, Any]:
    row = {"task": task, "run": run, "flops": flops}
    if forecast is None:
        nothing = dict.fromkeys(("mean", "low", "high", "stderr"), np.nan)
        return row | nothing | {"level": level, "grade": "D", "reasons": why_none, "warnings": ()}
    numbers = {name: getattr(forecast, name) for name in ("mean", "low", "high", "stderr", "level", "grade")}
    return row | numbers | {"reasons": forecast.reasons, "warnings": forecast.warnings}
