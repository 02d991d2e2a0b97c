"""The report: a result in, a PDF with its JSON and CSV out. Reads results only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .documents.forecast import ReportError, write

__all__ = ["ReportError", "write"]


def __getattr__(name: str) -> Any:
    """Load the typesetter when it is asked for: ``benchcast.reports.documents.writing`` is used without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .documents import forecast as document

    return getattr(document, name)
