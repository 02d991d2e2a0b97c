"""What is fed to the model: requests of one document that begin alike are computed as one row.

A row is the common prefix of a document's requests followed by what is left of each, the branches. A branch sees the
prefix and itself, and its positions go on where the prefix ends, so every token gets exactly the context it has in
the request it belongs to. On four-choice tasks that is a quarter of the tokens. Without sharing, a row is one request,
and requests with the same input are one row still (answers of a single token).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..requests.encoded import Encoded, Ints

PAD = -1  # branch number of padding
MOST_SHARED_SIZE = 0.8  # of the requests' tokens: a shared row with more is not worth its dearer attention
MOST_PADDING = 0.1  # rows shorter than the batch's longest by more than this share begin a new batch


@dataclass(frozen=True, kw_only=True)
class Row:
    """Tokens of one row with position and branch (0: prefix), and where which answer token is predicted."""

    tokens: list[int]
    positions: list[int]
    branches: list[int]
    at: list[int]
    wanted: list[int]
    request: list[int]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """b rows padded to l tokens: ``tokens``, ``positions``, ``branches`` (b, l).

    Answer token ``wanted[i]`` of request ``request[i]`` is predicted at ``at[place[i]]`` of the flattened (b·l,) rows:
    ``at`` holds every position once.
    """

    tokens: Ints
    positions: Ints
    branches: Ints
    at: Ints
    place: Ints
    wanted: Ints
    request: Ints

    @property
    def shared(self) -> bool:
        """Whether a row has more than one branch."""
        return bool((self.branches > 0).any())


def rows(encoded: Encoded, limit: int, *, share: bool) -> list[Row]:
    """The rows of all requests, each sequence cut from the left to a context of ``limit`` tokens."""
    sequences = [sequence[-(limit + 1) :] for sequence in encoded.sequences()]
    answers = np.minimum(encoded.answers, limit).tolist()
    made: list[Row] = []
    for _, group in itertools.groupby(range(len(sequences)), key=encoded.documents.tolist().__getitem__):
        of_document = list(group)
        alone = list(_alone(sequences, answers, of_document))
        together = _row(sequences, answers, of_document) if share and len(alone) > 1 else None
        made += [together] if together and len(together.tokens) <= MOST_SHARED_SIZE * tokens(alone) else alone
    return made


def batches(rows: Sequence[Row], most_rows: int, most_tokens: int) -> list[Batch]:
    """Rows of like length together: at most ``most_rows`` rows and ``most_tokens`` padded tokens each, longest first.

    The order depends on the rows alone, so that the same requests always make the same batches.
    """
    ordered = sorted(rows, key=lambda row: (-len(row.tokens), row.tokens, row.request))
    made, start = [], 0
    while start < len(ordered):
        longest = len(ordered[start].tokens)
        room = max(1, min(most_rows, most_tokens // longest))
        alike = [row for row in ordered[start : start + room] if len(row.tokens) >= (1 - MOST_PADDING) * longest]
        made.append(_batch(alike))
        start += len(alike)
    return made


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """A batch as two of half the rows, for a device that ran out of memory."""
    n, length = batch.tokens.shape
    middle = n // 2
    first = batch.at[batch.place] < middle * length
    return _part(batch, slice(0, middle), first, 0), _part(batch, slice(middle, n), ~first, middle * length)


def tokens(rows: Sequence[Row]) -> int:
    """Input tokens of the rows, without padding."""
    return sum(len(row.tokens) for row in rows)


def _alone(sequences: Sequence[list[int]], answers: Sequence[int], of_document: Sequence[int]) -> Iterator[Row]:
    alike: dict[tuple[int, ...], list[int]] = {}
    for request in of_document:
        alike.setdefault(tuple(sequences[request][:-1]), []).append(request)
    return (_row(sequences, answers, requests) for requests in alike.values())


def _row(sequences: Sequence[list[int]], answers: Sequence[int], of_document: Sequence[int]) -> Row:
    inputs = [sequences[request][:-1] for request in of_document]
    shared = _shared(min(inputs), max(inputs))  # what the extremes have in common, all have
    row = Row(
        tokens=inputs[0][:shared], positions=list(range(shared)), branches=[0] * shared, at=[], wanted=[], request=[]
    )
    offsets: dict[tuple[int, ...], int] = {}  # equal inputs are one branch: equal answers get equal numbers
    for request, given in zip(of_document, inputs, strict=True):
        key = tuple(given)
        if key not in offsets:
            offsets[key] = len(row.tokens) - shared
            row.tokens.extend(given[shared:])
            row.positions.extend(range(shared, len(given)))
            row.branches.extend([len(offsets)] * (len(given) - shared))
        first = len(given) - answers[request]
        row.at.extend(i if i < shared else i + offsets[key] for i in range(first, len(given)))
        row.wanted.extend(sequences[request][first + 1 :])
        row.request.extend([request] * answers[request])
    return row


def _shared(first: list[int], last: list[int]) -> int:
    """Length of the common prefix."""
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))


def _batch(rows: Sequence[Row]) -> Batch:
    length = len(rows[0].tokens)

    def padded(values: Sequence[list[int]], fill: int) -> Ints:
        array = np.full((len(rows), length), fill, dtype=np.int64)
        for i, row in enumerate(values):
            array[i, : len(row)] = row
        return array

    places = np.concatenate([np.array(row.at, dtype=np.int64) + i * length for i, row in enumerate(rows)])
    at, place = np.unique(places, return_inverse=True)
    return Batch(
        tokens=padded([row.tokens for row in rows], 0),
        positions=padded([row.positions for row in rows], 0),
        branches=padded([row.branches for row in rows], PAD),
        at=at,
        place=place.astype(np.int64),
        wanted=np.concatenate([np.array(row.wanted, dtype=np.int64) for row in rows]),
        request=np.concatenate([np.array(row.request, dtype=np.int64) for row in rows]),
    )


def _part(batch: Batch, which: slice, in_part: NDArray[np.bool_], shift: int) -> Batch:
    at, place = np.unique(batch.at[batch.place][in_part] - shift, return_inverse=True)
    return Batch(
        tokens=batch.tokens[which],
        positions=batch.positions[which],
        branches=batch.branches[which],
        at=at,
        place=place.astype(np.int64),
        wanted=batch.wanted[in_part],
        request=batch.request[in_part],
    )
