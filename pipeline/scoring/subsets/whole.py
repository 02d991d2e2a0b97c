"""Who is asked all documents although others are asked some: the checkpoints that ``score.whole`` names."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..checkpoints.discover import Checkpoint
from ..record import Recorder
from ..requests.book import RequestSpec


def split(checkpoints: Iterable[Checkpoint], patterns: Sequence[str]) -> tuple[list[Checkpoint], list[Checkpoint]]:
    """The checkpoints whose name a pattern matches, and the others."""
    whole: list[Checkpoint] = []
    rest: list[Checkpoint] = []
    for checkpoint in checkpoints:
        named = any(fnmatch.fnmatchcase(checkpoint.source, pattern) for pattern in patterns)
        (whole if named else rest).append(checkpoint)
    same = {checkpoint.digest for checkpoint in whole}  # under another name, perhaps
    return whole, [checkpoint for checkpoint in rest if checkpoint.digest not in same]


def unmatched(checkpoints: Iterable[Checkpoint], patterns: Sequence[str]) -> list[str]:
    """The patterns that name none of the checkpoints."""
    sources = [checkpoint.source for checkpoint in checkpoints]
    return [pattern for pattern in patterns if not fnmatch.filter(sources, pattern)]


def of_all(specs: Iterable[RequestSpec]) -> list[RequestSpec]:
    """The requests for all documents."""
    return [replace(spec, digest=spec.whole, whole="") if spec.whole else spec for spec in specs]


def missing(
    recorder: Recorder,
    checkpoints: Iterable[Checkpoint],
    specs: Sequence[RequestSpec],
    patterns: Sequence[str],
    *,
    failed_too: bool,
) -> dict[str, list[str]]:
    """Which requests each checkpoint (by digest) lacks, by the index; ``specs`` ask some documents or all."""
    whole, rest = split(checkpoints, patterns)
    lacking: dict[str, list[str]] = {}
    for some, asked in ((whole, of_all(specs)), (rest, specs)):
        if some:
            lacking |= recorder.missing([c.digest for c in some], asked, failed_too=failed_too)
    return lacking
