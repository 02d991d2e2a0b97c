"""Two checkpoints side by side, as frozen objects: the machine contract of `benchcast versus --json`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..account import AccountRecord
from ..base import Frozen, Number


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
    lost: int | None = Field(description="right with A and wrong with B; null for scores between right and wrong")
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

    schema_: Literal["benchcast.versus/1"] = Field(default="benchcast.versus/1", alias="schema")
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
