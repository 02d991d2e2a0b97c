"""Two scored checkpoints, document by document: which documents flip, and which differences are sure."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from benchcast.reports.records.account import Account, listed
from benchcast.reports.records.comparing.versus import Comparison, FlippedDocument, MeanComparison, TaskComparison
from benchcast.reports.text import comparison_table
from benchcast.stages.comparing import paired
from benchcast.stages.notices import comparing as notices
from numpy.typing import NDArray

from ..core.errors import Fault, FaultsError, InputError
from ..core.metrics import ACCURACIES, matches
from .answers import Answers, Checkpoint
from .together import Both, Clusters, clustered, pooled, shown_names

AUTO = "auto"
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is compared, and how.

    ``together`` maps the name of a group to the pattern of the tasks whose documents it pools, each task a cluster.
    """

    alpha: float = 0.05
    tasks: tuple[str, ...] = ("*",)
    metrics: tuple[str, ...] = (AUTO,)
    any_prompt: bool = False
    clusters: Clusters | None = None
    cluster_field: str | None = None
    together: Mapping[str, str] | None = None


def compare(
    a: Checkpoint, b: Checkpoint, options: Options, account: Account
) -> tuple[Comparison, list[FlippedDocument]]:
    """Compare two checkpoints on every task that both were asked alike.

    Raises
    ------
    InputError
        When there is none, and the error's account says why; or A is B.
    """
    if a is b:
        raise InputError(f"{a.name}: A and B are the same checkpoint; name two")
    pairs = [_of_documents(*pair, account) for pair in _alike(a.read(account), b.read(account), options, account)]
    both = [clustered(pair, options.clusters) for pair in pairs if pair is not None]
    _check_clusters(both, options)
    both = _asked_alike(both, account, any_prompt=options.any_prompt)
    both = pooled(both, options.together or {})
    if not both:
        what = "have no task that both were asked alike, with its documents"
        error = FaultsError([Fault(f"{a.name} and {b.name}", what, "what was left out says why")])
        error.account = account.record().told()
        raise error
    rows = _tested([_task(pair) for pair in both], both, options.alpha)
    mean = _mean(rows)
    said = comparison_table.answer(rows, options.alpha, paired.POWER)
    flips = [flip for pair in both for flip in _flips(pair)]
    comparison = Comparison(
        a=a.name,
        b=b.name,
        answer=said,
        alpha=options.alpha,
        level=LEVEL,
        power=paired.POWER,
        tasks=tuple(rows),
        mean=mean,
        account=account.record(),
    )
    return comparison, flips


def _check_clusters(both: Sequence[Both], options: Options) -> None:
    """That what was to cluster the documents does so; else they would count as independent, unawares."""
    if not both or any(pair.a.clusters is not None for pair in both):
        return
    if options.clusters is not None:
        name = shown_names(both[0].a)[0]
        raise InputError(f"--clusters: names no document that both were asked; they are called like {name!r}")
    if options.cluster_field is not None:
        raise InputError(
            f"--cluster-field {options.cluster_field}: is no field of the documents (only lm-eval's samples have some)"
        )


# ---- which scores belong together ----


def _alike(
    a: Sequence[Answers], b: Sequence[Answers], options: Options, account: Account
) -> list[tuple[Answers, Answers]]:
    """The scores that both have, of the tasks and metrics that are wanted.

    Raises
    ------
    InputError
        For a pattern that no task matches, and metrics that no task has that both were asked.
    """
    there = list(dict.fromkeys(x.task for x in (*a, *b)))
    for pattern in options.tasks if there else ():
        if not any(fnmatch.fnmatchcase(name, pattern) for name in there):
            raise InputError(f"--task {pattern}: neither A nor B was asked such a task (there are {listed(there, 8)})")
    wanted_a, wanted_b = (
        [x for x in each if any(fnmatch.fnmatchcase(x.task, p) for p in options.tasks)] for each in (a, b)
    )
    for who, one, other in (("A", wanted_a, wanted_b), ("B", wanted_b, wanted_a)):
        if alone := {x.task for x in one} - {x.task for x in other}:
            account.leave(f"tasks that only {who} was asked", *sorted(alone))
    pairs = []
    metrics: dict[str, None] = {}
    for task in dict.fromkeys(x.task for x in wanted_a):
        first, second = ([x for x in each if x.task == task] for each in (wanted_a, wanted_b))
        found = [(x, y) for x in first for y in second if x.metric == y.metric and _same_setup(x, y)]
        if second and not found:
            account.leave(
                "tasks that A and B were asked otherwise (shots, prompt, metric)", _apart(task, first, second)
            )
        metrics |= dict.fromkeys(x.metric for x, _ in found)
        keep = _metrics([x.metric for x, _ in found], options.metrics)
        pairs += [(x, y) for x, y in found if x.metric in keep]
    if metrics and not pairs:
        asked = ", ".join(options.metrics)
        raise InputError(f"--metric {asked}: no task of both has such a score (there are {listed(metrics, 8)})")
    return pairs


def _metrics(has: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The metrics that are wanted; ``auto`` is one accuracy, or of a task without one all its scores."""
    accuracy = [m for m in ACCURACIES if m in has][:1]
    wanted = [m for m in has if any(matches(m, p) for p in patterns if p != AUTO)]
    return wanted + (accuracy or list(has) if AUTO in patterns else [])


def _same_setup(x: Answers, y: Answers) -> bool:
    shots = x.shots == y.shots or math.isnan(x.shots) or math.isnan(y.shots)
    return shots and x.prompt == y.prompt


def _apart(task: str, first: Sequence[Answers], second: Sequence[Answers]) -> str:
    def asked(each: Sequence[Answers]) -> str:
        ways = {f"{x.metric}{'' if math.isnan(x.shots) else f' {x.shots:g}-shot'} {x.prompt}".strip() for x in each}
        return listed(sorted(ways), 3)

    return f"{task}: {asked(first)} against {asked(second)}"


def _of_documents(x: Answers, y: Answers, account: Account) -> Both | None:
    """Both scores on the documents that both were asked; None where there are none."""
    _, at_x, at_y = np.intersect1d(x.names, y.names, return_indices=True)
    order = np.argsort(at_x)  # as A has them
    at_x, at_y = at_x[order], at_y[order]
    only_a, only_b = len(x.names) - len(at_x), len(y.names) - len(at_y)
    if not len(at_x):
        account.leave("tasks without a document that both were asked", f"{x.task} ({len(x.names)} and {len(y.names)})")
        return None
    for who, count, of in (("A", only_a, x), ("B", only_b, y)):
        if count:
            account.leave(f"documents that only {who} was asked", f"{count} of {len(of.names)} of {x.task} {x.metric}")
    return Both(a=_taken(x, at_x), b=_taken(y, at_y), only_a=only_a, only_b=only_b)


def _taken(x: Answers, at: NDArray[np.intp]) -> Answers:
    columns: dict[str, Any] = {}
    for name in ("names", "score", "nll", "prompts", "clusters", "shown"):
        values = getattr(x, name)
        columns[name] = None if values is None else values[at]
    return replace(x, **columns)


def _asked_alike(both: Sequence[Both], account: Account, *, any_prompt: bool) -> list[Both]:
    """Without the scores whose documents were put otherwise; with ``any_prompt`` they stay, and it is told."""
    kept = []
    for pair in both:
        said = _otherwise(pair)
        if said and not any_prompt:
            account.leave("tasks that were put otherwise (--any-prompt compares them all the same)", said)
            continue
        if said:
            account.note(notices.ASKED_OTHERWISE(said))
        kept.append(pair)
    return kept


def _otherwise(pair: Both) -> str:
    """How the two were asked otherwise; empty where they were not, or it is not known."""
    x, y = pair.a, pair.b
    if x.prompts is not None and y.prompts is not None:
        differ = int(np.sum(x.prompts != y.prompts))
        return f"{x.task}: {differ} of {len(x.prompts)} documents in another prompt" if differ else ""
    if x.version and y.version and x.version != y.version:
        return f"{x.task}: version {x.version[:24]} against {y.version[:24]}"
    return ""


# ---- what they say ----


def _task(pair: Both) -> dict[str, Any]:
    """The numbers of one score, before it is known what the others say."""
    difference, clusters = pair.difference, pair.a.clusters
    binary = pair.a.is_right_or_wrong and pair.b.is_right_or_wrong
    lost, won = int(np.sum(difference < 0)), int(np.sum(difference > 0))
    n = len(difference)
    if binary and clusters is None:
        low, high = (float(end) for end in paired.interval(n, lost, won, LEVEL))
        test, p = "McNemar mid-p", float(paired.mid_p(lost, won))
    else:
        mean = paired.mean_difference(difference, clusters)
        low, high = mean.interval(LEVEL)
        test, p = "paired t" if clusters is None else "clustered t", mean.p
    return {
        "task": pair.a.task,
        "metric": pair.a.metric,
        "documents": n,
        "only_a": pair.only_a,
        "only_b": pair.only_b,
        "clusters": None if clusters is None else len(np.unique(clusters)),
        "a": float(pair.a.score.mean()),
        "b": float(pair.b.score.mean()),
        "difference": float(difference.mean()),
        "low": max(low, -1.0),
        "high": min(high, 1.0),
        "lost": lost if binary else None,
        "won": won if binary else None,
        "test": test,
        "p": p,
        **_nll(pair),
    }


def _nll(pair: Both) -> dict[str, Any]:
    """The gold answers' losses, on the documents where both are known."""
    names = ("nll_a", "nll_b", "nll_difference", "nll_low", "nll_high")
    if pair.a.nll is None or pair.b.nll is None or pair.a.unit != pair.b.unit:
        return {**dict.fromkeys(names), "nll_unit": ""}
    known = np.isfinite(pair.a.nll) & np.isfinite(pair.b.nll)
    if not known.any():
        return {**dict.fromkeys(names), "nll_unit": ""}
    clusters = None if pair.a.clusters is None else pair.a.clusters[known]
    mean = paired.mean_difference((pair.b.nll - pair.a.nll)[known], clusters)
    ends = [x if math.isfinite(x) else None for x in mean.interval(LEVEL)]
    means = float(pair.a.nll[known].mean()), float(pair.b.nll[known].mean())
    return {**dict(zip(names, (*means, mean.mean, *ends), strict=True)), "nll_unit": pair.a.unit}


def _tested(parts: Sequence[dict[str, Any]], both: Sequence[Both], alpha: float) -> list[TaskComparison]:
    """Holm over all of them, and what each would have seen at the step where Holm stopped."""
    adjusted = paired.holm([part["p"] for part in parts])
    tested = int(np.sum(np.isfinite(adjusted)))
    sure = int(np.sum(adjusted <= alpha))
    stopped = alpha / max(tested - sure, 1)
    rows = []
    for part, pair, p in zip(parts, both, adjusted.tolist(), strict=True):
        if part["test"] == "McNemar mid-p":
            seen = paired.detectable(part["documents"], part["lost"] + part["won"], stopped)
        else:
            seen = paired.mean_difference(pair.difference, pair.a.clusters).detectable(stopped)
        better: Literal["A", "B"] | None = None if not p <= alpha else "B" if part["difference"] > 0 else "A"
        rows.append(TaskComparison(**part, adjusted=p, better=better, detectable=seen))
    return rows


def _mean(rows: Sequence[TaskComparison]) -> MeanComparison | None:
    """The mean over tasks, each by its first metric; tasks have documents of their own.

    Its interval comes of the tasks' intervals, whose ends on one side add up as errors do (Zou, Huang and Zhang,
    Comput. Stat. Data Anal. 53 (2009) 1080-1085): a task without a flip is no task without an error.
    """
    first = list({row.task: row for row in reversed(rows)}.values())
    if len(first) < 2:
        return None
    mean = float(np.mean([row.difference for row in first]))
    below, above = (
        float(np.sqrt(np.sum([(row.difference - getattr(row, end)) ** 2 for row in first])) / len(first))
        for end in ("low", "high")
    )
    return MeanComparison(tasks=len(first), difference=mean, low=mean - below, high=mean + above)


def _flips(pair: Both) -> list[FlippedDocument]:
    changed = np.flatnonzero(pair.difference)
    shown = shown_names(pair.a)
    return [
        FlippedDocument(
            task=pair.a.task,
            metric=pair.a.metric,
            document=shown[i],
            a=float(pair.a.score[i]),
            b=float(pair.b.score[i]),
        )
        for i in changed
    ]
