"""What a checkpoint answered, document by document, wherever that is kept; and which checkpoint a name means."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from benchcast.reports.records.account import Account, listed
from numpy.typing import NDArray

from ..core.errors import InputError

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]
Key = tuple[str, str, float | None, str]  # task, metric, shots, prompt


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """One score of one checkpoint on one task; k documents.

    Attributes
    ----------
    task, metric, shots, prompt
        As in the ladder table; shots NaN where they are not known.
    names : (k,) array of text
        Ids of the documents, each once.
    score : (k,) float
        What each document counts, mostly 1 (right) or 0.
    nll : (k,) float, optional
        Minus the log-likelihood of the gold answer in ``unit``; NaN where it is not known.
    version : str
        Tells what was asked; equal texts are equal questions. Empty: not known.
    prompts : (k,) array of text, optional
        A digest of the prompt that each document was put in.
    clusters : (k,) array of text, optional
        What documents have in common that are not independent.
    shown : (k,) array of text, optional
        What the tool calls a document, where ``names`` is a digest of it.
    """

    task: str
    metric: str
    names: Texts
    score: Floats
    shots: float = math.nan
    prompt: str = ""
    version: str = ""
    nll: Floats | None = None
    unit: str = "nats/byte"
    prompts: Texts | None = None
    clusters: Texts | None = None
    shown: Texts | None = None

    @property
    def is_right_or_wrong(self) -> bool:
        """Whether every document is one of both."""
        return bool(np.isin(self.score, (0.0, 1.0)).all())


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A scored checkpoint: its name for people, the other names it answers to, and how its answers are read."""

    name: str
    read: Callable[[Account], list[Answers]]
    aliases: tuple[str, ...] = ()
    run: str = ""
    tokens: float = math.nan


def chosen(candidates: Sequence[Checkpoint], name: str, where: str) -> Checkpoint:
    """The checkpoint that a name means: one of its own names, or of a run the last.

    Raises
    ------
    InputError
        When it means none, or several.
    """
    own = [c for c in candidates if name in (c.name, *c.aliases)]
    of_run = [c for c in candidates if name == c.run]
    if len(own) > 1:
        raise InputError(f"{name}: is the name of {len(own)} checkpoints in {where} ({listed(c.name for c in own)})")
    if own:
        return own[0]
    if of_run:
        last = max((c.tokens for c in of_run if math.isfinite(c.tokens)), default=math.nan)
        latest = [c for c in of_run if c.tokens == last] or of_run
        if len(latest) == 1:
            return latest[0]
        raise InputError(f"{name}: has several checkpoints in {where}; name one ({listed(c.name for c in of_run)})")
    names = [n for c in candidates for n in (c.name, *c.aliases, c.run)]
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {listed((c.name for c in candidates), 8)}"
    raise InputError(f"{name}: is not a scored checkpoint of {where} ({hint})")


def numbered(given: Iterable[Any]) -> Texts:
    """Ids as text; of several alike (a task may ask one question twice) the second and later are numbered."""
    seen: Counter[str] = Counter()
    names = []
    for name in map(str, given):
        names.append(f"{name} ({seen[name] + 1})" if seen[name] else name)
        seen[name] += 1
    return np.array(names, dtype=str)


def own_where_unnamed(clusters: Sequence[str], names: Sequence[str]) -> Texts:
    """Clusters of documents; one that is in none (empty) is a cluster of its own."""
    return np.array([c or f"document {n}" for c, n in zip(clusters, names, strict=True)], dtype=str)


def label(run: str, step: float, tokens: float) -> str:
    """``run@step``; where the step is not known, by its tokens."""
    if math.isfinite(step):
        return f"{run}@{step:.15g}"
    return f"{run}@{tokens:.4g} tokens" if math.isfinite(tokens) else run
