"""The samples of lm-eval: log-likelihoods per document, checked against the results they belong to.

A file has a line for every document and filter. Samples that were cut or doubled, or whose scores contradict the
results', are a fault that names both files.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ....core import reading
from ....core.errors import ContradictionError
from ....core.metrics import is_share
from ... import document_metrics
from ...document_metrics import Document, Mean
from . import golds
from .files import ResultFile, Task
from .golds import Sample

MOST_ARRAY = 1 << 30  # bytes of samples in one JSON array
CHOSEN = ("multiple_choice", "loglikelihood", "")  # kinds of tasks whose samples have log-likelihoods of answers
ROLLING = "loglikelihood_rolling"
ROUNDED = 1e-3  # relative: a loss may have been rounded
GENERATED = "generate_until"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What a task's samples give.

    ``why`` says why there are no ``documents``. ``means`` are losses, ``chance`` is the score of guessing; NaN where
    the documents do not tell it. ``by_choice`` says whether a document is right where a gold answer is the best.
    """

    count: int
    documents: list[Document] = field(default_factory=list)
    why: str = ""
    means: dict[str, Mean] = field(default_factory=dict)
    chance: float = math.nan
    by_choice: bool = True


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


def read_samples(file: ResultFile, task: Task, means: Mapping[str, Mean]) -> Sampled:
    """What a task's samples say, checked against the means that its results state.

    Raises
    ------
    ContradictionError
        When the samples are not those of the results.
    ValueError, KeyError, TypeError, IndexError, AttributeError
        When a sample cannot be read.
    """
    by_filter = _by_filter(path_of(file, task.name), task)
    stated: dict[str, dict[str, float]] = {}
    for metric, mean in means.items():
        name, _, filtered = metric.partition(",")
        stated.setdefault(filtered or "none", {})[name] = mean.value
    if set(by_filter) == {""}:  # before 0.4.4 the samples did not say which filter they are of
        by_filter = _told_apart(by_filter[""], list(stated) or ["none"])
    samples = by_filter.get("none") or next(iter(by_filter.values()), [])
    if not samples or (
        lacking := [name for name in stated if by_filter and name not in by_filter and "" not in by_filter]
    ):
        raise ContradictionError("there are none" + (f" of filter {lacking[0]}" if samples else ""))
    for of_filter in by_filter.values():
        _check_count(of_filter, task)
    for filtered, values in stated.items():
        for metric, value in values.items():
            if metric not in task.not_means:
                _check_mean(by_filter.get(filtered, ()), metric, value)
    return _sampled(samples, task, means)


def _by_filter(path: Path, task: Task) -> dict[str, list[Sample]]:
    """The samples by their filter; an empty one where they do not say it."""
    digest = hashlib.sha256()
    hashed = True
    by_filter: dict[str, list[Sample]] = {}
    for raw in lines(path):
        parts = [raw.get(key) for key in ("doc_hash", "prompt_hash", "target_hash")]
        hashed = hashed and all(isinstance(part, str) for part in parts)
        if hashed:
            digest.update("".join(map(str, parts)).encode())
        by_filter.setdefault(raw.get("filter", ""), []).append(_sample(raw, task))
    known = re.fullmatch("[0-9a-f]{64}", task.digest)
    if by_filter and hashed and known and digest.hexdigest() != task.digest:
        raise ContradictionError(
            "its documents and prompts are not those of the results (task_hashes): another run's samples"
        )
    return by_filter


def _told_apart(samples: Sequence[Sample], filters: Sequence[str]) -> dict[str, list[Sample]]:
    """Samples without filters by the filters of the results: lm-eval wrote all of one, then all of the next.

    Of which is not said where there are several: they are counted, each by its number, and not compared.
    """
    if len(filters) == 1:
        return {filters[0]: list(samples)}
    times: Counter[str] = Counter()
    parts: dict[str, list[Sample]] = {}
    for sample in samples:
        number = json.dumps(sample.number, default=str)
        times[number] += 1
        parts.setdefault("" if times[number] == 1 else f"{times[number]}", []).append(sample)
    return parts


def _sampled(samples: Sequence[Sample], task: Task, means: Mapping[str, Mean]) -> Sampled:
    if task.output_type == ROLLING:
        bits, stated = _bits_per_byte(samples), means.get("val_bpb")
        if bits is not None and stated is not None and not math.isclose(bits.value, stated.value, rel_tol=ROUNDED):
            raise ContradictionError(
                f"their log-likelihoods make {bits.value:.6g} bits per byte, the results say {stated.value:.6g}"
            )
        return Sampled(count=len(samples), means={} if bits is None else {"val_bpb": bits})
    if task.output_type not in CHOSEN:
        return Sampled(count=len(samples), why=f"their output is {task.output_type}")
    documents, by_choice, why = golds.documents(samples)
    if why:
        return Sampled(count=len(samples), why=why)
    return Sampled(
        count=len(samples),
        documents=documents,
        means=document_metrics.losses(documents),
        chance=document_metrics.chance(documents) if by_choice else math.nan,
        by_choice=by_choice,
    )


def _bits_per_byte(samples: Sequence[Sample]) -> Mean | None:
    """Loss of texts, from what each of them adds to it; None where the samples do not tell their bytes."""
    if not all(sample.text_bytes > 0 and math.isfinite(sample.logliks[0]) for sample in samples):
        return None
    return document_metrics.ratio([-s.logliks[0] / math.log(2) for s in samples], [s.text_bytes for s in samples])


def lines(path: Path) -> Iterator[dict[str, Any]]:
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


def _sample(raw: Mapping[str, Any], task: Task) -> Sample:
    """What a document's sample says: scores, and answers with their log-likelihoods where it has them."""
    numbers = {name: value for name, value in raw.items() if isinstance(value, int | float) and is_share(name)}
    sample = Sample(
        number=raw.get("doc_id"),
        target=raw.get("target"),
        scores={name: float(v) if isinstance(v, bool) else reading.number(v) for name, v in numbers.items()},
        name=str(raw.get("doc_hash") or raw.get("doc_id"))[:NAME],
    )
    if task.output_type == ROLLING:
        return _rolling(sample, raw)
    return _with_answers(sample, raw, task.delimiter) if task.output_type in CHOSEN else sample


def _rolling(sample: Sample, raw: Mapping[str, Any]) -> Sample:
    """A text's log-likelihood and its length in bytes, as its metrics have them."""
    pair = raw.get("bits_per_byte", raw.get("byte_perplexity"))
    loglik, length = pair if isinstance(pair, list) and len(pair) == 2 else (math.nan, math.nan)
    return replace(sample, logliks=(reading.number(loglik),), text_bytes=reading.number(length))


def _with_answers(sample: Sample, raw: Mapping[str, Any], delimiter: str) -> Sample:
    """Answers as asked, without the delimiter, and their log-likelihoods (nats)."""
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
    return replace(sample, answers=tuple(bare), logliks=logliks, labels=golds.labels_of(raw.get("doc")))


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
            raise ContradictionError(f"document {number} appears twice")
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
    if not values or len(values) < len(samples) or not all(map(math.isfinite, values)):
        return
    mean = math.fsum(values) / len(values)
    decimals = len(f"{stated:.16g}".partition(".")[2])
    exact = abs(stated * len(values) - round(stated * len(values))) < 1e-6
    if abs(mean - stated) > (1e-6 if exact or decimals > 6 else 0.5001 * 10.0**-decimals):
        raise ContradictionError(
            f"the mean {metric} of their {len(values)} documents is {mean:.6g}, the results say {stated:.6g}"
        )
