"""The samples of lm-eval: log-likelihoods per document, checked against the results they belong to.

Samples that were cut or doubled, or whose accuracies contradict the results', are a fault that names both files.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....core import reading
from ....core.errors import ContradictionError
from ... import document_metrics
from ...document_metrics import Document, Mean
from .accuracies import ACCURACIES
from .files import ResultFile, Task

MOST_ARRAY = 1 << 30  # bytes of samples in one JSON array
MOSTLY = 0.8  # of the documents: so many agree with a reading of the gold answers that the others contradict it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one document's sample says, as far as it matters."""

    number: Any
    target: Any
    answers: tuple[str, ...]
    logliks: tuple[float, ...]
    scores: dict[str, float]  # accuracies recorded for the document
    name: str = ""  # hash of the document's content, or its number


NAME = 16  # letters of a document's hash: 64 bits tell a task's documents apart
MOST_LOGLIK = 1e9  # nats of one answer: no text is so unlikely


def there(file: ResultFile, task: str) -> bool:
    """Whether a task's samples were logged."""
    return os.path.lexists(os.path.join(os.path.dirname(file.path), _name(file, task)))


def path_of(file: ResultFile, task: str) -> Path:
    """Where lm-eval puts a task's samples beside its results."""
    return file.path.parent / _name(file, task)


def _name(file: ResultFile, task: str) -> str:
    if file.stamp:
        return f"samples_{task}_{file.stamp}.jsonl"
    return f"{re.sub('/|=', '__', file.args_text)}_{task}.jsonl"


def read_samples(file: ResultFile, task: Task, means: Mapping[str, Mean]) -> tuple[list[Document], int, str]:
    """The documents of a task's samples, how many samples there are, and why there are no documents.

    Raises
    ------
    ContradictionError
        When the samples are not those of the results.
    ValueError, KeyError, TypeError, IndexError, AttributeError
        When a sample cannot be read.
    """
    digest = hashlib.sha256()
    hashed = True
    samples = []
    for raw in _raw(path_of(file, task.name)):
        parts = [raw.get(key) for key in ("doc_hash", "prompt_hash", "target_hash")]
        hashed = hashed and all(isinstance(part, str) for part in parts)
        if hashed:
            digest.update("".join(map(str, parts)).encode())
        if raw.get("filter", "none") == "none":
            samples.append(_sample(raw, task.delimiter))
    if not samples:
        raise ContradictionError("there are none")
    _check_count(samples, task)
    if hashed and re.fullmatch("[0-9a-f]{64}", task.digest) and digest.hexdigest() != task.digest:
        raise ContradictionError(
            "its documents and prompts are not those of the results (task_hashes): another run's samples"
        )
    for metric, mean in means.items():
        _check_mean(samples, metric, mean.value)
    documents, why = _documents(samples, task)
    return documents, len(samples), why


def _raw(path: Path) -> Iterator[dict[str, Any]]:
    """Samples one by one: a JSON array (lm-eval 0.4.0 to 0.4.2), or one JSON object a line."""
    reading.check(path)
    with path.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"["):
        content = reading.json_of(reading.data(path, MOST_ARRAY))
        yield from (_mapping(sample, i + 1) for i, sample in enumerate(content))
        return
    with path.open("rb") as file:  # lines end at \n only: JSON leaves U+2028 and the like inside strings
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield _mapping(json.loads(reading.decoded(line)), number)
                except json.JSONDecodeError as error:
                    raise ValueError(f"line {number} is cut short or no JSON: {error.msg}") from None


def _mapping(sample: Any, number: int) -> dict[str, Any]:
    if not isinstance(sample, dict):
        raise ValueError(f"line {number} is not a sample")
    return sample


def _sample(raw: Mapping[str, Any], delimiter: str) -> Sample:
    """Answers as asked, without the delimiter, and their log-likelihoods (nats)."""
    scores = {m: reading.number(raw.get(m)) for m in ACCURACIES if m in raw and not isinstance(raw[m], str | bool)}
    scores |= {m: float(raw[m]) for m in ACCURACIES if isinstance(raw.get(m), bool)}
    requests = raw["arguments"]
    pairs = [(a["arg_0"], a.get("arg_1", "")) for a in requests.values()] if isinstance(requests, dict) else requests
    pairs = [(p[0], p[1] if len(p) > 1 else "") for p in pairs]
    prompts, answers = [p[0] for p in pairs], [str(p[1]) for p in pairs]
    half = len(pairs) // 2
    bare = [a.removeprefix(delimiter) for a in answers]  # before 0.4.9 those without a prompt had no delimiter
    if half and bare[:half] == bare[half:] and not any(prompts[half:]) and any(prompts[:half]):
        bare = bare[:half]  # the rest asks for the answers without the prompt (acc_mutual_info)
    resps = raw["filtered_resps"][: len(bare)]
    logliks = tuple(_loglik(r[0]) if isinstance(r, list | tuple) and r else math.inf for r in resps)
    return Sample(
        number=raw.get("doc_id"),
        target=raw.get("target"),
        answers=tuple(bare),
        logliks=logliks,
        scores=scores,
        name=str(raw.get("doc_hash") or raw.get("doc_id"))[:NAME],
    )


def _loglik(given: Any) -> float:
    """A log-likelihood, which newer versions write as text; infinite, and so a fault, where it cannot be one."""
    try:
        loglik = float(given)
    except OverflowError:
        return math.inf
    return loglik if abs(loglik) < MOST_LOGLIK else math.inf


def _check_count(samples: Sequence[Sample], task: Task) -> None:
    """Every document once, and as many as the results say."""
    numbers: set[str] = set()
    for sample in samples:
        number = json.dumps(sample.number, default=str)
        if sample.number is not None and number in numbers:
            raise ContradictionError(f"document {number} is there twice")
        numbers.add(number)
    effective = reading.number(task.effective)
    if math.isfinite(effective) and effective != len(samples):
        raise ContradictionError(f"they are of {len(samples)} documents, the results of {effective:g}")
    whole = [s.number for s in samples if isinstance(s.number, int)]
    if not math.isfinite(effective) and len(whole) == len(samples) and max(whole) + 1 - min(whole) != len(samples):
        missing = next(i for i in range(min(whole), max(whole)) if i not in set(whole))
        raise ContradictionError(f"document {missing} is missing")


def _check_mean(samples: Sequence[Sample], metric: str, stated: float) -> None:
    """The mean over the documents is the stated value, as far as that was rounded."""
    values = [s.scores[metric] for s in samples if metric in s.scores]
    if len(values) < len(samples) or not all(map(math.isfinite, values)):
        return
    mean = math.fsum(values) / len(values)
    decimals = len(f"{stated:.16g}".partition(".")[2])
    exact = abs(stated * len(values) - round(stated * len(values))) < 1e-6
    if abs(mean - stated) > (1e-6 if exact or decimals > 6 else 0.5001 * 10.0**-decimals):
        raise ContradictionError(
            f"the mean {metric} of their {len(values)} documents is {mean:.6g}, the results say {stated:.6g}"
        )


def _documents(samples: Sequence[Sample], task: Task) -> tuple[list[Document], str]:
    """Per-document log-likelihoods with the gold answer, which the samples name by index or by its text.

    lm-eval writes both as strings, so ``"1"`` may be either: the reading that gives back the accuracy it recorded for
    every document is the right one.
    """
    if task.output_type not in ("multiple_choice", "loglikelihood"):
        return [], f"their output is {task.output_type}"
    for sample in samples:
        if not all(map(math.isfinite, sample.logliks)):
            raise ValueError(f"document {sample.number}: a log-likelihood is not finite")
        if len(sample.logliks) != len(sample.answers) or not sample.answers:
            raise ValueError(
                f"document {sample.number}: has {len(sample.answers)} answers, {len(sample.logliks)} scored"
            )
    most = 0.0
    for by_text in (False, True):
        documents = [_document(s, by_text=by_text) for s in samples]
        known = [d for d in documents if d is not None]
        agreed = [_agrees(s, d) for s, d in zip(samples, documents, strict=True) if d is not None]
        if len(known) == len(samples) and all(agreed):
            return known, ""
        if len(known) == len(samples) and sum(agreed) / len(agreed) > most:
            most, wrong = sum(agreed) / len(agreed), agreed.index(False)
    binary = all(s.scores.get("acc", math.nan) in (0.0, 1.0) for s in samples)
    if most >= MOSTLY and binary:
        number = samples[wrong].number
        raise ContradictionError(f"document {number}: its acc contradicts its log-likelihoods and gold answer")
    return [], "the samples do not tell the gold answers"


def _document(sample: Sample, *, by_text: bool) -> Document | None:
    answers, target = list(sample.answers), sample.target
    if len(answers) == 1:
        gold = 0
    elif by_text:
        # One text for all choices (winogrande, whose prompts differ) does not tell which of them is right.
        gold = answers.index(str(target)) if answers.count(str(target)) == 1 else -1
    else:
        gold = int(target) if re.fullmatch(r"\d{1,9}", str(target)) else -1
    if not 0 <= gold < len(answers) or not (length := document_metrics.answer_bytes(answers[gold])):
        return None
    return Document(
        logliks=sample.logliks,
        gold=gold,
        gold_bytes=length,
        name=sample.name,
        answer_chars=tuple(map(len, answers)),
    )


def _agrees(sample: Sample, document: Document) -> bool:
    if len(document.logliks) == 1 or "acc" not in sample.scores:
        return True
    return sample.scores["acc"] == float(np.argmax(document.logliks) == document.gold)
