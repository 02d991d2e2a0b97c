"""One family and task to be forecast: its checkpoints, its fitted runs, the targets; and what comes of it."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from benchcast.reports.records.forecast import BacktestSummary, Figure, Forecast, LawFit, TaskBacktest
from benchcast.stages.compute.budget import TrainingBudget
from benchcast.stages.documents.matrix import DocumentMatrix
from benchcast.stages.forecast.task_data import final_checkpoints
from benchcast.stages.notices import Notice

from ..data.documents.collect import Asked
from ..data.task_setup import Differences


@dataclass(frozen=True, kw_only=True)
class TargetRun:
    """A target with what is known about it; ``family`` is empty for a run that does not exist yet."""

    name: str
    budget: TrainingBudget
    family: str = ""
    convention: str = ""
    """How its FLOPs are counted."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One (family, task): every checkpoint of its runs, which of them may be fitted, and the targets.

    ``rows`` has a row per checkpoint, ordered by tokens within a run: run, step, params, tokens, flops,
    token_multiplier, accuracy, and a column per loss that the table has.
    """

    family: str
    task: str
    metric: str
    rows: pd.DataFrame
    fit_runs: frozenset[str]
    targets: tuple[TargetRun, ...]
    chance: float | None
    level: float
    convention: str = ""
    draw: bool = True
    """Whether figures are wanted."""

    members: Mapping[str, float] = field(default_factory=dict)
    """Of an average: weight by task."""

    mixed: Differences = field(default_factory=dict)
    """What is known to differ in how the scores came about."""

    read_documents: Callable[[], DocumentMatrix | None] | None = field(default=None, repr=False, compare=False)
    """Reads ``documents``; None where nothing is known of them."""

    references: pd.DataFrame | None = None
    """Models of other families, for the step from loss to accuracy only: run, family, params, tokens, flops, accuracy,
    and the losses that can be compared with the ladder's. None: there are none."""

    @property
    def documents(self) -> DocumentMatrix | None:
        """What the fitted runs' checkpoints say of every document of the task; None where nothing is known of them.

        Read anew each time, so that only one task's documents need be in memory.
        """
        return None if self.read_documents is None else self.read_documents()

    @property
    def fitted_rows(self) -> pd.DataFrame:
        """The checkpoints of the runs that may be fitted."""
        return self.rows[self.rows["run"].isin(self.fit_runs)]

    def differences(self, target: TargetRun) -> tuple[Notice, ...]:
        """What differs within the ladder, or between it and a target."""
        return tuple(self.mixed.get(target.name, self.mixed.get("", ())))

    def finals(self, average_last: int, columns: Sequence[str], runs: Iterable[str] | None = None) -> pd.DataFrame:
        """One row per fitted run: its last checkpoint, ``columns`` averaged over its last ``average_last`` ones."""
        wanted = self.fit_runs if runs is None else runs
        return final_checkpoints(self.rows[self.rows["run"].isin(wanted)], average_last, columns)


@dataclass(frozen=True, kw_only=True)
class TaskTable:
    """One task of a table: its label, its accuracy metric, and a row per checkpoint with every loss beside it."""

    label: str
    metric: str
    rows: pd.DataFrame
    setup: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What is known of how each run was scored; empty for an average."""

    asked: Asked | None = None
    """How it was asked; None for an average."""

    references: pd.DataFrame | None = None
    """Models of other families, as ``Job.references``."""


@dataclass(kw_only=True)
class RecipeOutput:
    """What a recipe returns for one job."""

    forecasts: list[Forecast] = field(default_factory=list)
    laws: list[LawFit] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    backtests: list[BacktestSummary] = field(default_factory=list)
    trials: list[TaskBacktest] = field(default_factory=list)

    def add(self, other: RecipeOutput) -> None:
        """Append what another job or recipe gave."""
        self.forecasts += other.forecasts
        self.laws += other.laws
        self.figures += other.figures
        self.backtests += other.backtests
        self.trials += other.trials


def matching(runs: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The runs that any of the shell patterns matches, case-sensitively."""
    return [run for run in runs if any(run == p or fnmatch.fnmatchcase(run, p) for p in patterns)]


def matching_scores(labels: Sequence[str], pattern: str) -> list[str]:
    """The scores that a pattern matches by label; where it matches none, every score of the tasks that it names."""
    return matching(labels, [pattern]) or matching(labels, [f"{pattern} *"])
