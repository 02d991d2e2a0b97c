"""What is expected of every document, as frozen objects: the machine contract of ``benchcast documents --json``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Frozen, Number, Provenance
from .notices import StoredNotice

Move = Literal["gained", "lost", "stays right", "stays wrong", "open"]


class DocumentForecast(Frozen):
    """One document of a task; probabilities of its being answered right."""

    document: str = Field(description="its id, as the source names it")
    now: float = Field(description="by the fitted laws at the largest run")
    target: float = Field(description="by the fitted laws at the target")
    right: bool | None = Field(description="whether the largest run answered it right; null where that is not known")
    move: Move


class TaskDocuments(Frozen):
    """One task's documents between the ladder's largest run and a target; accuracies as fractions."""

    family: str
    task: str
    metric: str
    target: str
    params: float
    tokens: float
    run: str = Field(description="the ladder's largest run with documents, at its last checkpoint")
    measured: Number = Field(description="its accuracy")
    forecast: float = Field(description="accuracy of the target, from the documents alone")
    stderr: float
    unit: str = Field(description="nats per token or per byte of the gold answer; margins are in nats")
    observed: bool = Field(description="whether right and wrong were observed, and not only the gold answer's NLL")
    documents: tuple[DocumentForecast, ...] = Field(description="those that were used, the largest changes first")

    def count(self, move: Move) -> int:
        """How many documents are expected to do this."""
        return sum(document.move == move for document in self.documents)


class DocumentsResult(Frozen):
    """The documents of some tasks."""

    schema_: str = Field(default="benchcast.documents/1", alias="schema")
    title: str
    sure: float = Field(description="probability from which a document counts as right; below 1 - sure as wrong")
    tasks: tuple[TaskDocuments, ...]
    notes: tuple[StoredNotice, ...] = ()
    provenance: Provenance
