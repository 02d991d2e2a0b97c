"""The alert rules, one file each: what the nightly pass looks for, and tells.

A new rule is a new file here with a ``RULE`` (see ``Rule``), and its test; the pass, the documentation and the exit
code find it by themselves. Its ``Code`` may stand in its own file.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any, Protocol, TypeVar

from benchcast.stages.notices import Code, Notice

from ..conditions import EXIT_CODES

Context = TypeVar("Context", contravariant=True)


class Rule(Protocol[Context]):
    """One thing that a pass looks for."""

    @property
    def code(self) -> Code:
        """Its name, which is stable since people filter by it, its meaning, and what it says."""

    @property
    def order(self) -> int:
        """Its place among the rules when several speak; smaller comes first."""

    @property
    def watches(self) -> type[Any]:
        """The class of ``alerts.contexts`` that it looks at."""

    def check(self, seen: Context, /) -> Iterator[Notice]:
        """What is wrong there, by ``conditions.condition``; nothing when all is well."""


@cache
def rules() -> tuple[Rule[Any], ...]:
    """Every rule of this folder, in their order.

    Raises
    ------
    ValueError
        When a code's severity has no exit code: found before the first pass, not in the night that it speaks.
    """
    modules = [import_module(f".{module.name}", __name__) for module in pkgutil.iter_modules(__path__)]
    found: list[Rule[Any]] = [module.RULE for module in modules]
    for rule in found:
        if rule.code.severity not in EXIT_CODES:
            raise ValueError(
                f"rule {rule.code.name}: nothing ends with severity {rule.code.severity}; give its code one of "
                + ", ".join(EXIT_CODES)
            )
    return tuple(sorted(found, key=lambda rule: rule.order))


def watching(context: type[Any]) -> tuple[Rule[Any], ...]:
    """The rules that look at such a context."""
    return tuple(rule for rule in rules() if rule.watches is context)


def check(seen: object) -> Iterator[Notice]:
    """What the rules find in a context, rule after rule."""
    for rule in watching(type(seen)):
        yield from rule.check(seen)
