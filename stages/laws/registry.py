"""All laws, found by their files: a new law is one file in ``stages/laws/loss`` or ``stages/laws/accuracy``.

The file marks its class::

    @law(CandidateLaw(name="my law", step=Step.BUDGET_TO_LOSS))
    class MyLaw(Law):
        ...

With candidates it takes part in ``auto``; with none it is there to be used by name. A package of somebody else's does
the same and names its module as an entry point of the group ``benchcast.laws``; a notebook calls ``law`` alone (then
only its own process knows the law: backtests on several cores need the entry point).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import walk_packages
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from .candidate import CandidateLaw, Step

if TYPE_CHECKING:
    from .base import Law

GROUP = "benchcast.laws"  # of entry points
AnyLaw = TypeVar("AnyLaw", bound="type[Law]")
logger = logging.getLogger(__name__)

_laws: dict[str, type[Law]] = {}
_candidates: dict[Step, dict[str, CandidateLaw]] = {step: {} for step in Step}


def law(*candidates: CandidateLaw) -> Callable[[AnyLaw], AnyLaw]:
    """Mark a class as a law, with the ways in which ``auto`` tries it.

    Raises
    ------
    ValueError
        When another law has the class's name, or another candidate of the step the candidate's.
    """

    def mark(kind: AnyLaw) -> AnyLaw:
        register(kind, *candidates)
        return kind

    return mark


def register(kind: type[Law], *candidates: CandidateLaw) -> None:
    """What ``law`` does, for a class that is already there; the same class again replaces itself (a cell run twice)."""
    known = _laws.get(kind.__name__)
    if known is not None and _place(known) != _place(kind):
        raise ValueError(f"two laws are called {kind.__name__}: {_place(known)} and {_place(kind)}")
    forget(kind)
    for one in candidates:
        if one.name in _candidates[one.step]:
            raise ValueError(f"{kind.__name__}: there is another candidate {one.name!r} for the step {one.step}")
    _laws[kind.__name__] = kind
    for one in candidates:
        named = _candidates[one.step]
        named[one.name] = replace(one, law=kind)
        ranked = sorted(named.values(), key=lambda c: (c.rank, c.name))
        named.clear()
        named.update({c.name: c for c in ranked})


def forget(kind: type[Law]) -> None:
    """Take a law and its candidates out again; a law that is not registered is not an error."""
    known = _laws.pop(kind.__name__, None)
    for named in _candidates.values():
        for name in [name for name, one in named.items() if one.law is known and known is not None]:
            del named[name]


def laws() -> dict[str, type[Law]]:
    """Every law by the name of its class, in the order of their modules."""
    _discover()
    return dict(sorted(_laws.items(), key=lambda item: (item[1].__module__, item[0])))


def candidates(step: Step) -> Mapping[str, CandidateLaw]:
    """The candidates for a step by name and growing rank: a view that follows what is registered later."""
    _discover()
    return MappingProxyType(_candidates[step])


def _place(kind: type[Law]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


@cache
def _discover() -> None:
    """Import every module below this package, then what other packages name as entry points."""
    home = import_module(__package__)
    for module in walk_packages(home.__path__, f"{home.__name__}."):
        import_module(module.name)
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception:  # somebody else's package must not keep this one from working
            logger.warning("the law of entry point %s = %s cannot be loaded", point.name, point.value, exc_info=True)
