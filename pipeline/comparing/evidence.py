"""One rule of a policy on one task: what is measured, what was registered, and how surely it is kept or broken."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.reports.records.comparing.versus import TaskComparison
from benchcast.reports.records.forecast import Forecast
from benchcast.stages.comparing import gate
from benchcast.stages.comparing.gate import Evidence
from benchcast.stages.monitor import sequential
from benchcast.stages.notices import comparing as notices
from numpy.typing import NDArray

from ..core.errors import InputError
from ..core.metrics import is_share
from ..data.source import Data
from ..nightly.tracking.bands import Band
from ..registry.settle import PLAN_RTOL, Truth, truths
from . import measured, tables, versus
from .answers import Checkpoint, chosen
from .measured import Measured
from .policy import Policy, Rule
from .registered import Registered

Array = NDArray[np.float64]
UNKNOWN = Evidence(broken=np.asarray(np.nan), kept=np.asarray(np.nan))


@dataclass(frozen=True, kw_only=True)
class Edges(gate.Interval):
    """One registered forecast."""

    forecast: float
    low: float
    high: float


@dataclass(kw_only=True)
class Found:
    """What is known of one rule on one task, before the rates decide."""

    rule: Rule
    task: str
    evidence: Evidence = UNKNOWN
    score: Measured = field(default_factory=Measured)
    interval: Edges | None = None
    least: float | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run's scored checkpoints beside what was registered of it."""

    policy: Policy
    data: Data
    forecast: Registered
    account: Account

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Its scores, of the table."""
        table = self.data.table
        return table[table["run"].eq(self.policy.run) & table["metric"].map(lambda m: is_share(str(m)))]

    @cached_property
    def tokens(self) -> list[float]:
        """Tokens of the scored checkpoints, in order."""
        return sorted(float(t) for t in self.rows["tokens"].unique())

    @cached_property
    def of_planned(self) -> float:
        """Share of the planned training that the last checkpoint has; of a plan by FLOPs alone, of these."""
        if self.forecast.tokens is not None:
            return self.tokens[-1] / self.forecast.tokens
        flops = next(f.flops for f in (*self.forecast.end.values(), *self.forecast.lengths.values()))
        return float(self.rows["flops"].max()) / flops

    @property
    def is_at_end(self) -> bool:
        """Whether the last checkpoint is the end of what was planned."""
        return abs(self.of_planned - 1) <= PLAN_RTOL

    @property
    def share(self) -> float:
        """What this look may spend of the rates."""
        if self.policy.looks == "end" or not self.tokens:
            return 1.0
        planned = self.forecast.tokens or self.tokens[-1] / self.of_planned
        return float(sequential.spent(self.tokens, planned)[-1])

    @cached_property
    def here(self) -> Truth:
        """The scores of the last checkpoint."""
        return truths(self.rows[self.rows["tokens"].eq(self.tokens[-1])])

    def at(self, tokens: float) -> Truth:
        """The scores of one checkpoint."""
        return truths(self.rows[self.rows["tokens"].eq(tokens)])

    def until(self, last: int) -> Truth:
        """The scores of so many last checkpoints."""
        return truths(self.rows[self.rows["tokens"].ge(self.tokens[-last:][0])])

    @cached_property
    def checkpoints(self) -> list[Checkpoint]:
        """Every checkpoint whose documents are known."""
        return [] if self.data.documents is None else tables.of_data(self.data)


def examine(run: Run, rule: Rule, task: str) -> Found:
    """What a rule finds on a task, at the last checkpoint."""
    found = Found(rule=rule, task=task)
    forecast = (run.forecast.end if run.is_at_end else run.forecast.lengths).get(task)
    forecast = forecast or run.forecast.lengths.get(task) or run.forecast.end.get(task)
    found.score = _measure(run, task, forecast)
    if rule.kind == "at_least":
        found.least = rule.at_least
        if found.score.documents is not None and rule.at_least is not None:
            found.evidence = gate.at_least(found.score.value or 0.0, found.score.documents, rule.at_least)
    elif rule.kind == "no_worse_than":
        _no_worse(run, found)
    else:
        _registered(run, found, forecast)
    return found


def _measure(run: Run, task: str, forecast: Forecast | None) -> Measured:
    """The score at the last checkpoint; where the forecast was of a mean of the last ones, that at the end."""
    if forecast is None:
        return measured.of_task(run.here, run.policy.run, task)
    now = measured.of_forecast(run.here, run.policy.run, forecast, 1)
    if now.value is None or forecast.last == 1 or not run.is_at_end:
        return now
    return measured.of_forecast(run.until(forecast.last), run.policy.run, forecast, None)


def _registered(run: Run, found: Found, forecast: Forecast | None) -> None:
    """The evidence of a rule about the registered interval."""
    found.interval = _interval(run, found.task)
    if found.interval is None:
        refused = forecast is not None and forecast.forecast is None
        where = "the forecast was refused when it was registered: there is no interval" if refused else _no_band(run)
        found.why = found.why or where
        return
    if found.score.value is None or found.score.documents is None:
        return
    if found.rule.kind == "on_course":
        found.evidence = _course(run, found)
        return
    test = gate.inside if found.rule.kind == "inside" else gate.not_below
    found.evidence = test(found.score.value, found.score.documents, found.interval)


def _no_band(run: Run) -> str:
    share = f"{100 * run.of_planned:.0f} %"
    return f"no registered interval at {share} of the run (reevaluate.track registers all lengths)"


def _interval(run: Run, task: str) -> Edges | None:
    """The registered interval at the length of the last checkpoint; None where there is none."""
    end = run.forecast.end.get(task)
    if run.is_at_end and end is not None:
        if end.forecast is None or end.low is None or end.high is None:
            return None
        return Edges(forecast=end.forecast, low=end.low, high=end.high, level=end.level)
    band = run.forecast.bands.get(task)
    if band is None or not band.tokens[0] <= run.tokens[-1] <= band.tokens[-1] * (1 + PLAN_RTOL):
        return None
    middle, low, high, _ = band.at(run.tokens[-1])
    return Edges(forecast=float(middle), low=float(low), high=float(high), level=band.level)


def _course(run: Run, found: Found) -> Evidence:
    """Whether the run has drifted below its course, from all checkpoints so far; it holds however often one looks."""
    band, forecast = run.forecast.bands.get(found.task), run.forecast.lengths.get(found.task)
    if band is None or forecast is None:
        found.why = "no course: only its end was registered (reevaluate.track registers all lengths)"
        return UNKNOWN
    inside = [t for t in run.tokens if band.tokens[0] <= t <= band.tokens[-1] * (1 + PLAN_RTOL)]
    scores = [measured.of_forecast(run.at(t), run.policy.run, forecast, 1) for t in inside]
    known = [
        (t, s.value, s.documents) for t, s in zip(inside, scores, strict=True) if s.documents and s.value is not None
    ]
    if not known or known[-1][0] != run.tokens[-1]:
        return UNKNOWN
    tokens, value, documents = (np.array(column, dtype=float) for column in zip(*known, strict=True))
    down = drifted(tokens, value, documents, band, run.policy.shift)
    # The evidence holds at all looks together: it is not to be shared among them.
    here = gate.not_below(value[-1], documents[-1], found.interval) if found.interval else UNKNOWN
    return Evidence(broken=np.asarray(down * run.share), kept=here.kept)


def drifted(tokens: Array, value: Array, documents: Array, band: Band, shift: float) -> float:
    """A p-value of "the run follows its course", small where it has drifted below; good at all looks together.

    Which documents changed from one checkpoint to the next is not known here.
    """
    middle, low, high, spread = band.at(tokens)
    stderr = np.sqrt(np.maximum(value * (1 - value), 1 / documents) / documents)
    series = sequential.Series(
        tokens=tokens,
        value=value,
        stderr=stderr,
        checkpoint_std=np.full_like(stderr, np.nan),
        forecast=middle,
        low=low,
        high=high,
        band_std=spread,
    )
    if series.deviation[-1] > -shift / 2:
        return 1.0
    return math.exp(-max(float(sequential.drift(series, band.planned, shift)[-1, 0]), 0.0))


def _no_worse(run: Run, found: Found) -> None:
    """The evidence of a comparison with another run: on the same documents where they are known."""
    other, by = str(found.rule.no_worse_than), float(found.rule.by or 0.0)
    name, _, step = other.partition("@")
    rows = run.data.table[run.data.table["run"].eq(name)]
    rows = rows[rows["step"].astype(str).isin([step, f"{step}.0"])] if step else rows
    if rows.empty:
        found.why = f"{other} is not in the scores"
        return
    forecast = run.forecast.end.get(found.task) or run.forecast.lengths.get(found.task)
    last = truths(rows[rows["tokens"].eq(rows["tokens"].max())])
    theirs = measured.of_task(last, name, found.task) if forecast is None else _theirs(last, name, forecast)
    if theirs.value is None or theirs.documents is None:
        found.why = f"{theirs.why} in {other}"
        return
    found.least = max(theirs.value - by, 0.0)
    if found.score.value is None:
        return
    if otherwise := _otherwise(run, last, found, theirs.metric, name):
        found.why = f"{otherwise} in {other}"
        return
    pair = _paired(run, found, other)
    if pair is not None and pair.lost is not None and pair.won is not None:
        found.evidence = gate.no_worse(pair.documents, pair.lost, pair.won, by)
    elif found.score.documents is not None:
        run.account.note(notices.PAIRS_UNKNOWN(found.task))
        found.evidence = gate.no_worse_apart(
            found.score.value, found.score.documents, theirs.value, theirs.documents, by
        )


def _theirs(truth: Truth, run: str, forecast: Forecast) -> Measured:
    return measured.of_forecast(truth, run, forecast, 1)


def _otherwise(run: Run, last: Truth, found: Found, metric: str, name: str) -> str:
    """How the other run was asked otherwise: another metric or version; empty where it was not, or it is not known."""
    if metric != found.score.metric:
        return f"the metric is {metric}, and not {found.score.metric},"
    versions = [
        truth.asked.get((who, found.task, metric), (0, ""))[1]
        for truth, who in ((run.here, run.policy.run), (last, name))
    ]
    return (
        f"the task's version is {versions[1]}, and not {versions[0]},"
        if all(versions) and versions[0] != versions[1]
        else ""
    )


def _paired(run: Run, found: Found, other: str) -> TaskComparison | None:
    """The documents of both, where they are known and the same."""
    ours = [c for c in run.checkpoints if c.run == run.policy.run and c.tokens == run.tokens[-1]]
    if not ours or not found.score.metric:
        return None
    try:
        theirs = chosen(run.checkpoints, other, run.data.label)
        options = versus.Options(tasks=(found.task.partition(" ")[0],), metrics=(found.score.metric,))
        compared, _ = versus.compare(theirs, ours[0], options, Account())
    except InputError:
        return None
    of_metric = [t for t in compared.tasks if t.metric == found.score.metric]
    # Asked in several ways, or on other documents: it does not follow which of these the scores are of.
    return of_metric[0] if len(of_metric) == 1 and not of_metric[0].only_a + of_metric[0].only_b else None
