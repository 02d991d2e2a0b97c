"""Scores out of one task's numbers as an evaluation tool writes them, and an account of the others.

Scores are shares of the documents: accuracies, exact matches, pass@k, F1. They are called as in the table: by metric,
and by filter where one took the answer out of what was generated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import readers

from ....core import reading
from ....core.errors import ContradictionError, Fault
from ....core.metrics import is_share, metric_name
from ...document_metrics import Mean

AVERAGES = ("all", "average", "avg", "_average", "mean", "overall")
ABOUT = ("alias", "name", "sample_len", "sample_count", "samples", "version", " ", "")
MOST_LOSS = 25.0  # nats: a perplexity of 7e10 is of no trained model
NO_VALUE = ("N/A", "NA", "", "nan?", None)
PERCENT_TASKS = ("squadv2*", "squad2*", "scrolls_*")  # lm-eval's own code counts their exact matches and F1 to 100
ROLLING = ("bits_per_byte", "byte_perplexity", "word_perplexity")  # what lm-eval says of a text
SAME = 1e-6  # relative: two statements of one loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """One task's numbers: its scores (and a text's loss) by metric, and the names of all others with their filters."""

    means: dict[str, Mean] = field(default_factory=dict)
    others: tuple[str, ...] = ()


def is_average(task: str) -> bool:
    """Whether a row's name says that it is an average over tasks."""
    name = task.lower().split("|")[-2 if "|" in task else -1]
    return name in AVERAGES or task.lower() in AVERAGES or name.endswith(("_average", ":average", ":avg"))


def numbers(
    task: str, output_type: str, metrics: Mapping[str, Any], where: Callable[[str], str], faults: list[Fault]
) -> Numbers:
    """A task's scores and the loss that it states; ``where`` says the file, model, task and metric for a fault."""
    means: dict[str, Mean] = {}
    others: dict[str, list[str]] = {}
    percent = any(fnmatchcase(task.lower(), pattern) for pattern in PERCENT_TASKS)
    for key, value in metrics.items():
        name, _, filtered = key.partition(",")
        metric = metric_name(name, filtered)
        if name in ABOUT or name.endswith("_stderr") or (isinstance(value, Mapping | list) and not is_share(metric)):
            continue
        if not is_share(metric):
            others.setdefault(name, []).extend([filtered] if metric != name else [])
        elif value in NO_VALUE:
            others[f"{metric} without a value"] = []
        elif percent:
            others[f"{metric} in percent"] = []
        elif metric not in means and (mean := _mean(value, _stderr(metrics, name, key), where(metric), faults)):
            means[metric] = mean
    for metric, mean, names in _loss(task, output_type, metrics, where, faults):
        means[metric] = mean
        others = {name: filters for name, filters in others.items() if name not in names}
    named = (name + (f" (filters {', '.join(filters)})" if filters else "") for name, filters in others.items())
    return Numbers(means=means, others=tuple(named))


def leave(task: str, of_task: Numbers, account: Account) -> None:
    """Lines for what of a task does not count."""
    if not of_task.means:
        have = listed(other.partition(" (")[0] for other in of_task.others) or "no number"
        account.leave(f"tasks without a score in [0, 1] or a text's loss, which have {have}", task)
    else:
        for name in of_task.others:
            account.leave("metrics that are not shares of the documents", f"{name} of {task}")


def tell_losses(means: Mapping[str, Mean], account: Account) -> None:
    """A line for LAMBADA's perplexity, whose logarithm is a loss in a unit of its own."""
    if "val_loss" in means:
        account.note(readers.LAMBADA())


def _loss(
    task: str, output_type: str, metrics: Mapping[str, Any], where: Callable[[str], str], faults: list[Fault]
) -> list[tuple[str, Mean, tuple[str, ...]]]:
    """The loss of a text, or of LAMBADA's words: metric, value, and the names of the numbers that it is."""
    if (of_words := perplexity(task, metrics)) is not None:
        return [("val_loss", of_words, ("ppl", "perplexity"))]
    if not any(_value(metrics, name)[0] for name in ROLLING[1:]) and output_type != "loglikelihood_rolling":
        return []
    try:
        of_text = bits_per_byte(metrics)
    except ContradictionError as error:
        faults.append(Fault(where("bits_per_byte"), str(error), "score the text again, or take one of them out"))
        return []
    return [] if of_text is None else [("val_bpb", of_text, ROLLING)]


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


def bits_per_byte(metrics: Mapping[str, Any]) -> Mean | None:
    """The loss of a text, bits per byte, as ``bits_per_byte`` or as the logarithm of ``byte_perplexity``; None without.

    The perplexity of words alone is not a loss per byte, for the number of bytes is not known.

    Raises
    ------
    ContradictionError
        When both are there and one is not the logarithm of the other.
    """
    key, stated = _value(metrics, "bits_per_byte")
    other, factor = _value(metrics, "byte_perplexity")
    if factor <= 0:
        other = ""
    bits = math.log2(factor) if other else math.nan
    if key and other and not math.isclose(stated, bits, rel_tol=SAME, abs_tol=SAME):
        rounded = 0.5001 * 10.0 ** -min(_decimals(stated), _decimals(factor))  # either may have been rounded
        if not math.isclose(stated, bits, abs_tol=rounded):
            raise ContradictionError(f"{stated:.8g} is not the base-2 logarithm of byte_perplexity {factor:.8g}")
    if key:
        return Mean(stated, _stderr(metrics, "bits_per_byte", key))
    return Mean(bits, _stderr(metrics, "byte_perplexity", other) / (factor * math.log(2))) if other else None


def _value(metrics: Mapping[str, Any], name: str) -> tuple[str, float]:
    """The key and value of a metric without a filter; an empty key where it has no number."""
    for key in (name, f"{name},none"):
        value = metrics.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(reading.number(value)):
            return key, float(value)
    return "", math.nan


def _decimals(value: float) -> int:
    return len(f"{value:.16g}".partition(".")[2])


def _stderr(metrics: Mapping[str, Any], name: str, key: str) -> float:
    _, comma, filtered = key.partition(",")
    return reading.number(metrics.get(f"{name}_stderr{comma}{filtered}", metrics.get(f"{name}_stderr")))


def _mean(given: Any, stderr: float, where: str, faults: list[Fault]) -> Mean | None:
    value = reading.number(given)
    if isinstance(given, bool) or not isinstance(given, int | float):
        faults.append(Fault(where, f"{given!r} is not a number"))
    elif not math.isfinite(value):
        faults.append(Fault(where, f"is {given}, no number", "score the task again, or take it out of the file"))
    elif not 0 <= value <= 1:
        percent = 1 < value <= 100
        fix = "it looks like a percentage: divide by 100" if percent else "it is a share of the documents"
        faults.append(Fault(where, f"{value:g} is not a fraction in [0, 1]", fix))
    elif stderr < 0 or stderr > 0.51:
        fix = "is it a percentage? divide by 100"
        faults.append(Fault(where, f"the standard error {stderr:g} is not possible for a fraction", fix))
    else:
        return Mean(value, stderr if math.isfinite(stderr) else math.nan)
    return None
