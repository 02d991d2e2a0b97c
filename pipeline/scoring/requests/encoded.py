"""Requests as flat arrays of token ids, and texts to continue: what travels from the driver to the workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """r requests; a request is a sequence of token ids whose last ``answers`` tokens are scored.

    ``tokens`` (t,) holds the sequences one after the other, ``lengths`` (r,) their tokens, ``answers`` (r,) how many
    of them are the answer, ``documents`` (r,) the document a request belongs to (numbers only tell them apart).
    """

    tokens: Ints
    lengths: Ints
    answers: Ints
    documents: Ints

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def prompts(self) -> Ints:
        """Tokens before the answer, (r,)."""
        return self.lengths - self.answers

    def sequences(self) -> list[list[int]]:
        """Every request's tokens, prompt and answer."""
        ends = np.cumsum(self.lengths)
        flat = self.tokens.tolist()
        return [flat[end - length : end] for end, length in zip(ends.tolist(), self.lengths.tolist(), strict=True)]

    def some(self, which: Sequence[int] | Ints) -> Encoded:
        """The requests at these positions, in ascending order."""
        keep = np.zeros(len(self), dtype=bool)
        keep[np.asarray(which, dtype=np.int64)] = True
        return Encoded(
            tokens=self.tokens[np.repeat(keep, self.lengths)],
            lengths=self.lengths[keep],
            answers=self.answers[keep],
            documents=self.documents[keep],
        )

    def truncated(self, limit: int) -> NDArray[np.bool_]:
        """Which requests lose the start of their prompt to a context of ``limit`` tokens, (r,) of bool."""
        # The last token is predicted, never read: a sequence may be one token longer than the context.
        return self.lengths > limit + 1


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """Texts that are to be continued, and each one's arguments as lm-eval's tasks give them (``generation_kwargs``).

    ``seed`` is None where nothing is sampled. ``state`` is that of the random generators (hex) after the requests
    before these, empty to begin with the seed.
    """

    texts: tuple[str, ...]
    arguments: tuple[dict[str, Any], ...]
    seed: int | None = None
    state: str = ""


def pack(requests: Iterable[tuple[Sequence[int], Sequence[int], int]]) -> Encoded:
    """(prompt tokens, answer tokens, document) of every request as arrays."""
    listed = list(requests)
    flat = [token for prompt, answer, _ in listed for part in (prompt, answer) for token in part]
    return Encoded(
        tokens=np.array(flat, dtype=np.int64),
        lengths=np.array([len(prompt) + len(answer) for prompt, answer, _ in listed], dtype=np.int64),
        answers=np.array([len(answer) for _, answer, _ in listed], dtype=np.int64),
        documents=np.array([document for *_, document in listed], dtype=np.int64),
    )


def join(parts: Sequence[Encoded]) -> Encoded:
    """Several sets of requests as one; documents of different parts stay apart."""
    if not parts:
        return pack([])
    documents, above = [], 0
    for part in parts:
        documents.append(part.documents + above)
        above += int(part.documents.max()) + 1 if len(part) else 0
    return Encoded(
        tokens=np.concatenate([p.tokens for p in parts]),
        lengths=np.concatenate([p.lengths for p in parts]),
        answers=np.concatenate([p.answers for p in parts]),
        documents=np.concatenate(documents),
    )
