"""Write a plan as PDF and JSON: the same input gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from ..records.plan import PlanResult
from ..sections import plan as sections
from ..sections.picture import Files
from ..sections.plan import Part
from ..text.table import Table
from ..text.wording import clean
from .typesetting import write_pdf_and_json


@dataclass(frozen=True, kw_only=True)
class PlanPages:
    """All that ``plan.typ`` sets."""

    title: str
    summary: str
    parts: list[Part]
    command: str
    facts: Table
    config: str


def write(result: PlanResult, out: Path) -> dict[str, Path]:
    """Write ``plan.pdf`` and ``plan.json`` into ``out``; return their paths by kind.

    Raises
    ------
    ReportError
        When it cannot be typeset.
    OSError
        When the place cannot be written.
    """
    return write_pdf_and_json(result, Path(out), "plan", build)


def build(result: PlanResult) -> tuple[PlanPages, Files]:
    """The template's data, and the figures it names."""
    files: Files = {}
    pages = PlanPages(
        title=clean(result.title, 160),
        summary=sections.summary(result),
        parts=list(sections.parts(result, files)),
        command=sections.command(result.provenance),
        facts=sections.facts(result.provenance),
        config=yaml.safe_dump(result.provenance.config, sort_keys=False, allow_unicode=True),
    )
    return pages, files
