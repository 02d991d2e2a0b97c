"""Documents that belong together: clusters of a file, and tasks that are pooled as one."""

from __future__ import annotations

import csv
import fnmatch
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core import reading
from ..core.errors import InputError, UnreadableError
from .answers import Answers, own_where_unnamed

Clusters = Mapping[tuple[str, str], str]  # (task or "", document) to its cluster


@dataclass(frozen=True, kw_only=True, eq=False)
class Both:
    """One score of both checkpoints on the k documents that both were asked, in one order."""

    a: Answers
    b: Answers
    only_a: int
    only_b: int

    @property
    def difference(self) -> NDArray[np.float64]:
        """B minus A, (k,)."""
        return self.b.score - self.a.score


def groups(given: Sequence[str]) -> dict[str, str]:
    """The groups of ``--group NAME=TASKS``, by name.

    Raises
    ------
    InputError
        For one that is not so.
    """
    groups = {}
    for text in given:
        name, sign, pattern = text.partition("=")
        if not (name and sign and pattern):
            raise InputError(f"--group {text!r}: give NAME=TASKS, such as mmlu=mmlu_*")
        groups[name] = pattern
    return groups


def read_clusters(path: Path) -> Clusters:
    """What belongs together, by task (empty: any) and document.

    Raises
    ------
    InputError
        When the file cannot be read, lacks a column, or has a document in two clusters.
    """
    try:
        rows = csv.DictReader(io.StringIO(reading.text(path, reading.MOST_TABLE)))
        columns = rows.fieldnames or []
        clusters: dict[tuple[str, str], str] = {}
        for column in ("document", "cluster"):
            if column not in columns:
                raise InputError(f"{path}: has no column {column} (document and cluster are needed, task may be there)")
        for row in rows:
            key, cluster = (row.get("task") or "", str(row["document"])), str(row["cluster"])
            if clusters.setdefault(key, cluster) != cluster:
                where = f"{path}: line {rows.line_num}"
                raise InputError(f"{where}: document {key[1]!r} is in two clusters, {clusters[key]!r} and {cluster!r}")
    except UnreadableError as what:
        raise InputError(f"{path}: cannot be read: {what}") from None
    return clusters


def clustered(pair: Both, clusters: Clusters | None) -> Both:
    """The same with the clusters of a file, by id or by what people call a document; one without is its own."""
    if clusters is None:
        return pair
    names = pair.a.names.tolist()
    keys = [
        [(task, n) for n in dict.fromkeys(each) for task in (pair.a.task, "")]
        for each in zip(names, shown_names(pair.a), strict=True)
    ]
    of = [next((clusters[key] for key in each if key in clusters), "") for each in keys]
    if not any(of):
        return pair
    return replace(pair, a=replace(pair.a, clusters=own_where_unnamed(of, names)))


def pooled(both: Sequence[Both], together: Mapping[str, str]) -> list[Both]:
    """With the documents of some tasks pooled as one task, each of them a cluster.

    Raises
    ------
    InputError
        For a group that no task is in.
    """
    rest = list(both)
    groups: list[Both] = []
    for name, pattern in together.items():
        inside = [p for p in rest if fnmatch.fnmatchcase(p.a.task, pattern)]
        if not inside:
            raise InputError(f"--group {name}={pattern}: no task that both were asked is called so")
        rest = [p for p in rest if p not in inside]
        for metric in dict.fromkeys(p.a.metric for p in inside):
            groups.append(_as_one(name, [p for p in inside if p.a.metric == metric]))
    return groups + rest


def _as_one(name: str, pairs: Sequence[Both]) -> Both:
    of = np.concatenate([np.full(len(p.a.names), p.a.task) for p in pairs])
    several = len(pairs) > 1  # one task alone is no cluster: its documents are independent

    def joined(each: Sequence[Answers]) -> Answers:
        nlls = [x.nll for x in each if x.nll is not None]
        names, shown = (
            np.array([f"{x.task}: {n}" for x in each for n in of_one(x)]) for of_one in (_names, shown_names)
        )
        return replace(
            each[0],
            task=name,
            names=names,
            score=np.concatenate([x.score for x in each]),
            nll=np.concatenate(nlls) if len(nlls) == len(each) else None,
            shown=shown,
            prompts=None,
            clusters=of if several else each[0].clusters,
        )

    only_a, only_b = sum(p.only_a for p in pairs), sum(p.only_b for p in pairs)
    return Both(a=joined([p.a for p in pairs]), b=joined([p.b for p in pairs]), only_a=only_a, only_b=only_b)


def _names(x: Answers) -> list[str]:
    return [str(name) for name in x.names]


def shown_names(x: Answers) -> list[str]:
    """What people call the documents."""
    return [str(name) for name in (x.names if x.shown is None else x.shown)]
