"""Which scores of a table are forecast, and what each is called.

A task is forecast by its accuracy where it has one, and a metric of another kind (exact match, pass@k, F1) is a
forecast of its own, called by task and metric. ``auto`` takes the others only of tasks without an accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

import pandas as pd
from benchcast.reports.records.account import listed
from benchcast.stages.notices import Notice, recipes

from ..core.config import Config
from ..core.errors import InputError
from ..core.metrics import ACCURACIES, is_share, matches, score_label
from ..data.task_setup import setup_label
from .job import matching

SCORE = "score"  # column: what the forecast of a row is called, without shots and prompt
SETUP = ["task", SCORE, "num_fewshot", "prompt"]  # columns that tell one forecast's rows from another's
AUTO = "auto"


def scores_of(config: Config, table: pd.DataFrame) -> pd.DataFrame:
    """The rows with a score that the config asks for, with the name of their forecast as column ``score``.

    Raises
    ------
    InputError
        For a pattern of ``metric`` that no score of the table matches.
    """
    _check(config.metrics, _shares(table))
    return named_scores(table, config.metrics)


def named_scores(table: pd.DataFrame, patterns: Sequence[str] = ("*",)) -> pd.DataFrame:
    """The rows with a score that one of the patterns means, by default all, with their column ``score``."""
    shares = _shares(table)
    rows = table[table["metric"].isin(shares)]
    wanted = rows["metric"].isin([m for m in shares if any(matches(m, p) for p in patterns if p != AUTO)])
    if AUTO in patterns:
        accurate = rows["metric"].isin(ACCURACIES)
        wanted |= accurate | ~rows["task"].isin(set(rows.loc[accurate, "task"]))
    rows = rows[wanted]
    pairs = rows[["task", "metric"]].drop_duplicates()
    names = {pair: score_label(*map(str, pair)) for pair in pairs.itertuples(index=False, name=None)}
    labels = [names[pair] for pair in zip(rows["task"], rows["metric"], strict=True)]
    return rows.assign(**{SCORE: pd.Series(labels, index=rows.index, dtype=object)})


def _shares(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in table["metric"].unique() if is_share(str(name))]


def _check(patterns: Sequence[str], shares: Sequence[str]) -> None:
    """Patterns that match nothing; what config files have said for long, an accuracy or auto, is left to the tasks."""
    for pattern in patterns:
        if pattern not in (AUTO, *ACCURACIES) and not any(matches(name, pattern) for name in shares):
            raise InputError(f"metric: {pattern!r} matches no score of the table (it has {listed(shares, 8)})")


def asked_in_several_ways(scores: pd.DataFrame) -> pd.Series:
    """Name of a forecast to whether it was asked in more ways (shots, prompts) than one."""
    return scores[SETUP].drop_duplicates().groupby(SCORE).size() > 1


def metric_of_rows(part: pd.DataFrame, fit_runs: Set[str]) -> str:
    """The metric of one forecast's rows: of two accuracies that which most of the fitted runs have, or acc_norm."""
    have = {str(m): len(fit_runs & set(part.loc[part["metric"].eq(m), "run"])) for m in part["metric"].unique()}
    order = [*(m for m in ACCURACIES if m in have), *(m for m in have if m not in ACCURACIES)]
    return max(order, key=lambda m: have[m])


def not_forecast(config: Config, table: pd.DataFrame) -> list[Notice]:
    """Scores that ``auto`` passes over, since their tasks have an accuracy: a line that names them."""
    if AUTO not in config.metrics:
        return []
    named = scores_of(config, table)
    taken = set(named["metric"].unique()) | set(ACCURACIES)
    tasks = named.loc[[bool(matching([task, score], config.tasks)) for task, score in _names(named)], "task"].unique()
    others = table[table["task"].isin(tasks) & ~table["metric"].isin(taken)]
    others = others[others["metric"].isin(_shares(others))]
    if others.empty:
        return []
    metrics, of = dict.fromkeys(map(str, others["metric"])), dict.fromkeys(map(str, others["task"]))
    return [recipes.METRICS_NOT_FORECAST(metrics=listed(metrics, 8), tasks=listed(of, 6))]


def unmatched(config: Config, table: pd.DataFrame) -> list[str]:
    """Patterns of ``tasks`` that no score matches, such as the halves of a name with a comma that has no quotes."""
    rows = scores_of(config, table)[SETUP].drop_duplicates()
    names = {str(name) for column in ("task", SCORE) for name in rows[column]}
    names |= {setup_label(str(row.score), row.num_fewshot, row.prompt) for row in rows.itertuples()}
    return [pattern for pattern in config.tasks if not matching(sorted(names), [pattern])]


def _names(rows: pd.DataFrame) -> list[tuple[str, str]]:
    return [(str(task), str(score)) for task, score in zip(rows["task"], rows[SCORE], strict=True)]
