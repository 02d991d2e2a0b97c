"""The report: a result in, a PDF with its JSON and CSV out. Reads results only."""

from reports.document import ReportError, write

__all__ = ["ReportError", "write"]
