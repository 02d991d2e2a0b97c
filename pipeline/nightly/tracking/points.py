"""The scored checkpoints of a tracked run, as points; the history keeps them when the checkpoint is long deleted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchcast.stages.monitor.sequential import Paired, paired
from numpy.typing import NDArray

from ...core.metrics import ACCURACIES
from ...data.documents.choices import right_answers
from ...data.documents.written import WRITTEN, right_of
from ...data.task_setup import asked_version
from ...forecasting.task_scores import SCORE, named_scores
from ...scoring.store.disk import DOCUMENTS, RESULTS


@dataclass(frozen=True, kw_only=True)
class Point:
    """One score (a fraction) at one checkpoint; ``cell`` is where its documents are stored, if they are.

    ``task`` is what forecasts call the score: the task, with its metric where that is not an accuracy.
    """

    run: str
    task: str
    step: float | None
    tokens: float
    params: float
    metric: str
    value: float
    stderr: float
    n: float | None
    version: str
    digest: str
    cell: str = ""

    @property
    def key(self) -> tuple[str, str, float, str]:
        """What makes two points the same measurement."""
        return self.run, self.task, self.tokens, self.version

    def plain(self) -> dict[str, Any]:
        """As JSON; what is not finite is null."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}

    def same(self, other: Point | None) -> bool:
        """Whether nothing of it changed; NaN is the same as NaN."""
        return other is not None and self.plain() == other.plain()


def points_of_table(
    table: pd.DataFrame, run: str, metrics: Sequence[str], cells: Mapping[tuple[str, str], str]
) -> list[Point]:
    """A run's points, one for each score that is forecast and each checkpoint.

    Parameters
    ----------
    table : ladder table
    metrics : patterns of the config; of two accuracies acc_norm is taken, as forecasts do
    cells : (digest of the checkpoint, task) to the cell of the store
    """
    rows_of_run = named_scores(table[table["run"].eq(run)], metrics)
    points = []
    for (task, name), rows in rows_of_run.groupby(["task", SCORE], sort=False):
        there = rows["metric"].unique()
        chosen = next((m for m in ACCURACIES if m in there), there[0])
        for row in rows[rows["metric"].eq(chosen)].sort_values("tokens").itertuples():
            documents = float(row.n) if pd.notna(row.n) else None
            stderr = float(row.stderr) if row.stderr > 0 else _binomial(float(row.value), documents)
            points.append(
                Point(
                    run=run,
                    task=str(name),
                    step=float(row.step) if pd.notna(row.step) else None,
                    tokens=float(row.tokens),
                    params=float(row.params),
                    metric=str(chosen),
                    value=float(row.value),
                    stderr=stderr,
                    n=documents,
                    version=asked_version(str(row.task_version)),
                    digest=str(row.digest),
                    cell=cells.get((str(row.digest), str(task)), ""),
                )
            )
    return points


def _binomial(value: float, n: float | None) -> float:
    """Sampling error of a share of ``n`` documents; 0 where nothing is known, and the rules then lean on the band.

    A score of 0 or 1 has an error too: that of one document answered otherwise.
    """
    rate = min(max(value, 1 / n), 1 - 1 / n) if n and n > 1 else value
    return float(np.sqrt(rate * (1 - rate) / n)) if n else 0.0


def remembered(history: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, float, str], Point]:
    """Every point of the history; a later measurement takes the place of an earlier one."""
    points = (_from_plain(p) for entry in history for p in entry.get("points", ()))
    return {p.key: p for p in points}


def _from_plain(plain: Mapping[str, Any]) -> Point:
    """A point as the history has it; null is a number that was none. Fields of a later version are left out."""
    names = {f.name for f in fields(Point)}
    nothing = {k: math.nan for k in ("tokens", "params", "value", "stderr") if plain.get(k) is None}
    return Point(**({k: v for k, v in plain.items() if k in names} | nothing))


def merged(old: Mapping[tuple[str, str, float, str], Point], now: Sequence[Point]) -> dict[str, list[Point]]:
    """Task to its points in the order of tokens: those of now, and earlier ones that asked the same."""
    versions = {(p.run, p.task): p.version for p in now}
    every = {k: p for k, p in old.items() if versions.get((p.run, p.task), p.version) == p.version}
    every |= {p.key: p for p in now}
    by_task: dict[str, dict[float, Point]] = {}
    for point in sorted(every.values(), key=lambda p: p.tokens):
        by_task.setdefault(point.task, {})[point.tokens] = point
    return {task: list(points.values()) for task, points in by_task.items()}


class Documents:
    """Which documents were right, read from the store once each."""

    def __init__(self, store: Path | None) -> None:
        self._store = store
        self._read: dict[tuple[str, str], NDArray[np.bool_] | None] = {}

    def pair(self, before: Point, after: Point) -> Paired | None:
        """The documents of two points of one task side by side; None where they are not stored, or not the same."""
        was, now = self._right(before), self._right(after)
        if was is None or now is None or was.shape != now.shape or before.version != after.version:
            return None
        return paired(was, now)

    def _right(self, point: Point) -> NDArray[np.bool_] | None:
        if self._store is None or not point.cell:
            return None
        key = (point.cell, point.metric)
        if key not in self._read:
            self._read[key] = _right(self._store / "cells" / point.cell[:2] / point.cell, point)
        return self._read[key]


def _right(folder: Path, point: Point) -> NDArray[np.bool_] | None:
    """One entry per document; None unless their mean is the score itself: a task may count otherwise."""
    try:
        if not (folder / RESULTS).is_file():
            return None
        frame = pd.read_parquet(folder / DOCUMENTS)
        if WRITTEN in frame:
            return _the_score_itself(right_of(frame, point.metric), point)
        frame = frame[frame["with_prompt"]]
        score = frame["loglik"] / frame["answer_chars"] if point.metric == "acc_norm" else frame["loglik"]
    except (OSError, KeyError, ValueError):
        return None
    ordered = frame.assign(score=score, is_right=right_answers(frame)).sort_values(["doc_id", "choice"], kind="stable")
    best = ordered.loc[ordered.groupby("doc_id", sort=True)["score"].idxmax()]
    right = best["is_right"].to_numpy(dtype=bool)
    return _the_score_itself(right, point)


def _the_score_itself(right: NDArray[np.bool_] | None, point: Point) -> NDArray[np.bool_] | None:
    return right if right is not None and np.isclose(right.mean(), point.value, atol=1e-9) else None
