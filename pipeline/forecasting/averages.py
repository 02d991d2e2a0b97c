"""Averages over tasks, as the config names them: a task of its own beside its members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from benchcast.reports.records.account import listed

from ..core.config import Config
from ..core.errors import InputError
from ..core.metrics import ACCURACIES, LOSSES
from .job import TaskTable, matching

WHERE = ["run", "tokens"]
MIXED = "score"  # metric of an average over tasks of several


def members(config: Config, tasks: Sequence[TaskTable]) -> dict[str, dict[str, float]]:
    """Weight of every task in every average, by label; the weights of an average sum to 1.

    A pattern is of labels; one that matches none may be of tasks that are forecast by one other metric each.

    Raises
    ------
    InputError
        When a pattern matches no task, or one by several metrics, one task has two weights, there is no task, or an
        average has a task's name.
    """
    by_average = {}
    names = [each.label for each in tasks]
    for average, wanted in config.averages.items():
        if average in names:
            raise InputError(f"averages.{average}: a task of the table has that name; choose another")
        patterns = wanted if isinstance(wanted, Mapping) else dict.fromkeys(wanted, 1.0)
        if not patterns:
            raise InputError(f"averages.{average}: names no task; give patterns of tasks, or weight by task")
        weights: dict[str, float] = {}
        for pattern, weight in patterns.items():
            matched = matching(names, [pattern]) or _by_task(average, tasks, pattern)
            if not matched:
                raise InputError(f"averages.{average}: {pattern!r} matches no task (there are {listed(names, 6)})")
            if twice := [task for task in matched if weights.get(task, weight) != weight]:
                raise InputError(f"averages.{average}: task {twice[0]!r} is matched by patterns of different weights")
            weights |= dict.fromkeys(matched, weight)
        total = sum(weights.values())
        by_average[average] = {task: weight / total for task, weight in weights.items()}
    return by_average


def _by_task(average: str, tasks: Sequence[TaskTable], pattern: str) -> list[str]:
    """Labels of the tasks that a pattern matches by the plain names of the table; InputError for several of one."""
    labels: dict[str, list[str]] = {}
    for each in tasks:
        if each.asked is not None and matching([each.asked.task], [pattern]):
            labels.setdefault(each.asked.task, []).append(each.label)
    for task, of_task in labels.items():
        if len(of_task) > 1:
            several = f"matches {task!r}, forecast by several metrics ({listed(of_task, 6)}); name one of them"
            raise InputError(f"averages.{average}: {pattern!r} {several}")
    return [of_task[0] for of_task in labels.values()]


def tasks(averages: Mapping[str, Mapping[str, float]], known: Sequence[TaskTable]) -> Iterator[TaskTable]:
    """A task for every average: a checkpoint counts where every member was measured."""
    rows = {table.label: table.rows.set_index(WHERE) for table in known}
    metrics = {table.label: table.metric for table in known}
    for average, weights in averages.items():
        parts = [rows[task] for task in weights]
        share = np.array(list(weights.values()))
        index = parts[0].index
        for part in parts[1:]:
            index = index.intersection(part.index, sort=False)
        first = parts[0].loc[index]
        columns = {c: first[c] for c in first.columns if c not in ("accuracy", "stderr", "chance", *LOSSES)}
        for name in ("accuracy", "chance", *LOSSES):
            if all(name in part for part in parts):
                columns[name] = sum(w * part[name].reindex(index) for w, part in zip(share, parts, strict=True))
        # Documents of different tasks are drawn apart, so their sampling errors are independent.
        variance = sum(w**2 * part["stderr"].reindex(index) ** 2 for w, part in zip(share, parts, strict=True))
        columns["stderr"] = np.sqrt(variance)
        kinds = {metrics[task] for task in weights}
        metric = kinds.pop() if len(kinds) == 1 else "acc" if kinds <= set(ACCURACIES) else MIXED
        yield TaskTable(label=average, metric=metric, rows=pd.DataFrame(columns, index=index).reset_index())
