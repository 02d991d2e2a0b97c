"""Which answers of lm-eval's samples are the gold ones: a reading counts that gives back every document's accuracy.

lm-eval writes a target as text, so ``"1"`` may be the second answer or the answer "1"; ``"[0, 2]"`` are two right
answers. TruthfulQA's second form says 0 for a target and has its right answers in the document.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....core.errors import ContradictionError
from ... import document_metrics
from ...document_metrics import Document

MOSTLY = 0.8  # of the documents: so many agree with a reading of the gold answers that the others contradict it
SAME = 1e-6  # of a share of probability


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one document's sample says, as far as it matters."""

    number: Any
    target: Any
    scores: dict[str, float]  # shares recorded for the document, by metric
    answers: tuple[str, ...] = ()
    logliks: tuple[float, ...] = ()
    labels: tuple[int, ...] = ()  # of every answer whether it is right, where the document has them
    text_bytes: float = math.nan  # of a text whose log-likelihood is the only one
    name: str = field(default="")  # hash of the document's content, or its number


def labels_of(doc: Any) -> tuple[int, ...]:
    """Which answers a document of TruthfulQA's second form calls right: 1 or 0 of each; empty for others."""
    targets = doc.get("mc2_targets") if isinstance(doc, Mapping) else None
    labels = targets.get("labels") if isinstance(targets, Mapping) else None
    known = isinstance(labels, list | tuple) and all(label in (0, 1) for label in labels)
    return tuple(map(int, labels)) if known and labels is not None else ()


def mass(logliks: Sequence[float], right: Sequence[int]) -> float:
    """The share of probability, among the answers, that is on the right ones: lm-eval's score in TruthfulQA's mc2."""
    values = np.asarray(logliks)
    weights = np.exp(values - values.max())
    return float(weights[list(right)].sum() / weights.sum())


def documents(samples: Sequence[Sample]) -> tuple[list[Document], bool, str]:
    """Log-likelihoods and gold answers by document; whether it is right by the best of them; or why there are none.

    Raises
    ------
    ContradictionError
        When an accuracy is not what the log-likelihoods and the gold answers make.
    ValueError
        When a document's log-likelihoods are not those of its answers.
    """
    for sample in samples:
        if not all(map(math.isfinite, sample.logliks)):
            raise ValueError(f"document {sample.number}: a log-likelihood is not finite")
        if len(sample.logliks) != len(sample.answers) or not sample.answers:
            raise ValueError(
                f"document {sample.number}: has {len(sample.answers)} answers, {len(sample.logliks)} scored"
            )
    most, wrong = 0.0, 0
    binary = all(s.scores.get("acc", math.nan) in (0.0, 1.0) for s in samples)
    for right_of, agrees in READINGS:
        read = [_document(sample, right_of(sample)) for sample in samples]
        known = [d for d in read if d is not None]
        agreed = [agrees(s, d) for s, d in zip(samples, read, strict=True) if d is not None]
        if len(known) == len(samples) and all(agreed):
            return known, agrees is _agrees, ""
        if len(known) == len(samples) and (binary or agrees is not _agrees) and sum(agreed) / len(agreed) > most:
            most, wrong = sum(agreed) / len(agreed), agreed.index(False)
    if most >= MOSTLY:
        number = samples[wrong].number
        raise ContradictionError(f"document {number}: its acc contradicts its log-likelihoods and gold answer")
    return [], True, "the samples do not tell the gold answers"


def _document(sample: Sample, right: Sequence[int]) -> Document | None:
    """A document with its right answers; None where one of them is not there or is empty, or there are none."""
    if not right or not all(0 <= choice < len(sample.answers) for choice in right):
        return None
    lengths = [document_metrics.answer_bytes(sample.answers[choice]) for choice in right]
    if not all(lengths):
        return None
    return Document(
        logliks=sample.logliks,
        gold=right[0],
        gold_bytes=lengths[0],
        more_golds=tuple(zip(right[1:], lengths[1:], strict=True)),
        name=sample.name,
        answer_chars=tuple(map(len, sample.answers)),
    )


def _by_labels(sample: Sample) -> tuple[int, ...]:
    if len(sample.answers) < 2 or len(sample.labels) != len(sample.answers):
        return ()
    return tuple(choice for choice, label in enumerate(sample.labels) if label)


def _by_index(sample: Sample) -> tuple[int, ...]:
    if len(sample.answers) == 1:
        return (0,)
    if not re.fullmatch(r"\d{1,9}|\[\d{1,9}(, *\d{1,9})*\]", target := str(sample.target)):
        return ()
    return tuple(dict.fromkeys(map(int, re.findall(r"\d+", target))))


def _by_text(sample: Sample) -> tuple[int, ...]:
    if len(sample.answers) == 1:
        return (0,)
    # One text for all choices (winogrande, whose prompts differ) does not tell which of them is right.
    target = str(sample.target)
    return (sample.answers.index(target),) if sample.answers.count(target) == 1 else ()


def _agrees(sample: Sample, document: Document) -> bool:
    """Whether the accuracy is that of the best answer."""
    if len(document.logliks) == 1 or "acc" not in sample.scores:
        return True
    return sample.scores["acc"] == float(int(np.argmax(document.logliks)) in [choice for choice, _ in document.golds])


def _agrees_in_mass(sample: Sample, document: Document) -> bool:
    """Whether the accuracy is the share of probability on the right answers."""
    stated = sample.scores.get("acc", math.nan)  # no number where all probabilities are too small for one
    right = [choice for choice, _ in document.golds]
    return not math.isfinite(stated) or abs(stated - mass(document.logliks, right)) < SAME


READINGS: tuple[tuple[Callable[[Sample], tuple[int, ...]], Callable[[Sample, Document], bool]], ...] = (
    (_by_labels, _agrees_in_mass),
    (_by_index, _agrees),
    (_by_text, _agrees),
)
