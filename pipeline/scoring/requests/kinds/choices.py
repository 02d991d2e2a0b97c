"""Tasks whose answers are given and only have to be judged: multiple choice, and the likelihood of one answer."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....core.config import ScoreSettings
from ....core.errors import TaskError
from ....data.document_metrics import answer_bytes
from ..encoded import Encoded, pack
from .base import Part, Question, Task, TaskKind, sources
from .right_answers import RightAnswers, right_answers


class Choices(TaskKind):
    """``multiple_choice`` and ``loglikelihood``: a log-likelihood for every answer."""

    name = "choices"
    output_types = ("multiple_choice", "loglikelihood")

    def questions(self, harness: Any, settings: ScoreSettings, base: Path) -> Iterable[Question]:
        """A question for every document, with all its answers; raises as ``TaskKind`` says."""
        return _questions(harness)

    def digest(self, harness: Any, questions: Sequence[Question], seed: int) -> str:
        """Hash of everything that decides the score besides the model: prompts, answers, gold, documents, metrics."""
        config = harness.dump_config()
        how = [str(harness.VERSION), sorted(harness.aggregation()), config.get("metric_list"), sources(harness)]
        total = hashlib.sha256(json.dumps(how, default=str).encode())
        for question in questions:
            content = [[list(r.args) for r in question.requests], question.gold, question.answer_bytes, question.doc]
            content += [question.more_golds] if question.more_golds else []
            total.update(json.dumps(content, default=str).encode())
        return total.hexdigest()

    def encode(self, lm: Any, what: Task) -> Part:
        """The answers' requests as token ids; raises TaskError when an answer has no tokens."""
        requests = [
            (number, request) for number, question in enumerate(what.questions) for request in question.requests
        ]
        return Part(encoded=answers_after_prompts(lm, requests))

    def check(self, what: Task, part: Part, limit: int, most: float) -> list[str]:
        """How many documents lose the start of a prompt; raises as ``Kind`` says."""
        cut = check_length(part.encoded, len(what.questions), limit, most)
        return [f"{cut} prompts cut to {limit} tokens"] if cut else []


def answers_after_prompts(lm: Any, requests: Sequence[tuple[int, Any]]) -> Encoded:
    """Requests (prompt, answer) of lm-eval, each with the number of its document, as token ids.

    Raises
    ------
    TaskError
        When an answer has no tokens.
    """
    lm._loglikelihood_tokens = lambda encoded, **_: encoded
    try:
        encoded = lm.loglikelihood([request for _, request in requests], disable_tqdm=True)
    except IndexError as error:  # lm-eval looks at the first token of an answer that has none
        raise TaskError("an answer has no tokens") from error
    finally:
        del lm._loglikelihood_tokens
    numbers = [number for number, _ in requests]
    packed = pack((prompt, answer, n) for (_, prompt, answer), n in zip(encoded, numbers, strict=True))
    if (packed.answers < 1).any():
        raise TaskError(f"document {numbers[int(np.argmin(packed.answers))]}: an answer has no tokens")
    return packed


def check_length(encoded: Encoded, documents: int, limit: int, most: float) -> int:
    """How many of so many ``documents`` lose the start of a prompt to the context of ``limit`` tokens.

    Raises
    ------
    TaskError
        When they are more than the share ``most`` of the documents, or an answer alone is longer than the context.
    """
    if (encoded.answers > limit).any():
        raise TaskError(f"an answer has more tokens than the model's {limit}")
    cut = len(np.unique(encoded.documents[encoded.truncated(limit)]))
    if cut > most * documents:
        raise TaskError(f"{cut} of {documents} prompts are longer than the model's {limit} tokens")
    return cut


def _questions(harness: Any) -> Iterable[Question]:
    if harness.get_config("filter_list") is not None or (harness.get_config("repeats") or 1) > 1:
        raise TaskError("filters or repeats its answers, which a log-likelihood score has no use for")
    for number, group in itertools.groupby(harness.instances, key=lambda r: r.doc_id):
        requests = tuple(sorted(group, key=lambda r: r.idx))
        answers, right = _answers(harness, requests, number)
        lengths = tuple(map(answer_bytes, answers))
        if 0 in lengths:
            which = "gold answer" if lengths.index(0) in right.golds else f"choice {lengths.index(0)}"
            raise TaskError(f"document {number}: the {which} is empty")
        yield Question(
            doc=requests[0].doc,
            requests=requests,
            answers=tuple(answers),
            gold=right.golds[0] if right.golds else -1,
            answer_bytes=lengths,
            more_golds=right.golds[1:],
            by_choice=right.by_choice,
        )


def _answers(harness: Any, requests: Sequence[Any], number: int) -> tuple[list[str], RightAnswers]:
    """The answers in the order of the requests, and which of them are right."""
    doc = requests[0].doc
    if harness.OUTPUT_TYPE == "loglikelihood":
        return [requests[0].args[1]], RightAnswers(golds=(0,))
    choices = harness.doc_to_choice(doc)
    # With several inputs (Winogrande) the choices stand in the prompts, and one answer follows each of them.
    target = harness.doc_to_text(doc) if harness.multiple_input else harness.doc_to_target(doc)
    answers = [str(harness.doc_to_target(doc))] * len(choices) if harness.multiple_input else list(choices)
    return answers, right_answers(harness, requests, target, choices, number)
