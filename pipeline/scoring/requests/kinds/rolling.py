"""Tasks that are texts to predict (``loglikelihood_rolling``: wikitext, the Pile), in windows as validation texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ....core.config import ScoreSettings
from ....core.errors import TaskError
from .base import Question, Task, TaskKind, sources
from .texts import Windows, windows


class Rolling(TaskKind):
    """``loglikelihood_rolling``: every document is one text, and has no answer."""

    name = "rolling"
    output_types = ("loglikelihood_rolling",)
    by_context = True

    def questions(self, harness: Any, settings: ScoreSettings, base: Path) -> Iterable[Question]:
        """A question for every document, whose request is its text; raises as ``TaskKind`` says."""
        if harness.get_config("filter_list") is not None or (harness.get_config("repeats") or 1) > 1:
            raise TaskError("filters or repeats its answers, which a log-likelihood score has no use for")
        questions = [
            Question(doc=request.doc, requests=(request,), answers=(), gold=0, answer_bytes=())
            for request in harness.instances
        ]
        if not any(text_of(question) for question in questions):
            raise TaskError("has no text in any of its documents")
        return questions

    def digest(self, harness: Any, questions: Sequence[Question], seed: int) -> str:
        """Hash of the texts, of the documents and of how they are counted."""
        how = ["rolling", str(harness.VERSION), sorted(harness.aggregation()), sources(harness)]
        total = hashlib.sha256(json.dumps([*how, harness.dump_config().get("metric_list")], default=str).encode())
        for question in questions:
            total.update(json.dumps([text_of(question), question.doc], default=str).encode())
        return total.hexdigest()

    def encode(self, lm: Any, what: Task) -> Windows:
        """The windows of all documents."""
        return windows(lm, map(text_of, what.questions))


def text_of(question: Question) -> str:
    """The text of a document."""
    return str(question.requests[0].args[0])
