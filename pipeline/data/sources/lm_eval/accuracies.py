"""Accuracies out of one task's numbers as an evaluation tool writes them, and an account of the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchcast.reports.records.account import Account, listed

from ....core import reading
from ....core.errors import Fault
from ...document_metrics import Mean

ACCURACIES = ("acc", "acc_norm")
PLAIN = ("", "none")  # names of no filter
AVERAGES = ("all", "average", "avg", "_average", "mean", "overall")
ABOUT = ("alias", "name", "sample_len", "sample_count", "samples", "version", " ", "")
MOST_LOSS = 25.0  # nats: a perplexity of 7e10 is of no trained model
NO_VALUE = ("N/A", "NA", "", "nan?", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """One task's numbers: accuracies, and the names of all others with their filters."""

    means: dict[str, Mean] = field(default_factory=dict)
    filtered: tuple[str, ...] = ()  # accuracies that are there only after a filter
    others: tuple[str, ...] = ()


def is_average(task: str) -> bool:
    """Whether a row's name says that it is an average over tasks."""
    name = task.lower().split("|")[-2 if "|" in task else -1]
    return name in AVERAGES or task.lower() in AVERAGES or name.endswith(("_average", ":average", ":avg"))


def names(metrics: Mapping[str, Any]) -> dict[str, list[str]]:
    """The metrics of a task, standard errors aside: name to filters."""
    by_name: dict[str, list[str]] = {}
    for key, value in metrics.items():
        name, _, filtered = key.partition(",")
        nested = isinstance(value, Mapping | list) and name not in ACCURACIES
        if name in ABOUT or name.endswith("_stderr") or nested:
            continue
        by_name.setdefault(name, []).append(filtered)
    return by_name


def numbers(metrics: Mapping[str, Any], where: Callable[[str], str], faults: list[Fault]) -> Numbers:
    """A task's accuracies; ``where`` says the file, model, task and metric for a fault."""
    means: dict[str, Mean] = {}
    only, others = [], []
    for name, filters in names(metrics).items():
        key = next((f"{name},{f}" if f else name for f in filters if f in PLAIN), None)
        if name not in ACCURACIES:
            named_filters = [f for f in filters if f not in PLAIN]
            others.append(name + (f" (filters {', '.join(named_filters)})" if named_filters else ""))
        elif key is None:
            only += [f"{name},{f}" for f in filters]
        elif metrics[key] in NO_VALUE:
            others.append(f"{name} without a value")
        else:
            mean = _mean(metrics[key], _stderr(metrics, name, key), where(name), faults)
            if mean is not None:
                means[name] = mean
    return Numbers(means=means, filtered=tuple(only), others=tuple(others))


def leave(task: str, of_task: Numbers, account: Account) -> None:
    """Lines for what of a task does not count."""
    if of_task.filtered and not of_task.means:
        account.leave(f"tasks whose accuracy is there only after a filter ({listed(of_task.filtered)})", task)
    elif not of_task.means:
        have = listed(other.partition(" (")[0] for other in of_task.others) or "no number"
        account.leave(f"tasks without an accuracy (acc or acc_norm), which have {have}", task)
    else:
        for name in (*of_task.others, *of_task.filtered):
            account.leave("metrics beside acc and acc_norm", f"{name} of {task}")


def perplexity(task: str, metrics: Mapping[str, Any]) -> Mean | None:
    """LAMBADA's perplexity as a loss, nats per target word: its logarithm; None for other tasks or without one."""
    if not task.lower().split("|")[-1].startswith("lambada"):
        return None
    key = next((k for k in ("ppl", "perplexity", "perplexity,none", "ppl,none") if k in metrics), None)
    value = reading.number(metrics.get(key)) if key else math.nan
    if key is None or not 1 <= value < math.exp(MOST_LOSS):
        return None
    stderr = _stderr(metrics, key.partition(",")[0], key)
    return Mean(math.log(value), stderr / value)


def _stderr(metrics: Mapping[str, Any], name: str, key: str) -> float:
    _, comma, filtered = key.partition(",")
    return reading.number(metrics.get(f"{name}_stderr{comma}{filtered}", metrics.get(f"{name}_stderr")))


def _mean(given: Any, stderr: float, where: str, faults: list[Fault]) -> Mean | None:
    value = reading.number(given)
    if isinstance(given, bool) or not isinstance(given, int | float):
        faults.append(Fault(where, f"{given!r} is no number"))
    elif not math.isfinite(value):
        faults.append(Fault(where, f"is {given}, no number", "score the task again, or take it out of the file"))
    elif not 0 <= value <= 1:
        percent = 1 < value <= 100
        fix = "it looks like a percentage: divide by 100" if percent else "an accuracy is a share of the documents"
        faults.append(Fault(where, f"{value:g} is not a fraction in [0, 1]", fix))
    elif stderr < 0 or stderr > 0.51:
        fix = "is it a percentage? divide by 100"
        faults.append(Fault(where, f"the standard error {stderr:g} is not possible for a fraction", fix))
    else:
        return Mean(value, stderr if math.isfinite(stderr) else math.nan)
    return None
