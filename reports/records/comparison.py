"""Two checkpoints side by side, and a run against a policy: the machine contracts of `versus` and `gate --json`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .account import AccountRecord
from .base import Frozen, Number


class TaskComparison(Frozen):
    """One score of both checkpoints on the documents that both were asked; fractions, differences are B minus A."""

    task: str
    metric: str
    documents: int = Field(description="asked of both")
    only_a: int = Field(description="documents that only A was asked; they do not count")
    only_b: int
    clusters: int | None = Field(description="of documents that are not independent; null: each document is its own")
    a: float
    b: float
    difference: float
    low: Number = Field(description="of the interval of the difference, for this task alone")
    high: Number
    lost: int | None = Field(description="right with A and wrong with B; null where a document is no right or wrong")
    won: int | None = Field(description="wrong with A and right with B")
    test: Literal["McNemar mid-p", "paired t", "clustered t"]
    p: Number
    adjusted: Number = Field(description="Holm's p-value over all tasks")
    better: Literal["A", "B"] | None = Field(description="null: no sure difference")
    detectable: Number = Field(description="difference that would have been seen with the stated power; null: none")
    nll_a: float | None = Field(description="minus the log-likelihood of the gold answer, mean over documents")
    nll_b: float | None
    nll_difference: float | None
    nll_low: float | None
    nll_high: float | None
    nll_unit: str


class MeanComparison(Frozen):
    """The mean of the tasks' differences B minus A, with its interval; fractions."""

    tasks: int
    difference: float
    low: Number
    high: Number


class Comparison(Frozen):
    """Two scored checkpoints, task by task."""

    a: str
    b: str
    answer: str = Field(description="the outcome in a sentence")
    alpha: float = Field(description="probability that any task is called different where none is")
    level: float = Field(description="coverage of each interval")
    power: float = Field(description="with which a detectable difference would have been seen")
    tasks: tuple[TaskComparison, ...]
    mean: MeanComparison | None = Field(description="null for one task")
    account: AccountRecord = AccountRecord()


class FlippedDocument(Frozen):
    """A document that counts otherwise with B than with A."""

    task: str
    metric: str
    document: str
    a: float
    b: float


class RuleOutcome(Frozen):
    """One rule of a policy, on one task; scores are fractions."""

    task: str
    kind: Literal["not_below", "inside", "on_course", "at_least", "no_worse_than"]
    asked: str = Field(description="what the score must be, in words")
    outcome: Literal["kept", "broken", "open"]
    value: float | None = Field(description="the measured score; null: there is none")
    documents: float | None = Field(description="that it is a share of")
    low: float | None = Field(default=None, description="edges of the registered interval")
    high: float | None = None
    forecast: float | None = None
    level: float | None = Field(default=None, description="coverage of the registered interval")
    tolerated_low: float | None = Field(default=None, description="what a draw from the forecast may be, at the rate")
    tolerated_high: float | None = None
    least: float | None = Field(default=None, description="the score asked for, or the other run's less the margin")
    p_broken: Number = Field(description="of the hypothesis that the rule holds")
    p_kept: Number = Field(description="of the hypothesis that it is broken")
    why: str = Field(description="the reason of the outcome, in words")
    documents_needed: float | None = Field(default=None, description="would decide, if the score stays what it is")


class GateResult(Frozen):
    """A run against a policy."""

    verdict: Literal["go", "no-go", "inconclusive"]
    answer: str = Field(description="the outcome in a sentence")
    policy: str
    target: str
    run: str
    tokens: float | None = Field(description="of the checkpoint that is judged; null: none is scored")
    planned_tokens: float | None
    record: str = Field(description="hash of the register's record")
    registered: str = Field(description="when it was made")
    recipe: str
    family: str
    looks: Literal["end", "every"]
    share: float = Field(description="of the rates, that this look may spend")
    false_alarms: float = Field(description="probability of a no-go in the whole run, where every rule holds")
    false_passes: float = Field(description="probability of a go in the whole run, where a rule is broken")
    rules: tuple[RuleOutcome, ...]
    without_rule: tuple[str, ...] = Field(description="registered tasks that no rule is about")
    account: AccountRecord = AccountRecord()
