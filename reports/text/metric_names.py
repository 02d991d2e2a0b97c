"""What a score is called where people read it: its metric by lm-eval's name, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .wording import NAME, clean

ACCURACIES = ("", "acc", "acc_norm")  # empty: not known, as in results of earlier versions
ACCURACY, SCORE = "accuracy", "score"
WORDS = {
    "exact_match": "exact match",
    "exact": "exact match",
    "em": "exact match",
    "f1": "F1",
    "mc1": "MC1",
    "mc2": "MC2",
    "acc_mutual_info": "accuracy by mutual information",
    "acc_bytes": "accuracy by bytes",
    "anls": "ANLS",
    "math_verify": "verified answers",
}


def score_name(metric: str) -> str:
    """A metric in words, its filter in brackets: accuracy, exact match (strict-match), pass@1."""
    if metric in ACCURACIES:
        return ACCURACY
    base, _, filtered = metric.partition(",")
    numbered = re.fullmatch(r"pass(?:@|_at_)(\d+)", base)
    words = f"pass@{numbered[1]}" if numbered else WORDS.get(base, base.replace("_", " "))
    return clean(f"{words} ({filtered})" if filtered else words, NAME)


def score_axis(metric: str) -> str:
    """The title of an axis of scores: of an accuracy also which of the two it is."""
    return f"{ACCURACY} ({metric})" if metric in ("acc", "acc_norm") else score_name(metric)


def error_axis(metric: str) -> str:
    """The title of an axis of errors, 1 minus the score."""
    return f"top-1 error ({metric})" if metric in ("acc", "acc_norm") else f"1 - {score_name(metric)}"


def common_name(metrics: Iterable[str]) -> str:
    """What scores of several metrics are called together: by their name where it is one, else scores."""
    names = {score_name(metric) for metric in metrics}
    return names.pop() if len(names) == 1 else SCORE if names else ACCURACY


def says_metric(task: str, metric: str) -> bool:
    """Whether a score is called by task and metric, as those are that are not an accuracy."""
    return metric not in ACCURACIES and f" {metric}" in task


def spelled(task: str, metric: str) -> str:
    """A score's name with its metric in words: ``recall_phrase: exact match (first-word)``."""
    if not says_metric(task, metric):
        return task
    before, _, after = task.rpartition(f" {metric}")
    return f"{before}{after}: {score_name(metric)}"


def short_tasks(scores: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Shorter names of scores, by (name, metric), for where a name does not fit: its end would be lost or its middle.

    The metric is left out where the report has no other score of the task; of scores that differ in their filter, the
    filter stays.
    """
    metrics = dict(scores)
    by_task: dict[str, list[tuple[str, str, str]]] = {}
    for name, metric in metrics.items():
        if says_metric(name, metric):
            before, _, after = name.rpartition(f" {metric}")
            by_task.setdefault(before + after, []).append((name, before, after))
    short = {}
    for task, named in by_task.items():
        filters = {metrics[name].partition(",")[2] for name, _, _ in named} - {""}
        for name, before, after in named:
            if len(named) == 1 and task not in metrics:
                short[name] = task
            elif len(filters) == len(named) and task not in metrics:
                short[name] = f"{before} {metrics[name].partition(',')[2]}{after}"
    return short


def metric_label(metric: str) -> str:
    """A metric in a column of its own: lm-eval's name of an accuracy, others in words; without its filter."""
    base = metric.partition(",")[0]
    return base if base in ("acc", "acc_norm") else score_name(base)
