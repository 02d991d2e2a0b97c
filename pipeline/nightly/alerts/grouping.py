"""What is wrong, cause by cause: one line for all tasks and checkpoints that one thing touches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from benchcast.stages.notices import Notice, Severity, nightly

from ...core.units import quantity
from .conditions import key

Cause = tuple[str, ...]
MOST_NAMED = 6  # tasks or checkpoints by name in one line; the others are counted
KINDS = {Severity.FAILURE: "error"}  # what stands before a line; of other severities "alert"
NUMBERS = re.compile(r"\d[\d.,]*")


def causes(conditions: Iterable[Notice]) -> list[list[Notice]]:
    """Conditions that have one cause together, in the order of the first of each."""
    groups: dict[Cause, list[Notice]] = {}
    for condition in conditions:
        groups.setdefault(_cause(condition), []).append(condition)
    return list(groups.values())


def line(group: Sequence[Notice]) -> str:
    """Rule and sentence; of several conditions one sentence, that names what it touches."""
    first = group[0]
    if len(group) == 1:
        return f"{first.code}: {first}"
    told = nightly.SEVERAL.get(first.code)
    if told is None:  # the same reason, each of another checkpoint or task
        return f"{first.code}: {_listed([condition.subject for condition in group])}: {first.body}"
    shared = told.shared.format(count=len(group))
    lengths: dict[Any, list[str]] = {}
    for condition in group:
        lengths.setdefault(condition.values.get("tokens"), []).append(_brief(told.each, condition))
    if len(lengths) == 1:
        [(tokens, each)] = lengths.items()
        return f"{first.code}: {_owner(first)}: {shared}{_at(tokens)}: {_listed(each)}"
    newest = sorted(lengths, key=_number, reverse=True)  # what the verdict is about comes first
    apart = "; ".join(f"{_at(tokens)} {_listed(lengths[tokens])}".lstrip() for tokens in newest)
    return f"{first.code}: {_owner(first)}: {shared}: {apart}"


def changes(before: Sequence[Notice], now: Sequence[Notice]) -> list[str]:
    """A line for every cause of conditions that arose or cleared."""
    had, have = {key(c) for c in before}, {key(c) for c in now}
    arose = causes(c for c in now if key(c) not in had)
    cleared = causes(c for c in before if key(c) not in have)
    return [
        *(f"{KINDS.get(group[0].severity, 'alert')}: {line(group)}" for group in arose),
        *(f"cleared: {_over(group)}" for group in cleared),
    ]


def _over(group: Sequence[Notice]) -> str:
    """What is wrong no more: without its numbers, which were those of another night."""
    first = group[0]
    if first.code not in nightly.SEVERAL:
        return line(group)
    return f"{first.code}: {_owner(first)}, {_listed([_task(condition) for condition in group])}"


def _cause(condition: Notice) -> Cause:
    if condition.code in nightly.SEVERAL:
        return condition.code, condition.severity, _owner(condition)
    if condition.code == nightly.FAILURE.name:
        return condition.code, condition.severity, NUMBERS.sub("#", condition.body)
    return condition.code, condition.severity, condition.subject, condition.body


def _owner(condition: Notice) -> str:
    """The target that a task of a tracked run is of: ``big, quiz`` is about ``big``."""
    return condition.subject.rpartition(", ")[0] or condition.subject


def _task(condition: Notice) -> str:
    return condition.subject.rpartition(", ")[2]


def _at(tokens: Any) -> str:
    return "" if tokens is None else f" at {tokens} tokens"


def _number(tokens: Any) -> float:
    """Tokens as a notice writes them; what is no number comes last."""
    try:
        return float(quantity(tokens))
    except (TypeError, ValueError):
        return -1.0


def _brief(each: str, condition: Notice) -> str:
    """One of several, without its tokens; an earlier version's has no numbers."""
    try:
        return each.format(task=_task(condition), **condition.values)
    except KeyError:
        return _task(condition)


def _listed(names: Sequence[str]) -> str:
    more = [f"and {len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return ", ".join([*names[:MOST_NAMED], *more])
