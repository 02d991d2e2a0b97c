"""Texts for the validation loss, in the windows of lm-eval's rolling log-likelihood."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....core import reading
from ....core.config import ScoreSettings
from ....core.errors import Fault, FaultsError
from ..encoded import Ints, pack
from .base import Kind, Part

MOST_TEXT = 1 << 30  # bytes of a validation text, all of which is held in memory


@dataclass(frozen=True, kw_only=True)
class Windows(Part):
    """Documents as requests, one per window; ``documents`` (w,) says which document a window is from."""

    documents: Ints


class Texts(Kind):
    """A text is predicted whole, window after window."""

    name = "texts"
    by_context = True

    def encode(self, lm: Any, what: ValidationText) -> Windows:
        """The windows of all documents."""
        return windows(lm, what.documents)

    def documents(self, what: ValidationText) -> int:
        """How many documents the text has."""
        return len(what.documents)


TEXTS = Texts()


@dataclass(frozen=True, kw_only=True)
class ValidationText:
    """A text, or the documents of a JSONL file, that the validation loss is measured on."""

    name: str
    documents: tuple[str, ...]
    digest: str

    @property
    def kind(self) -> Kind:
        """Always the kind of texts."""
        return TEXTS


def read_texts(settings: ScoreSettings, base: Path) -> list[ValidationText]:
    """Read the validation texts: UTF-8 text files, or JSONL with a ``text`` in every line.

    Raises
    ------
    FaultsError
        Naming every file, and the line, that cannot be used.
    """
    read, faults = [], []
    for path in settings.validation_text:
        try:
            content = reading.text(base / path, MOST_TEXT).replace("\r\n", "\n").replace("\r", "\n")  # as Python does
            documents = _lines(content) if path.suffix == ".jsonl" else (content,)
            if not any(documents):
                raise ValueError("is empty")
            "".join(documents).encode("utf-8")  # JSON may hold half a character, which no tokenizer takes
        except (OSError, ValueError) as error:
            where = f"score.validation_text: {path}"
            faults.append(Fault(where, f"cannot be read: {error}", "give UTF-8 text or JSONL"))
            continue
        digest = hashlib.sha256(json.dumps(["rolling", documents]).encode()).hexdigest()
        read.append(ValidationText(name=path.stem, documents=documents, digest=digest))
    if faults:
        raise FaultsError(faults)
    return read


def windows(lm: Any, texts: Iterable[str]) -> Windows:
    """The windows of lm-eval's ``loglikelihood_rolling``, document after document."""
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    requests: list[tuple[list[int], list[int], int]] = []
    documents: list[int] = []
    for number, document in enumerate(texts):
        if not document:
            continue
        tokens = lm.tok_encode(document)
        rolling = get_rolling_token_windows(tokens, lm.prefix_token_id, lm.max_length, 1)
        for prompt, answer in map(make_disjoint_window, rolling):
            requests.append((prompt, answer, len(requests)))
            documents.append(number)
    return Windows(encoded=pack(requests), documents=np.array(documents, dtype=np.int64))


def _lines(content: str) -> tuple[str, ...]:
    documents: list[str] = []
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = reading.json_of(line)
        except ValueError as error:
            raise ValueError(f"line {number} {error}") from error
        if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
            raise ValueError(f'line {number} has no "text"')
        documents.append(entry["text"])
    return tuple(documents)
