"""Every source of data, one module or package each; they are found in this folder, and no list names them."""

from __future__ import annotations

from functools import cache

from ...core.plugins import plugins
from ..source import ResultsSource, Source


@cache
def all_sources() -> dict[str, Source]:
    """The sources by name, in the order of their ranks."""
    return plugins("data.sources", "SOURCE")


def names() -> tuple[str, ...]:
    """The names that ``data.source`` may have."""
    return tuple(all_sources())


def result_sources() -> dict[str, ResultsSource]:
    """The sources of results whose models ``ladder.yaml`` places."""
    return {name: source for name, source in all_sources().items() if isinstance(source, ResultsSource)}


def reader_of(tool: str) -> str | None:
    """The source that reads the files of a tool (see ``foreign.tool``); None where none does."""
    return next((source.name for source in all_sources().values() if tool in source.tools), None)
