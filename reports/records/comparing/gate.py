"""A run against a policy, as frozen objects: the machine contract of `benchcast gate --json`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..account import AccountRecord
from ..base import Frozen, Number


class RuleOutcome(Frozen):
    """One rule of a policy, on one task; scores are fractions."""

    task: str
    kind: Literal["not_below", "inside", "on_course", "at_least", "no_worse_than"]
    asked: str = Field(description="what the score must be, in words")
    outcome: Literal["kept", "broken", "open"]
    metric: str = Field(description="of the measured score; empty: there is none")
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

    schema_: Literal["benchcast.gate/1"] = Field(default="benchcast.gate/1", alias="schema")
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
