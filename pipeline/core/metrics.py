"""The metrics that a ladder table may have: their units, what they can be, and what a wrong value usually is.

A metric is called as lm-eval calls it. Where a filter took the answer out of what was generated, its name follows after
a comma: ``exact_match,strict-match``; of no filter (lm-eval's ``none``) nothing is said.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

FRACTION = "fraction"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """Unit and possible range of a metric; ``hint`` says what a value outside it usually is."""

    unit: str
    low: float
    high: float
    hint: str

    @property
    def is_accuracy(self) -> bool:
        """Whether it is a share of the documents."""
        return self.unit == FRACTION

    @property
    def range(self) -> str:
        """What a value can be, for a message."""
        return f"{self.low:g} to {self.high:g}" + ("" if self.is_accuracy else f" {self.unit}")


SUM = "this looks like a sum over tokens; divide by the answer's bytes"
PERCENT = "is it a percentage? divide by 100"
METRICS = {
    "acc": Metric(unit=FRACTION, low=0.0, high=1.0, hint=PERCENT),
    "acc_norm": Metric(unit=FRACTION, low=0.0, high=1.0, hint=PERCENT),
    "nll": Metric(unit="nats/byte of the gold answer", low=0.0, high=25.0, hint=SUM),
    "bits_per_byte": Metric(unit="bits/byte of the gold answer", low=0.0, high=36.0, hint=SUM),
    # Per token where only that is published: source gemstones, which has no answers to count bytes of.
    "nll_mean_prob": Metric(unit="nats/byte of the gold answer", low=0.0, high=25.0, hint=SUM),
    "nll_token": Metric(unit="nats/token of the gold answer", low=0.0, high=100.0, hint="give the mean per token"),
    "nll_choice": Metric(unit="nats, normalised over the choices", low=0.0, high=1000.0, hint=SUM),
    "val_loss": Metric(unit="nats/token", low=0.0, high=25.0, hint="give the mean per token"),
    "val_bpb": Metric(unit="bits/byte", low=0.0, high=36.0, hint="give the mean per byte"),
}

# Scores of answers that are generated, or of several right answers: means over documents of numbers in [0, 1].
SHARES = (
    r"acc(uracy)?(_[a-z_]+)?",  # acc_mutual_info, acc_bytes, …
    r"exact_match(_[a-z_]+)?|exact|em(_[a-z_]+)?|(quasi_)?prefix_exact_match|quasi_exact_match",
    r"f1(_[a-z_]+)?",
    r"pass@\d+|pass_at_\d+",
    r"(prompt|inst)_level_(strict|loose)_acc",  # IFEval
    r"mc[12]|contains|math_verify|recall|precision|anls|(bleu|rouge[12L]|bleurt)_acc",
)
_SHARE = re.compile("|".join(f"(?:{pattern})" for pattern in SHARES))


@lru_cache(maxsize=4096)
def metric_of(name: str) -> Metric | None:
    """What is known of a metric by its name in the table, filter and all; None for one that no table may have."""
    if name in METRICS:
        return METRICS[name]
    base, comma, filtered = name.partition(",")
    if comma and (filtered.strip() in ("", "none") or base in LOSSES or base in ("val_loss", "val_bpb")):
        return None
    if name in ALIASES or base.endswith("_stderr"):  # a sampling error is a column of the table, no score
        return None
    return Metric(unit=FRACTION, low=0.0, high=1.0, hint=PERCENT) if _SHARE.fullmatch(base) else None


def is_share(name: str) -> bool:
    """Whether a metric is a share of the documents, by its name in the table."""
    metric = metric_of(name)
    return metric is not None and metric.is_accuracy


def metric_name(name: str, filtered: str) -> str:
    """A metric's name in the table, of lm-eval's name and filter (``none`` or empty for none)."""
    return name if filtered in ("", "none") else f"{name},{filtered}"


def score_label(task: str, metric: str) -> str:
    """What a score is called in forecasts: the task where it is its accuracy, else the task and the metric."""
    return task if metric in ACCURACIES or not is_share(metric) else f"{task} {metric}"


def matches(metric: str, pattern: str) -> bool:
    """Whether a shell pattern means a metric; without its filter a name means all of its filters."""
    return any(fnmatch.fnmatchcase(name, pattern) for name in (metric, metric.partition(",")[0]))


def kind_of_score(metric: str) -> str:
    """What scores of one task share a level of guessing by: accuracies one, every other metric one of its own."""
    return "" if metric in ACCURACIES or not is_share(metric) else metric.partition(",")[0]


def meant(name: str, known: Iterable[str] = ()) -> str | None:
    """The metric that an unknown name probably means; ``known`` are further names that it may be near to."""
    base, comma, filtered = name.strip().partition(",")
    if base.endswith("_stderr"):
        return None
    plain = base.lower().replace("-", "_").replace(" ", "_")
    numbered = re.fullmatch(r"pass(?:_?at)?[_@]*(\d+)", plain)
    if numbered:
        return metric_name(f"pass@{numbered[1]}", filtered.strip())
    for each in (name.lower(), plain):
        if each in ALIASES:
            return ALIASES[each]
    if metric_of(plain) is not None and plain != name:
        better = metric_name(plain, filtered.strip() if comma else "")
        return better if metric_of(better) is not None else plain
    near = difflib.get_close_matches(plain, [*METRICS, *USUAL, *known], 1)
    return near[0] if near else None


ACCURACIES = ("acc_norm", "acc")  # one score of a task, divided by length or not; the first is preferred
USUAL = ("exact_match", "pass@1", "f1", "em", "mc2", "acc_mutual_info", "prompt_level_strict_acc", "contains")

# What other tools call them, for a hint.
ALIASES = {
    "accuracy": "acc",
    "acc,none": "acc",
    "acc_norm,none": "acc_norm",
    "loss": "val_loss",
    "eval_loss": "val_loss",
    "bpb": "bits_per_byte",
}

LOSSES = ("nll", "bits_per_byte", "nll_choice", "nll_mean_prob", "nll_token")  # of a task's own documents

# Names the recipes use for other columns beside the validation losses.
RESERVED = ("accuracy", "stderr", "chance", "params", "flops", "step", "tokens", "token_multiplier", "run", *METRICS)
