"""What the recipes of one family share: all of its jobs, and the fits that serve more than one of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd
from benchcast.stages.forecast.auto import AutoForecaster
from benchcast.stages.forecast.pooled import PooledBacktest
from benchcast.stages.laws.base import Law
from sklearn.base import clone

from .job import Job, TargetRun

logger = logging.getLogger(__name__)
Params = tuple[tuple[str, Hashable], ...]
Tables = dict[str, pd.DataFrame]  # by task


@dataclass(frozen=True, kw_only=True)
class _Fitted:
    """A fitted forecaster, and what it was fitted on."""

    params: Params
    tables: Tables
    chance: dict[str, float | None]
    references: Tables
    documents: frozenset[str]
    """Tasks whose documents may have been read; they are those of the tables."""

    forecaster: AutoForecaster

    def serves(
        self,
        params: Params,
        tables: Tables,
        chance: dict[str, float | None],
        references: Tables,
        documents: frozenset[str],
    ) -> bool:
        """Whether it was fitted on the same, to the last digit."""
        same = self.params == params and self.chance == chance and self.documents == documents
        return same and _same(self.tables, tables) and _same(self.references, references)


def _same(tables: Tables, others: Tables) -> bool:
    """Whether the tables of both are equal, and in the same order."""
    equal = (table.equals(others[task]) for task, table in tables.items())
    return list(tables) == list(others) and all(equal)


class FittedLadders:
    """Fitted forecasters, found again when the same ladder is asked about other targets.

    Fitting takes nearly all of the time of ``auto``; a sweep along compute, the register and the report of one night
    ask the same ladder.
    """

    def __init__(self) -> None:
        self._fitted: list[_Fitted] = []

    def forecaster(self, jobs: Sequence[Job], unfitted: AutoForecaster) -> AutoForecaster:
        """A forecaster like ``unfitted`` for one family's jobs, fitted once."""
        tables = {job.task: job.fitted_rows for job in jobs}
        chance = {job.task: job.chance for job in jobs}
        references = {job.task: job.references for job in jobs if job.references is not None}
        documents = frozenset(job.task for job in jobs if job.read_documents is not None)
        params = params_of(unfitted)
        for fitted in self._fitted:
            if fitted.serves(params, tables, chance, references, documents):
                logger.debug("%s: the fits of before serve again", jobs[0].family)
                return fitted.forecaster
        forecaster: AutoForecaster = clone(unfitted)
        matrices = {job.task: job.documents for job in jobs if job.task in documents}
        forecaster.fit(tables, chance=chance, references=references, documents=matrices)
        self._fitted.append(
            _Fitted(
                params=params,
                tables=tables,
                chance=chance,
                references=references,
                documents=documents,
                forecaster=forecaster,
            )
        )
        return forecaster


@dataclass(kw_only=True)
class FamilyContext:
    """All jobs of one family, in their order, and what was fitted for several of them.

    A recipe that judges a task by the others, or fits a law that no task owns, finds here what the first job left.
    """

    jobs: tuple[Job, ...]
    ladders: FittedLadders = field(default_factory=FittedLadders)
    _laws: dict[Hashable, Law] = field(default_factory=dict, repr=False)
    _forecasters: dict[Params, AutoForecaster] = field(default_factory=dict, repr=False)
    _pooled: dict[tuple[Params, tuple[TargetRun, ...]], PooledBacktest] = field(default_factory=dict, repr=False)

    def is_first(self, job: Job) -> bool:
        """Whether a job is the first of its family: what holds for all of them is said with it."""
        return job.task == self.jobs[0].task

    def forecaster(self, unfitted: AutoForecaster) -> AutoForecaster:
        """A forecaster like ``unfitted`` for all tasks of the family.

        Kept by its settings: the jobs of a family do not change, and every one of them asks.
        """
        key = params_of(unfitted)
        if key not in self._forecasters:
            self._forecasters[key] = self.ladders.forecaster(self.jobs, unfitted)
        return self._forecasters[key]

    def pooled(self, unfitted: AutoForecaster, targets: tuple[TargetRun, ...]) -> PooledBacktest:
        """The pooled forecasts of all tasks at some targets."""
        key = (params_of(unfitted), targets)
        if key not in self._pooled:
            self._pooled[key] = self.forecaster(unfitted).pool(target_table(targets))
        return self._pooled[key]

    def law(self, key: Hashable, fit: Callable[[], Law]) -> tuple[Law, bool]:
        """A law that several tasks share, and whether it was fitted just now."""
        new = key not in self._laws
        if new:
            self._laws[key] = fit()
        return self._laws[key], new


def contexts_of(jobs: Iterable[Job], ladders: FittedLadders | None = None) -> dict[str, FamilyContext]:
    """A context for every family of some jobs."""
    by_family: dict[str, list[Job]] = {}
    for job in jobs:
        by_family.setdefault(job.family, []).append(job)
    ladders = ladders or FittedLadders()
    return {family: FamilyContext(jobs=tuple(own), ladders=ladders) for family, own in by_family.items()}


def params_of(forecaster: AutoForecaster) -> Params:
    """All that a forecaster was made with."""
    return tuple(sorted(forecaster.get_params(deep=False).items()))


def target_table(targets: Iterable[TargetRun]) -> pd.DataFrame:
    """Targets with all that first laws need: run, flops, params, tokens, token_multiplier; NaN where unknown."""
    unknown = float("nan")
    rows = [
        {
            "run": target.name,
            "flops": target.budget.flops,
            "params": target.budget.params or unknown,
            "tokens": target.budget.tokens or unknown,
            "token_multiplier": target.budget.token_multiplier or unknown,
        }
        for target in targets
    ]
    return pd.DataFrame(rows)
