"""Chooses the documents of every task, once for all checkpoints of a store, and says which requests that makes."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from benchcast.stages.documents.subset import CHECKPOINTS, Subset, choose, evenly

from ...core import reading
from ...core.digest import file_digest
from ..requests.book import PreparedRequest, RequestSpec
from ..requests.kinds.base import Task
from ..store import Store
from ..store.cell import DERIVED, DOCUMENTS
from ..store.index import Index
from .files import StoredChoice, latest, write
from .tasks import chance_of, cut
from .values import Values, values_of

KINDS = ("choices", "generation")  # of which every document has values whose mean is the score
NO_MEANS = "its score is not a mean over documents that can be scored one by one"
LOCK = "subsets"
logger = logging.getLogger(__name__)


class Chooser:
    """The choices of one store, for ``count`` documents of every task that has more.

    ``anew`` has documents chosen again, by all that was scored whole meanwhile.
    """

    def __init__(self, store: Store, index: Index, setup: str, count: int, *, anew: bool = False) -> None:
        self._store, self._index, self._setup, self._count, self._anew = store, index, setup, count, anew

    def recall(self, specs: Sequence[RequestSpec]) -> list[RequestSpec] | None:
        """The requests that earlier choices make of these, or None where one has not been made.

        Raises
        ------
        BrokenError
            When a choice cannot be read.
        """
        if self._anew:
            return None
        found: list[RequestSpec] = []
        for spec in specs:
            if spec.version == "text":
                found.append(spec)
                continue
            choice = latest(self._store.folder, spec.digest, self._count)
            if choice is None:
                return None
            chosen = choice.chosen
            some = spec if chosen is None else replace(spec, digest=chosen.requests, whole=spec.digest)
            found.append(some)
        return found

    def made(self, specs: Sequence[RequestSpec]) -> bool:
        """Whether there is a choice for all of these."""
        tasks = [spec for spec in specs if spec.version != "text"]
        return all(latest(self._store.folder, spec.digest, self._count) is not None for spec in tasks)

    def choose(self, specs: Sequence[PreparedRequest]) -> list[PreparedRequest]:
        """The requests with the documents that were chosen, which is done now where it was not before.

        Raises
        ------
        BrokenError
            When an earlier choice cannot be read.
        BenchcastError
            When the disk is full.
        """
        with self._store.lock(LOCK, wait=True):
            return [self._chosen(spec) for spec in specs]

    def _chosen(self, spec: PreparedRequest) -> PreparedRequest:
        if not isinstance(spec.what, Task):
            return spec
        choice = latest(self._store.folder, spec.digest, self._count)
        if choice is None or (self._anew and choice.chosen is not None):
            choice = self._made(spec, spec.what, choice)
        if choice.chosen is None:
            return spec
        chosen = choice.chosen
        some = replace(cut(spec.what, chosen.subset.documents.tolist()), chosen=chosen, digest=chosen.requests)
        return replace(spec, digest=chosen.requests, whole=spec.digest, what=some)

    def _made(self, spec: PreparedRequest, task: Task, before: StoredChoice | None) -> StoredChoice:
        """A choice that is made now and written, unless it would be the one that is there."""
        total = len(task.questions)
        contents: list[dict[str, Any]] = []
        subset: Subset | None = None
        remark = ""
        if task.kind.name not in KINDS:
            remark = NO_MEANS
        elif total > self._count:
            contents = self._asked_whole(spec.digest)
            subset, contents = self._subset(contents, total)
        if before is not None and before.chosen is not None and subset is not None:
            same = np.array_equal(before.chosen.subset.documents, subset.documents)
            if same and np.array_equal(before.chosen.subset.weights, subset.weights):
                return before
        chance = chance_of(task)
        write(
            self._store.folder,
            task=spec.name,
            requests=spec.digest,
            count=self._count,
            number=1 if before is None else before.number + 1,
            subset=subset,
            about={
                "total": total,
                "remark": remark,
                "chosen_by": [{"source": c["source"], "checkpoint": c["checkpoint"]} for c in contents],
                "chance": chance if math.isfinite(chance) else None,
            },
        )
        made = latest(self._store.folder, spec.digest, self._count)
        assert made is not None
        return made

    def _asked_whole(self, requests: str) -> list[dict[str, Any]]:
        """Stored cells of all documents, of every run those that choose, in the order of their place."""
        contents = self._index.contents(None, [requests], self._setup, failed=False)
        runs: dict[str, list[dict[str, Any]]] = {}
        for content in sorted(contents, key=_place):
            runs.setdefault(str(content["place"]["run"]), []).append(content)
        few = []
        for of_run in runs.values():
            at = np.linspace(len(of_run) - 1, 0, min(CHECKPOINTS, len(of_run))).round().astype(int)
            few += [of_run[i] for i in sorted(set(at.tolist()))]
        return few

    def _subset(self, contents: list[dict[str, Any]], total: int) -> tuple[Subset, list[dict[str, Any]]]:
        """The choice, and the cells that it was made by."""
        read = [(content, values) for content in contents if (values := self._values(content, total))]
        names = list(read[0][1]) if read else []
        shared = [name for name in names if name != "bits_per_byte" and all(name in values for _, values in read)]
        if not shared:
            return evenly(total, self._count), []
        tables = {name: np.array([values[name] for _, values in read]) for name in shared}
        runs = [str(content["place"]["run"]) for content, _ in read]
        return choose(tables, runs, self._count), [content for content, _ in read]

    def _values(self, content: dict[str, Any], total: int) -> Values:
        """Values of every document of a stored cell; none where they cannot be read or are not all."""
        path = self._store.path(content["cell"]) / DOCUMENTS
        try:
            reading.check(path)
            if file_digest(path) != self._store.about(content["cell"])["documents_sha256"]:
                raise ValueError("is not the file that was written")
            values = values_of(pd.read_parquet(path))
        except Exception as error:  # a file someone else wrote, through another library: anything can come
            logger.warning("%s does not help to choose documents: %s", path, " ".join(str(error).split())[:200])
            return {}
        derived = content.get(DERIVED, list(values))
        known = {name: v for name, v in values.items() if name in derived or name in ("nll", "nll_mean_prob")}
        return known if all(len(v) == total for v in known.values()) else {}


def _place(content: dict[str, Any]) -> tuple[float, float, str]:
    place = content["place"]
    return reading.number(place.get("params")), reading.number(place.get("tokens")), str(content["checkpoint"])
